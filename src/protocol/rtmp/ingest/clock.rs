//! One line of time out of RTMP's 32 bits, which wrap, step back and begin anew.

use crate::media::{MediaTime, TrackKind};
use std::time::Duration;

/// A time that goes back by more than this is a source that began anew; by less, a frame out of order.
const BEGAN_ANEW: Duration = Duration::from_secs(1);

/// Makes a line of time of the protocol's 32 bits.
#[derive(Debug, Default)]
pub struct Clock {
    /// The last timestamp, and where it stands on the publisher's own line, in milliseconds.
    last: Option<(u32, i64)>,
    /// Added to that line, in milliseconds.
    shift: i64,
    /// Where each track stands: pictures, sound, data.
    tracks: [Option<i64>; 3],
}

impl Clock {
    /// The time of a message of this track: past the wrap of 32 bits, and never before the one of the same track before
    /// it. If the publisher's clock begins anew, time goes on from where it was.
    pub fn place(&mut self, track: TrackKind, timestamp: u32) -> MediaTime {
        let own = match self.last {
            None => i64::from(timestamp),
            // The shorter way round: a timestamp may be a little older than the last one, or have passed 2^32.
            Some((last, at)) => at.saturating_add(i64::from(timestamp.wrapping_sub(last).cast_signed())),
        };
        self.last = Some((timestamp, own));
        let mut millis = own.saturating_add(self.shift);
        let newest = self.tracks.iter().flatten().copied().max().unwrap_or(millis);
        let index = match track {
            TrackKind::Video => 0,
            TrackKind::Audio => 1,
            TrackKind::Data => 2,
        };
        let before = self.tracks.get(index).copied().flatten().unwrap_or(millis);
        if millis < before {
            let back = MediaTime::from_millis(before).since(MediaTime::from_millis(millis));
            if back > BEGAN_ANEW && track != TrackKind::Data {
                self.shift = self.shift.saturating_add(newest.saturating_sub(millis));
                millis = newest;
            } else {
                millis = before;
            }
        }
        if let Some(slot) = self.tracks.get_mut(index) {
            *slot = Some(millis);
        }
        MediaTime::from_millis(millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_go_back() {
        let mut clock = Clock::default();
        let mut at = |track, t: u32| clock.place(track, t).millis();
        use TrackKind::{Audio, Video};
        assert_eq!([at(Video, u32::MAX - 40), at(Audio, u32::MAX - 20)], [4_294_967_255, 4_294_967_275]);
        // Past 2^32, and one of them a little before the other.
        assert_eq!(
            [at(Video, 10), at(Audio, u32::MAX), at(Video, 50)],
            [4_294_967_306, 4_294_967_295, 4_294_967_346]
        );
        // A frame out of order.
        assert_eq!([at(Video, 20), at(Video, 90)], [4_294_967_346, 4_294_967_386]);
        // Past 2^24 nothing happens.
        assert_eq!(at(Video, 1 << 24), (1 << 32) + (1 << 24));
    }

    #[test]
    fn a_clock_that_begins_anew_goes_on() {
        let mut clock = Clock::default();
        let mut at = |track, t: u32| clock.place(track, t).millis();
        use TrackKind::{Audio, Video};
        assert_eq!([at(Video, 60_000), at(Audio, 60_010)], [60_000, 60_010]);
        assert_eq!(
            [at(Video, 0), at(Audio, 5), at(Video, 40), at(Audio, 28)],
            [60_010, 60_015, 60_050, 60_038]
        );
        // Forward jumps are as they are.
        assert_eq!(at(Video, 93_600_000), 93_660_010);
        assert_eq!(at(Video, 100), 93_660_010);
    }
}
