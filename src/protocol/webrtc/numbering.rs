//! Sequence numbers and times of one track of one session. They go on whatever happens to the stream: another rendition,
//! a publisher that returns. So a viewer's decoder sees one stream. Pure.

use crate::media::MediaTime;

/// The longest distance between keyframes that is made up for, seconds.
const FARTHEST_S: i64 = 120;

/// See the module.
#[derive(Clone, Debug)]
pub struct Numbering {
    clock_rate: u32,
    /// Added to times of the ladder's line, in ticks.
    offset: u32,
    next: u64,
    /// The last time that was given, in ticks of the ladder's line.
    last: Option<i64>,
    /// Added to times since the line leapt back.
    leapt: i64,
}

impl Numbering {
    /// Begins with sequence number `first`, which is to be well below 2^15: a receiver that misses the first packets must
    /// not take it for one after a wrap (RFC 3711, 3.3.1).
    pub fn new(clock_rate: u32, first: u16, offset: u32) -> Numbering {
        Numbering { clock_rate, offset, next: u64::from(first), last: None, leapt: 0 }
    }

    /// The number of the next packet, counted without wrapping.
    pub fn sequence(&mut self) -> u64 {
        let next = self.next;
        self.next = next.saturating_add(1);
        next
    }

    /// Further back than this a rendition does not begin: it is another line.
    fn farthest(&self) -> i64 {
        i64::from(self.clock_rate).saturating_mul(FARTHEST_S)
    }

    /// The RTP time of a frame at `pts`: its own, or just behind that of the frame before, if it is not later.
    pub fn time(&mut self, pts: MediaTime) -> u32 {
        let mut own = pts.in_clock(self.clock_rate).saturating_add(self.leapt);
        if let Some(back) =
            self.last.map(|last| last.saturating_sub(own)).filter(|back| *back > self.farthest())
        {
            self.leapt = self.leapt.saturating_add(back).saturating_add(1);
            own = own.saturating_add(back).saturating_add(1);
        }
        let ticks = match self.last {
            Some(last) if own <= last => last.saturating_add(1),
            _ => own,
        };
        self.last = Some(ticks);
        self.offset.wrapping_add((ticks & i64::from(u32::MAX)) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_never_go_back_and_come_home() {
        let mut numbers = Numbering::new(90_000, 7, 1000);
        let mut at = |ms| numbers.time(MediaTime::from_millis(ms));
        assert_eq!([at(0), at(40)], [1000, 4600]);
        // Another rendition begins with a keyframe from a second before: its frames stand just behind, until they are new.
        assert_eq!([at(-960), at(0), at(40), at(80)], [4601, 4602, 4603, 8200]);
        assert_eq!([numbers.sequence(), numbers.sequence()], [7, 8]);
        // A line that leaps back for good is followed from there.
        let mut leaps = Numbering::new(1000, 0, 0);
        let mut at = |seconds: i64| leaps.time(MediaTime::from_millis(seconds * 1000));
        assert_eq!([at(1000), at(5), at(6), at(7)], [1_000_000, 1_000_001, 1_001_001, 1_002_001]);
        let mut negative = Numbering::new(48_000, 0, 0);
        assert_eq!(negative.time(MediaTime::from_millis(-1)), u32::MAX - 47);
    }
}
