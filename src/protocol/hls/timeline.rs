//! Where a ladder is cut: one table of media sequence numbers for all its renditions. A cut has the same number and
//! moment in each of them, which is what lets a player change between them (RFC 8216, 6.2.4).

use crate::media::MediaTime;
use std::collections::VecDeque;
use std::time::Duration;

/// Cuts that are remembered; a rendition that lags by more begins anew.
const REMEMBERED: usize = 4096;

/// The beginning of a segment in every rendition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Media sequence number.
    pub msn: u64,
    /// When the segment begins.
    pub time: MediaTime,
    /// The same moment on the wall, Unix milliseconds.
    pub wall_ms: i64,
    /// Whether what follows does not continue what was before: another run of the publisher, or other codecs.
    pub discontinuity: bool,
    /// How many discontinuities there have been, this one included (RFC 8216, 4.3.3.3).
    pub discontinuities: u64,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Timeline {
    cuts: VecDeque<Cut>,
    next: u64,
    discontinuities: u64,
    /// The wall clock at a moment of this run.
    anchor: Option<(MediaTime, i64)>,
}

impl Default for Timeline {
    /// Counts from one: before the first segment a playlist can list that there is none.
    fn default() -> Timeline {
        Timeline { cuts: VecDeque::new(), next: 1, discontinuities: 0, anchor: None }
    }
}

impl Timeline {
    /// Cuts at `time`. `wall_ms`: when that frame came; it dates the whole run, so that no jitter of arrivals shows.
    pub fn cut(&mut self, time: MediaTime, wall_ms: i64, discontinuity: bool) -> Cut {
        let discontinuity = discontinuity && !self.cuts.is_empty();
        if discontinuity {
            self.discontinuities = self.discontinuities.saturating_add(1);
            self.anchor = None;
        }
        let (anchored, wall) = *self.anchor.get_or_insert((time, wall_ms));
        let cut = Cut {
            msn: self.next,
            time,
            wall_ms: wall.saturating_add((time - anchored).millis()),
            discontinuity,
            discontinuities: self.discontinuities,
        };
        self.next = self.next.saturating_add(1);
        if self.cuts.len() == REMEMBERED {
            self.cuts.pop_front();
        }
        self.cuts.push_back(cut);
        cut
    }

    /// How many discontinuities there have been.
    pub fn discontinuities(&self) -> u64 {
        self.discontinuities
    }

    /// Makes the last cut a discontinuity, unless it is one; the cut as it is then. Nobody may have been told of it yet.
    pub fn tear_last(&mut self) -> Option<Cut> {
        let last = self.cuts.back_mut()?;
        if !last.discontinuity {
            self.discontinuities = self.discontinuities.saturating_add(1);
            (last.discontinuity, last.discontinuities) = (true, self.discontinuities);
        }
        Some(*last)
    }

    /// The last cut.
    pub fn last(&self) -> Option<Cut> {
        self.cuts.back().copied()
    }

    /// The cut within `tolerance` of `time`.
    pub fn at(&self, time: MediaTime, tolerance: Duration) -> Option<Cut> {
        self.cuts.iter().rev().find(|cut| cut.time.distance(time) <= tolerance).copied()
    }

    /// The latest cut that is not later than `time`.
    pub fn before(&self, time: MediaTime) -> Option<Cut> {
        self.cuts.iter().rev().find(|cut| cut.time <= time).copied()
    }

    /// The cut with this number.
    pub fn get(&self, msn: u64) -> Option<Cut> {
        let first = self.cuts.front()?.msn;
        self.cuts.get(usize::try_from(msn.checked_sub(first)?).ok()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_dated_by_their_first_frame() {
        let mut timeline = Timeline::default();
        let ms = MediaTime::from_millis;
        let first = timeline.cut(ms(1000), 50_000, true);
        assert_eq!((first.msn, first.discontinuity, first.wall_ms), (1, false, 50_000));
        // This frame came 70 ms late; what is said of its moment does not change for that.
        assert_eq!(timeline.cut(ms(3000), 52_070, false).wall_ms, 52_000);
        let back = timeline.cut(ms(9000), 58_300, true);
        assert_eq!((back.msn, back.discontinuities, back.wall_ms), (3, 1, 58_300));
        assert_eq!(timeline.at(ms(3010), Duration::from_millis(16)).map(|cut| cut.msn), Some(2));
        assert_eq!(timeline.at(ms(3020), Duration::from_millis(16)), None);
        assert_eq!(timeline.before(ms(8999)).map(|cut| cut.msn), Some(2));
        assert_eq!(timeline.before(ms(999)), None);
        assert_eq!(timeline.get(3), Some(back));
        assert_eq!((timeline.get(0), timeline.get(4)), (None, None));
    }
}
