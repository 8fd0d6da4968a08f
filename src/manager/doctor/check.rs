//! One thing that was looked at, and what the whole of them means for the exit code.

use crate::base::next::Next;
use crate::base::{Failure, Kind};
use serde::Serialize;

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Right.
    Ok,
    /// Something is amiss or missing that a publish can do without.
    Warn,
    /// A publish will not work.
    Fail,
}

impl Status {
    /// The word, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Fail => "fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What: `ffmpeg`, `nginx`, `port 1935`, `folders`.
    pub name: String,
    /// How it stands.
    pub status: Status,
    /// What was seen.
    pub detail: String,
    /// What to do next.
    pub next: Vec<Next>,
    /// Which exit code a failure of it means.
    pub kind: Kind,
}

impl Check {
    /// A thing that is right.
    pub fn ok(name: impl Into<String>, detail: impl Into<String>) -> Check {
        Check::new(name, Status::Ok, detail)
    }

    /// A thing that a publish can do without.
    pub fn warn(name: impl Into<String>, detail: impl Into<String>) -> Check {
        Check::new(name, Status::Warn, detail)
    }

    /// A thing that keeps a publish from working.
    pub fn fail(name: impl Into<String>, kind: Kind, detail: impl Into<String>) -> Check {
        Check { kind, ..Check::new(name, Status::Fail, detail) }
    }

    fn new(name: impl Into<String>, status: Status, detail: impl Into<String>) -> Check {
        Check { name: name.into(), status, detail: detail.into(), next: Vec::new(), kind: Kind::Internal }
    }

    /// A failure as a check of this status: sentence and causes in one line, its hints as next steps.
    pub fn of(name: impl Into<String>, status: Status, failure: &Failure) -> Check {
        let mut detail = failure.what().to_string();
        for reason in failure.reasons() {
            detail.push_str("; ");
            detail.push_str(reason);
        }
        Check { kind: failure.kind(), next: failure.hints().to_vec(), ..Check::new(name, status, detail) }
    }

    /// Adds a next step.
    pub fn next(mut self, step: impl Into<Next>) -> Check {
        self.next.push(step.into());
        self
    }
}

/// The exit code of everything seen: 0 if a publish would work, 5 for programs before 1 for folders before 6 for servers.
pub fn exit_code(checks: &[Check]) -> u8 {
    let failed = |kind: Kind| checks.iter().any(|c| c.status == Status::Fail && c.kind == kind);
    [Kind::Missing, Kind::Internal, Kind::Server]
        .into_iter()
        .find(|kind| failed(*kind))
        .or_else(|| checks.iter().find(|c| c.status == Status::Fail).map(|c| c.kind))
        .map_or(0, Kind::exit_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_count_and_programs_come_first() {
        let mut checks = vec![Check::ok("a", ""), Check::warn("b", "")];
        assert_eq!(exit_code(&checks), 0);
        checks.push(Check::fail("c", Kind::Server, ""));
        assert_eq!(exit_code(&checks), 6);
        checks.push(Check::fail("d", Kind::Internal, ""));
        assert_eq!(exit_code(&checks), 1);
        checks.push(Check::fail("e", Kind::Missing, ""));
        assert_eq!(exit_code(&checks), 5);
    }
}
