//! Where one reader stands in a stream, and what is left out when it is too slow.

use super::client::{Client, add};
use super::limits::Limits;
use super::ring::{Entry, Ring};
use crate::media::{MediaTime, TrackKind};
use std::sync::Arc;
use std::time::Duration;

/// What of the video (or of all) is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skip {
    /// Nothing.
    No,
    /// All until a keyframe: decoding has not begun.
    All,
    /// Video until the next keyframe of the first one.
    Video,
    /// Video before this number, which is a keyframe.
    VideoBefore(u64),
}

/// See the module.
pub struct Position {
    /// The reader's entry in the registry.
    client: Arc<Client>,
    /// The next entry for it.
    next: u64,
    /// Whether the preamble has gone out.
    begun: bool,
    skip: Skip,
}

impl Position {
    /// Where a late reader begins.
    pub fn new(client: Arc<Client>, ring: &Ring) -> Position {
        let mut position = Position { client, next: 0, begun: false, skip: Skip::No };
        position.place(ring);
        position
    }

    /// Whose it is.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// The next entry for it.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Whether it stands right at `number`, has begun and leaves nothing out.
    pub fn is_at(&self, number: u64) -> bool {
        self.begun && self.next == number && self.skip == Skip::No
    }

    /// Begins with the preamble. `false` if it has begun already.
    pub fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.begun, true)
    }

    /// Places it where a late reader begins.
    pub fn place(&mut self, ring: &Ring) {
        let (next, skip) = ring.begin().map_or((ring.head(), Skip::All), |begin| (begin, Skip::No));
        self.begun &= !ring.changed_within(self.next..next);
        (self.next, self.skip) = (next, skip);
    }

    /// It got everything before `next`, of which the last was of this time.
    pub fn pass(&mut self, next: u64, last: MediaTime) {
        self.next = next;
        self.note(last);
    }

    /// It gets a frame of this time.
    pub fn note(&self, at: MediaTime) {
        let millis = u64::try_from(at.millis()).unwrap_or(0);
        self.client.counters.timestamp_ms.store(millis, std::sync::atomic::Ordering::Relaxed);
    }

    /// It does not get what stands before `next`. If the headers changed there it is told them anew.
    fn leave_out(&mut self, next: u64, ring: &Ring) {
        add(&self.client.counters.frames_dropped, next.saturating_sub(self.next));
        self.begun &= !ring.changed_within(self.next..next);
        self.next = next;
    }

    /// The next entry for it, passing over what it does not get.
    pub fn step(&mut self, ring: &Ring) -> Option<u64> {
        if self.next < ring.first() {
            // What it stood at is gone.
            self.leave_out(ring.first(), ring);
            if self.skip == Skip::No {
                self.skip = Skip::Video;
            }
        }
        loop {
            let number = self.next;
            let entry = ring.get(number)?;
            self.next = number.saturating_add(1);
            let Entry::Frame(frame, _) = entry else { return Some(number) };
            let video = frame.track.kind() == TrackKind::Video;
            let begins = frame.keyframe && ring.lead() == Some(frame.track);
            let left_out = match self.skip {
                Skip::No => false,
                Skip::All => !(begins || ring.begin() == Some(number)),
                Skip::Video => video && !begins,
                Skip::VideoBefore(k) => video && number < k,
            };
            if left_out {
                if self.begun {
                    add(&self.client.counters.frames_dropped, 1);
                }
                continue;
            }
            if begins || self.skip == Skip::All {
                self.skip = Skip::No;
            }
            return Some(number);
        }
    }

    /// Leaves video out if it is too far behind. `lag_bytes`: how many packed bytes lie before it.
    pub fn keep_up(&mut self, ring: &Ring, lag_bytes: impl Fn(u64) -> u64, limits: &Limits) {
        let too_far = |at: u64| {
            let newest = ring.get(ring.head().saturating_sub(1)).map_or(MediaTime::ZERO, Entry::time);
            let behind = ring.get(at).map_or(Duration::ZERO, |e| newest.since(e.time()));
            ring.head().saturating_sub(at) > limits.lag_frames
                || lag_bytes(at) > limits.lag_bytes
                || behind > limits.lag_time
        };
        if !self.begun || !too_far(self.next) {
            return;
        }
        self.skip = match ring.begin() {
            Some(key) if key > self.next => Skip::VideoBefore(key),
            _ if self.skip == Skip::No => Skip::Video,
            _ => self.skip,
        };
        // Audio goes on, but no further back than the window.
        while too_far(self.next) && self.next < ring.head() {
            self.leave_out(self.next.saturating_add(1), ring);
        }
        if let Skip::VideoBefore(key) = self.skip
            && self.next > key
        {
            self.skip = Skip::Video;
        }
    }
}
