//! What of a rendition a playlist lists at this moment.

use super::member::Member;
use super::window::{LEAST, Segment};
use crate::media::MediaTime;
use std::time::Duration;

/// Times of renditions are rounded to milliseconds, each for itself.
const ROUNDING: MediaTime = MediaTime::from_millis(5);

/// A segment as it is listed.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// The segment.
    pub segment: &'a Segment,
    /// How many of its parts are listed.
    pub parts: usize,
    /// Whether the segment itself is.
    pub complete: bool,
}

/// The place of a part in a playlist: media sequence number and part number. A part number beyond the last stands for
/// the whole segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Media sequence number.
    pub msn: u64,
    /// Part number.
    pub part: u64,
}

/// The segments of a playlist, oldest first; at most the last one is not complete.
#[derive(Clone, Debug)]
pub struct Listing<'a> {
    segments: Vec<Listed<'a>>,
}

impl<'a> Listing<'a> {
    /// What ends before `frontier`, no further back than `window`.
    pub fn new(member: &'a Member, frontier: MediaTime, window: Duration) -> Listing<'a> {
        let limit = frontier + ROUNDING;
        let mut segments: Vec<Listed<'a>> = Vec::new();
        for segment in member.window.listable() {
            let parts = segment.parts.iter().take_while(|part| part.end() <= limit).count();
            let complete = segment.duration.is_some() && parts == segment.parts.len();
            if parts > 0 || complete {
                segments.push(Listed { segment, parts, complete });
            }
            if !complete {
                break;
            }
        }
        // A segment of which something lies within the window is listed whole.
        let mut behind = Duration::ZERO;
        let within = segments.iter().rev().take_while(|listed| {
            let begins = behind < window;
            behind = behind.saturating_add(listed.segment.length().max(LEAST));
            begins
        });
        let first = segments.len().saturating_sub(within.count());
        segments.drain(..first);
        Listing { segments }
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> &[Listed<'a>] {
        &self.segments
    }

    /// The number of the first segment that is listed.
    pub fn first(&self) -> Option<u64> {
        self.segments.first().map(|listed| listed.segment.cut.msn)
    }

    /// The last part that is listed.
    pub fn last(&self) -> Option<Position> {
        let last = self.segments.last()?;
        Some(Position {
            msn: last.segment.cut.msn,
            part: u64::try_from(last.parts.saturating_sub(1)).unwrap_or(0),
        })
    }

    /// Whether a part, or with no part a whole segment, is listed. A part number beyond the end of a complete segment
    /// means the first part of the next one (RFC 8216bis, 6.2.5.2).
    pub fn has(&self, msn: u64, part: Option<u64>) -> bool {
        let Some(last) = self.segments.last() else { return false };
        let parts = u64::try_from(last.parts).unwrap_or(u64::MAX);
        match msn.cmp(&last.segment.cut.msn) {
            std::cmp::Ordering::Less => {
                let Some(part) = part else { return true };
                let of = self.segments.iter().find(|listed| listed.segment.cut.msn == msn);
                let next = msn.checked_add(1) == Some(last.segment.cut.msn);
                let beyond = of.is_some_and(|listed| part >= u64::try_from(listed.parts).unwrap_or(u64::MAX));
                !(next && beyond) || parts > 0
            }
            std::cmp::Ordering::Equal => match part {
                None => last.complete,
                Some(part) => part < parts,
            },
            std::cmp::Ordering::Greater => false,
        }
    }

    /// Which part comes next, as far as can be told: behind a segment as long as the one before it, the first of the
    /// next segment.
    pub fn next(&self, part_target: Duration) -> Option<Position> {
        let last = self.segments.last()?;
        let before = self.segments.iter().rev().nth(1).and_then(|listed| listed.segment.duration);
        let length = last.segment.length();
        let ends =
            last.complete || before.is_some_and(|before| length.saturating_add(part_target / 2) >= before);
        let msn = last.segment.cut.msn;
        Some(if ends {
            Position { msn: msn.saturating_add(1), part: 0 }
        } else {
            Position { msn, part: u64::try_from(last.parts).unwrap_or(0) }
        })
    }
}
