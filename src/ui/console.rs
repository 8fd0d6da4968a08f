//! All output goes through one object: data on stdout, talk on stderr, style decided once.

use super::failure_text;
use crate::base::{Failure, Kind, Outcome, failure::io_words, printable::printable};
use crate::config::Settings;
use crate::config::choices::Color;
use crate::config::{Environment, Layer};
use crate::ui::table::Layout;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

/// Where and how to print. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Console {
    /// `--json`: one object on stdout instead of text.
    pub json: bool,
    /// `--quiet`.
    pub quiet: bool,
    /// Colours on stdout.
    pub color_out: bool,
    /// Colours on stderr.
    pub color_err: bool,
    /// stdout is a terminal.
    pub out_terminal: bool,
    /// stderr is a terminal.
    pub err_terminal: bool,
    /// Somebody can be asked.
    pub interactive: bool,
    /// Debug lines are wanted.
    pub debug: bool,
}

impl Console {
    /// Decides the style from settings, environment and what the descriptors are.
    pub fn new(settings: &Settings, environment: &Environment) -> Console {
        let out_terminal = io::stdout().is_terminal();
        let err_terminal = io::stderr().is_terminal();
        let wanted = |terminal: bool| match settings.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => wants_color(terminal, environment),
        };
        Console {
            json: settings.json,
            quiet: settings.quiet,
            color_out: wanted(out_terminal),
            color_err: wanted(err_terminal),
            out_terminal,
            err_terminal,
            interactive: io::stdin().is_terminal()
                && err_terminal
                && !settings.no_input
                && !environment.in_ci(),
            debug: settings.log_level >= crate::config::choices::LogLevel::Debug,
        }
    }

    /// A line of data on stdout. A reader that went away (`| head`) is no failure: what was begun is brought to its end.
    ///
    /// # Errors
    /// Internal, if stdout cannot take it (a full disk).
    pub fn data(&self, line: &str) -> Outcome<()> {
        let mut out = io::stdout().lock();
        written(writeln!(out, "{line}").and_then(|()| out.flush()))
    }

    /// Many lines of data on stdout, flushed once at the end. A reader that went away is no failure, and gets no more.
    ///
    /// # Errors
    /// What `next` returns; internal, if stdout cannot take them.
    pub fn stream(&self, mut next: impl FnMut() -> Outcome<Option<String>>) -> Outcome<()> {
        let mut out = io::BufWriter::with_capacity(64 * 1024, io::stdout().lock());
        let mut outcome = Ok(());
        let done = loop {
            match next() {
                Ok(Some(line)) => {
                    if let Err(e) = writeln!(out, "{line}") {
                        break Err(e);
                    }
                }
                Ok(None) => break out.flush(),
                Err(failure) => {
                    outcome = Err(failure);
                    break out.flush();
                }
            }
        };
        outcome.and(written(done))
    }

    /// Whether the reader of stdout has gone away, so that waiting for something to print is in vain.
    pub fn reader_gone(&self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let out = io::stdout();
        let mut asked = [PollFd::new(out.as_fd(), PollFlags::empty())];
        let errors = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
        poll(&mut asked, PollTimeout::ZERO).is_ok()
            && asked.iter().any(|fd| fd.revents().is_some_and(|events| events.intersects(errors)))
    }

    /// A line of the command's own summary: stdout, silent with `-q` and `--json`.
    ///
    /// # Errors
    /// As [`Console::data`].
    pub fn say(&self, line: &str) -> Outcome<()> {
        if self.quiet || self.json { Ok(()) } else { self.data(line) }
    }

    /// One JSON object on stdout.
    ///
    /// # Errors
    /// As [`Console::data`].
    pub fn object(&self, value: &serde_json::Value) -> Outcome<()> {
        self.data(&value.to_string())
    }

    /// Talk on stderr, silent with `-q`.
    pub fn talk(&self, line: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{line}");
        }
    }

    /// `note: ...` on stderr, silent with `-q`.
    pub fn note(&self, text: &str) {
        self.talk(&format!("{} {}", self.paint_err("36", "note:"), printable(text)));
    }

    /// `warning: ...` on stderr, silent with `-q`.
    pub fn warn(&self, text: &str) {
        self.talk(&format!("{} {}", self.paint_err("33", "warning:"), printable(text)));
    }

    /// A decision, for `--log-level debug`.
    pub fn debug(&self, text: &str) {
        if self.debug {
            let _ = writeln!(io::stderr().lock(), "debug: {}", printable(text));
        }
    }

    /// The failure, on stderr always; with `--json` also as one object on stdout. Its exit code, as [`report`] has it.
    pub fn failure(&self, failure: &Failure) -> u8 {
        report(failure, self.color_err, self.json)
    }

    /// Refuses what only a person at a terminal could answer, naming the flag that answers it.
    ///
    /// # Errors
    /// Usage, when nobody can be asked.
    pub fn need_person(&self, what: &str, instead: &str) -> Outcome<()> {
        if self.interactive {
            return Ok(());
        }
        Err(Failure::new(Kind::Usage, format!("{what} needs a terminal and someone to answer")).hint(instead))
    }

    /// How a table is written to standard output.
    pub fn layout(&self) -> Layout {
        if !self.out_terminal {
            return Layout::Tabs;
        }
        let columns = console::Term::stdout().size_checked().map_or(80, |(_, columns)| columns);
        Layout::Terminal { width: usize::from(columns).max(20), color: self.color_out }
    }

    /// `text` in an ANSI style for stdout, if colours are on there.
    pub fn paint_out(&self, style: &str, text: &str) -> String {
        paint(self.color_out, style, text)
    }

    /// `text` in an ANSI style for stderr, if colours are on there.
    pub fn paint_err(&self, style: &str, text: &str) -> String {
        paint(self.color_err, style, text)
    }
}

