//! Starts programs: own process group or session, a stdin that is null or part of the command, explicit pipes, nothing inherited by accident.

use super::identity::Identity;
use super::sys::{self, ChildSetup};
use crate::base::CommandLine;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{OwnedFd, RawFd};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;

/// `line` as a std command, without descriptors arranged yet.
pub fn command(line: &CommandLine) -> Command {
    let mut command = Command::new(&line.program);
    command.args(line.args.iter().map(|a| a.text()));
    command
}

/// What `line` reads from its standard input: nothing, or a file in memory, which needs no disk and is read at the
/// program's own pace.
///
/// # Errors
/// What the system says.
fn stdin_of(line: &CommandLine) -> io::Result<Stdio> {
    use std::io::{Seek, Write};
    let Some(stdin) = line.stdin() else { return Ok(Stdio::null()) };
    let mut file = File::from(memfd_create(c"stdin", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(&stdin.bytes())?;
    file.rewind()?;
    Ok(file.into())
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Exit code, if it ended by itself.
    pub code: Option<i32>,
    /// Signal number, if one ended it.
    pub signal: Option<i32>,
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Exit {
        use std::os::unix::process::ExitStatusExt;
        Exit { code: status.code(), signal: status.signal() }
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "ended with exit code {code}"),
            (None, Some(signal)) => match Signal::try_from(signal) {
                Ok(name) => write!(f, "was ended by {name}"),
                Err(_) => write!(f, "was ended by signal {signal}"),
            },
            (None, None) => f.write_str("ended"),
        }
    }
}

/// A program under supervision: it dies with us, leads a group of its own, and is not reaped before its group was
/// dealt with, so that its number cannot be taken by a stranger meanwhile. The program that feeds it is in its group.
#[derive(Debug)]
pub struct Supervised {
    child: Child,
    feeder: Option<Child>,
    pidfd: AsyncFd<OwnedFd>,
    identity: Identity,
    exit: Option<Exit>,
}

/// The pipes of a supervised program.
#[derive(Debug)]
pub struct Pipes {
    /// Its stdout.
    pub out: pipe::Receiver,
    /// Its stderr.
    pub err: pipe::Receiver,
    /// Its feeder's stderr: programs write a line in several pieces, which one pipe would mix.
    pub feeder_err: Option<pipe::Receiver>,
}

impl Supervised {
    /// Starts `line` with the descriptors `keep` open in it. Must be called from the thread that lives as long as
    /// the process (the main thread): the kernel's parent-death signal is bound to it.
    ///
    /// # Errors
    /// What fork and exec say.
    pub fn start(line: &CommandLine, keep: Vec<RawFd>) -> io::Result<(Supervised, Pipes)> {
        Supervised::start_in(line, None, &[], keep)
    }

    /// As [`Supervised::start`], in a working folder and with variables beside ours.
    ///
    /// # Errors
    /// What fork and exec say.
    pub fn start_in(
        line: &CommandLine,
        folder: Option<&Path>,
        variables: &[(String, String)],
        keep: Vec<RawFd>,
    ) -> io::Result<(Supervised, Pipes)> {
        let (stdin, filled) = match &line.feeder {
            Some(_) => io::pipe().map(|(read, write)| (read.into(), Some(write)))?,
            None => (stdin_of(line)?, None),
        };
        Supervised::start_reading(line, (folder, variables), keep, (stdin, filled))
    }

    /// As [`Supervised::start`], with a pipe to its standard input.
    ///
    /// # Errors
    /// What fork and exec say.
    pub fn start_fed(line: &CommandLine) -> io::Result<(Supervised, Pipes, pipe::Sender)> {
        let (read, write) = io::pipe()?;
        let sender = pipe::Sender::from_owned_fd(write.into())?;
        let (child, pipes) = Supervised::start_reading(line, (None, &[]), Vec::new(), (read.into(), None))?;
        Ok((child, pipes, sender))
    }

