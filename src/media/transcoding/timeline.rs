//! Keeps the samples of a track where their times say that they belong. Times of frames are rounded, come in bursts, and
//! run against another clock; samples are counted. So the count leads, and the times are what it is held against.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::media::MediaTime;

const MILLISECOND: i64 = 1_000_000;
/// Samples that lack more than this begin a line anew: silence of that length would come too late to be of use.
const LEAP: i64 = 200 * MILLISECOND;
/// As much the other way is left out, so that times do not go back; what goes back farther begins anew as well.
const RETURN: i64 = 1000 * MILLISECOND;
/// Farther off than this, samples are missing or too many.
const OFF: i64 = 15 * MILLISECOND;
/// Times that differ by less from frame to frame are believed at once.
const STEADY: i64 = 5 * MILLISECOND;
/// Of others it takes so many frames to be believed, one after the other.
const BELIEVED: u32 = 10;
/// A mean difference from which the length of frames is changed until it is below the second figure.
const DRIFTED: i64 = 4 * MILLISECOND;
const BACK: i64 = MILLISECOND;
/// The length is changed by one sample at most every so many: a thousandth.
const ONE_OF: usize = 1000;

/// What is to be done with a frame's samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// They begin a line of time at this time.
    Anew(MediaTime),
    /// They follow.
    On,
    /// So many samples of silence stand before them.
    Gap(usize),
    /// So many of the first of them have been there already.
    Overlap(usize),
    /// They follow, one sample longer or shorter.
    Stretch {
        /// Or shorter.
        longer: bool,
    },
}

/// See the first line.
#[derive(Debug)]
pub(super) struct Timeline {
    rate: u32,
    begin: Option<MediaTime>,
    /// Since `begin`.
    samples: i64,
    /// How far off the frame before was, in nanoseconds; positive where its time was later than its samples.
    before: i64,
    /// By how much this changes from frame to frame: the most, slowly forgotten.
    jitter: i64,
    /// The mean of it.
    mean: i64,
    drifting: bool,
    /// How many frames in turn were off to one side, and the least of it.
    off: (u32, i64),
    since_stretch: usize,
    /// The frame before was left out in part or whole; this one may have to be as well.
    leaving_out: bool,
}

impl Timeline {
    pub(super) fn new(rate: u32) -> Timeline {
        let off = (0, 0);
        let (mean, before, jitter) = (0, 0, 4 * STEADY);
        Timeline {
            rate,
            begin: None,
            samples: 0,
            before,
            jitter,
            mean,
            drifting: false,
            off,
            since_stretch: 0,
            leaving_out: false,
        }
    }

    /// What to do with a frame of this time. `added` is to be told how many samples were made of it.
    pub(super) fn step(&mut self, pts: MediaTime) -> Step {
        let Some(begin) = self.begin else { return self.anew(pts) };
        let here = begin + MediaTime::from_clock(self.samples, self.rate);
        let error = (pts - here).nanos();
        if !(-RETURN..=LEAP).contains(&error) {
            return self.anew(pts);
        }
        let exactly = std::mem::take(&mut self.leaving_out) && error < -BACK;
        if let Some(off) = if exactly { Some(error) } else { self.certainly_off(error) } {
            self.settle();
            // It may be longer than the frame; what is left is taken from the next.
            self.leaving_out = off < 0 && (exactly || self.jitter < STEADY || error < -LEAP);
            let samples = MediaTime::from_nanos(off.abs()).in_clock(self.rate);
            let samples = usize::try_from(samples).unwrap_or(0);
            return if off > 0 { Step::Gap(samples) } else { Step::Overlap(samples) };
        }
        let change = error.saturating_sub(self.before).saturating_abs();
        // Both are seconds at most: far inside an i64.
        self.jitter = change.max(self.jitter.saturating_sub(self.jitter / 32));
        self.before = error;
        self.mean = self.mean.saturating_add(error.saturating_sub(self.mean) / 64);
        self.stretched()
    }

    /// So many samples now stand on the line.
    pub(super) fn added(&mut self, samples: usize) {
        self.samples = self.samples.saturating_add(i64::try_from(samples).unwrap_or(i64::MAX));
        self.since_stretch = self.since_stretch.saturating_add(samples);
    }

    fn anew(&mut self, pts: MediaTime) -> Step {
        self.begin = Some(pts);
        self.samples = 0;
        self.settle();
        Step::Anew(pts)
    }

    fn settle(&mut self) {
        (self.before, self.mean, self.drifting, self.off) = (0, 0, false, (0, 0));
        self.leaving_out = false;
    }

    /// By how much samples are certainly missing (positive) or too many.
    fn certainly_off(&mut self, error: i64) -> Option<i64> {
        if error.abs() <= OFF {
            self.off = (0, 0);
            return None;
        }
        if self.jitter < STEADY || error < -LEAP {
            return Some(error);
        }
        let (frames, least) = self.off;
        self.off = match frames {
            0 => (1, error),
            _ if least.signum() != error.signum() => (1, error),
            _ if error.abs() < least.abs() => (frames.saturating_add(1), error),
            _ => (frames.saturating_add(1), least),
        };
        (self.off.0 >= BELIEVED).then_some(self.off.1)
    }