/// Prints a whole document on stdout. A reader that went away is success.
///
/// # Errors
/// Internal, if stdout cannot take it (a full disk).
pub fn document(bytes: &[u8]) -> Outcome<()> {
    let mut out = io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

/// What came of writing to stdout: a reader that went away has what it wanted.
///
/// # Errors
/// Internal, if stdout could not take it (a full disk).
pub fn written(outcome: io::Result<()>) -> Outcome<()> {
    match outcome {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::internal("cannot write the output").why(io_words(&e)))
        }
        _ => Ok(()),
    }
}

fn paint(on: bool, style: &str, text: &str) -> String {
    if on { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_string() }
}

/// Whether a failure is printed in colour and as JSON too, where the settings may not be readable.
pub fn style_of_failures(flags: &Layer, environment: &Environment) -> (bool, bool) {
    let layers = [flags, &Layer::environment(environment)];
    let said = |name: &str| layers.iter().find_map(|l| l.get(name)).map(|(value, _)| value.to_string());
    let color = match said("color").as_deref() {
        Some("always") => true,
        Some("never") => false,
        _ => wants_color(io::stderr().is_terminal(), environment),
    };
    (color, said("json").is_some_and(|v| matches!(v.as_str(), "1" | "true" | "yes" | "on")))
}

/// Whether a terminal that nobody said anything about gets colours.
fn wants_color(terminal: bool, environment: &Environment) -> bool {
    terminal && environment.get("NO_COLOR").is_none() && environment.get("TERM") != Some("dumb")
}

/// Prints a failure without a console, for what goes wrong before the settings are known; the exit code, which is that
/// of an output that could not be written where JSON could not be.
pub fn report(failure: &Failure, color: bool, json: bool) -> u8 {
    let say = |failure: &Failure| {
        let text = failure_text::text(failure);
        let _ = writeln!(io::stderr().lock(), "{} {text}", paint(color, "1;31", "error:"));
        failure.kind().exit_code()
    };
    let code = say(failure);
    if json {
        let object = serde_json::json!({
            "schema": "msconv.error/1",
            "error": {
                "kind": failure.kind().word(),
                "exit_code": failure.kind().exit_code(),
                "message": failure.what(),
                "why": failure.reasons(),
                "try": failure_text::steps(failure.hints()),
                "log": failure.log_path(),
            }
        });
        return match document(format!("{object}\n").as_bytes()) {
            // It is what has just been said.
            Err(unwritten) if failure.what().ends_with(unwritten.what()) => code,
            Err(unwritten) => say(&unwritten),
            Ok(()) => code,
        };
    }
    code
}