    /// Starts it with this standard input, and its feeder, if it has one, with the pipe to that.
    fn start_reading(
        line: &CommandLine,
        (folder, variables): (Option<&Path>, &[(String, String)]),
        keep: Vec<RawFd>,
        (stdin, filled): (Stdio, Option<io::PipeWriter>),
    ) -> io::Result<(Supervised, Pipes)> {
        let mut command = command(line);
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let setup = ChildSetup { dies_with_parent: true, keep, ..ChildSetup::default() };
        sys::arrange(&mut command, setup.clone());
        let mut child = command.spawn()?;
        // Our copy of the end that it reads from goes with the command.
        drop(command);
        let mut feeder = None;
        let wired = (|| {
            let pid = child.id() as i32;
            if let Some((line, filled)) = line.feeder.as_deref().zip(filled) {
                feeder = Some(start_feeder(line, filled, ChildSetup { group: Some(pid), ..setup })?);
            }
            let broken = || io::Error::other("the pipe to the program is missing");
            let out = pipe::Receiver::from_owned_fd(child.stdout.take().ok_or_else(broken)?.into())?;
            let err = pipe::Receiver::from_owned_fd(child.stderr.take().ok_or_else(broken)?.into())?;
            let feeder_err = feeder.as_mut().and_then(|feeder| feeder.stderr.take());
            let feeder_err = feeder_err.map(|err| pipe::Receiver::from_owned_fd(err.into())).transpose()?;
            let pidfd = sys::watched(sys::pidfd_open(pid)?)?;
            // A child that has ended already is a zombie until we reap it; its number is still its own.
            let identity = Identity::of(pid).unwrap_or(Identity { pid, start: 0 });
            Ok((Pipes { out, err, feeder_err }, pidfd, identity))
        })();
        match wired {
            Ok((pipes, pidfd, identity)) => {
                Ok((Supervised { child, feeder, pidfd, identity, exit: None }, pipes))
            }
            Err(e) => {
                for mut started in std::iter::once(child).chain(feeder) {
                    let _ = started.kill();
                    let _ = started.wait();
                }
                Err(e)
            }
        }
    }

    /// Who it is.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Signals its whole group; nothing happens once it has been reaped.
    pub fn signal(&self, signal: Signal) {
        if self.exit.is_none() {
            let _ = killpg(Pid::from_raw(self.identity.pid), signal);
        }
    }

    /// Waits for its end, kills what it left in its group, reaps it. May be cancelled and called again.
    ///
    /// # Errors
    /// What the event loop or wait(2) say.
    pub async fn ended(&mut self) -> io::Result<Exit> {
        if let Some(exit) = self.exit {
            return Ok(exit);
        }
        let _ready = self.pidfd.readable().await?;
        let own_end = self.feeder.as_mut().and_then(|feeder| feeder.try_wait().ok().flatten());
        self.signal(Signal::SIGKILL);
        let exit = Exit::from(self.child.wait()?);
        let fed = self.feeder.as_mut().and_then(|feeder| feeder.wait().ok()).map(Exit::from);
        // As in a shell with pipefail: what was only half fed has not succeeded. A signal that came now was ours.
        let fed = fed.filter(|fed| own_end.is_some() || fed.code.is_some());
        let exit = fed.filter(|fed| exit.code == Some(0) && fed.code != Some(0)).unwrap_or(exit);
        self.exit = Some(exit);
        Ok(exit)
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        if self.exit.is_none() {
            self.signal(Signal::SIGKILL);
            let _ = self.child.wait();
            let _ = self.feeder.as_mut().map(Child::wait);
        }
    }
}

fn start_feeder(line: &CommandLine, out: io::PipeWriter, setup: ChildSetup) -> io::Result<Child> {
    let mut command = command(line);
    command.stdin(Stdio::null()).stdout(out).stderr(Stdio::piped());
    sys::arrange(&mut command, setup);
    command.spawn()
}

