//! The segments of one rendition that can be asked for: those that are listed, and older ones for players that are slow.

use super::muxer::Part;
use super::timeline::Cut;
use crate::media::MediaTime;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// The media of a segment where they no longer are in memory. Whoever drops the last handle lets them go.
pub trait Stored: std::fmt::Debug + Send + Sync {
    /// Reads them. Blocks.
    ///
    /// # Errors
    /// They cannot be read any more.
    fn read(&self) -> std::io::Result<Bytes>;
}
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
    /// Its parts; none if the rendition was away, or if it is stored.
    pub parts: Vec<Part>,
    /// Where it is, if not in its parts.
    pub stored: Option<Arc<dyn Stored>>,
    /// Bytes of all parts.
    pub bytes: usize,
}

impl Segment {
    /// Whether the rendition was away, and there is nothing to fetch (EXT-X-GAP).
    pub fn is_gap(&self) -> bool {
        self.duration.is_some() && self.bytes == 0
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

    /// Bytes of it in memory.
    fn held(&self) -> usize {
        if self.stored.is_some() { 0 } else { self.bytes }
    }

    /// All of it, where it is in memory.
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
        let before = self.segments.back().map(|last| (last.cut.discontinuities, last.init));
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
            // Another initialisation segment is named behind a discontinuity only, also where there is nothing to fetch.
            let init = match before {
                Some((discontinuities, before)) if discontinuities == missed.discontinuities => before,
                _ => init,
            };
            self.segments.push_back(Segment {
                cut: missed,
                init,
                duration,
                parts: Vec::new(),
                stored: None,
                bytes: 0,
            });
        }
        self.segments.push_back(Segment {
            cut,
            init,
            duration: None,
            parts: Vec::new(),
            stored: None,
            bytes: 0,
        });
    }

    /// A cut has become another than it was when its segment was opened: a discontinuity.
    pub fn change_cut(&mut self, cut: Cut) {
        if let Some(last) = self.segments.back_mut().filter(|last| last.cut.msn == cut.msn) {
            last.cut = cut;
        }
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

    /// The oldest complete segment in memory that lies further back than `memory` from the end.
    pub fn due(&self, memory: Duration) -> Option<&Segment> {
        let mut behind = Duration::ZERO;
        let mut due = None;
        for segment in self.segments.iter().rev() {
            if segment.stored.is_some() {
                break;
            }
            if behind >= memory && segment.duration.is_some() && !segment.is_gap() {
                due = Some(segment);
            }
            behind = behind.saturating_add(segment.length());
        }
        due
    }

    /// A segment is stored now, and leaves the memory.
    pub fn store(&mut self, msn: u64, stored: Arc<dyn Stored>) {
        let Some(first) = self.segments.front().map(|segment| segment.cut.msn) else { return };
        let index = msn.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        if let Some(segment) = index.and_then(|index| self.segments.get_mut(index)) {
            self.bytes = self.bytes.saturating_sub(segment.held());
            segment.parts = Vec::new();
            segment.stored = Some(stored);
        }
    }

    /// Forgets everything up to the last segment that is stored; whether there was one.
    pub fn forget_stored(&mut self) -> bool {
        let last = self.segments.iter().rposition(|segment| segment.stored.is_some());
        let count = last.map_or(0, |last| last.saturating_add(1)).min(self.segments.len().saturating_sub(1));
        for _ in 0..count {
            self.drop_oldest();
        }
        count > 0
    }

    /// Bytes of all that is held in memory.
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

    /// Forgets the media of the last segment, which is complete: nothing of it can be fetched from now on.
    pub fn empty_last(&mut self) {
        if let Some(last) = self.segments.back_mut().filter(|last| last.stored.is_none()) {
            self.bytes = self.bytes.saturating_sub(last.bytes);
            (last.parts, last.bytes) = (Vec::new(), 0);
        }
    }

    /// Forgets the oldest segment, but never the last; the bytes of memory that were freed.
    pub fn drop_oldest(&mut self) -> usize {
        if self.segments.len() <= 1 {
            return 0;
        }
        let freed = self.segments.pop_front().map_or(0, |segment| segment.held());
        self.bytes = self.bytes.saturating_sub(freed);
        freed
    }
}
