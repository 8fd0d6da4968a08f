//! One stream: its publisher, its tracks, its frames, its readers.

use super::client::{Client, get};
use super::cursor::{Cursor, ReaderEnd};
use super::format::{Format, FormatKey, Headers, Metadata, Outlet, Packed};
use super::format_group::FormatGroup;
use super::gathering::Gathering;
use super::group::Group;
use super::limits::Limits;
use super::ring::{Entry, Ring};
use super::stamp::Stamp;
use super::tap::{Policy, Tap};
use super::timeline::Entered;
use crate::base::clock::Now;
use crate::media::{Frame, MediaTime, TrackKind, Tracks};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a stream has carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Payload bytes of video.
    pub video_bytes: u64,
    /// Payload bytes of audio.
    pub audio_bytes: u64,
    /// video frames.
    pub video_frames: u64,
    /// Time of the last video frame.
    pub video_time: MediaTime,
    /// Time of the last keyframe.
    pub keyframe_time: Option<MediaTime>,
    /// Between that and the one before it.
    pub keyframe_distance: Option<Duration>,
    /// Time of the last audio frame.
    pub audio_time: MediaTime,
    /// Bytes sent to readers that have left.
    pub left_bytes_out: u64,
    /// Frames that readers that have left did not get because they were too slow.
    pub left_frames_dropped: u64,
}

/// Who publishes.
struct Source {
    client: Arc<Client>,
    generation: u64,
}

/// A stream's state. One task at a time holds it, and never while it waits.
pub struct Broadcast {
    /// Since when, milliseconds since 1970.
    pub created_ms: i64,
    /// Since when.
    pub created: Instant,
    /// When its tracks were complete, milliseconds since 1970.
    pub ready_ms: Option<i64>,
    /// When the last frame came.
    pub last_frame: Option<Instant>,
    /// What it has carried.
    pub totals: Totals,
    /// What stands before the frames.
    pub headers: Headers,
    source: Option<Source>,
    generation: u64,
    ring: Ring,
    format_groups: Vec<FormatGroup>,
    next_reader: u64,
    name: String,
    /// The ladder that it belongs to.
    group: Arc<Group>,
    /// Where the publisher's times go; none before its first frame.
    entered: Option<Entered>,
    taps: Vec<Tap>,
    last_time: Option<(MediaTime, Instant)>,
    fresh: bool,
    /// The head of the ring when readers last got what there was.
    flushed: u64,
    gathering: Gathering,
}

impl Broadcast {
    /// A stream that nobody publishes yet.
    pub fn new(name: &str, group: Arc<Group>, now: Now) -> Broadcast {
        Broadcast {
            created_ms: now.wall_ms,
            created: now.mono,
            ready_ms: None,
            last_frame: None,
            totals: Totals::default(),
            headers: Headers::default(),
            source: None,
            generation: 0,
            ring: Ring::default(),
            format_groups: Vec::new(),
            next_reader: 0,
            name: name.to_string(),
            group,
            entered: None,
            taps: Vec::new(),
            last_time: None,
            fresh: false,
            flushed: 0,
            gathering: Gathering::default(),
        }
    }

    /// Who publishes it.
    pub fn publisher(&self) -> Option<&Arc<Client>> {
        self.source.as_ref().map(|s| &s.client)
    }

    /// Which publisher in a row it has; changes with each.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Gives it a publisher; its generation. `None` if it has one.
    pub fn take(&mut self, client: Arc<Client>) -> Option<u64> {
        if self.source.is_some() {
            return None;
        }
        self.generation = self.generation.saturating_add(1);
        self.source = Some(Source { client, generation: self.generation });
        self.ready_ms = None;
        self.entered = None;
        self.ring.forget();
        Some(self.generation)
    }

    fn is_of(&self, generation: u64) -> bool {
        self.source.as_ref().is_some_and(|s| s.generation == generation)
    }

    /// The publisher's connection broke: readers wait. `false` if it is another's by now.
    pub fn lose(&mut self, generation: u64) -> bool {
        if !self.is_of(generation) {
            return false;
        }
        self.source = None;
        self.ring.forget();
        let head = self.ring.head();
        self.taps.iter_mut().for_each(|tap| tap.interrupt(head));
        true
    }

    /// Ends all readers.
    pub fn end_readers(&mut self, why: ReaderEnd) {
        self.taps.iter_mut().for_each(Tap::end);
        for cursor in self.format_groups.iter_mut().flat_map(|format_group| &mut format_group.cursors) {
            cursor.end(why);
        }
    }

    /// Whether nobody is here.
    pub fn is_empty(&self) -> bool {
        self.source.is_none()
            && self.taps.is_empty()
            && self.format_groups.iter().all(|format_group| format_group.cursors.is_empty())
    }

