//! The frames that a stream still holds: the group of pictures that a late reader begins with, and what slow readers
//! have not taken yet.

use super::format::Headers;
use super::limits::{Keep, Limits};
use super::stamp::Stamp;
use crate::media::{Frame, MediaTime, TrackId, TrackKind};
use std::collections::VecDeque;

/// One step of a stream.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A frame, and when it came.
    Frame(Frame, Stamp),
    /// From here on the tracks or the metadata are these. The time is that of the frame before.
    Changed(Box<Headers>, MediaTime),
}

impl Entry {
    /// Its time.
    pub fn time(&self) -> MediaTime {
        match self {
            Entry::Frame(frame, _) => frame.dts,
            Entry::Changed(_, at) => *at,
        }
    }

    fn size(&self) -> u64 {
        match self {
            Entry::Frame(frame, _) => frame.payload.len() as u64,
            Entry::Changed(..) => 0,
        }
    }
}

/// Entries by number; numbers are never used again.
#[derive(Debug, Default)]
pub struct Ring {
    entries: VecDeque<Entry>,
    first: u64,
    bytes: u64,
    /// Where a late reader begins.
    begin: Option<u64>,
    /// The number of the last change of headers.
    changed: Option<u64>,
    /// Payload bytes from `begin` on.
    gop_bytes: u64,
    /// The track of video whose keyframes readers begin with; none for audio alone.
    lead: Option<TrackId>,
}

impl Ring {
    /// The number of the oldest entry.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The number that the next entry will have.
    pub fn head(&self) -> u64 {
        self.first.saturating_add(self.entries.len() as u64)
    }

    /// The entry with this number.
    pub fn get(&self, number: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// Where a late reader begins: the last keyframe if its group is still whole, the head of a stream of audio alone.
    pub fn begin(&self) -> Option<u64> {
        self.begin
    }

    /// Whether the headers changed at one of these numbers, as far as the last change tells.
    pub fn changed_within(&self, numbers: std::ops::Range<u64>) -> bool {
        self.changed.is_some_and(|changed| numbers.contains(&changed))
    }

    /// Bytes of payload held.
    #[cfg(test)]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The track of video whose keyframes readers begin with; none for audio alone.
    pub fn lead(&self) -> Option<TrackId> {
        self.lead
    }

    /// Readers begin with keyframes of this track from now on.
    pub fn set_lead(&mut self, lead: Option<TrackId>) {
        self.lead = lead;
    }

    /// Adds one.
    pub fn push(&mut self, entry: Entry, limits: &Limits) {
        let number = self.head();
        let size = entry.size();
        let time = entry.time();
        match &entry {
            Entry::Frame(frame, _) if frame.keyframe && self.lead == Some(frame.track) => {
                self.begin = Some(number);
                self.gop_bytes = 0;
            }
            Entry::Frame(frame, _) if self.lead.is_none() && frame.track.kind() == TrackKind::Audio => {
                self.begin = Some(number);
                self.gop_bytes = 0;
            }
            Entry::Frame(..) | Entry::Changed(..) => {}
        }
        self.bytes = self.bytes.saturating_add(size);
        self.gop_bytes = self.gop_bytes.saturating_add(size);
        self.entries.push_back(entry);
        if let Some(begin) = self.begin {
            let began = self.get(begin).map_or(time, Entry::time);
            let frames = self.head().saturating_sub(begin);
            if self.gop_bytes > limits.gop_bytes
                || time.since(began) > limits.gop_time
                || frames > limits.gop_frames as u64
            {
                self.begin = None;
            }
        }
    }

    /// Marks that the headers are these from here on. If the tracks are others, [`Ring::forget`] comes first; metadata
    /// alone does not spoil the group of pictures.
    pub fn change(&mut self, headers: Headers, at: MediaTime) {
        self.changed = Some(self.head());
        self.entries.push_back(Entry::Changed(Box::new(headers), at));
    }

    /// Forgets the group of pictures: late readers wait for the next keyframe.
    pub fn forget(&mut self) {
        self.begin = None;
    }

    /// Drops what neither a late reader nor one at `needed` will ask for, and what is out of bounds for everybody.
    pub fn trim(&mut self, needed: u64, most: &Keep) {
        let head = self.head();
        let keep = self.begin.unwrap_or(head).min(needed);
        let newest = self.entries.back().map_or(MediaTime::ZERO, Entry::time);
        while let Some(front) = self.entries.front() {
            let wanted = self.first >= keep;
            let of_gop = self.begin.is_some_and(|begin| self.first >= begin);
            let slow = newest.since(front.time()) <= most.time
                && head.saturating_sub(self.first) <= most.frames
                && self.bytes <= most.bytes;
            if of_gop || (wanted && slow) {
                break;
            }
            self.bytes = self.bytes.saturating_sub(front.size());
            self.entries.pop_front();
            self.first = self.first.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::time::Duration;

    fn frame(track: TrackId, ms: i64, keyframe: bool) -> Entry {
        let at = MediaTime::from_millis(ms);
        let stamp = Stamp { at: std::time::Instant::now(), wall_ms: 0, run: 1 };
        Entry::Frame(
            Frame { track, dts: at, pts: at, keyframe, payload: Bytes::from_static(&[0; 100]) },
            stamp,
        )
    }

    #[test]
    fn late_readers_begin_with_the_last_keyframe() {
        let limits = Limits::default();
        let mut ring = Ring { lead: Some(TrackId::VIDEO), ..Ring::default() };
        ring.push(frame(TrackId::VIDEO, 0, false), &limits);
        assert_eq!(ring.begin(), None);
        for i in 1..10 {
            ring.push(frame(TrackId::VIDEO, i * 40, i % 4 == 0), &limits);
            ring.push(frame(TrackId::AUDIO, i * 40, true), &limits);
            ring.trim(u64::MAX, &limits.keep());
        }
        let begin = ring.begin().unwrap();
        assert_eq!(begin, ring.first());
        assert!(matches!(ring.get(begin), Some(Entry::Frame(f, _)) if f.keyframe && f.dts.millis() == 320));
        assert_eq!(ring.head(), 19);
        assert_eq!(ring.bytes(), 400);
    }

    #[test]
    fn slow_readers_keep_frames_for_a_while() {
        let limits = Limits { lag_time: Duration::from_millis(200), ..Limits::default() };
        let mut ring = Ring { lead: Some(TrackId::VIDEO), ..Ring::default() };
        for i in 0..100 {
            ring.push(frame(TrackId::VIDEO, i * 40, i % 2 == 0), &limits);
            ring.trim(3, &limits.keep());
        }
        assert_eq!(ring.first(), 94);
    }

    #[test]
    fn endless_groups_are_not_kept() {
        let limits = Limits { gop_time: Duration::from_secs(1), ..Limits::default() };
        let mut ring = Ring { lead: Some(TrackId::VIDEO), ..Ring::default() };
        for i in 0..40 {
            ring.push(frame(TrackId::VIDEO, i * 40, i == 0), &limits);
            ring.trim(u64::MAX, &limits.keep());
        }
        assert_eq!(ring.begin(), None);
        assert_eq!(ring.first(), ring.head());
        // Audio alone begins anywhere.
        ring.set_lead(None);
        ring.push(frame(TrackId::AUDIO, 9000, true), &limits);
        assert_eq!(ring.begin(), Some(40));
    }
}
