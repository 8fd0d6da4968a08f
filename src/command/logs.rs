//! `msconv logs`.

use super::Context;
use crate::base::{Failure, Outcome};
use crate::cli::LogsArgs;

/// Runs it; the exit code.
pub fn run(_context: &Context, _args: &LogsArgs) -> Outcome<u8> {
    Err(Failure::internal("not built yet"))
}
