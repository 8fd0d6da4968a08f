//! The picker: arrow keys choose, typing filters, Enter takes. A pure state machine, keys in and a frame out; the
//! terminal behind it is `terminal`.

mod terminal;

use super::Console;
use super::keys::Key;
use crate::base::{Failure, Kind, Outcome, printable::bounded};
use console::{measure_text_width, truncate_str};

/// Most rows shown at once, however high the terminal is.
const MOST_ROWS: usize = 20;
/// Longest text that can be typed as a filter, in characters.
const LONGEST_FILTER: usize = 100;

/// Lets the person pick one of `rows`, each a key and what is shown for it; the index of the row. Draws on stderr only,
/// and leaves nothing behind.
///
/// # Errors
/// Not found if there is nothing to pick from; usage if nobody can be asked (ask `Console::need_person` first, it names
/// the flag); interrupted by Esc and Ctrl-C.
pub fn pick(console: &Console, title: &str, rows: &[(String, String)]) -> Outcome<usize> {
    if rows.is_empty() {
        return Err(Failure::new(Kind::NotFound, "there is nothing to pick from"));
    }
    console.need_person("the picker", "name the stream with -s KEY")?;
    let mut picker = Picker::new(title, rows, console.color_err);
    terminal::run(&mut picker)
}

/// What a key did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PickerStep {
    /// Go on; draw again.
    Draw,
    /// The row with this index was taken.
    Taken(usize),
    /// The person left.
    Left,
    /// The person wants the shell for a moment.
    Suspend,
}

/// The picker between two keys.
pub struct Picker {
    title: String,
    rows: Vec<Row>,
    color: bool,
    filter: String,
    /// Indices of the rows that fit the filter.
    fitting: Vec<usize>,
    /// Which of the fitting rows is chosen.
    chosen: usize,
    /// The first of the fitting rows on the screen.
    top: usize,
    /// How many rows the last frame had room for.
    room: usize,
}

struct Row {
    shown: String,
    searched: String,
}

impl Picker {
    /// A picker over rows of key and text.
    pub fn new(title: &str, rows: &[(String, String)], color: bool) -> Picker {
        let rows: Vec<Row> = rows
            .iter()
            .map(|(key, shown)| Row {
                shown: bounded(shown, 2_000),
                searched: format!("{key} {shown}").to_lowercase(),
            })
            .collect();
        Picker {
            title: bounded(title, 200),
            fitting: (0..rows.len()).collect(),
            rows,
            color,
            filter: String::new(),
            chosen: 0,
            top: 0,
            room: MOST_ROWS,
        }
    }

    /// What a key does.
    pub fn press(&mut self, key: Key) -> PickerStep {
        let last = self.fitting.len().saturating_sub(1);
        match key {
            Key::Enter => {
                return match self.fitting.get(self.chosen) {
                    Some(index) => PickerStep::Taken(*index),
                    None => PickerStep::Draw,
                };
            }
            Key::Esc | Key::Cancel => return PickerStep::Left,
            Key::Suspend => return PickerStep::Suspend,
            // The arrows go round; pages do not.
            Key::Up => self.chosen = self.chosen.checked_sub(1).unwrap_or(last),
            Key::Down => self.chosen = if self.chosen >= last { 0 } else { self.chosen + 1 },
            Key::PageUp => self.chosen = self.chosen.saturating_sub(self.room),
            Key::PageDown => self.chosen = self.chosen.saturating_add(self.room).min(last),
            Key::Home => self.chosen = 0,
            Key::End => self.chosen = last,
            Key::Char(letter) if self.filter.chars().count() < LONGEST_FILTER => {
                self.filter.push(letter);
                self.search();
            }
            Key::Backspace => {
                self.filter.pop();
                self.search();
            }
            Key::Clear => {
                self.filter.clear();
                self.search();
            }
            Key::Char(_) | Key::Unknown => {}
        }
        PickerStep::Draw
    }

    /// Keeps the rows in which every typed word occurs; the chosen row stays chosen while it fits.
    fn search(&mut self) {
        let before = self.fitting.get(self.chosen).copied();
        let filter = self.filter.to_lowercase();
        let words: Vec<&str> = filter.split_whitespace().collect();
        self.fitting = (0..self.rows.len())
            .filter(|i| self.rows.get(*i).is_some_and(|r| words.iter().all(|w| r.searched.contains(w))))
            .collect();
        self.chosen = before.and_then(|b| self.fitting.iter().position(|i| *i == b)).unwrap_or(0);
    }

    /// The lines to show on a terminal of this size. None is as wide as the terminal, so that none can wrap, and there
    /// are fewer than it has rows, so that drawing never scrolls.
    pub fn frame(&mut self, rows: usize, columns: usize) -> Vec<String> {
        let width = columns.saturating_sub(1).max(1);
        self.room = rows.saturating_sub(4).clamp(1, MOST_ROWS);
        if self.chosen < self.top {
            self.top = self.chosen;
        } else if self.chosen >= self.top.saturating_add(self.room) {
            self.top = self.chosen.saturating_sub(self.room.saturating_sub(1));
        }
        self.top = self.top.min(self.fitting.len().saturating_sub(self.room));
        let mut lines = vec![self.prompt(width)];
        for (at, index) in self.fitting.iter().enumerate().skip(self.top).take(self.room) {
            let shown = self.rows.get(*index).map_or("", |r| r.shown.as_str());
            let marked = at == self.chosen;
            let line = cut(&format!("{} {shown}", if marked { '>' } else { ' ' }), width);
            lines.push(if marked { self.paint("7", &line) } else { line });
        }
        if self.fitting.is_empty() {
            lines.push(cut("  nothing fits; Backspace takes letters back", width));
        }
        if rows >= 4 {
            let foot = if self.fitting.len() > self.room {
                format!("  {} of {}, more with the arrows", self.chosen.saturating_add(1), self.fitting.len())
            } else {
                "  arrows choose, typing filters, Enter takes, Esc leaves".to_string()
            };
            lines.push(self.paint("2", &cut(&foot, width)));
        }
        lines.truncate(rows.saturating_sub(1).max(1));
        lines
    }

    /// The title and what was typed; the end of it, if it is too long to be shown whole.
    fn prompt(&self, width: usize) -> String {
        let title = cut(&self.title, width);
        let left = width.saturating_sub(measure_text_width(&title) + 1);
        let mut typed = self.filter.as_str();
        while measure_text_width(typed) > left {
            let Some(first) = typed.chars().next() else { break };
            typed = typed.get(first.len_utf8()..).unwrap_or_default();
        }
        let line = format!("{} {typed}", self.paint("1", &title));
        if left == 0 { self.paint("1", &title) } else { line }
    }

    fn paint(&self, style: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_string() }
    }
}

fn cut(text: &str, width: usize) -> String {
    truncate_str(text, width, if width > 3 { "…" } else { "" }).into_owned()
}

#[cfg(test)]
mod tests;
