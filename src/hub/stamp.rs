//! When a frame came.

use std::time::Instant;

/// When a frame came, and in which run of its publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// On the clock that never goes back.
    pub at: Instant,
    /// Unix milliseconds.
    pub wall_ms: i64,
    /// Which run of the ladder's publisher; another number is another line of the publisher's time.
    pub run: u64,
}
