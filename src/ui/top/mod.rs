//! `top`: the machine above, the streams below, drawn again and again. A pure state machine, keys and looks in and a frame out;
//! the terminal behind it is `terminal`.

mod graph;
mod header;
pub mod streams;
pub mod terminal;

#[cfg(test)]
mod tests;

use super::keys::Key;
use super::table::Layout;
use crate::base::printable::{bounded, printable};
use crate::platform::load::moment::{Moment, Step, StreamLoad};
use graph::Line;
use std::collections::VecDeque;
use std::sync::Arc;
use streams::Sort;

/// Looks that are drawn.
const LOOKS: usize = 60;

/// What a key asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Draw again.
    Draw,
    /// Leave.
    Leave,
    /// The shell, for a moment.
    Suspend,
    /// Show the page of this stream, of an application.
    Open(String, String),
    /// Stop this stream.
    Stop(String),
}

/// What stands instead of the streams, or asks something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    List,
    Help,
    /// Whether this stream shall be stopped.
    Asking(String),
}

/// See the module.
#[derive(Debug, Default)]
pub struct Top {
    color: bool,
    now: Option<Arc<Moment>>,
    past: VecDeque<Step>,
    /// The chosen stream, by name and application: rows move.
    chosen: Option<(String, String)>,
    /// The first row on the screen.
    first: usize,
    sort: Sort,
    mode: Mode,
    /// What came of the last thing that was done, or why nothing is known.
    message: String,
    /// Why the server does not answer.
    lost: Option<String>,
    /// How many rows of streams the last frame had room for.
    room: usize,
}

impl Top {
    /// Nothing known yet.
    pub fn new(color: bool) -> Top {
        Top { color, room: 1, ..Top::default() }
    }

    /// Takes what was before in.
    pub fn remember(&mut self, steps: Vec<Step>) {
        self.past = steps.into();
        self.trim();
    }

    /// Takes a look in, or why there is none.
    pub fn take(&mut self, look: Result<Arc<Moment>, String>) {
        match look {
            Ok(moment) => {
                self.lost = None;
                if self.past.back().is_none_or(|last| last.at_ms < moment.at_ms) {
                    self.past.push_back(Step::of(&moment));
                    self.trim();
                }
                self.now = Some(moment);
            }
            Err(why) => self.lost = Some(printable(&why)),
        }
    }

    fn trim(&mut self) {
        while self.past.len() > LOOKS {
            self.past.pop_front();
        }
    }

    /// What came of something that was done.
    pub fn say(&mut self, message: &str) {
        self.message = printable(message);
    }

    fn sorted(&self) -> Vec<&StreamLoad> {
        self.now.as_ref().map(|now| self.sort.sorted(&now.streams)).unwrap_or_default()
    }

    /// Where the chosen stream stands; the first one if it is gone.
    fn place(&self, rows: &[&StreamLoad]) -> usize {
        let is = |(name, application): &(String, String)| {
            rows.iter().position(|row| row.name == *name && row.application == *application)
        };
        self.chosen.as_ref().and_then(is).unwrap_or(0)
    }

    fn choose(&mut self, place: impl FnOnce(usize, usize) -> usize) {
        let rows = self.sorted();
        let place = place(self.place(&rows), rows.len().saturating_sub(1));
        let chosen = rows.get(place).map(|row| (row.name.clone(), row.application.clone()));
        self.chosen = chosen;
    }

