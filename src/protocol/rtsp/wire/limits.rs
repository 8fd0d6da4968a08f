//! How much of a message is taken (`reliability.md`, section 3). What is over a limit is answered and ends the
//! connection.

/// Longest first line, in bytes.
pub const LINE: usize = 4 << 10;
/// Longest header, in bytes with its name.
pub const HEADER: usize = 8 << 10;
/// Most headers.
pub const HEADERS: usize = 64;
/// Longest body, in bytes.
pub const BODY: usize = 64 << 10;
/// Most bytes of blank lines, and of zeros, before a message.
pub const BLANKS: usize = 32;
