//! Floor 2, pure: which player to take, how each is called, and what its words mean. Never starts one.

pub mod choice;
pub mod kind;
pub mod watch;
pub mod words;

pub use choice::{Candidate, Choice, choose};
pub use kind::{Kind, Protocol};
pub use watch::{Watch, command};
