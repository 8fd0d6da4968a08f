//! Media time: nanoseconds on the publisher's own line, which begins anywhere. It has nothing to do with the clock on
//! the wall.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A point on a stream's line of time, in nanoseconds, shared by its tracks. May be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(i64);

const NANOS: i128 = 1_000_000_000;

impl MediaTime {
    /// The beginning of the line.
    pub const ZERO: MediaTime = MediaTime(0);

    /// From nanoseconds.
    pub const fn from_nanos(nanos: i64) -> MediaTime {
        MediaTime(nanos)
    }

    /// From milliseconds; saturates after 292 years.
    pub const fn from_millis(millis: i64) -> MediaTime {
        MediaTime(millis.saturating_mul(1_000_000))
    }

    /// From a length of time; saturates after 292 years.
    pub fn from_duration(duration: Duration) -> MediaTime {
        MediaTime(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }

    /// From ticks of a clock with `rate` ticks a second. A rate of 0 gives zero.
    pub fn from_clock(ticks: i64, rate: u32) -> MediaTime {
        MediaTime(scaled(ticks, NANOS, i128::from(rate)))
    }

    /// Nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Milliseconds, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Ticks of a clock with `rate` ticks a second, rounded to the nearest.
    pub fn in_clock(self, rate: u32) -> i64 {
        scaled(self.0, i128::from(rate), NANOS)
    }

    /// Time since `earlier`, zero if that is later.
    pub fn since(self, earlier: MediaTime) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// How far two points lie apart, whichever is the earlier.
    pub fn distance(self, other: MediaTime) -> Duration {
        Duration::from_nanos(self.0.abs_diff(other.0))
    }
}

/// `value * by / of`, rounded to the nearest, saturating.
fn scaled(value: i64, by: i128, of: i128) -> i64 {
    if of <= 0 {
        return 0;
    }
    // At most 2^63 * 2^32: far inside an i128.
    let product = i128::from(value).saturating_mul(by);
    let rounded = product.saturating_add(of / 2).div_euclid(of);
    i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
}

impl Add for MediaTime {
    type Output = MediaTime;
    fn add(self, other: MediaTime) -> MediaTime {
        MediaTime(self.0.saturating_add(other.0))
    }
}

impl Sub for MediaTime {
    type Output = MediaTime;
    fn sub(self, other: MediaTime) -> MediaTime {
        MediaTime(self.0.saturating_sub(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_come_back_as_they_went() {
        for rate in [1000, 8000, 44_100, 48_000, 90_000] {
            for ticks in [0, 1, 2, 12_345, -7, 1 << 32, (1 << 40) + 1] {
                assert_eq!(MediaTime::from_clock(ticks, rate).in_clock(rate), ticks, "{ticks} of {rate}");
            }
        }
        assert_eq!(MediaTime::from_millis(-1).millis(), -1);
        assert_eq!(MediaTime::from_nanos(-1).millis(), -1);
        assert_eq!(MediaTime::from_clock(i64::MAX, 1).nanos(), i64::MAX);
        assert_eq!(MediaTime::from_clock(5, 0), MediaTime::ZERO);
    }

    #[test]
    fn differences_do_not_go_below_zero() {
        assert_eq!(MediaTime::from_millis(5).since(MediaTime::from_millis(7)), Duration::ZERO);
        assert_eq!(MediaTime::from_millis(7).since(MediaTime::from_millis(5)), Duration::from_millis(2));
    }
}
