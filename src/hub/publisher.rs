//! A publisher's handle to its stream. Dropping it without [`Publisher::end`] means that its connection broke.

use super::Hub;
use super::broadcast::Broadcast;
use super::cursor::Over;
use super::registry::locked;
use super::stream::Stream;
use crate::base::clock::Now;
use crate::media::{Frame, Tracks};
use bytes::Bytes;
use std::sync::{Arc, MutexGuard};
use std::time::Instant;

/// See the module.
pub struct Publisher {
    hub: Hub,
    stream: Arc<Stream>,
    generation: u64,
    ended: bool,
}

impl Publisher {
    pub(super) fn new(hub: Hub, stream: Arc<Stream>, generation: u64) -> Publisher {
        Publisher { hub, stream, generation, ended: false }
    }

    fn state(&self) -> MutexGuard<'_, Broadcast> {
        locked(&self.stream.state)
    }

    /// The tracks, first or changed. Call it again with both when the second one shows.
    pub fn headers(&self, tracks: Tracks) {
        self.state().set_tracks(self.generation, tracks);
    }

    /// RTMP's `onMetaData` as it came: the AMF0 body from that string on.
    pub fn metadata(&self, body: Bytes) {
        self.state().set_metadata(self.generation, body);
    }

    /// The tracks are complete: descriptions that wait are answered.
    pub fn ready(&self, now: Now) {
        self.state().set_ready(self.generation, now);
        self.stream.changed.notify_waiters();
    }

    /// One frame. It leaves with the next [`Publisher::flush`].
    pub fn frame(&self, frame: Frame, now: Instant) {
        self.state().push(self.generation, frame, now, self.hub.limits());
    }

    /// Sends everybody what came since the last time: once for each read of the publisher's socket.
    pub fn flush(&self, now: Now) {
        self.state().flush(self.hub.limits(), false, now);
    }

    /// The stream ends: its readers are told at once, the name is free.
    pub fn end(mut self) {
        self.ended = true;
        self.state().flush(self.hub.limits(), true, Now::read());
        self.state().lose(self.generation);
        self.state().end_readers(Over::Unpublished);
        self.stream.changed.notify_waiters();
        self.hub.tidy(&self.stream);
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        if self.ended || !self.state().lose(self.generation) {
            return;
        }
        self.stream.changed.notify_waiters();
        self.hub.wait_for_return(&self.stream, self.generation);
    }
}