/// What a short program printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub exit: Exit,
    /// Its stdout, at most the bytes asked for.
    pub stdout: Vec<u8>,
    /// Its stderr, at most 64 KiB.
    pub stderr: Vec<u8>,
}

/// Why a short program gave no output.
#[derive(Debug)]
pub enum RunError {
    /// It could not be started.
    Start(io::Error),
    /// It was still running at the time limit and was killed with its group; what it had said on stderr.
    TimedOut(Vec<u8>),
}

/// Runs a program to its end, at most for `limit`, reading at most `most` bytes of its stdout (more is drained and
/// dropped). It dies with this thread.
///
/// # Errors
/// [`RunError`].
pub fn run(line: &CommandLine, limit: Duration, most: u64) -> Result<Output, RunError> {
    let mut command = command(line);
    command.stdin(stdin_of(line).map_err(RunError::Start)?).stdout(Stdio::piped()).stderr(Stdio::piped());
    sys::arrange(&mut command, ChildSetup { dies_with_parent: true, ..ChildSetup::default() });
    let mut child = command.spawn().map_err(RunError::Start)?;
    let out = child.stdout.take().map(|pipe| std::thread::spawn(move || bounded(pipe, most)));
    let err = child.stderr.take().map(|pipe| std::thread::spawn(move || bounded(pipe, 64 * 1024)));
    let group = Pid::from_raw(child.id() as i32);
    let ended = match sys::pidfd_open(child.id() as i32) {
        Ok(pidfd) => sys::pidfd_wait(&pidfd, limit),
        Err(_) => poll_child(&mut child, limit),
    };
    // Not reaped yet, so the number is still this child's: its group can be ended safely.
    let _ = killpg(group, Signal::SIGKILL);
    let status = child.wait().map_err(RunError::Start)?;
    let collect = |reader: Option<std::thread::JoinHandle<Vec<u8>>>| {
        reader.and_then(|r| r.join().ok()).unwrap_or_default()
    };
    let (stdout, stderr) = (collect(out), collect(err));
    if ended { Ok(Output { exit: status.into(), stdout, stderr }) } else { Err(RunError::TimedOut(stderr)) }
}

/// For kernels without pidfds: asks until the time is over. The child stays unreaped in the negative case only.
fn poll_child(child: &mut Child, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(_)) | Err(_) => return true,
            Ok(None) if Instant::now() >= deadline => return false,
            Ok(None) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

fn bounded(mut pipe: impl Read, most: u64) -> Vec<u8> {
    let mut kept = Vec::new();
    let _ = pipe.by_ref().take(most).read_to_end(&mut kept);
    let _ = io::copy(&mut pipe, &mut io::sink());
    kept
}

/// Starts the detached supervisor: a session of its own, `job` on its stdin, its stdout to read events from.
///
/// # Errors
/// What fork, exec and the pipe say.
pub fn detached(line: &CommandLine, job: &[u8]) -> io::Result<(Child, OwnedFd)> {
    use std::io::Write;
    let mut command = command(line);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    sys::arrange(&mut command, ChildSetup { session: true, ..ChildSetup::default() });
    let mut child = command.spawn()?;
    let written = child.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(job));
    match (written, child.stdout.take()) {
        (Ok(()), Some(out)) => Ok((child, OwnedFd::from(out))),
        (outcome, _) => {
            let _ = child.kill();
            let _ = child.wait();
            Err(outcome.err().unwrap_or_else(|| io::Error::other("the pipe to the supervisor is missing")))
        }
    }
}

