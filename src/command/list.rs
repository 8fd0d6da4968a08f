//! `msconv list`.

use super::Context;
use crate::base::{Failure, Outcome};
use crate::cli::ListArgs;

/// Runs it; the exit code.
pub fn run(_context: &Context, _args: &ListArgs) -> Outcome<u8> {
    Err(Failure::internal("not built yet"))
}
