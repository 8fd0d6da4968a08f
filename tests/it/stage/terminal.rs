//! msconv at a terminal: keys go in, and the screen is what a person would see, kept by a terminal emulator.

use super::run::{Running, Stream, code, shown};
use super::wait::wait_for;
use super::{PATIENCE, Stage};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// What the keys send.
pub mod keys {
    /// Arrow up.
    pub const UP: &str = "\x1b[A";
    /// Arrow down.
    pub const DOWN: &str = "\x1b[B";
    /// Enter.
    pub const ENTER: &str = "\r";
    /// Escape.
    pub const ESC: &str = "\x1b";
    /// Control and C.
    pub const CTRL_C: &str = "\x03";
    /// Rub out the last letter.
    pub const BACKSPACE: &str = "\x7f";
}

const ROWS: u16 = 24;
const COLUMNS: u16 = 100;

struct Shown {
    parser: vt100::Parser,
    raw: Vec<u8>,
    hang_up: bool,
    closed: bool,
}

/// A program that runs at a terminal of its own. Dropped, it is killed.
pub struct Terminal {
    command: String,
    child: Child,
    master: Option<File>,
    device: String,
    seen: Arc<Mutex<Shown>>,
    stdout: Option<Stream>,
}

impl Terminal {
    /// Starts `program` in a session whose controlling terminal is a new one.
    pub fn start<A: AsRef<OsStr>>(stage: &Stage, program: &str, args: &[A], piped_stdout: bool) -> Terminal {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master: PtyMaster = posix_openpt(flags).expect("a terminal");
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let device = ptsname_r(&master).unwrap();
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(nix::libc::O_NOCTTY | nix::libc::O_CLOEXEC)
            .open(&device)
            .unwrap();
        size(&device, ROWS, COLUMNS);
        // setsid --ctty makes its stdin the controlling terminal and becomes the program. Signals that whoever runs the
        // tests ignores (nohup, a job in the background) are as at any terminal again.
        let mut command = stage.command("env");
        command.args(["--default-signal", "setsid", "--ctty"]).arg(program).args(args);
        command.stdin(slave.try_clone().unwrap()).stderr(slave.try_clone().unwrap());
        if piped_stdout {
            command.stdout(Stdio::piped());
        } else {
            command.stdout(slave);
        }
        let text = shown(&command);
        let mut child = command.spawn().expect("env starts");
        drop(command);
        let stdout = child.stdout.take().map(Stream::of);
        let owned: OwnedFd = master.as_fd().try_clone_to_owned().unwrap();
        drop(master);
        let master = File::from(owned);
        let seen = Arc::new(Mutex::new(Shown {
            parser: vt100::Parser::new(cells(ROWS), cells(COLUMNS), 1000),
            raw: Vec::new(),
            hang_up: false,
            closed: false,
        }));
        read_screen(master.try_clone().unwrap(), seen.clone());
        Terminal { command: text, child, master: Some(master), device, seen, stdout }
    }

    /// The program's process id.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Types.
    pub fn type_keys(&mut self, keys: &str) {
        self.master.as_mut().expect("the terminal is open").write_all(keys.as_bytes()).unwrap();
    }

    /// What is on the screen.
    pub fn screen(&self) -> String {
        self.seen.lock().unwrap().parser.screen().contents()
    }

    /// Everything that was ever written to the terminal, escape codes included.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap().raw).into_owned()
    }

    /// Whether the cursor can be seen.
    pub fn cursor_visible(&self) -> bool {
        !self.seen.lock().unwrap().parser.screen().hide_cursor()
    }

    /// What went to the pipe, where stdout is one.
    pub fn stdout(&self) -> String {
        self.stdout.as_ref().map(Stream::text).unwrap_or_default()
    }

    /// Waits until the screen shows `words`.
    #[track_caller]
    pub fn wait_for(&self, words: &str) {
        wait_for(&format!("{words:?} on the screen of {}", self.command), PATIENCE, || {
            let screen = self.screen();
            if screen.contains(words) { Ok(()) } else { Err(screen) }
        });
    }

    /// Waits until the screen shows `words` no more.
    #[track_caller]
    pub fn wait_until_gone(&self, words: &str) {
        wait_for(&format!("{words:?} to leave the screen of {}", self.command), PATIENCE, || {
            let screen = self.screen();
            if screen.contains(words) { Err(screen) } else { Ok(()) }
        });
    }

    /// Makes the terminal larger or smaller; the program is told by SIGWINCH.
    pub fn resize(&self, rows: u16, columns: u16) {
        // Held over both, so that nothing drawn for the new size is read at the old one.
        let mut seen = self.seen.lock().unwrap();
        size(&self.device, rows, columns);
        seen.parser.screen_mut().set_size(cells(rows), cells(columns));
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.pid()), signal);
    }

    /// Closes the window: the kernel hangs up, and the program's session gets SIGHUP.
    pub fn close(&mut self) {
        self.master = None;
        self.seen.lock().unwrap().hang_up = true;
        wait_for("the reader to let go", PATIENCE, || self.seen.lock().unwrap().closed);
    }

    /// Waits for the program's end; its exit code.
    #[track_caller]
    pub fn wait_exit(&mut self) -> i32 {
        let status = wait_for(&format!("{} to end", self.command), PATIENCE, || {
            self.child.try_wait().unwrap().ok_or_else(|| self.screen())
        });
        // What it wrote last is on the screen when the terminal has no writer any more.
        wait_for("the terminal's last words", PATIENCE, || {
            let closed = self.seen.lock().unwrap().closed;
            closed && self.stdout.as_ref().is_none_or(Stream::ended)
        });
        code(status)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- screen of {}\n{}\n---", self.command, self.screen());
        }
    }
}

/// Reads in a thread until the last writer is gone (EIO) or the test closes the window.
fn read_screen(mut master: File, seen: Arc<Mutex<Shown>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        while !seen.lock().unwrap().hang_up {
            let mut fds = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
            if !matches!(poll(&mut fds, PollTimeout::from(50u8)), Ok(n) if n > 0) {
                continue;
            }
            let Ok(n) = master.read(&mut buffer) else { break };
            let mut seen = seen.lock().unwrap();
            seen.parser.process(&buffer[..n]);
            seen.raw.extend_from_slice(&buffer[..n]);
        }
        drop(master);
        seen.lock().unwrap().closed = true;
    });
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("a terminal has rows and columns")
}

fn size(device: &str, rows: u16, columns: u16) {
    let mut command = Command::new("stty");
    command.arg("-F").arg(device).args(["rows", &rows.to_string(), "cols", &columns.to_string()]);
    Running::start(command).wait(PATIENCE).expect(0);
}
