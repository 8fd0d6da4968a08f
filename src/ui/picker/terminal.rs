//! The terminal behind the picker: drawn on stderr below what was there, and cleared again.

use super::super::keyboard::{Heard, Keyboard};
use super::{Picker, PickerStep};
use crate::base::{Failure, Kind, Outcome, failure::io_words};
use console::{Term, measure_text_width};
use nix::sys::signal::{Signal, raise};
use std::io::{self, Write};

/// Runs the picker until it is left.
///
/// # Errors
/// Interrupted, when the person or a signal ended it; internal if the terminal fails.
pub fn run(picker: &mut Picker) -> Outcome<usize> {
    let lost = |e: io::Error| Failure::internal("the terminal cannot be used").why(io_words(&e));
    let mut screen = Screen::open().map_err(lost)?;
    let outcome = screen.talk(picker);
    screen.leave();
    screen.keyboard.close();
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

struct Screen {
    keyboard: Keyboard,
    drawn: Vec<usize>,
}

impl Screen {
    fn open() -> io::Result<Screen> {
        let screen = Screen { keyboard: Keyboard::open()?, drawn: Vec::new() };
        write("\u{1b}[?25l")?;
        Ok(screen)
    }

    /// Clears what was drawn, shows the cursor and gives the terminal back. Safe to call twice.
    fn leave(&mut self) {
        let erase = self.erase();
        if self.keyboard.leave() {
            let _ = write(&format!("{erase}\u{1b}[?25h"));
        }
    }

    fn enter(&mut self) -> io::Result<()> {
        self.keyboard.enter()?;
        write("\u{1b}[?25l")
    }

    fn suspend(&mut self) -> io::Result<()> {
        self.leave();
        self.keyboard.stop_here()?;
        self.enter()
    }

    fn talk(&mut self, picker: &mut Picker) -> io::Result<End> {
        loop {
            self.draw(picker)?;
            match self.keyboard.hear(None, None)? {
                Heard::Keys(keys) => {
                    for key in keys {
                        match picker.press(key) {
                            PickerStep::Draw => {}
                            PickerStep::Taken(index) => return Ok(End::Taken(index)),
                            PickerStep::Left => return Ok(End::Left),
                            PickerStep::Suspend => self.suspend()?,
                        }
                    }
                }
                Heard::Suspend => self.suspend()?,
                Heard::Resumed => self.enter()?,
                Heard::Resized | Heard::Woken | Heard::Nothing => {}
                Heard::Ends(signal) => return Ok(End::Signal(signal)),
                Heard::Gone => return Ok(End::Left),
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
        self.leave();
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
