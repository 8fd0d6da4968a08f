//! Starts a server that outlives us: a session of its own, null stdin, its words in a file, one descriptor handed
//! down on purpose (the lock that proves whose it is).

use super::child_log;
use super::spawn;
use super::sys::{self, ChildSetup};
use crate::base::CommandLine;
use std::io;
use std::os::fd::RawFd;
use std::path::Path;
use std::process::{Child, Stdio};

/// How a server is started.
#[derive(Clone, Debug)]
pub struct Setup<'a> {
    /// Its working folder.
    pub folder: &'a Path,
    /// Where its stdout and stderr go; added to what stands there.
    pub output: &'a Path,
    /// The descriptor that it inherits.
    pub keep: RawFd,
    /// Largest stack, in bytes.
    pub stack_limit: Option<u64>,
    /// Variables that it gets beside ours.
    pub variables: &'a [(&'a str, &'a str)],
}

/// Starts `line`. It goes on when we end; until then it is ours to reap.
///
/// # Errors
/// What opening the output, fork or exec say.
pub fn start(line: &CommandLine, setup: &Setup<'_>) -> io::Result<Child> {
    let output = child_log::appended(setup.output)?;
    let mut command = spawn::command(line);
    command
        .current_dir(setup.folder)
        .envs(setup.variables.iter().copied())
        // nginx takes listening sockets over from a predecessor that names them here.
        .env_remove("NGINX")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    let descriptors = ChildSetup {
        session: true,
        keep: vec![setup.keep],
        stack_limit: setup.stack_limit,
        ..ChildSetup::default()
    };
    sys::arrange(&mut command, descriptors);
    command.spawn()
}
