//! The programs that people use.
