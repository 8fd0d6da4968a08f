//! A reader's handle to a stream. Dropping it leaves the stream.

use super::Hub;
use super::client::{Client, locked};
use super::cursor::{ReaderEnd, Wake};
use super::event::Event;
use super::format::Packed;
use super::stream::Stream;
use crate::base::clock::Now;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Notify;

/// See the module.
pub struct Reader {
    hub: Hub,
    stream: Arc<Stream>,
    client: Arc<Client>,
    id: u64,
    wake: Arc<Notify>,
}

impl Reader {
    pub(super) fn new(
        hub: Hub,
        stream: Arc<Stream>,
        client: Arc<Client>,
        id: u64,
        wake: Arc<Notify>,
    ) -> Reader {
        Reader { hub, stream, client, id, wake }
    }

    /// Sends bytes of the dialog, in order, between packets. Not for datagrams.
    pub fn say(&self, bytes: Bytes, now: Now) {
        let mut state = locked(&self.stream.state);
        if let Some(cursor) = state.cursor(self.id) {
            if !cursor.say(bytes, self.hub.limits()) {
                return cursor.end(ReaderEnd::Broken);
            }
            state.send_to(self.id, self.hub.limits(), now);
        }
    }

    /// Begins, or goes on after a pause, with the last keyframe. Nothing changes for one that plays already.
    pub fn play(&self, now: Now) {
        let mut state = locked(&self.stream.state);
        if state.cursor(self.id).is_none_or(|c| c.playing) {
            return;
        }
        state.place(self.id);
        if let Some(cursor) = state.cursor(self.id)
            && cursor.over.is_none()
        {
            cursor.playing = true;
            state.send_to(self.id, self.hub.limits(), now);
        }
    }

    /// No more frames until it plays again.
    pub fn pause(&self) {
        if let Some(cursor) = locked(&self.stream.state).cursor(self.id) {
            cursor.playing = false;
        }
    }

    /// The packed frames that it would begin with if it played now; empty if no keyframe is there yet.
    pub fn upcoming(&self, now: Now) -> Vec<Packed> {
        locked(&self.stream.state).upcoming(self.id, now)
    }

    /// Asks the publisher for a keyframe. Those who can send one do, at most one a second.
    pub fn request_keyframe(&self, now: Instant) {
        self.stream.request_keyframe(now);
    }

    /// Its socket takes bytes again, or the pause of [`Wake::Later`] is over.
    pub fn flush(&self, now: Now) {
        let mut state = locked(&self.stream.state);
        if let Some(cursor) = state.cursor(self.id) {
            cursor.unblock();
            state.send_to(self.id, self.hub.limits(), now);
        }
    }

    /// Whether nothing waits to be written.
    pub fn drained(&self) -> bool {
        locked(&self.stream.state).cursor(self.id).is_none_or(|c| c.drained())
    }

    /// Waits for what its task has to do. `ReaderEnd` comes again each time it is asked.
    pub async fn event(&self) -> Wake {
        loop {
            let event = match locked(&self.stream.state).cursor(self.id) {
                Some(cursor) => cursor.event(),
                None => Some(Wake::Ended(ReaderEnd::Broken)),
            };
            match event {
                Some(event) => return event,
                None => self.wake.notified().await,
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        locked(&self.stream.state).unsubscribe(self.id);
        let (stream, client) = (self.stream.name.clone(), self.client.clone());
        self.hub.events().send(Event::Left { stream, client });
        self.hub.tidy(&self.stream);
    }
}