/// Makes the pipe that [`detached`] returned readable by the event loop.
///
/// # Errors
/// If the descriptor is no pipe.
pub fn readable(fd: OwnedFd) -> io::Result<pipe::Receiver> {
    pipe::Receiver::from_owned_fd(fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::command_line::{Argument, Repeated};

    fn shell(script: &str) -> CommandLine {
        let mut line = CommandLine::new("/bin/sh");
        line.args(["-c", script]);
        line
    }

    #[test]
    fn runs_a_short_program() {
        let output = run(&shell("echo out; echo err >&2; exit 3"), Duration::from_secs(10), 100).unwrap();
        assert_eq!(
            (output.exit.code, output.stdout.as_slice(), output.stderr.as_slice()),
            (Some(3), &b"out\n"[..], &b"err\n"[..])
        );
    }

    #[test]
    fn standard_input_is_part_of_the_command() {
        let stdin = Repeated::new("a line", 20_000);
        let mut line = CommandLine::new("cat");
        line.arg(Argument::reading("-", stdin.clone()));
        let output = run(&line, Duration::from_secs(20), 1 << 20).unwrap();
        assert_eq!(output.stdout, stdin.bytes());
    }

    #[test]
    fn ends_a_program_that_hangs_with_its_children() {
        let line = shell("echo hello >&2; sleep 77 & sleep 77");
        let Err(RunError::TimedOut(words)) = run(&line, Duration::from_millis(200), 100) else {
            panic!("it ended")
        };
        assert_eq!(words, b"hello\n");
    }

    #[test]
    fn a_flood_is_drained_and_bounded() {
        let output = run(&shell("yes | head -c 3000000"), Duration::from_secs(20), 1000).unwrap();
        assert_eq!(output.stdout.len(), 1000);
        assert_eq!(output.exit.code, Some(0));
    }

    #[test]
    fn a_missing_program_is_an_error() {
        assert!(matches!(
            run(&CommandLine::new("/no/such/program"), Duration::from_secs(1), 1),
            Err(RunError::Start(_))
        ));
    }

    #[tokio::test]
    async fn what_the_feeder_writes_is_read_and_its_failure_counts() {
        for (feeder, program, code) in [
            ("echo fed; exit 0", "read x; test $x = fed", 0),
            ("exit 9", "cat", 9),
            ("sleep 79", "exit 4", 4),
        ] {
            let mut line = shell(program);
            line.fed_by(shell(feeder));
            let (mut child, pipes) = Supervised::start(&line, vec![]).unwrap();
            assert!(pipes.feeder_err.is_some());
            assert_eq!(child.ended().await.unwrap(), Exit { code: Some(code), signal: None }, "{feeder}");
        }
        let mut line = shell("cat");
        line.fed_by(shell("kill -9 $$"));
        let (mut child, _pipes) = Supervised::start(&line, vec![]).unwrap();
        assert_eq!(child.ended().await.unwrap().signal, Some(9));
    }

    #[tokio::test]
    async fn what_is_written_to_a_fed_program_comes_back() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut child, mut pipes, mut input) = Supervised::start_fed(&CommandLine::new("cat")).unwrap();
        input.write_all(b"there and back").await.unwrap();
        drop(input);
        let mut back = String::new();
        pipes.out.read_to_string(&mut back).await.unwrap();
        assert_eq!((back.as_str(), child.ended().await.unwrap().code), ("there and back", Some(0)));
    }

    #[tokio::test]
    async fn a_grandchild_in_the_group_goes_too() {
        let (mut child, pipes) = Supervised::start(&shell("sleep 78 & echo $!; exit 4"), vec![]).unwrap();
        use tokio::io::{AsyncBufReadExt, BufReader};
        let mut first = String::new();
        BufReader::new(pipes.out).read_line(&mut first).await.unwrap();
        let grandchild: i32 = first.trim().parse().unwrap();
        assert_eq!(child.ended().await.unwrap().code, Some(4));
        let gone = || Identity::of(grandchild).is_none();
        let deadline = Instant::now() + Duration::from_secs(10);
        while !gone() && Instant::now() < deadline {
            tokio::task::yield_now().await;
        }
        assert!(gone());
    }
}
