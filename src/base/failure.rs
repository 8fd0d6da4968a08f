//! How every error of msconv looks: a kind for machines, one lowercase sentence for people, and the next step.
//!
//! The kind alone decides the exit code and the HTTP status. Whatever text came from outside passes through
//! [`printable`](fn@super::printable::printable), so no error can carry escape codes to a terminal.

use super::next::{Advice, Next, Trouble};
use super::printable::printable;
use std::fmt;

/// What went wrong, as far as a script needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A bug, or the machine itself (disk, memory) failing us.
    Internal,
    /// A bad flag, key, ladder, URL or configuration file.
    Usage,
    /// The stream is not running.
    NotRunning,
    /// No such stream or rendition.
    NotFound,
    /// A program is missing or unfit.
    Missing,
    /// A server does not answer, or refuses.
    Server,
    /// The input cannot be used.
    Input,
    /// Already running, or the name is taken.
    Conflict,
    /// Interrupted or cancelled by the person.
    Interrupted,
}

impl Kind {
    /// Every kind, in the order of the exit codes.
    pub const ALL: [Kind; 9] = [
        Kind::Internal,
        Kind::Usage,
        Kind::NotRunning,
        Kind::NotFound,
        Kind::Missing,
        Kind::Server,
        Kind::Input,
        Kind::Conflict,
        Kind::Interrupted,
    ];

    /// The exit code of the process, 1 to 8 or 130.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Internal => 1,
            Kind::Usage => 2,
            Kind::NotRunning => 3,
            Kind::NotFound => 4,
            Kind::Missing => 5,
            Kind::Server => 6,
            Kind::Input => 7,
            Kind::Conflict => 8,
            Kind::Interrupted => 130,
        }
    }

    /// The HTTP status of the same failure; `None` where HTTP has no such case.
    pub fn http_status(self) -> Option<u16> {
        match self {
            Kind::Internal => Some(500),
            Kind::Usage => Some(400),
            Kind::NotRunning | Kind::Conflict => Some(409),
            Kind::NotFound => Some(404),
            Kind::Missing => Some(501),
            Kind::Server => Some(503),
            Kind::Input => Some(422),
            Kind::Interrupted => None,
        }
    }

    /// The word used in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Internal => "internal",
            Kind::Usage => "usage",
            Kind::NotRunning => "not_running",
            Kind::NotFound => "not_found",
            Kind::Missing => "missing",
            Kind::Server => "server",
            Kind::Input => "input",
            Kind::Conflict => "conflict",
            Kind::Interrupted => "interrupted",
        }
    }

    /// The kind with this exit code, for failures that crossed a process boundary.
    pub fn from_exit_code(code: u8) -> Kind {
        Kind::ALL.into_iter().find(|k| k.exit_code() == code).unwrap_or(Kind::Internal)
    }
}

/// A failure that a person can act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    kind: Kind,
    what: String,
    why: Vec<String>,
    tries: Vec<Next>,
    log: Option<String>,
    figure: Option<String>,
}

/// What library functions return.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure of `kind`, described by one lowercase sentence without a full stop.
    pub fn new(kind: Kind, what: impl Into<String>) -> Failure {
        Failure {
            kind,
            what: printable(&what.into()),
            why: Vec::new(),
            tries: Vec::new(),
            log: None,
            figure: None,
        }
    }

    /// A bug or a failing machine.
    pub fn internal(what: impl Into<String>) -> Failure {
        Failure::new(Kind::Internal, what)
    }

    /// A mistake in what was typed or configured.
    pub fn usage(what: impl Into<String>) -> Failure {
        Failure::new(Kind::Usage, what)
    }

    /// Adds a `why:` line: the cause, or a failed child's own words. What is said already is not said again.
    pub fn why(mut self, why: impl Into<String>) -> Failure {
        let why = printable(&why.into());
        let lower = why.to_lowercase();
        let said = |line: &String| line.to_lowercase().contains(&lower);
        if !std::iter::once(&self.what).chain(&self.why).any(said) {
            self.why.push(why);
        }
        self
    }

    /// Adds a next step that helps, once.
    pub fn hint(mut self, hint: impl Into<Next>) -> Failure {
        let hint = hint.into();
        if !self.tries.contains(&hint) {
            self.tries.push(hint);
        }
        self
    }

    /// Names the log file that holds more.
    pub fn log(mut self, path: impl Into<String>) -> Failure {
        self.log = Some(printable(&path.into()));
        self
    }

    /// Adds lines shown as they are under the sentence (the caret under a mistake).
    pub fn figure(mut self, text: impl Into<String>) -> Failure {
        let text: String = text.into();
        self.figure = Some(text.lines().map(printable).collect::<Vec<_>>().join("\n"));
        self
    }

    /// Puts what was being done in front: `cannot publish x: nothing listens at ...`.
    pub fn during(mut self, doing: &str) -> Failure {
        self.what = format!("{}: {}", printable(doing), self.what);
        self
    }

    /// Adds how long was waited in vain: `cannot read rtmp://... within 20 s`.
    pub fn within(mut self, time: &str) -> Failure {
        self.what = format!("{} within {}", self.what, printable(time));
        self
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The sentence.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The causes.
    pub fn reasons(&self) -> &[String] {
        &self.why
    }

    /// The next steps.
    pub fn hints(&self) -> &[Next] {
        &self.tries
    }

    /// The lines that are shown as they are.
    pub fn figure_lines(&self) -> impl Iterator<Item = &str> {
        self.figure.iter().flat_map(|text| text.lines())
    }

    /// The log file, if there is one to read.
    pub fn log_path(&self) -> Option<&str> {
        self.log.as_deref()
    }

    /// An I/O error with the path it happened at.
    pub fn io(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Failure {
        let failure = Failure::internal(format!("cannot {doing} {}", path.display())).why(io_words(error));
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => failure.hint(Advice::MoveHome(Trouble::Rights)),
            std::io::ErrorKind::StorageFull => failure.hint(Advice::MoveHome(Trouble::Full)),
            _ => failure.hint(Advice::MoveHome(Trouble::Other)),
        }
    }
}

/// An I/O error in plain words, without the "(os error N)" tail.
pub fn io_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text).to_string();
    let mut letters = text.chars();
    match letters.next() {
        // Lowercase the first letter only of ordinary sentences ("No such file"), not of names ("EOF").
        Some(first) if letters.clone().next().is_some_and(|c| c.is_lowercase()) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text,
    }
}

/// Without the next steps: how they are spelled is the affair of whoever shows them.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        for line in self.figure_lines() {
            write!(f, "\n    {line}")?;
        }
        for line in &self.why {
            write!(f, "\n  why: {line}")?;
        }
        if let Some(path) = &self.log {
            write!(f, "\n  log: {path}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_distinct_and_reversible() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_exit_code(kind.exit_code()), kind);
        }
    }

    #[test]
    fn escape_codes_from_outside_do_not_reach_the_terminal() {
        let failure = Failure::usage("bad \u{1b}[2Jkey").why("line\nbreak");
        assert!(!failure.to_string().contains('\u{1b}'));
        assert_eq!(failure.to_string().lines().count(), 2);
    }
}
