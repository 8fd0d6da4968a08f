//! `msconv play`.

use super::Context;
use crate::base::{Failure, Outcome};
use crate::cli::PlayArgs;

/// Runs it; the exit code.
pub fn run(_context: &Context, _args: &PlayArgs) -> Outcome<u8> {
    Err(Failure::internal("not built yet"))
}
