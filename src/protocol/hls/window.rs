//! The segments of one rendition that can be asked for: those that are listed, and older ones for players that are slow.

use super::muxer::Part;
use super::timeline::Cut;
use crate::media::MediaTime;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// What a segment counts for at least when what lies further back is forgotten: however often a publisher begins anew,
/// there are only so many.
pub const LEAST: Duration = Duration::from_millis(250);

/// A segment, open or complete.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Where it begins, and its number.
    pub cut: Cut,
    /// Which initialisation segment it needs.
    pub init: u32,
    /// How long it is; none while it is open.
    pub duration: Option<Duration>,
    /// Its parts; none if the rendition was away.
    pub parts: Vec<Part>,
    /// Bytes of all parts.
    pub bytes: usize,
}

impl Segment {
    /// Whether the rendition was away, and there is nothing to fetch (EXT-X-GAP).
    pub fn is_gap(&self) -> bool {
        self.duration.is_some() && self.parts.is_empty()
    }

    /// How long it is so far.
    pub fn length(&self) -> Duration {
        self.duration.unwrap_or_else(|| self.end().since(self.cut.time))
    }

    /// Where it ends so far.
    pub fn end(&self) -> MediaTime {
        match self.duration {
            Some(duration) => self.cut.time + MediaTime::from_duration(duration),
            None => self.parts.last().map_or(self.cut.time, Part::end),
        }
    }

    /// All of it.
    pub fn whole(&self) -> Vec<Bytes> {
        self.parts.iter().map(|part| part.bytes.clone()).collect()
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Window {
    segments: VecDeque<Segment>,
    bytes: usize,
    /// The first that was listed the last time: what has slid out of playlists does not come back, however short what
    /// follows turns out to be (RFC 8216, 6.2.2).
    listed_from: u64,
}

impl Window {
    /// Opens a segment. Numbers that were passed over become gaps; `cut_of` tells where they were.
    pub fn open(&mut self, cut: Cut, init: u32, cut_of: impl Fn(u64) -> Option<Cut>) {
        let first_missed = self.segments.back().map_or(cut.msn, |last| last.cut.msn.saturating_add(1));
        for msn in first_missed..cut.msn {
            let next = cut_of(msn.saturating_add(1)).unwrap_or(cut);
            let Some(missed) = cut_of(msn) else {
                // Away for longer than the table reaches: nothing from before is of use.
                self.segments.clear();
                self.bytes = 0;
                continue;
            };
            let duration = Some(next.time.since(missed.time));
            self.segments.push_back(Segment { cut: missed, init, duration, parts: Vec::new(), bytes: 0 });
        }
        self.segments.push_back(Segment { cut, init, duration: None, parts: Vec::new(), bytes: 0 });
    }

    /// Adds a part to the open segment.
    pub fn add(&mut self, part: Part) {
        if let Some(open) = self.segments.back_mut().filter(|segment| segment.duration.is_none()) {
            open.bytes = open.bytes.saturating_add(part.bytes.len());
            self.bytes = self.bytes.saturating_add(part.bytes.len());
            open.parts.push(part);
        }
    }

    /// The open segment is complete; it lasts until `end`, or as long as its parts.
    pub fn close(&mut self, end: Option<MediaTime>) {
        if let Some(open) = self.segments.back_mut().filter(|segment| segment.duration.is_none()) {
            if open.parts.is_empty() {
                self.segments.pop_back();
                return;
            }
            let end = end.unwrap_or_else(|| open.end());
            open.duration = Some(end.since(open.cut.time));
        }
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &Segment> + ExactSizeIterator {
        self.segments.iter()
    }

    /// The segments that may still be listed.
    pub fn listable(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter().skip_while(|segment| segment.cut.msn < self.listed_from)
    }

    /// The segment with this number.
    pub fn get(&self, msn: u64) -> Option<&Segment> {
        let first = self.segments.front()?.cut.msn;
        self.segments.get(usize::try_from(msn.checked_sub(first)?).ok()?)
    }

    /// The last one.
    pub fn last(&self) -> Option<&Segment> {
        self.segments.back()
    }

    /// Bytes of all that is held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets what lies further back than `keep` from the beginning of segment `first`, which is listed.
    pub fn trim(&mut self, first: u64, keep: Duration) {
        self.listed_from = self.listed_from.max(first);
        let counted = |segment: &Segment| segment.length().max(LEAST);
        let older = self.segments.iter().take_while(|segment| segment.cut.msn < first);
        let mut behind = older.map(counted).fold(Duration::ZERO, Duration::saturating_add);
        while behind > keep {
            behind = behind.saturating_sub(self.segments.front().map(counted).unwrap_or_default());
            self.drop_oldest();
        }
    }

    /// Forgets the oldest segment, but never the last; the bytes that were freed.
    pub fn drop_oldest(&mut self) -> usize {
        if self.segments.len() <= 1 {
            return 0;
        }
        let freed = self.segments.pop_front().map_or(0, |segment| segment.bytes);
        self.bytes = self.bytes.saturating_sub(freed);
        freed
    }
}
