//! Parse, run, exit. Everything else is the library.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    // clap prints its own usage errors (exit 2), help and version.
    ExitCode::from(msconv::command::run(msconv::cli::Cli::parse()))
}
