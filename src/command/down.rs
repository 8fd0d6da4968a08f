//! `msconv down`.

use super::Context;
use crate::base::{Failure, Outcome};
use crate::cli::DownArgs;

/// Runs it; the exit code.
pub fn run(_context: &Context, _args: &DownArgs) -> Outcome<u8> {
    Err(Failure::internal("not built yet"))
}
