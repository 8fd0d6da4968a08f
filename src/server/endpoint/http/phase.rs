//! Where a connection is in its dialog, and how long it may stay there.

use super::Limits;
use crate::base::clock::Now;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;

/// Where a connection is, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Between requests (or before the first).
    Idle,
    /// In the head of a request.
    Head,
    /// Behind the head, until the answer is handed over.
    Request,
    /// It must go.
    Over,
}

/// The phase of one connection.
pub struct Phase {
    at: Mutex<(At, Instant)>,
    changed: Notify,
}

impl Phase {
    /// A connection that has just come.
    pub fn new() -> Phase {
        Phase { at: Mutex::new((At::Idle, Now::read().mono)), changed: Notify::new() }
    }

    /// Where it is, and since when.
    pub fn now(&self) -> (At, Instant) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is there from now on.
    pub fn go(&self, to: At) {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        // Time is counted from a request's first byte on, so its head and the rest share their beginning.
        let since = if to == At::Request { at.1 } else { Now::read().mono };
        if at.0 != At::Over {
            *at = (to, since);
        }
    }

    /// Whether it asks nothing yet.
    pub fn idle(&self) -> bool {
        matches!(self.now().0, At::Idle | At::Head)
    }

    /// It must go.
    pub fn end(&self) {
        self.go(At::Over);
        self.changed.notify_one();
    }

    /// Returns when the time of the present phase is over, with that phase.
    pub async fn over(&self, limits: &Limits) -> At {
        loop {
            let (at, since) = self.now();
            let limit = match at {
                At::Idle => limits.idle,
                At::Head => limits.head,
                At::Request => limits.request,
                At::Over => return at,
            };
            let left = limit.saturating_sub(since.elapsed());
            if left.is_zero() {
                return at;
            }
            tokio::select! {
                () = tokio::time::sleep(left.min(limits.head)) => {}
                () = self.changed.notified() => {}
            }
        }
    }
}
