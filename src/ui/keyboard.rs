//! The terminal while somebody types at it: raw mode, keys, signals and a new size, all waited for in one place; and always given
//! back as it was found.

use super::keys::{Decoder, Key};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// How long a lone Esc is waited for to become a sequence. A slow network line needs some.
const ESC: Duration = Duration::from_millis(60);
/// Signals that end the program, and those that tell of the terminal.
const SIGNALS: [Signal; 7] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGWINCH,
    Signal::SIGTSTP,
    Signal::SIGCONT,
];

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Keys.
    Keys(Vec<Key>),
    /// The terminal has another size.
    Resized,
    /// Somebody wants the shell for a moment.
    Suspend,
    /// The program goes on after it was stopped, by whatever.
    Resumed,
    /// It has to end.
    Ends(Signal),
    /// Nobody is there any more.
    Gone,
    /// Something else that was waited for.
    Woken,
    /// Nothing in time.
    Nothing,
}

/// See the module.
pub struct Keyboard {
    before: Termios,
    mask: SigSet,
    signals: SignalFd,
    decoder: Decoder,
    raw: bool,
}

impl Keyboard {
    /// Takes the keys and the signals of this thread; threads that are started later do not get them either.
    ///
    /// # Errors
    /// What the terminal says.
    pub fn open() -> io::Result<Keyboard> {
        let before = tcgetattr(io::stdin())?;
        let mut wanted = SigSet::empty();
        SIGNALS.into_iter().for_each(|signal| wanted.add(signal));
        let signals = SignalFd::with_flags(&wanted, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let mask = wanted.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        let mut keyboard = Keyboard { before, mask, signals, decoder: Decoder::default(), raw: false };
        keyboard.enter()?;
        Ok(keyboard)
    }

    /// How the terminal was found.
    pub fn before(&self) -> &Termios {
        &self.before
    }

    /// Keys one by one, from now on or again.
    ///
    /// # Errors
    /// What the terminal says.
    pub fn enter(&mut self) -> io::Result<()> {
        let mut raw = self.before.clone();
        // No echo, no lines, no signals from keys; output stays cooked, and so does the carriage return of input.
        raw.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG | LocalFlags::IEXTEN);
        tcsetattr(io::stdin(), SetArg::TCSADRAIN, &raw)?;
        self.raw = true;
        Ok(())
    }

    /// Gives the terminal back; whether it had been taken.
    pub fn leave(&mut self) -> bool {
        if self.raw {
            let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.before);
        }
        std::mem::take(&mut self.raw)
    }

    /// Gives the terminal and the signals back.
    pub fn close(&mut self) {
        self.leave();
        let _ = self.mask.thread_set_mask();
    }

    /// Stops the whole process, until somebody makes it go on. The terminal has been given back by then.
    ///
    /// # Errors
    /// What the system says.
    pub fn stop_here(&self) -> io::Result<()> {
        // SIGTSTP may be ignored or stop only later; this stops the whole process now.
        Ok(raise(Signal::SIGSTOP)?)
    }

    /// Waits for keys, a new size or a signal; not longer than `patience`, and not when `wake` has something to read.
    ///
    /// # Errors
    /// What the terminal says.
    pub fn hear(&mut self, patience: Option<Duration>, wake: Option<BorrowedFd<'_>>) -> io::Result<Heard> {
        let until = patience.and_then(|patience| Instant::now().checked_add(patience));
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let left =
                if self.decoder.waiting() { Some(left.map_or(ESC, |left| left.min(ESC))) } else { left };
            let timeout = left.map_or(PollTimeout::NONE, |left| {
                // Rounded up: it must not be woken again and again within the last millisecond.
                PollTimeout::try_from(left.as_millis().saturating_add(1)).unwrap_or(PollTimeout::MAX)
            });
            let stdin = io::stdin();
            let mut fds = vec![
                PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            ];
            fds.extend(wake.map(|wake| PollFd::new(wake, PollFlags::POLLIN)));
            match poll(&mut fds, timeout) {
                Err(Errno::EINTR) => continue,
                Err(e) => return Err(e.into()),
                Ok(0) if self.decoder.waiting() => {
                    return Ok(Heard::Keys(self.decoder.flush().into_iter().collect()));
                }
                Ok(0) => return Ok(Heard::Nothing),
                Ok(_) => {}
            }
            let ready = |place: usize| fds.get(place).is_some_and(|fd| fd.any().unwrap_or(true));
            let (keys, signals, woken) = (ready(0), ready(1), ready(2));
            if signals && let Some(told) = self.signals.read_signal()? {
                let signal = i32::try_from(told.ssi_signo).ok().and_then(|n| Signal::try_from(n).ok());
                return Ok(match signal {
                    Some(Signal::SIGWINCH) | None => Heard::Resized,
                    Some(Signal::SIGTSTP) => Heard::Suspend,
                    Some(Signal::SIGCONT) => Heard::Resumed,
                    Some(ends) => Heard::Ends(ends),
                });
            }
            if keys {
                let mut bytes = [0u8; 256];
                return Ok(match read(stdin.as_fd(), &mut bytes)? {
                    0 => Heard::Gone,
                    n => Heard::Keys(self.decoder.feed(bytes.get(..n).unwrap_or_default())),
                });
            }
            if woken {
                return Ok(Heard::Woken);
            }
        }
    }
}

impl Drop for Keyboard {
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
