//! Floor 0: what every other floor may stand on. No streaming words in here.

pub mod atomic_file;
pub mod clock;
pub mod command_line;
pub mod failure;
pub mod next;
pub mod percent;
pub mod printable;
pub mod secret;
pub mod sieve;

pub use command_line::CommandLine;
pub use failure::{Failure, Kind, Outcome};
