//! The terminal behind the picker: raw mode while it is open, drawn on stderr, and always given back as it was found,
//! also when a signal ends the program.

use super::super::keys::{Decoder, Key};
use super::{Picker, PickerStep};
use crate::base::{Failure, Kind, Outcome, failure::io_words};
use console::{Term, measure_text_width};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

/// How long a lone Esc is waited for to become a sequence, in milliseconds. A slow network line needs some.
const ESC_MS: u16 = 60;

/// Runs the picker until it is left.
///
/// # Errors
/// Interrupted, when the person or a signal ended it; internal if the terminal fails.
pub fn run(picker: &mut Picker) -> Outcome<usize> {
    let lost = |e: io::Error| Failure::internal("the terminal cannot be used").why(io_words(&e));
    let mut screen = Screen::open().map_err(lost)?;
    let outcome = screen.talk(picker);
    screen.close();
    match outcome.map_err(lost)? {
        End::Taken(index) => Ok(index),
        End::Left => Err(Failure::new(Kind::Interrupted, "nothing was picked")),
        End::Signal(signal) => {
            // The terminal is as it was; now the signal may do what it does.
            let _ = raise(signal);
            Err(Failure::new(Kind::Interrupted, "interrupted"))
        }
    }
}

enum End {
    Taken(usize),
    Left,
    Signal(Signal),
}

enum Heard {
    Keys(Vec<Key>),
    Resized,
    Ends(Signal),
    Gone,
}

struct Screen {
    before: Termios,
    mask: SigSet,
    signals: SignalFd,
    decoder: Decoder,
    drawn: Vec<usize>,
    raw: bool,
}

impl Screen {
    fn open() -> io::Result<Screen> {
        let before = tcgetattr(io::stdin())?;
        let mut wanted = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGWINCH] {
            wanted.add(signal);
        }
        let signals = SignalFd::with_flags(&wanted, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let mask = wanted.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        let mut screen =
            Screen { before, mask, signals, decoder: Decoder::default(), drawn: Vec::new(), raw: false };
        screen.enter()?;
        Ok(screen)
    }

    fn enter(&mut self) -> io::Result<()> {
        let mut raw = self.before.clone();
        // No echo, no lines, no signals from keys; output stays cooked, and so does the carriage return of input.
        raw.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG | LocalFlags::IEXTEN);
        tcsetattr(io::stdin(), SetArg::TCSADRAIN, &raw)?;
        self.raw = true;
        write("\u{1b}[?25l")
    }

    /// Clears what was drawn, shows the cursor and gives the terminal back. Safe to call twice.
    fn leave(&mut self) {
        if self.raw {
            self.raw = false;
            let _ = write(&format!("{}\u{1b}[?25h", self.erase()));
            let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.before);
        }
    }

    fn close(&mut self) {
        self.leave();
        let _ = self.mask.thread_set_mask();
    }

    fn talk(&mut self, picker: &mut Picker) -> io::Result<End> {
        loop {
            self.draw(picker)?;
            match self.hear()? {
                Heard::Keys(keys) => {
                    for key in keys {
                        match picker.press(key) {
                            PickerStep::Draw => {}
                            PickerStep::Taken(index) => return Ok(End::Taken(index)),
                            PickerStep::Left => return Ok(End::Left),
                            PickerStep::Suspend => {
                                self.leave();
                                // SIGTSTP may be ignored or stop only later; this stops the whole process now.
                                raise(Signal::SIGSTOP)?;
                                self.enter()?;
                            }
                        }
                    }
                }
                Heard::Resized => {}
                Heard::Ends(signal) => return Ok(End::Signal(signal)),
                Heard::Gone => return Ok(End::Left),
            }
        }
    }

    /// Waits for keys, a new size or a signal.
    fn hear(&mut self) -> io::Result<Heard> {
        loop {
            let stdin = io::stdin();
            let timeout = if self.decoder.waiting() { PollTimeout::from(ESC_MS) } else { PollTimeout::NONE };
            let mut fds = [
                PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, timeout) {
                Err(Errno::EINTR) => continue,
                Err(e) => return Err(e.into()),
                Ok(0) => return Ok(Heard::Keys(self.decoder.flush().into_iter().collect())),
                Ok(_) => {}
            }
            let [keys, signals] = fds;
            let ready = |fd: PollFd<'_>| fd.any().unwrap_or(true);
            if ready(signals)
                && let Some(told) = self.signals.read_signal()?
            {
                let signal = i32::try_from(told.ssi_signo).ok().and_then(|n| Signal::try_from(n).ok());
                return Ok(match signal {
                    Some(Signal::SIGWINCH) | None => Heard::Resized,
                    Some(ends) => Heard::Ends(ends),
                });
            }
            if ready(keys) {
                let mut bytes = [0u8; 256];
                return Ok(match read(stdin.as_fd(), &mut bytes)? {
                    0 => Heard::Gone,
                    n => Heard::Keys(self.decoder.feed(bytes.get(..n).unwrap_or_default())),
                });
            }
        }
    }

    fn draw(&mut self, picker: &mut Picker) -> io::Result<()> {
        let (rows, columns) = Term::stderr().size_checked().unwrap_or((24, 80));
        let lines = picker.frame(rows.into(), columns.into());
        let mut out = self.erase();
        // The cursor stays in the last line: a line feed behind it could scroll the terminal.
        out.push_str(&lines.join("\r\n"));
        self.drawn = lines.iter().map(|l| measure_text_width(&plain(l))).collect();
        write(&out)
    }

    /// What takes the last frame away again: up to its first line, then everything below. A terminal that became
    /// narrower meanwhile has wrapped the lines.
    fn erase(&mut self) -> String {
        let columns = usize::from(Term::stderr().size_checked().map_or(80, |(_, columns)| columns)).max(1);
        let rows: usize = self.drawn.iter().map(|width| width.div_ceil(columns).max(1)).sum();
        self.drawn.clear();
        match rows.saturating_sub(1) {
            0 => "\r\u{1b}[J".to_string(),
            up => format!("\r\u{1b}[{up}A\u{1b}[J"),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}

fn read(fd: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        match nix::unistd::read(fd, bytes) {
            Err(Errno::EINTR) => {}
            // The terminal went away.
            Err(Errno::EIO) => return Ok(0),
            other => return Ok(other?),
        }
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stderr().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A line without its styles.
fn plain(line: &str) -> String {
    console::strip_ansi_codes(line).into_owned()
}
