//! `msconv devices`.

use super::Context;
use crate::base::{Failure, Outcome};

/// Runs it; the exit code.
pub fn run(_context: &Context) -> Outcome<u8> {
    Err(Failure::internal("not built yet"))
}
