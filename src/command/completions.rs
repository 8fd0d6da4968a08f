//! `msconv completions`.

use crate::base::{Failure, Outcome};
use crate::cli::CompletionsArgs;

/// Runs it; the exit code.
pub fn run(_args: &CompletionsArgs) -> Outcome<u8> {
    Err(Failure::internal("not built yet"))
}
