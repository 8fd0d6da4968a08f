//! `msconv man`.

use crate::base::{Failure, Outcome};

/// Runs it; the exit code.
pub fn run() -> Outcome<u8> {
    Err(Failure::internal("not built yet"))
}