    /// The tracks as the publisher says; a change in mid-stream reaches the readers.
    pub fn set_tracks(&mut self, generation: u64, tracks: Tracks) {
        if !self.is_of(generation) || self.headers.tracks == tracks {
            return;
        }
        self.ring.set_lead(tracks.first_video());
        let before = std::mem::replace(&mut self.headers.tracks, tracks);
        if before.is_empty() {
            // Readers that came early get them in their preamble.
            return self.announce();
        }
        let Broadcast { format_groups, ring, headers: Headers { tracks: after, .. }, .. } = self;
        for format_group in format_groups {
            format_group.change(after);
        }
        // What came before is for late readers as long as they can decode it by what they are told now.
        let same_video = before.videos().eq(after.videos());
        if !same_video || !before.audios().all(|(id, track)| after.audio_of(id) == Some(track)) {
            ring.forget();
        }
        self.announce();
    }

    /// The metadata as the publisher sent it.
    pub fn set_metadata(&mut self, generation: u64, metadata: Metadata) {
        if self.is_of(generation) && self.headers.metadata.as_ref() != Some(&metadata) {
            self.headers.metadata = Some(metadata);
            if self.fresh {
                self.announce();
            }
        }
    }

    /// Tells the readers that the headers are others now. Not before the first frame: they have been told nothing.
    fn announce(&mut self) {
        if self.fresh {
            let at = self.last_time.map_or(MediaTime::ZERO, |(at, _)| at);
            self.ring.change(self.headers.clone(), at);
        }
    }

    /// The tracks are complete. `true` if they were not before.
    pub fn set_ready(&mut self, generation: u64, now: Now) -> bool {
        let first = self.is_of(generation) && self.ready_ms.is_none();
        if first {
            self.ready_ms = Some(now.wall_ms);
        }
        first
    }

    /// Whether readers wait for a publisher.
    pub fn is_awaited(&self) -> bool {
        !self.format_groups.iter().all(|format_group| format_group.cursors.is_empty())
            || !self.taps.is_empty()
    }

    /// One frame from the publisher.
    pub fn push(&mut self, generation: u64, mut frame: Frame, now: Now, limits: &Limits) {
        if !self.is_of(generation) {
            return;
        }
        let entered = match self.entered {
            Some(entered) => entered,
            None => {
                let own_last = self.last_time.map(|(last, _)| last);
                *self.entered.insert(self.group.enter(&self.name, frame.dts, own_last, now.mono))
            }
        };
        frame.dts = frame.dts + entered.shift;
        frame.pts = frame.pts + entered.shift;
        self.group.note(frame.dts, now.mono);
        let size = frame.payload.len() as u64;
        match frame.track.kind() {
            TrackKind::Video => {
                self.totals.video_bytes = self.totals.video_bytes.saturating_add(size);
                self.totals.video_frames = self.totals.video_frames.saturating_add(1);
                self.totals.video_time = frame.dts;
                if frame.keyframe && self.ring.lead() == Some(frame.track) {
                    let before = self.totals.keyframe_time.replace(frame.dts);
                    self.totals.keyframe_distance = before.map(|before| frame.dts.since(before));
                }
            }
            TrackKind::Audio => {
                self.totals.audio_bytes = self.totals.audio_bytes.saturating_add(size);
                self.totals.audio_time = frame.dts;
            }
            TrackKind::Data => {}
        }
        let later = self.last_time.is_none_or(|(last, _)| frame.dts > last);
        if later || frame.track.kind() != TrackKind::Data {
            let dts = self.last_time.map_or(frame.dts, |(last, _)| last.max(frame.dts));
            self.last_time = Some((dts, now.mono));
        }
        self.last_frame = Some(now.mono);
        self.fresh = true;
        let stamp = Stamp { at: now.mono, wall_ms: now.wall_ms, run: entered.run };
        self.ring.push(Entry::Frame(frame, stamp), limits);
    }

    /// Sends everybody what came since the last time, at the latest when it is [`Broadcast::due`]; at the end (`last`) at
    /// once.
    pub fn flush(&mut self, limits: &Limits, last: bool, now: Now) {
        let Broadcast { format_groups, ring, headers, gathering, taps, .. } = self;
        let head = ring.head();
        let readers = format_groups.iter().map(|format_group| format_group.cursors.len()).sum();
        let is_audio = |number| match ring.get(number) {
            Some(Entry::Frame(frame, _)) => frame.track.kind() == TrackKind::Audio,
            _ => false,
        };
        let audio_alone = ring.lead().is_some() && (self.flushed..head).all(is_audio);
        if head != self.flushed && (last || !gathering.waits(audio_alone, readers, now.mono)) {
            gathering.end();
            self.flushed = head;
            for format_group in format_groups.iter_mut() {
                format_group.fan_out(ring, headers, limits, now);
            }
        }
        let mut needed = format_groups.iter().map(FormatGroup::needed).min().unwrap_or(u64::MAX);
        let mut keep = limits.keep();
        for tap in taps {
            let (next, policy) = tap.needs();
            needed = needed.min(next);
            if let Policy::Whole { most_bytes, most_time } = policy {
                keep = keep.at_least(most_bytes, most_time);
            }
            tap.wake.notify_one();
        }
        ring.trim(needed, &keep);
    }

