//! Decoding times of frames that came with their showing times only. RTP carries no other; RTMP readers and the hub
//! want both.

use crate::media::MediaTime;
use std::collections::BTreeSet;
use std::time::Duration;

/// A step like this, either way, is a new beginning.
const JUMP: Duration = Duration::from_secs(5);
/// Standards allow no more frames between decoding and showing (H.264, A.3; H.265, A.4.2).
const DEEPEST: usize = 16;
/// The spacing assumed before two frames have come.
const USUAL_STEP: MediaTime = MediaTime::from_nanos(33_333_333);

/// Gives each picture, in the order of decoding, the showing time that stands as many places earlier in the order of
/// showing as frames may be held back. That never goes back and never passes the picture's own.
#[derive(Debug)]
pub struct DecodeTimes {
    depth: usize,
    step: MediaTime,
    waiting: BTreeSet<(MediaTime, u64)>,
    count: u64,
    begun: u64,
    first: MediaTime,
    last: Option<MediaTime>,
}

impl DecodeTimes {
    /// For video of which at most `depth` are held back, at `frame_rate` if it is known.
    pub fn new(depth: u8, frame_rate: Option<f64>) -> DecodeTimes {
        let step = frame_rate
            .filter(|rate| rate.is_finite() && *rate >= 1.0)
            .map_or(USUAL_STEP, |rate| MediaTime::from_nanos((1e9 / rate) as i64));
        DecodeTimes {
            depth: usize::from(depth).min(DEEPEST),
            step,
            waiting: BTreeSet::new(),
            count: 0,
            begun: 0,
            first: MediaTime::ZERO,
            last: None,
        }
    }

    /// The decoding and the showing time of the next picture. The latter differs from what was given only where a
    /// source holds back more frames than it said; then the depth grows.
    pub fn next(&mut self, pts: MediaTime) -> (MediaTime, MediaTime) {
        if let Some(last) = self.last {
            if pts.since(last) > JUMP || last.since(pts) > JUMP {
                self.waiting.clear();
                self.begun = 0;
                self.last = None;
            } else if pts < last && self.depth > 0 && self.depth < DEEPEST {
                // Shown before a picture that has been given a decoding time already.
                self.depth = self.depth.saturating_add(1);
            }
        }
        if self.depth == 0 {
            return self.settle(pts, pts);
        }
        if self.begun == 0 {
            self.first = pts;
        }
        self.begun = self.begun.saturating_add(1);
        self.count = self.count.wrapping_add(1);
        self.waiting.insert((pts, self.count));
        let mut dts = self.run_up();
        while self.waiting.len() > self.depth {
            match self.waiting.pop_first() {
                Some((time, _)) => dts = time,
                None => break,
            }
        }
        self.settle(dts, pts)
    }

    /// The times of the first frames lie before the first showing time, one step apart.
    fn run_up(&self) -> MediaTime {
        let missing = self.depth.saturating_add(1).saturating_sub(self.waiting.len());
        let back = self.step.nanos().saturating_mul(i64::try_from(missing).unwrap_or(0));
        MediaTime::from_nanos(self.first.nanos().saturating_sub(back))
    }

    fn settle(&mut self, dts: MediaTime, pts: MediaTime) -> (MediaTime, MediaTime) {
        let dts = self.last.filter(|last| dts.since(*last).is_zero()).unwrap_or(dts);
        self.last = Some(dts);
        (dts, pts.max(dts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(depth: u8, times: &[i64]) -> Vec<(i64, i64)> {
        let mut of = DecodeTimes::new(depth, Some(100.0));
        let ms = MediaTime::from_millis;
        times.iter().map(|t| of.next(ms(*t))).map(|(d, p)| (d.millis(), p.millis())).collect()
    }

    #[test]
    fn without_reordering_the_times_are_equal() {
        assert_eq!(run(0, &[0, 10, 20, 35]), [(0, 0), (10, 10), (20, 20), (35, 35)]);
        assert_eq!(run(0, &[0, 10, 5]), [(0, 0), (10, 10), (10, 10)], "but never go back");
        assert_eq!(run(0, &[100_000, 5]), [(100_000, 100_000), (5, 5)], "a jump is the hub's affair");
    }

    #[test]
    fn a_pyramid_of_b_frames() {
        // I P B b b with a reorder depth of 2: showing order 0, 10, 20, 30, 40.
        let all = run(2, &[0, 40, 20, 10, 30, 80, 60, 50, 70]);
        let dts: Vec<_> = all.iter().map(|(d, _)| *d).collect();
        assert_eq!(dts, [-20, -10, 0, 10, 20, 30, 40, 50, 60]);
        assert!(all.iter().all(|(d, p)| d <= p));
    }

    #[test]
    fn a_source_that_lies_about_its_depth() {
        let all = run(1, &[0, 40, 20, 10, 30, 80, 60, 50, 70, 120, 100, 90, 110]);
        assert!(all.windows(2).all(|w| w[0].0 <= w[1].0), "{all:?}");
        assert!(all.iter().all(|(d, p)| d <= p), "{all:?}");
        assert_eq!(all[9..].iter().map(|(_, p)| *p).collect::<Vec<_>>(), [120, 100, 90, 110]);
    }

    #[test]
    fn a_jump_begins_anew() {
        let all = run(2, &[0, 20, 10, 100_000, 100_020, 100_010]);
        assert_eq!(all[3], (99_980, 100_000));
        let all = run(2, &[100_000, 100_020, 100_010, 0, 20, 10]);
        assert_eq!(all[3], (-20, 0), "the hub decides about going back");
    }

    proptest! {
        #[test]
        fn decoding_never_goes_back_nor_passes_showing(
            depth in 0u8..=20, steps in proptest::collection::vec(-200i64..300, 1..80),
        ) {
            let mut of = DecodeTimes::new(depth, None);
            let (mut at, mut last) = (0, None);
            for step in steps {
                at += step;
                let (dts, pts) = of.next(MediaTime::from_millis(at));
                prop_assert!(dts <= pts);
                prop_assert!(last.is_none_or(|l| l <= dts || pts.since(l) > JUMP || l.since(pts) > JUMP));
                last = Some(dts);
            }
        }
    }
}
