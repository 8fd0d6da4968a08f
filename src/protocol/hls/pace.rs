//! How long frames last, and so how many make a part. A part closes with the frame that completes it, before the next
//! one shows how long that frame was; so its length is told from the frames before it.

use std::collections::VecDeque;
use std::time::Duration;

/// Distances between frames that are remembered.
const REMEMBERED: usize = 32;
/// Steady video keeps within this of its mean: RTMP counts whole milliseconds, so 33 and 34 are the same rate.
const UNSTEADY: Duration = Duration::from_millis(4);
/// A distance above this is a hole in the stream and says nothing of its rate.
const HOLE: Duration = Duration::from_secs(2);
/// So is one of so many frames in a steady stream, unless it happens again soon.
const ODD_FRAMES: u32 = 4;
/// So many odd distances within [`REMEMBERED`] frames, and the stream is not steady.
const ODD_TIMES: u32 = 3;
/// A mean within one part in so many of a usual rate is that rate.
const NEAR_USUAL: u32 = 50;
/// What a part may be longer than its frames, because times were rounded to milliseconds.
const ROUNDING: Duration = Duration::from_millis(2);

/// The pace of one track's frames.
#[derive(Clone, Debug)]
pub struct Pace {
    wanted: Duration,
    nominal: Option<Duration>,
    distances: VecDeque<Duration>,
    target: Duration,
    /// Odd distances of late, and frames since the last of them.
    odd: u32,
    since_odd: usize,
}

impl Pace {
    /// Parts of about `wanted`; `nominal` is the length of a frame as the track's configuration tells it.
    pub fn new(wanted: Duration, nominal: Option<Duration>) -> Pace {
        let nominal = nominal.filter(|length| !length.is_zero() && *length < HOLE);
        let mut pace = Pace {
            wanted,
            nominal,
            distances: VecDeque::new(),
            target: Duration::ZERO,
            odd: 0,
            since_odd: 0,
        };
        if let Some(nominal) = nominal {
            pace.note(nominal);
        }
        pace
    }

    /// Remembers how far two frames in a row stood apart.
    pub fn note(&mut self, distance: Duration) {
        if distance.is_zero() || distance > HOLE || self.is_odd(distance) {
            return;
        }
        if self.distances.len() == REMEMBERED {
            self.distances.pop_front();
        }
        self.distances.push_back(distance);
        let wanted = self.fitting();
        // Players took the old target at its word (RFC 8216bis, 4.4.3.7), so it only grows.
        self.target = self.target.max(wanted.saturating_add(ROUNDING));
    }

    /// Whether frames are missing before this one, rather than that the rate is another now.
    fn is_odd(&mut self, distance: Duration) -> bool {
        let odd =
            self.is_steady() && self.frame().is_some_and(|mean| distance > mean.saturating_mul(ODD_FRAMES));
        if odd {
            self.odd = self.odd.saturating_add(1);
            self.since_odd = 0;
        } else {
            self.since_odd = self.since_odd.saturating_add(1);
            if self.since_odd > REMEMBERED {
                self.odd = 0;
            }
        }
        odd && self.odd < ODD_TIMES
    }

    /// How long a frame lasts; `None` before the first two. Next to the nominal length, or to a whole rate, it is that:
    /// the mean of rounded times never stands still, and what playlists say of it should.
    pub fn frame(&self) -> Option<Duration> {
        let count = u32::try_from(self.distances.len()).ok().filter(|count| *count > 0)?;
        let mean = self.distances.iter().sum::<Duration>() / count;
        let whole = Duration::from_secs_f64(1.0 / (1.0 / mean.as_secs_f64()).round().max(1.0));
        let near = |usual: &Duration| usual.abs_diff(mean) < mean / NEAR_USUAL;
        Some(self.nominal.into_iter().chain([whole]).find(near).unwrap_or(mean))
    }

    /// Whether all frames last the same, so that a part may close before its last frame has ended.
    pub fn is_steady(&self) -> bool {
        let Some(mean) = self.frame() else { return false };
        self.distances.iter().all(|distance| distance.abs_diff(mean) <= UNSTEADY)
    }

    /// The most that a part lasts; what is wanted before the first two frames.
    pub fn target(&self) -> Duration {
        if self.target.is_zero() { self.wanted } else { self.target }
    }

    /// Whether a part that lasts `length` has no room for another frame.
    pub fn is_full(&self, length: Duration) -> bool {
        self.frame().is_some_and(|frame| length.saturating_add(frame) > self.target)
    }

    /// As many whole frames as come nearest to what is wanted, at least one.
    fn fitting(&self) -> Duration {
        let longest = self.distances.iter().max().copied().unwrap_or_default();
        let Some(frame) = self.frame() else { return Duration::ZERO };
        let count = (self.wanted.saturating_add(frame / 2).as_nanos() / frame.as_nanos().max(1)).max(1);
        frame.saturating_mul(u32::try_from(count).unwrap_or(1)).max(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn frames_in_a_part(distances: impl Iterator<Item = u64>, wanted: u64) -> (u32, Duration) {
        let mut pace = Pace::new(ms(wanted), None);
        distances.take(40).for_each(|distance| pace.note(ms(distance)));
        let frame = pace.frame().unwrap();
        let count = (1..).find(|count| pace.is_full(frame * *count)).unwrap();
        (count, pace.target())
    }

    #[test]
    fn parts_hold_whole_frames() {
        assert_eq!(frames_in_a_part([33, 33, 34].into_iter().cycle(), 100).0, 3);
        assert_eq!(frames_in_a_part([40].into_iter().cycle(), 100), (3, ms(122)));
        assert_eq!(frames_in_a_part([17, 16, 17].into_iter().cycle(), 100).0, 6);
        assert_eq!(frames_in_a_part([200].into_iter().cycle(), 100), (1, ms(202)));
        assert_eq!(frames_in_a_part([1000].into_iter().cycle(), 100), (1, ms(1002)));
        assert_eq!(frames_in_a_part([33, 33, 34].into_iter().cycle(), 1000).0, 30);
    }

    #[test]
    fn a_target_only_grows_and_holes_do_not_count() {
        let mut pace = Pace::new(ms(100), Some(Duration::from_nanos(33_333_333)));
        assert_eq!(pace.target(), Duration::from_nanos(101_999_999));
        assert!(pace.is_steady());
        pace.note(ms(5000));
        assert!(pace.is_steady());
        pace.note(ms(500));
        assert!(pace.is_steady(), "a hole");
        pace.note(ms(500));
        pace.note(ms(500));
        assert!(!pace.is_steady());
        let grown = pace.target();
        assert!(grown >= ms(500));
        (0..100).for_each(|_| pace.note(ms(33)));
        assert_eq!(pace.target(), grown);
        assert!(pace.is_steady());
    }
}
