//! `msconv status`.

use super::Context;
use crate::base::{Failure, Outcome};
use crate::cli::StatusArgs;

/// Runs it; the exit code.
pub fn run(_context: &Context, _args: &StatusArgs) -> Outcome<u8> {
    Err(Failure::internal("not built yet"))
}
