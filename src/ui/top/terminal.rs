//! The terminal behind `top`: the other screen while it is open, so that what was there before comes back.

use super::{Act, Top};
use crate::base::{Failure, Kind, Outcome, failure::io_words};
use crate::ui::keyboard::{Heard, Keyboard};
use console::Term;
use nix::sys::signal::{Signal, raise};
use nix::sys::termios::{SetArg, tcsetattr};
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

const OPEN: &str = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[2J";
const CLOSE: &str = "\u{1b}[0m\u{1b}[?25h\u{1b}[?1049l";

/// The terminal, taken.
pub struct Screen {
    keyboard: Keyboard,
    size: (u16, u16),
}

impl Screen {
    /// Takes the terminal. Threads that are started later do not get its signals.
    ///
    /// # Errors
    /// Internal, if it cannot be used.
    pub fn open() -> Outcome<Screen> {
        let keyboard = Keyboard::open().map_err(|e| lost(&e))?;
        let before = Mutex::new(keyboard.before().clone());
        let usual = std::panic::take_hook();
        // What is said of a panic shall be read on the screen that stays.
        std::panic::set_hook(Box::new(move |info| {
            let _ = write(CLOSE);
            let before = before.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &before);
            drop(before);
            usual(info);
        }));
        write(OPEN).map_err(|e| lost(&e))?;
        Ok(Screen { keyboard, size: (0, 0) })
    }

    /// Draws and listens until it is left. `act` does what is asked for; `news` is called when there is something to read from
    /// `wake`.
    ///
    /// # Errors
    /// Interrupted, by a signal; internal if the terminal fails.
    pub fn run(
        mut self,
        top: &mut Top,
        wake: &mut PipeReader,
        mut news: impl FnMut(&mut Top),
        mut act: impl FnMut(&mut Top, Act),
    ) -> Outcome<()> {
        let end = self.talk(top, wake, &mut news, &mut act);
        self.leave();
        self.keyboard.close();
        let Some(signal) = end.map_err(|e| lost(&e))? else { return Ok(()) };
        // The terminal is as it was; now the signal may do what it does.
        let _ = raise(signal);
        Err(Failure::new(Kind::Interrupted, "interrupted"))
    }

    fn talk(
        &mut self,
        top: &mut Top,
        wake: &mut PipeReader,
        news: &mut dyn FnMut(&mut Top),
        act: &mut dyn FnMut(&mut Top, Act),
    ) -> io::Result<Option<Signal>> {
        loop {
            self.draw(top)?;
            match self.keyboard.hear(None, Some(wake.as_fd()))? {
                Heard::Keys(keys) => {
                    for key in keys {
                        match top.press(key) {
                            Act::Draw => {}
                            Act::Leave => return Ok(None),
                            Act::Suspend => self.suspend()?,
                            other => act(top, other),
                        }
                    }
                }
                Heard::Suspend => self.suspend()?,
                Heard::Resumed => self.enter()?,
                Heard::Woken => {
                    let mut bytes = [0u8; 64];
                    if wake.read(&mut bytes)? == 0 {
                        return Err(io::Error::other("who asks the server is gone"));
                    }
                    news(top);
                }
                Heard::Resized | Heard::Nothing => {}
                Heard::Ends(signal) => return Ok(Some(signal)),
                Heard::Gone => return Ok(None),
            }
        }
    }

    fn suspend(&mut self) -> io::Result<()> {
        self.leave();
        self.keyboard.stop_here()?;
        self.enter()
    }

    fn enter(&mut self) -> io::Result<()> {
        self.keyboard.enter()?;
        self.size = (0, 0);
        write(OPEN)
    }

    /// Gives the terminal back. Safe to call twice.
    fn leave(&mut self) {
        if self.keyboard.leave() {
            let _ = write(CLOSE);
        }
    }

    fn draw(&mut self, top: &mut Top) -> io::Result<()> {
        let size = Term::stdout().size_checked().unwrap_or((24, 80));
        let lines = top.frame(size.0.into(), size.1.into());
        // All at once, for terminals that know how: nothing is seen half drawn.
        let mut out = String::from("\u{1b}[?2026h");
        if std::mem::replace(&mut self.size, size) != size {
            out.push_str("\u{1b}[2J");
        }
        for (row, line) in lines.iter().enumerate() {
            out.push_str(&format!("\u{1b}[{};1H{line}\u{1b}[0m\u{1b}[K", row.saturating_add(1)));
        }
        out.push_str("\u{1b}[?2026l");
        write(&out)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.leave();
    }
}

fn lost(error: &io::Error) -> Failure {
    Failure::internal("the terminal cannot be used").why(io_words(error))
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
