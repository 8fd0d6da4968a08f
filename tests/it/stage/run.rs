//! A program under a deadline, with all that it said.

use super::wait::wait_for;
use msconv::process::sys::pidfd_open;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A program that has ended.
#[derive(Clone, Debug)]
pub struct Run {
    /// The command as a person would read it.
    pub command: String,
    /// Its exit code; 128 + signal where a signal ended it.
    pub code: i32,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
}

impl Run {
    /// Asserts the exit code, showing everything if it is another.
    #[track_caller]
    pub fn expect(self, code: i32) -> Run {
        assert_eq!(self.code, code, "exit code of {self}");
        self
    }

    /// Asserts that stderr holds `words`.
    #[track_caller]
    pub fn says(self, words: &str) -> Run {
        assert!(self.stderr.contains(words), "stderr lacks {words:?}: {self}");
        self
    }

    /// Asserts that stdout holds `words`.
    #[track_caller]
    pub fn prints(self, words: &str) -> Run {
        assert!(self.stdout.contains(words), "stdout lacks {words:?}: {self}");
        self
    }

    /// stdout as one JSON value.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("stdout is no JSON ({e}): {self}"))
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}\nexit code {}\n--- stdout\n{}\n--- stderr\n{}\n---",
            self.command, self.code, self.stdout, self.stderr
        )
    }
}

/// A program that runs. Dropped, it is killed.
pub struct Running {
    command: String,
    child: Child,
    stdout: Stream,
    stderr: Stream,
}

impl Running {
    /// Starts `command` with its output kept.
    pub fn start(mut command: Command) -> Running {
        let shown = shown(&command);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {shown}: {e}"));
        let stdout = Stream::of(child.stdout.take().unwrap());
        let stderr = Stream::of(child.stderr.take().unwrap());
        Running { command: shown, child, stdout, stderr }
    }

    /// Its process id. It stays its own until `wait` or drop.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.pid()), signal);
    }

    /// What it has said on stdout so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it has said on stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Whether it still runs.
    pub fn running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until it has said `words` on stdout or stderr.
    #[track_caller]
    pub fn wait_for_words(&self, words: &str, deadline: Duration) {
        wait_for(&format!("{words:?} from {}", self.command), deadline, || {
            let (out, err) = (self.stdout(), self.stderr());
            if out.contains(words) || err.contains(words) {
                Ok(())
            } else {
                Err(format!("{out}\n---\n{err}"))
            }
        });
    }

    /// Waits for its end and the end of its output. A program that outlives the deadline is killed and the test fails
    /// with what it said; so does one that leaves its output open to somebody else.
    #[track_caller]
    pub fn wait(mut self, deadline: Duration) -> Run {
        let start = Instant::now();
        let pidfd = pidfd_open(self.pid()).unwrap();
        if !msconv::process::sys::pidfd_wait(&pidfd, deadline) {
            let _ = self.child.kill();
            let _ = self.child.wait();
            panic!(
                "{} did not end within {deadline:?}\n--- stdout\n{}\n--- stderr\n{}",
                self.command,
                self.stdout(),
                self.stderr()
            );
        }
        let status = self.child.wait().unwrap();
        let left = deadline.saturating_sub(start.elapsed()).max(Duration::from_secs(5));
        wait_for(&format!("the output of {} to be closed by everyone", self.command), left, || {
            self.stdout.ended() && self.stderr.ended()
        });
        Run {
            command: self.command.clone(),
            code: code(status),
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Exit code, or 128 + signal.
pub fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// A command as a person would read it.
pub fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut text = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&msconv::base::command_line::quoted(&arg.to_string_lossy()));
    }
    text
}

/// Output that a thread collects.
pub struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Stream {
    /// Reads until the other side is closed.
    pub fn of(mut from: impl Read + Send + 'static) -> Stream {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let into = bytes.clone();
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(n) = from.read(&mut buffer) {
                if n == 0 {
                    break;
                }
                into.lock().unwrap().extend_from_slice(&buffer[..n]);
            }
        });
        Stream { bytes, thread }
    }

    /// What has come so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// Whether nobody can write to it any more.
    pub fn ended(&self) -> bool {
        self.thread.is_finished()
    }
}
