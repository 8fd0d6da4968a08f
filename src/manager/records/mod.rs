//! What is written down of our own streams: the run records of all homes, who owns a name, what was counted before.

pub mod ours;
pub mod owners;
pub mod samples;
