//! Runs a player in the foreground: it keeps the terminal and our process group, so that Ctrl-C and the keys of a
//! terminal player reach it, and its words are read on the way.
//!
//! When we are told to end, the player gets a moment, then SIGTERM, then SIGKILL, and so does everything it left
//! behind, which is known by a mark in its environment.

use super::identity::Identity;
use super::spawn::{self, Exit};
use super::sys;
use crate::base::CommandLine;
use nix::sys::signal::Signal;
use std::collections::VecDeque;
use std::io::{self, IsTerminal, Read};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// How many of its last lines are kept.
pub const KEPT: usize = 200;

/// Longest line that is kept, in bytes.
const LONGEST: usize = 2000;

/// How long a player may take to obey Ctrl-C (the terminal has sent it the signal as well), and then SIGTERM.
const GRACE: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

/// How long the pipes are read after the player's end; a child that it left may hold them open for ever.
const DRAIN: Duration = Duration::from_millis(200);

/// How a viewing ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How the player ended.
    pub exit: Exit,
    /// How long it ran.
    pub lasted: Duration,
    /// Its last lines, stdout and stderr together.
    pub lines: Vec<String>,
    /// Whether we were told to end, or it ended of Ctrl-C by itself.
    pub interrupted: bool,
}

/// How a viewing is ended before its time.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    /// The player shall end.
    pub asked: CancellationToken,
    /// It shall end now, without the moment that it is given to obey.
    pub at_once: CancellationToken,
}

/// Starts `line` and waits for its end; each line it says is handed to `said`.
///
/// # Errors
/// What fork, exec and the event loop say.
pub async fn run(line: &CommandLine, cancel: &Cancel, said: &mut dyn FnMut(&str)) -> io::Result<Ended> {
    let mark = mark();
    let terminal = Terminal::save();
    let mut command = Command::from(spawn::command(line));
    command.stdin(Stdio::inherit()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.env(MARK, &mark);
    let screen = if terminal.0.is_some() { screen() } else { None };
    let reader = screen.map(|(ours, theirs)| {
        command.stdout(theirs);
        ours
    });
    let started = Instant::now();
    let mut child = command.spawn()?;
    // The command holds a copy of the child's side of the terminal, which would keep it from ever ending.
    drop(command);
    let mut lines = Lines::of(&mut child, reader);
    let mut interrupted = false;
    let status = loop {
        tokio::select! {
            biased;
            () = cancel.asked.cancelled() => interrupted = true,
            status = child.wait() => break status?,
            Some(text) = lines.next() => said(&text),
        }
        if interrupted {
            break end(&mut child, &cancel.at_once).await?;
        }
    };
    let lasted = started.elapsed();
    let exit = Exit::from(status);
    // The terminal signals both at once, and the player's end may be seen first.
    interrupted = interrupted || exit.signal == Some(Signal::SIGINT as i32);
    interrupted = interrupted || timeout(Duration::from_millis(20), cancel.asked.cancelled()).await.is_ok();
    if interrupted {
        end_leftovers(&mark).await;
    }
    let until = Instant::now() + DRAIN;
    while let Ok(Some(text)) = tokio::time::timeout_at(until, lines.next()).await {
        said(&text);
    }
    terminal.restore();
    Ok(Ended { exit, lasted, lines: lines.kept.into(), interrupted })
}

/// Ends a player that was told to go: waits, then SIGTERM, then SIGKILL.
async fn end(child: &mut Child, at_once: &CancellationToken) -> io::Result<std::process::ExitStatus> {
    for (wait, next) in GRACE.into_iter().zip([Signal::SIGTERM, Signal::SIGKILL]) {
        tokio::select! {
            status = child.wait() => return status,
            () = at_once.cancelled() => break,
            () = tokio::time::sleep(wait) => signal_child(child, next),
        }
    }
    signal_child(child, Signal::SIGKILL);
    child.wait().await
}

fn signal_child(child: &Child, which: Signal) {
    // Not reaped yet (`id` is gone once it is), so the number is still this child's.
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), which);
    }
}

/// The variable that marks a player and everything that it starts.
const MARK: &str = "MSCONV_PLAYER_OF";

