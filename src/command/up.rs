//! `msconv up`.

use super::Context;
use crate::base::{Failure, Outcome};
use crate::cli::UpArgs;

/// Runs it; the exit code.
pub fn run(_context: &Context, _args: &UpArgs) -> Outcome<u8> {
    Err(Failure::internal("not built yet"))
}
