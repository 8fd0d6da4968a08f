//! The handle by which somebody reads frames.

use super::Hub;
use super::client::locked;
use super::stream::Stream;
use super::tap::{Item, TapEnd};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Notify;

/// A reader's handle. Dropping it leaves the stream.
pub struct FrameReader {
    hub: Hub,
    stream: Arc<Stream>,
    id: u64,
    wake: Arc<Notify>,
}

impl FrameReader {
    pub(super) fn new(hub: Hub, stream: Arc<Stream>, id: u64, wake: Arc<Notify>) -> FrameReader {
        FrameReader { hub, stream, id, wake }
    }

    /// Adds what has come, up to a few hundred items; waits if there is nothing.
    ///
    /// # Errors
    /// The stream is over.
    pub async fn next(&mut self, items: &mut Vec<Item>) -> Result<(), TapEnd> {
        let before = items.len();
        loop {
            {
                let mut state = locked(&self.stream.state);
                let (tap, ring, headers) = state.tap(self.id).ok_or(TapEnd)?;
                tap.take(ring, headers, self.hub.limits(), items);
                if items.len() > before {
                    return Ok(());
                }
                if tap.over {
                    return Err(TapEnd);
                }
            }
            self.wake.notified().await;
        }
    }

    /// Asks the publisher for a keyframe. Those who can send one do, at most one a second.
    pub fn request_keyframe(&self, now: Instant) {
        self.stream.request_keyframe(now);
    }
}

impl Drop for FrameReader {
    fn drop(&mut self) {
        locked(&self.stream.state).leave_tap(self.id);
        self.hub.tidy(&self.stream);
    }
}
