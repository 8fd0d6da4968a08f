//! Runs a program that is told something by variables: no shell, no standard input, a group of its own, and an end.

use super::spawn::{self, Exit};
use super::sys::{self, ChildSetup};
use crate::base::CommandLine;
use crate::base::clock::spoken;
use crate::base::failure::io_words;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// Variables of ours that hold secrets, which it does not inherit.
const SECRET: [&str; 4] =
    ["MSCONV_PUBLISH_PASSWORD", "MSCONV_READ_PASSWORD", "MSCONV_DATABASE", "MSCONV_ADMISSION_URL"];

/// Runs `program` with these variables beside ours, and kills it with all that it started after `limit`. It dies with the
/// thread that called, too.
///
/// # Errors
/// Why it did not start or did not end well, in words.
pub async fn run(program: &Path, variables: &[(&str, String)], limit: Duration) -> Result<(), String> {
    let mut command = spawn::command(&CommandLine::new(program));
    SECRET.iter().for_each(|name| {
        command.env_remove(name);
    });
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    sys::arrange(&mut command, ChildSetup { dies_with_parent: true, ..ChildSetup::default() });
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    let mut child = command.spawn().map_err(|e| format!("it does not start: {}", io_words(&e)))?;
    let _group = child.id().and_then(|id| i32::try_from(id).ok()).map(|id| Group(Pid::from_raw(id)));
    match tokio::time::timeout(limit, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("it {}", Exit::from(status))),
        Ok(Err(error)) => Err(io_words(&error)),
        Err(_) => Err(format!("it was ended after {}", spoken(limit))),
    }
}

/// Whatever it left goes with it, also where nobody waits for it any more.
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = killpg(self.0, Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn it_is_told_by_variables_and_ends_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("a program");
        let script = |text: &str| {
            std::fs::write(&program, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        let out = folder.path().join("out");
        let shown = out.display().to_string();
        script(&format!("printf '%s|%s' \"$MSCONV_EVENT\" \"$MSCONV_DATABASE\" > '{shown}'"));
        let told = [("MSCONV_EVENT", "$(touch x); \"quoted\"".to_string())];
        run(&program, &told, Duration::from_secs(20)).await.unwrap();
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "$(touch x); \"quoted\"|");
        script("exit 3");
        assert_eq!(
            run(&program, &told, Duration::from_secs(20)).await.unwrap_err(),
            "it ended with exit code 3"
        );
        script("sleep 600");
        let why = run(&program, &told, Duration::from_millis(200)).await.unwrap_err();
        assert!(why.starts_with("it was ended after"), "{why}");
        let why = run(&folder.path().join("none"), &told, Duration::from_secs(1)).await.unwrap_err();
        assert!(why.starts_with("it does not start"), "{why}");
    }
}
