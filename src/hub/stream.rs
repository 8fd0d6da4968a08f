//! A stream behind its lock, and what the control endpoints see of it.

use super::broadcast::{Broadcast, Totals};
use super::client::{Client, get, locked};
use super::format::Headers;
use super::group::Group;
use crate::base::clock::Now;
use crate::model::{LadderName, StreamName};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Keyframes are asked for at most so often: each costs the publisher bits, and viewers who tune in together want the
/// same one.
const KEYFRAME_EVERY: Duration = Duration::from_secs(1);

/// One name.
pub struct Stream {
    /// Its name.
    pub name: StreamName,
    /// Its state.
    pub state: Mutex<Broadcast>,
    /// Tells those that wait for its tracks.
    pub changed: Notify,
    keyframe: Notify,
    keyframe_asked: Mutex<Option<Instant>>,
}

/// A stream at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// Its name.
    pub name: StreamName,
    /// The ladder that it belongs to, and as what.
    pub ladder: LadderName,
    /// Its label in the ladder.
    pub label: String,
    /// Which run of the ladder's publisher it is in; 0 before the first frame.
    pub run: u64,
    /// Since when, milliseconds since 1970.
    pub created_ms: i64,
    /// Since when.
    pub created: Instant,
    /// Since when its tracks are known, milliseconds since 1970.
    pub ready_ms: Option<i64>,
    /// When the last frame came.
    pub last_frame: Option<Instant>,
    /// Tracks and metadata.
    pub headers: Headers,
    /// Who publishes; nobody while readers wait for one that was lost.
    pub publisher: Option<Arc<Client>>,
    /// Who reads, in no order; but for programs of the server's own, which are no viewers.
    pub readers: Vec<Arc<Client>>,
    /// What it has carried.
    pub totals: Totals,
    /// Bytes received: payload of all tracks.
    pub bytes_in: u64,
    /// Bytes sent to all readers, those that have left included.
    pub bytes_out: u64,
    /// Frames that slow readers did not get.
    pub frames_dropped: u64,
}

impl Stream {
    /// A name that nobody publishes yet.
    pub fn new(name: StreamName, group: Arc<Group>, now: Now) -> Stream {
        Stream {
            state: Mutex::new(Broadcast::new(&name.name, group, now)),
            name,
            changed: Notify::new(),
            keyframe: Notify::new(),
            keyframe_asked: Mutex::default(),
        }
    }

    /// Somebody wants a keyframe.
    pub fn request_keyframe(&self, now: Instant) {
        let mut asked = locked(&self.keyframe_asked);
        if asked.is_none_or(|at| now.saturating_duration_since(at) >= KEYFRAME_EVERY) {
            *asked = Some(now);
            self.keyframe.notify_one();
        }
    }

    /// Waits until somebody does.
    pub async fn keyframe_wanted(&self) {
        self.keyframe.notified().await;
    }

    /// What it is now.
    pub fn view(&self) -> View {
        let state = locked(&self.state);
        let readers = state.readers();
        let sum = |of: fn(&Client) -> u64| readers.iter().map(|c| of(c)).fold(0, u64::saturating_add);
        let (bytes_read, dropped) =
            (sum(|c| get(&c.counters.bytes_out)), sum(|c| get(&c.counters.frames_dropped)));
        let readers = readers.into_iter().filter(|client| !client.is_own()).collect();
        let totals = state.totals;
        View {
            name: self.name.clone(),
            ladder: state.group().name.clone(),
            label: state.group().label(&self.name.name),
            run: state.run(),
            created_ms: state.created_ms,
            created: state.created,
            ready_ms: state.ready_ms,
            last_frame: state.last_frame,
            headers: state.headers.clone(),
            publisher: state.publisher().cloned(),
            bytes_in: totals.video_bytes.saturating_add(totals.audio_bytes),
            bytes_out: totals.left_bytes_out.saturating_add(bytes_read),
            frames_dropped: totals.left_frames_dropped.saturating_add(dropped),
            totals,
            readers,
        }
    }
}