/// A value of [`MARK`] that no other viewing has.
fn mark() -> String {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let start = Identity::own().map_or(0, |own| own.start);
    format!("{}.{start}.{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed))
}

/// Ends what the player left behind: every process that carries the mark, first politely.
async fn end_leftovers(mark: &str) {
    for which in [Signal::SIGTERM, Signal::SIGKILL] {
        let left = marked(mark);
        for identity in &left {
            // The pidfd is open before the last look, so the signal cannot reach a later process of the number.
            if let Ok(pidfd) = sys::pidfd_open(identity.pid)
                && identity.alive()
            {
                let _ = sys::pidfd_signal(&pidfd, which);
            }
        }
        let deadline = Instant::now() + Duration::from_secs(1);
        while left.iter().any(Identity::alive) && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Every live process that carries the mark.
fn marked(mark: &str) -> Vec<Identity> {
    let wanted = format!("{MARK}={mark}");
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let identity = Identity::of(entry.file_name().to_str()?.parse().ok()?)?;
            let environment = std::fs::read(format!("/proc/{}/environ", identity.pid)).ok()?;
            environment.split(|b| *b == 0).any(|v| v == wanted.as_bytes()).then_some(identity)
        })
        .collect()
}

/// The lines of both pipes, and the last of them.
struct Lines {
    from: mpsc::Receiver<String>,
    kept: VecDeque<String>,
}

impl Lines {
    fn of(child: &mut Child, screen: Option<OwnedFd>) -> Lines {
        let (to, from) = mpsc::channel(64);
        if let Some(screen) = screen {
            let to = to.clone();
            // A thread, not a task: terminals cannot be waited for like pipes. It ends with the last writer.
            std::thread::spawn(move || read_screen(screen.into(), &to));
        }
        if let Some(pipe) = child.stdout.take() {
            tokio::spawn(read_lines(pipe, to.clone()));
        }
        if let Some(pipe) = child.stderr.take() {
            tokio::spawn(read_lines(pipe, to));
        }
        Lines { from, kept: VecDeque::new() }
    }

    async fn next(&mut self) -> Option<String> {
        let text = self.from.recv().await?;
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(text.clone());
        Some(text)
    }
}

/// A terminal for the player's stdout: our side, and its. mpv takes keys only while its stdout is a terminal, and its
/// errors go there as well.
fn screen() -> Option<(OwnedFd, OwnedFd)> {
    let pair = nix::pty::openpty(None, None).ok()?;
    for fd in [&pair.master, &pair.slave] {
        let close = nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC);
        nix::fcntl::fcntl(fd, close).ok()?;
    }
    Some((pair.master, pair.slave))
}

fn read_screen(mut screen: std::fs::File, to: &mpsc::Sender<String>) {
    let mut cutter = Cutter::default();
    let mut buffer = [0u8; 4096];
    // A terminal whose other side is gone says EIO, not end of file.
    while let Ok(read) = screen.read(&mut buffer) {
        let chunk = buffer.get(..read).unwrap_or_default();
        for line in cutter.cut(chunk) {
            if to.blocking_send(line).is_err() {
                return;
            }
        }
        if read == 0 {
            break;
        }
    }
    if let Some(line) = cutter.rest() {
        let _ = to.blocking_send(line);
    }
}

/// Reads to the end of the pipe, whatever comes.
async fn read_lines(pipe: impl AsyncRead + Unpin, to: mpsc::Sender<String>) {
    let mut reader = BufReader::new(pipe);
    let mut cutter = Cutter::default();
    loop {
        let lines = match reader.fill_buf().await {
            Ok(chunk) if !chunk.is_empty() => {
                let lines = cutter.cut(chunk);
                let used = chunk.len();
                reader.consume(used);
                lines
            }
            _ => break,
        };
        for line in lines {
            if to.send(line).await.is_err() {
                return;
            }
        }
    }
    if let Some(line) = cutter.rest() {
        let _ = to.send(line).await;
    }
}

/// Cuts bytes into lines, which end at `\n` or `\r`; long ones lose their end, empty ones are left out.
#[derive(Default)]
struct Cutter(Vec<u8>);

impl Cutter {
    fn cut(&mut self, chunk: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in chunk {
            if matches!(byte, b'\n' | b'\r') {
                lines.extend(self.rest());
            } else if self.0.len() < LONGEST {
                self.0.push(*byte);
            }
        }
        lines
    }

    fn rest(&mut self) -> Option<String> {
        let line = plain(&String::from_utf8_lossy(&std::mem::take(&mut self.0)));
        (!line.is_empty()).then_some(line)
    }
}