    /// When what has come must be flushed; none if nothing waits.
    pub fn due(&self) -> Option<Instant> {
        self.gathering.due()
    }

    /// A reader that has not begun yet; its number.
    pub fn subscribe(
        &mut self,
        client: Arc<Client>,
        key: FormatKey,
        make: impl FnOnce(&Tracks) -> Box<dyn Format>,
        outlet: Outlet,
        now: Now,
    ) -> (u64, Arc<tokio::sync::Notify>) {
        self.next_reader = self.next_reader.saturating_add(1);
        let cursor = Cursor::new(self.next_reader, client, outlet, &self.ring, now.mono);
        let wake = cursor.wake.clone();
        let tracks = &self.headers.tracks;
        match self.format_groups.iter_mut().find(|format_group| format_group.key == key) {
            Some(format_group) => format_group.join(cursor, tracks),
            None => {
                let mut format_group = FormatGroup::new(key, make(tracks), &self.ring, now.mono);
                format_group.join(cursor, tracks);
                self.format_groups.push(format_group);
            }
        }
        (self.next_reader, wake)
    }

    /// Forgets a reader.
    pub fn unsubscribe(&mut self, id: u64) {
        for format_group in &mut self.format_groups {
            if let Some(at) = format_group.cursors.iter().position(|c| c.id == id) {
                let gone = format_group.cursors.swap_remove(at);
                let counters = &gone.client().counters;
                self.totals.left_bytes_out =
                    self.totals.left_bytes_out.saturating_add(get(&counters.bytes_out));
                self.totals.left_frames_dropped =
                    self.totals.left_frames_dropped.saturating_add(get(&counters.frames_dropped));
            }
        }
        self.format_groups.retain(|format_group| !format_group.cursors.is_empty());
    }

    /// A reader of frames; its number.
    pub fn join_tap(&mut self, client: Arc<Client>, policy: Policy) -> (u64, Arc<tokio::sync::Notify>) {
        self.next_reader = self.next_reader.saturating_add(1);
        let tap = Tap::new(self.next_reader, client, policy, &self.ring);
        let wake = tap.wake.clone();
        self.taps.push(tap);
        (self.next_reader, wake)
    }

    /// A reader of frames with what it reads from.
    pub fn tap(&mut self, id: u64) -> Option<(&mut Tap, &Ring, &Headers)> {
        let Broadcast { taps, ring, headers, .. } = self;
        taps.iter_mut().find(|tap| tap.id == id).map(|tap| (tap, &*ring, &*headers))
    }

    /// Forgets a reader of frames.
    pub fn leave_tap(&mut self, id: u64) {
        self.taps.retain(|tap| tap.id != id);
    }

    /// Which run of the ladder's publisher it is in; 0 before the first frame.
    pub fn run(&self) -> u64 {
        self.entered.map_or(0, |entered| entered.run)
    }

    /// The ladder that it belongs to.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// It belongs to this ladder from its next publisher on.
    pub fn set_group(&mut self, group: Arc<Group>) {
        self.group = group;
    }

    /// The reader with this number.
    pub fn cursor(&mut self, id: u64) -> Option<&mut Cursor> {
        self.format_groups.iter_mut().flat_map(|format_group| &mut format_group.cursors).find(|c| c.id == id)
    }

    /// Sends one reader what it can take now.
    pub fn send_to(&mut self, id: u64, limits: &Limits, now: Now) {
        let Broadcast { format_groups, ring, headers, .. } = self;
        for format_group in format_groups.iter_mut() {
            if let Some(index) = format_group.cursors.iter().position(|c| c.id == id) {
                format_group.pack(ring, now);
                format_group.send_to(index, ring, headers, limits, now);
            }
        }
    }

    /// Places a reader where a late reader begins.
    pub fn place(&mut self, id: u64) {
        let Broadcast { format_groups, ring, .. } = self;
        if let Some(cursor) =
            format_groups.iter_mut().flat_map(|format_group| &mut format_group.cursors).find(|c| c.id == id)
        {
            cursor.position.place(ring);
        }
    }

    /// The packed entries that a reader would begin with.
    pub fn upcoming(&mut self, id: u64, now: Now) -> Vec<Packed> {
        let Broadcast { format_groups, ring, .. } = self;
        let Some(format_group) =
            format_groups.iter_mut().find(|format_group| format_group.cursors.iter().any(|c| c.id == id))
        else {
            return Vec::new();
        };
        format_group.pack(ring, now);
        ring.begin().map(|begin| format_group.packed_from(begin)).unwrap_or_default()
    }

    /// The entries in the registry of those who read for somebody to watch: not those of the server itself.
    pub fn readers(&self) -> Vec<Arc<Client>> {
        self.format_groups.iter().flat_map(FormatGroup::clients).cloned().collect()
    }
}
