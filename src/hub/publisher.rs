//! A publisher's handle to its stream. Dropping it without [`Publisher::end`] means that its connection broke.

use super::Hub;
use super::broadcast::Broadcast;
use super::cursor::Over;
use super::event::{Event, PublishEnd};
use super::format::Metadata;
use super::registry::{Client, locked};
use super::stream::Stream;
use crate::base::clock::Now;
use crate::media::{Frame, Tracks};
use std::sync::{Arc, MutexGuard};

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
        let first = self.state().set_ready(self.generation, now);
        self.stream.changed.notify_waiters();
        if first {
            let ladder = self.state().group().name.clone();
            self.hub.events().send(Event::Ready { stream: self.stream.name.clone(), ladder });
        }
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
        self.gone(PublishEnd::Unpublished);
        self.hub.tidy(&self.stream);
    }

    fn gone(&self, end: PublishEnd) {
        self.stream.changed.notify_waiters();
        let now = Now::read();
        let group = self.state().group().clone();
        group.leave(&self.stream.name.name, now.mono);
        self.hub.events().send(Event::Ended {
            stream: self.stream.name.clone(),
            ladder: group.name.clone(),
            client: self.client.clone(),
            end,
            lasted: now.mono.saturating_duration_since(self.since.mono),
        });
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        if self.ended || !self.state().lose(self.generation) {
            return;
        }
        self.gone(PublishEnd::Lost);
        self.hub.wait_for_return(&self.stream, self.generation);
    }
}
