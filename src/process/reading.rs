//! A program that writes two streams: one on its stdout, one into a pipe whose number its arguments name.

use super::spawn::{Exit, command};
use super::sys::{self, ChildSetup};
use crate::base::CommandLine;
use nix::unistd::getpgrp;
use std::io::{self, PipeReader};
use std::os::fd::AsRawFd;
use std::process::{Child, ChildStderr, ChildStdout, Stdio};

/// The running program and what it writes.
#[derive(Debug)]
pub struct Reading {
    child: Child,
    /// Its stdout.
    pub out: Option<ChildStdout>,
    /// The second stream.
    pub second: Option<PipeReader>,
    /// Its log.
    pub err: Option<ChildStderr>,
}

/// Starts `line`; the argument `placeholder` becomes the number of the second pipe. It is in our group and dies with us;
/// must be called from the main thread.
///
/// # Errors
/// What fork and exec say.
pub fn start(line: &CommandLine, placeholder: &str) -> io::Result<Reading> {
    let (read, write) = io::pipe()?;
    let mut numbered = line.clone();
    for arg in numbered.args.iter_mut().filter(|arg| arg.text() == placeholder) {
        *arg = format!("pipe:{}", write.as_raw_fd()).into();
    }
    let mut command = command(&numbered);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let keep = vec![write.as_raw_fd()];
    let group = Some(getpgrp().as_raw());
    sys::arrange(&mut command, ChildSetup { dies_with_parent: true, group, keep, ..ChildSetup::default() });
    let mut child = command.spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    Ok(Reading { child, out, second: Some(read), err })
}

impl Reading {
    /// Waits for its end.
    ///
    /// # Errors
    /// What wait(2) says.
    pub fn ended(&mut self) -> io::Result<Exit> {
        self.child.wait().map(Exit::from)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn both_streams_are_read() {
        let mut line = CommandLine::new("/bin/sh");
        line.args(["-c", "echo first; echo second > /dev/fd/${0#pipe:}; exit 5", "pipe:second"]);
        let mut reading = start(&line, "pipe:second").unwrap();
        let (mut first, mut second) = (String::new(), String::new());
        reading.out.take().unwrap().read_to_string(&mut first).unwrap();
        reading.second.take().unwrap().read_to_string(&mut second).unwrap();
        assert_eq!((first.as_str(), second.as_str()), ("first\n", "second\n"));
        assert_eq!(reading.ended().unwrap().code, Some(5));
    }
}
