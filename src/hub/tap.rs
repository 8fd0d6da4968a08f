//! Readers of frames: the segmenter, a recorder, WebRTC, a destination. They take frames in batches out of the stream's
//! ring; the publisher's task only wakes them, once for each of its own reads.

use super::client::{Client, add};
use super::format::Headers;
use super::limits::Limits;
use super::ring::{Entry, Ring};
use super::stamp::Stamp;
use crate::media::{Frame, TrackKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// The most frames of one batch.
const BATCH: usize = 256;

/// What happens when a reader of frames is too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// It goes on with the next keyframe, and that is counted: for those who show what is now.
    Live,
    /// It is told of the gap before it goes on: for those who keep everything.
    Whole {
        /// Payload that may wait for it, bytes.
        most_bytes: u64,
        /// Media that may wait for it.
        most_time: Duration,
    },
}

/// What a reader of frames gets, in order.
#[derive(Clone, Debug)]
pub enum Item {
    /// The tracks from here on. It comes before the first frame, and again whenever they change.
    Tracks(Box<Headers>),
    /// A frame.
    Frame(Frame, Stamp),
    /// So many frames are missing here.
    Gap(u64),
    /// The publisher is gone; what follows is another one's, if one comes.
    Interrupted,
}

/// The stream is over, or the hub does not know the reader any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapEnd;

/// Where a reader of frames stands. Its stream holds it.
pub struct Tap {
    /// Its number in the stream.
    pub id: u64,
    /// Its entry in the registry.
    pub client: Arc<Client>,
    /// Wakes it.
    pub wake: Arc<Notify>,
    policy: Policy,
    next: u64,
    told: bool,
    waits_for_keyframe: bool,
    missed: u64,
    /// Where the publisher was lost.
    interrupted: Option<u64>,
    pub(super) over: bool,
}

impl Tap {
    /// One that begins where a late reader begins.
    pub fn new(id: u64, client: Arc<Client>, policy: Policy, ring: &Ring) -> Tap {
        let (next, waits_for_keyframe) = match ring.begin() {
            Some(begin) => (begin, false),
            None => (ring.head(), true),
        };
        let wake = Arc::new(Notify::new());
        Tap {
            id,
            client,
            wake,
            policy,
            next,
            told: false,
            waits_for_keyframe,
            missed: 0,
            interrupted: None,
            over: false,
        }
    }

    /// The oldest entry that it still wants, and how much may wait for it.
    pub fn needs(&self) -> (u64, Policy) {
        (self.next, self.policy)
    }

    /// The publisher is gone; what it sent ends before this entry.
    pub fn interrupt(&mut self, head: u64) {
        self.interrupted = Some(head);
        self.wake.notify_one();
    }

    /// The stream is over.
    pub fn end(&mut self) {
        self.over = true;
        self.wake.notify_one();
    }

    /// Takes what is there.
    pub(super) fn take(&mut self, ring: &Ring, headers: &Headers, limits: &Limits, items: &mut Vec<Item>) {
        if self.policy == Policy::Live && self.is_late(ring, limits) {
            let next = ring.begin().unwrap_or(ring.head());
            self.missed = self.missed.saturating_add(next.saturating_sub(self.next));
            self.waits_for_keyframe = ring.begin().is_none();
            self.next = next;
        }
        if self.next < ring.first() {
            self.missed = self.missed.saturating_add(ring.first().saturating_sub(self.next));
            self.next = ring.first();
            self.waits_for_keyframe = true;
        }
        let most = items.len().saturating_add(BATCH);
        while items.len() < most {
            if self.interrupted.is_some_and(|at| self.next >= at) {
                self.interrupted = None;
                self.waits_for_keyframe = true;
                items.push(Item::Interrupted);
            }
            let Some(entry) = ring.get(self.next) else { break };
            self.next = self.next.saturating_add(1);
            match entry {
                Entry::Changed(changed, _) => {
                    self.told = true;
                    items.push(Item::Tracks(changed.clone()));
                }
                Entry::Frame(frame, stamp) => {
                    if self.waits_for_keyframe && !begins(frame, headers) {
                        self.missed = self.missed.saturating_add(1);
                        continue;
                    }
                    self.waits_for_keyframe = false;
                    self.report_missed(items);
                    if !std::mem::replace(&mut self.told, true) {
                        items.push(Item::Tracks(Box::new(headers.clone())));
                    }
                    items.push(Item::Frame(frame.clone(), *stamp));
                }
            }
        }
    }

    /// Whether it is behind the last keyframe and further behind than a reader of bytes may be.
    fn is_late(&self, ring: &Ring, limits: &Limits) -> bool {
        let entry = |number: u64| ring.get(number).map(Entry::time);
        let newest = entry(ring.head().saturating_sub(1));
        let behind =
            entry(self.next).zip(newest).is_some_and(|(own, newest)| newest.since(own) > limits.lag_time);
        let frames = ring.head().saturating_sub(self.next);
        (behind || frames > limits.lag_frames) && ring.begin().is_none_or(|begin| begin > self.next)
    }

    fn report_missed(&mut self, items: &mut Vec<Item>) {
        let missed = std::mem::take(&mut self.missed);
        // What came before its first frame it never asked for.
        if missed > 0 && self.told {
            add(&self.client.counters.frames_dropped, missed);
            items.push(Item::Gap(missed));
        }
    }
}

fn begins(frame: &Frame, headers: &Headers) -> bool {
    match frame.track.kind() {
        TrackKind::Video => frame.keyframe && headers.tracks.first_video() == Some(frame.track),
        TrackKind::Audio => headers.tracks.video().is_none(),
        TrackKind::Data => false,
    }
}
