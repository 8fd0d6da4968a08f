//! Parse, run, exit. Everything else is the library.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(match msconv::cli::Cli::try_parse() {
        Ok(cli) => msconv::command::run(cli),
        Err(told) => msconv::command::told(&told),
    })
}
