//! `msconv stop`.

use super::Context;
use crate::base::{Failure, Outcome};
use crate::cli::StopArgs;

/// Runs it; the exit code.
pub fn run(_context: &Context, _args: &StopArgs) -> Outcome<u8> {
    Err(Failure::internal("not built yet"))
}