    /// Clocks drift apart by some parts in a million; this follows up to a thousandth.
    fn stretched(&mut self) -> Step {
        let limit = if self.drifting { BACK } else { DRIFTED };
        self.drifting = self.mean.abs() > limit;
        if !self.drifting || self.since_stretch < ONE_OF {
            return Step::On;
        }
        self.since_stretch = 0;
        Step::Stretch { longer: self.mean > 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps with times that `pts` makes of the exact ones (nanoseconds); all steps but `On`, with the number of the frame,
    /// and the largest distance of a sample from its exact time after frame 100.
    fn run(frames: i64, rate: u32, pts: impl Fn(i64, i64) -> i64) -> (Vec<(i64, Step)>, i64) {
        let (mut line, mut steps, mut worst) = (Timeline::new(rate), Vec::new(), 0);
        for frame in 0..frames {
            let exact = MediaTime::from_clock(frame * 1024, rate).nanos();
            let time = pts(frame, exact);
            let step = line.step(MediaTime::from_nanos(time));
            let count = match step {
                Step::Gap(more) => 1024 + more,
                Step::Overlap(less) => 1024 - less.min(1024),
                Step::Stretch { longer } => 1024 + usize::from(longer) * 2 - 1,
                Step::On | Step::Anew(_) => 1024,
            };
            line.added(count);
            if step != Step::On {
                steps.push((frame, step));
            }
            let end = line.begin.unwrap() + MediaTime::from_clock(line.samples, rate);
            let should = time.saturating_add(MediaTime::from_clock(1024, rate).nanos());
            if frame > 100 {
                worst = worst.max(end.nanos().saturating_sub(should).saturating_abs());
            }
        }
        (steps, worst)
    }

    const BEGIN: (i64, Step) = (0, Step::Anew(MediaTime::ZERO));

    #[test]
    fn rounded_and_bundled_times_change_nothing() {
        for rate in [44_100, 48_000, 8_000] {
            let rounded = |_, exact: i64| exact / 1_000_000 * 1_000_000;
            assert_eq!(run(60_000, rate, rounded).0, [BEGIN], "{rate}");
        }
        // Two frames at a time, both with the time of the first.
        let bundled = |frame: i64, _| MediaTime::from_clock(frame / 2 * 2048, 48_000).nanos();
        let (steps, _) = run(3000, 48_000, bundled);
        assert!(steps.iter().skip(1).all(|(_, step)| *step == Step::Stretch { longer: false }), "{steps:?}");
    }

    #[test]
    fn lost_frames_become_silence_at_once_and_doubled_ones_are_left_out() {
        let lost = |frame: i64, exact: i64| if frame < 200 { exact } else { exact + 2 * 21_333_333 };
        let (steps, worst) = run(1000, 48_000, lost);
        assert_eq!((steps, worst < 100_000), (vec![BEGIN, (200, Step::Gap(2048))], true));
        let doubled = |frame: i64, exact: i64| if frame < 200 { exact } else { exact - 21_333_333 };
        let (steps, worst) = run(1000, 48_000, doubled);
        assert_eq!((steps, worst < 100_000), (vec![BEGIN, (200, Step::Overlap(1024))], true));
    }

    #[test]
    fn what_steps_far_begins_anew() {
        for far in [201_000_000, -1_001_000_000, i64::MAX, i64::MIN] {
            let (steps, _) =
                run(300, 48_000, |frame, exact| if frame < 200 { exact } else { exact.saturating_add(far) });
            assert!(matches!(steps.as_slice(), [_, (200, Step::Anew(_)), ..]), "{far}: {steps:?}");
        }
    }

    #[test]
    fn what_goes_back_a_little_is_left_out_until_it_is_new() {
        let back = |frame: i64, exact: i64| if frame < 200 { exact } else { exact - 500_000_000 };
        let (steps, worst) = run(400, 48_000, |frame, exact| back(frame, exact).max(0));
        let (frames, kinds): (Vec<i64>, Vec<Step>) = steps.into_iter().skip(1).unzip();
        assert_eq!(frames, (200..224).collect::<Vec<_>>());
        assert!(kinds.iter().all(|step| matches!(step, Step::Overlap(_))), "{kinds:?}");
        assert!(worst <= 500_000_000, "{worst}");
    }

    #[test]
    fn a_clock_that_runs_otherwise_is_followed() {
        for millionths in [-900, -50, 50, 900] {
            let (steps, worst) = run(30_000, 48_000, |_, exact| exact + exact / 1_000_000 * millionths);
            assert!(worst < 6_000_000, "{millionths}: {worst}");
            let longer = millionths > 0;
            assert!(steps.iter().skip(1).all(|(_, step)| *step == Step::Stretch { longer }), "{steps:?}");
        }
    }

    #[test]
    fn unsteady_times_are_believed_when_they_stay() {
        // Off by up to 30 ms to either side, and 60 ms more from frame 500 on.
        let jittery = |frame: i64, exact: i64| {
            exact + (frame * 7 % 13 - 6) * 5_000_000 + i64::from(frame >= 500) * 60_000_000
        };
        let (steps, _) = run(1000, 48_000, jittery);
        let gaps = steps.iter().filter_map(|(frame, step)| match step {
            Step::Gap(samples) => Some((*frame, *samples)),
            _ => None,
        });
        let (frames, samples): (Vec<i64>, Vec<usize>) = gaps.unzip();
        assert!(frames.iter().all(|frame| (505..530).contains(frame)), "{frames:?}");
        assert!((2000..3500).contains(&samples.iter().sum::<usize>()), "{samples:?}");
    }
}