    /// What a key does.
    pub fn press(&mut self, key: Key) -> Act {
        if matches!(key, Key::Cancel) {
            return Act::Leave;
        }
        if matches!(key, Key::Suspend) {
            return Act::Suspend;
        }
        match std::mem::take(&mut self.mode) {
            Mode::Asking(name) => {
                return if matches!(key, Key::Char('y' | 'Y')) {
                    self.message = format!("stopping {}", printable(&name));
                    Act::Stop(name)
                } else {
                    self.message = "not stopped".into();
                    Act::Draw
                };
            }
            // Any key closes it, and does nothing else.
            Mode::Help => return Act::Draw,
            Mode::List => self.message.clear(),
        }
        let page = self.room.max(1);
        match key {
            Key::Char('q') | Key::Esc => return Act::Leave,
            Key::Up | Key::Char('k') => self.choose(|at, _| at.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.choose(|at, last| at.saturating_add(1).min(last)),
            Key::PageUp => self.choose(|at, _| at.saturating_sub(page)),
            Key::PageDown => self.choose(|at, last| at.saturating_add(page).min(last)),
            Key::Home | Key::Char('g') => self.choose(|_, _| 0),
            Key::End | Key::Char('G') => self.choose(|_, last| last),
            Key::Char('s') => {
                // The row stays the chosen one, wherever it goes.
                self.choose(|at, _| at);
                self.sort = self.sort.next();
            }
            Key::Char('?' | 'h') => self.mode = Mode::Help,
            Key::Enter | Key::Char('o') => {
                let rows = self.sorted();
                let row = rows.get(self.place(&rows));
                return row.map_or(Act::Draw, |row| Act::Open(row.name.clone(), row.application.clone()));
            }
            Key::Char('x') => self.ask(),
            _ => {}
        }
        Act::Draw
    }

    /// Asks whether the chosen stream shall be stopped, if it is ours.
    fn ask(&mut self) {
        let rows = self.sorted();
        let Some(row) = rows.get(self.place(&rows)) else { return };
        let name = row.name.clone();
        match row.from.as_deref() {
            Some("here") => self.mode = Mode::Asking(name),
            from => {
                let from = from.map_or(String::new(), |from| format!(" at {from}"));
                self.message =
                    printable(&format!("{name} comes from elsewhere: its publisher{from} ends it"));
            }
        }
    }

    /// The lines to show on a terminal of this size: as many as it has rows, and none wider than it.
    pub fn frame(&mut self, rows: usize, columns: usize) -> Vec<String> {
        let mut lines = vec![self.title(columns)];
        match (&self.now, &self.mode) {
            (_, Mode::Help) => lines.extend(self.help(columns)),
            (None, _) => lines.extend(["".into(), self.one("2", "  waiting for the first figures", columns)]),
            (Some(now), _) => {
                let past: Vec<Step> = self.past.iter().cloned().collect();
                let header = header::lines(now, &past, columns, self.color);
                // On a low terminal the streams are what is looked at.
                let room = rows.saturating_sub(5);
                lines.extend(header.into_iter().take(room));
                lines.push(String::new());
                let left = rows.saturating_sub(lines.len()).saturating_sub(1);
                lines.extend(self.streams(left, columns));
            }
        }
        lines.truncate(rows.saturating_sub(1));
        lines.resize(rows.saturating_sub(1), String::new());
        lines.push(self.foot(columns));
        lines
    }

    fn title(&self, width: usize) -> String {
        let mut line = Line::default();
        line.add("1", "msconv top");
        if let Some(now) = &self.now {
            let streams = now.streams.len().saturating_add(now.streams_left_out);
            let viewers = now.streams.iter().fold(0usize, |sum, stream| sum.saturating_add(stream.viewers));
            let several =
                |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
            line.add("", format!("  {}, {}", several(streams, "stream"), several(viewers, "viewer")));
            let cpu = now.server.cpu_percent.map(|cpu| format!(", {cpu:.1} % of a core")).unwrap_or_default();
            line.add(
                "2",
                format!(
                    "  server {} up {}{cpu}",
                    bounded(&now.server.version, 20),
                    header::up(now.server.uptime_s)
                ),
            );
        }
        line.shown(width, self.color)
    }

    /// The table, with the chosen row marked, in so many lines.
    fn streams(&mut self, room: usize, width: usize) -> Vec<String> {
        // Two columns are the mark's.
        if width < 4 {
            return Vec::new();
        }
        let rows = self.sorted();
        if rows.is_empty() {
            return vec![self.one(
                "2",
                "  nothing is live    (msconv publish -s stream1 -f video.mp4 starts a stream)",
                width,
            )];
        }
        let (place, many) = (self.place(&rows), rows.len());
        let layout = |color| Layout::Terminal { width: width.saturating_sub(2), color };
        let mut table = streams::table(&rows, layout(self.color)).into_iter();
        let plain = streams::table(&rows, layout(false)).into_iter().nth(place.saturating_add(1));
        let titles = table.next().unwrap_or_default();
        let room = room.saturating_sub(1).max(1);
        let first = self
            .first
            .min(place)
            .max(place.saturating_add(1).saturating_sub(room))
            .min(many.saturating_sub(room));
        let mut lines = vec![format!("  {titles}")];
        for (at, line) in table.enumerate().skip(first).take(room) {
            lines.push(match &plain {
                Some(plain) if at == place => self.marked(plain, width),
                _ => format!("  {line}"),
            });
        }
        let why = self.about(rows.get(place).copied(), width);
        (self.first, self.room) = (first, room);
        if lines.len() < room && !why.is_empty() {
            lines.extend([String::new(), why]);
        }
        lines
    }

    fn marked(&self, line: &str, width: usize) -> String {
        let blanks = width.saturating_sub(console::measure_text_width(line)).saturating_sub(2);
        match self.color {
            true => format!("\u{1b}[7m> {line}{}\u{1b}[0m", " ".repeat(blanks)),
            false => format!("> {line}"),
        }
    }

    /// More about the chosen stream.
    fn about(&self, row: Option<&StreamLoad>, width: usize) -> String {
        let Some(row) = row else { return String::new() };
        let mut line = Line::default();
        line.add("1", format!("  {}", bounded(&row.name, 64)));
        if let Some(title) = &row.title {
            line.add("", format!("  {}", bounded(title, 120)));
        }
        let from = row.from.as_deref().map(|from| {
            if from == "here" { "made here".into() } else { format!("from {}", printable(from)) }
        });
        let memory = row.memory_bytes.map(|bytes| format!("{} of memory", super::units::bytes(bytes)));
        let fps = row.fps.map(|fps| format!("{fps:.0} fps"));
        let repeated =
            row.duplicated_frames.filter(|frames| *frames > 0).map(|frames| format!("{frames} repeated"));
        let restarts = row.restarts.filter(|times| *times > 0).map(|times| format!("{times} restarts"));
        let facts: Vec<String> = [from, fps, memory, repeated, restarts].into_iter().flatten().collect();
        line.add("2", format!("  {}", facts.join(", ")));
        if let Some(why) = &row.why {
            line.add("33", format!("  {}", printable(why)));
        }
        line.shown(width, self.color)
    }

    fn help(&self, width: usize) -> Vec<String> {
        let keys = [
            ("arrows, j k", "choose a stream"),
            ("s", "sort by another column"),
            ("Enter, o", "open the stream's page in a browser"),
            ("x", "stop the stream, after a question"),
            ("?", "this page"),
            ("q, Esc", "leave"),
        ];
        let mut lines = vec![String::new()];
        for (key, what) in keys {
            let mut line = Line::default();
            line.add("1", format!("  {key:<14}"));
            line.add("", what);
            lines.push(line.shown(width, self.color));
        }
        let words = [
            "",
            "  CPU of a stream is that of its encoder, 100 % is one core. DROPS are frames",
            "  that the encoder or slow viewers lost. SPEED 1.00x is in time.",
        ];
        lines.extend(words.map(|line| self.one("2", line, width)));
        lines
    }

    /// The last line: a question, what came of something, or the keys.
    fn foot(&self, width: usize) -> String {
        let mut line = Line::default();
        match (&self.mode, &self.lost) {
            (Mode::Asking(name), _) => {
                line.add("1;33", format!(" stop {}?  y stops it, any other key does not", printable(name)))
            }
            (Mode::Help, _) => line.add("2", " any key goes back"),
            _ if !self.message.is_empty() => line.add("1", format!(" {}", self.message)),
            (_, Some(why)) => line.add("1;31", format!(" {why}; asking again")),
            _ => {
                let sorted = format!("by {}", self.sort.word());
                let keys = [
                    ("?", "help"),
                    ("q", "quit"),
                    ("s", &sorted),
                    ("o", "open"),
                    ("x", "stop"),
                    ("↑↓", "choose"),
                ];
                for (key, what) in keys {
                    // Whole ones only: half a word is no help.
                    if line.width().saturating_add(what.len()).saturating_add(4) <= width {
                        line.add("1", format!(" {key}"));
                        line.add("2", format!(" {what} "));
                    }
                }
            }
        }
        line.shown(width, self.color)
    }

    fn one(&self, style: &'static str, text: &str, width: usize) -> String {
        let mut line = Line::default();
        line.add(style, text);
        line.shown(width, self.color)
    }
}

/// The same once, as text: the machine and every stream.
pub fn page(moment: &Moment, past: &[Step], layout: Layout) -> Vec<String> {
    let (width, color) = match layout {
        Layout::Terminal { width, color } => (width, color),
        Layout::Tabs => (header::NO_TERMINAL, false),
    };
    let mut lines = header::lines(moment, past, width, color);
    lines.push(String::new());
    let streams = Sort::Name.sorted(&moment.streams);
    if streams.is_empty() {
        lines.push("nothing is live".into());
    } else {
        lines.extend(streams::table(&streams, layout));
    }
    lines
}
