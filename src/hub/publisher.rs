//! A publisher's handle to its stream. Dropping it without [`Publisher::end`] means that its connection broke.

use super::Hub;
use super::broadcast::Broadcast;
use super::client::{Client, locked};
use super::cursor::ReaderEnd;
use super::event::{Event, PublishEnd};
use super::format::Metadata;
use super::stream::Stream;
use crate::base::clock::Now;
use crate::media::{Frame, Tracks};
use std::sync::{Arc, MutexGuard};
use std::time::Instant;

/// See the module.
pub struct Publisher {
    hub: Hub,
    stream: Arc<Stream>,
    client: Arc<Client>,
    generation: u64,
    since: Now,
    ended: bool,
}

impl Publisher {
    pub(super) fn new(
        hub: Hub,
        stream: Arc<Stream>,
        client: Arc<Client>,
        generation: u64,
        now: Now,
    ) -> Publisher {
        Publisher { hub, stream, client, generation, since: now, ended: false }
    }

    fn state(&self) -> MutexGuard<'_, Broadcast> {
        locked(&self.stream.state)
    }

    /// The tracks, first or changed. Call it again with all of them when another one shows.
    pub fn headers(&self, tracks: Tracks) {
        self.state().set_tracks(self.generation, tracks);
    }

    /// What it says of its stream.
    pub fn metadata(&self, metadata: Metadata) {
        self.state().set_metadata(self.generation, metadata);
    }

    /// The tracks are complete: descriptions that wait are answered.
    pub fn ready(&self, now: Now) {
        {
            let mut state = self.state();
            if state.set_ready(self.generation, now) {
                let (stream, ladder) = (self.stream.name.clone(), state.group().name.clone());
                self.hub.events().send(Event::Ready { stream, ladder });
            }
        }
        self.stream.changed.notify_waiters();
    }

    /// Waits until somebody wants a keyframe. At most once a second.
    pub fn keyframe_wanted(&self) -> impl Future<Output = ()> + Send + use<> {
        let stream = self.stream.clone();
        async move { stream.keyframe_wanted().await }
    }

    /// One frame. It leaves with the next [`Publisher::flush`].
    pub fn frame(&self, frame: Frame, now: Now) {
        self.state().push(self.generation, frame, now, self.hub.limits());
    }

    /// When [`Publisher::flush`] is to be called, whatever comes before; none if nothing waits.
    pub fn due(&self) -> Option<Instant> {
        self.state().due()
    }

    /// Sends everybody what came since the last time: once for each read of the publisher's socket. Where many read, audio
    /// waits a moment for video, until [`Publisher::due`].
    pub fn flush(&self, now: Now) {
        self.state().flush(self.hub.limits(), false, now);
    }

    /// The stream ends: its readers are told at once, the name is free.
    pub fn end(mut self) {
        self.ended = true;
        let now = Now::read();
        {
            let mut state = self.state();
            self.leave(&mut state, PublishEnd::Unpublished, now);
            state.end_readers(ReaderEnd::Unpublished);
        }
        self.stream.changed.notify_waiters();
        self.hub.tidy(&self.stream);
    }

    /// Frees the name. All of it under one lock: another thread may be about to publish it. `false` if it is another's.
    fn leave(&self, state: &mut Broadcast, end: PublishEnd, now: Now) -> bool {
        state.flush(self.hub.limits(), true, now);
        if !state.lose(self.generation) {
            return false;
        }
        let group = state.group();
        group.leave(&self.stream.name.name, now.mono);
        self.hub.events().send(Event::Ended {
            stream: self.stream.name.clone(),
            ladder: group.name.clone(),
            client: self.client.clone(),
            end,
            lasted: now.mono.saturating_duration_since(self.since.mono),
        });
        true
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        if self.ended || !self.leave(&mut self.state(), PublishEnd::Lost, Now::read()) {
            return;
        }
        self.stream.changed.notify_waiters();
        self.hub.wait_for_return(&self.stream, self.generation);
    }
}
