//! `msconv doctor`.

use super::Context;
use crate::base::{Failure, Outcome};
use crate::cli::DoctorArgs;

/// Runs it; the exit code.
pub fn run(_context: &Context, _args: &DoctorArgs) -> Outcome<u8> {
    Err(Failure::internal("not built yet"))
}
