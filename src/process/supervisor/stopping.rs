//! Ending a program that may not listen: SIGTERM, another, SIGKILL.

use crate::process::spawn::Supervised;
use nix::sys::signal::Signal;
use std::time::Duration;
use tokio::time::Instant;

/// Between the first SIGTERM and the second: an ffmpeg that is blocked in a read or write needs two (measured).
pub const SECOND_TERM_AFTER: Duration = Duration::from_secs(3);
/// Between the first SIGTERM and SIGKILL.
pub const KILL_AFTER: Duration = Duration::from_secs(5);
/// The steps of an end that was asked for.
pub(super) struct Stopping {
    began: Instant,
    terms: u8,
}

impl Stopping {
    /// Sends the first request.
    pub(super) fn begin(child: &Supervised) -> Stopping {
        child.signal(Signal::SIGTERM);
        // A stopped process takes no SIGTERM before it is continued.
        child.signal(Signal::SIGCONT);
        Stopping { began: Instant::now(), terms: 1 }
    }

    /// Ends it as a crash would: a server that keeps those who watch for whoever comes back does it after that, and not
    /// after a goodbye.
    pub(super) fn broken_off(child: &Supervised) -> Stopping {
        child.signal(Signal::SIGKILL);
        Stopping { began: Instant::now(), terms: 3 }
    }

    /// When the next step is due.
    pub(super) fn next(&self) -> Instant {
        match self.terms {
            1 => self.began + SECOND_TERM_AFTER,
            2 => self.began + KILL_AFTER,
            _ => self.began + Duration::from_secs(3600),
        }
    }

    /// Takes the next step.
    pub(super) fn escalate(&mut self, child: &Supervised) {
        child.signal(if self.terms == 1 { Signal::SIGTERM } else { Signal::SIGKILL });
        self.terms = self.terms.saturating_add(1);
    }
}
