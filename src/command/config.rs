//! `msconv config`.

use super::Context;
use crate::base::{Failure, Outcome};
use crate::cli::ConfigArgs;

/// Runs it; the exit code.
pub fn run(_context: &Context, _args: &ConfigArgs) -> Outcome<u8> {
    Err(Failure::internal("not built yet"))
}