/// A line without the colours that programs use on a terminal (`ESC [ ... letter`).
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        out.push_str(before);
        rest = match after.find(|c: char| ('@'..='~').contains(&c)) {
            Some(end) => after.get(end.saturating_add(1)..).unwrap_or_default(),
            None => "",
        };
    }
    out.push_str(rest);
    out
}

/// The terminal's mode, which a killed terminal player does not give back.
struct Terminal(Option<nix::sys::termios::Termios>);

impl Terminal {
    fn save() -> Terminal {
        let input = io::stdin();
        Terminal(if input.is_terminal() { nix::sys::termios::tcgetattr(&input).ok() } else { None })
    }

    fn restore(self) {
        let input = io::stdin();
        let Some(mode) = self.0 else { return };
        // From the background this would stop us.
        if nix::unistd::tcgetpgrp(&input).is_ok_and(|group| group == nix::unistd::getpgrp()) {
            let _ = nix::sys::termios::tcsetattr(&input, nix::sys::termios::SetArg::TCSADRAIN, &mode);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> CommandLine {
        let mut line = CommandLine::new("/bin/sh");
        line.args(["-c", script]);
        line
    }

    async fn ended(script: &str) -> Ended {
        run(&shell(script), &Cancel::default(), &mut |_| {}).await.unwrap()
    }

    #[tokio::test]
    async fn reads_both_pipes_to_the_end() {
        let end = ended("echo out; echo err >&2; printf 'last'; exit 4").await;
        assert_eq!(end.exit.code, Some(4));
        assert!(!end.interrupted);
        for word in ["out", "err", "last"] {
            assert!(end.lines.iter().any(|l| l == word), "{word} in {:?}", end.lines);
        }
    }

    #[tokio::test]
    async fn a_flood_and_an_endless_line_stay_bounded() {
        let end = ended("yes | head -n 20000; head -c 300000 /dev/zero | tr '\\0' a; echo; echo end").await;
        assert_eq!(end.lines.len(), KEPT);
        assert_eq!(end.lines.last().map(String::as_str), Some("end"));
        assert!(end.lines.iter().all(|l| l.len() <= LONGEST));
    }

    #[tokio::test]
    async fn a_child_that_holds_the_pipes_does_not_hold_us() {
        let end = ended("sleep 300 >&1 & echo $!; exit 0").await;
        let left: i32 = end.lines.first().unwrap().parse().unwrap();
        assert!(Identity::of(left).is_some(), "what a player leaves at a good end is its own affair");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(left), Signal::SIGKILL).unwrap();
    }

    #[tokio::test]
    async fn a_player_that_died_of_ctrl_c_was_interrupted() {
        assert!(ended("kill -INT $$; sleep 300").await.interrupted);
        let killed = ended("kill -KILL $$").await;
        assert_eq!((killed.exit.signal, killed.interrupted), (Some(9), false));
    }

    #[test]
    fn colours_are_taken_out() {
        assert_eq!(plain("\u{1b}[0m\u{1b}[0;31mError\u{1b}[0m: é\u{1b}[K"), "Error: é");
        assert_eq!(plain("cut off\u{1b}[1;3"), "cut off");
        assert_eq!(plain("[plain] text"), "[plain] text");
    }

    #[tokio::test]
    async fn a_missing_program_is_an_error() {
        assert!(run(&CommandLine::new("/no/such/player"), &Cancel::default(), &mut |_| {}).await.is_err());
    }

    #[tokio::test]
    async fn a_player_that_does_not_obey_is_killed_when_told_twice() {
        let cancel = Cancel::default();
        // The first line shows that the signals are ignored by then.
        let mut said = |_: &str| cancel.asked.cancel();
        cancel.at_once.cancel();
        let line = shell("trap '' INT TERM; echo ready; exec sleep 30");
        let end = run(&line, &cancel, &mut said).await.unwrap();
        assert_eq!((end.exit.signal, end.interrupted), (Some(9), true));
    }

    #[tokio::test]
    async fn what_an_interrupted_player_left_is_ended() {
        let end = ended("setsid sleep 300 >/dev/null 2>&1 & echo $!; kill -INT $$; sleep 300").await;
        assert!(end.interrupted);
        let left: i32 = end.lines.first().unwrap().parse().unwrap();
        assert!(Identity::of(left).is_none(), "{left} lives");
    }
}
