//! Starts what opens a page. It lives on without us, in a session of its own: Ctrl-C in our terminal is not for it.

use super::spawn;
use super::sys::{self, ChildSetup};
use crate::base::CommandLine;
use crate::base::failure::io_words;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// Who runs for so long has opened it: a browser itself, and not a program that tells one.
const RUNS: Duration = Duration::from_secs(2);

/// Starts `line` and waits until it has done its work or is clearly at it.
///
/// # Errors
/// In words, as what it did: `ended with exit code 3`.
pub async fn open(line: &CommandLine) -> Result<(), String> {
    let mut command = spawn::command(line);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    sys::arrange(&mut command, ChildSetup { session: true, ..ChildSetup::default() });
    let mut child =
        Command::from(command).spawn().map_err(|error| format!("cannot be started: {}", io_words(&error)))?;
    match tokio::time::timeout(RUNS, child.wait()).await {
        Ok(Ok(status)) if !status.success() => Err(spawn::Exit::from(status).to_string()),
        Ok(Err(error)) => Err(io_words(&error)),
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_fails_says_how() {
        assert_eq!(open(&CommandLine::new("true")).await, Ok(()));
        assert_eq!(open(&CommandLine::new("false")).await, Err("ended with exit code 1".into()));
        assert!(open(&CommandLine::new("/no/such")).await.unwrap_err().starts_with("cannot be started: "));
    }
}
