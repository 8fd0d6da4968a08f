//! One line of time out of RTMP's 32 bits, which wrap, step back and begin anew.

use crate::media::{MOST_TRACKS, MediaTime, TrackId};
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
    /// Where each track stands, by [`TrackId::place`]; data last.
    tracks: [Option<i64>; MOST_TRACKS + 1],
}

impl Clock {
    /// The time of a message of this track: past the wrap of 32 bits, and never before the one of the same track before
    /// it. If the publisher's clock begins anew, time goes on from where it was.
    pub fn place(&mut self, track: TrackId, timestamp: u32) -> MediaTime {
        let own = match self.last {
            None => i64::from(timestamp),
            // The shorter way round: a timestamp may be a little older than the last one, or have passed 2^32.
            Some((last, at)) => at.saturating_add(i64::from(timestamp.wrapping_sub(last).cast_signed())),
        };
        self.last = Some((timestamp, own));
        let mut millis = own.saturating_add(self.shift);
        let newest = self.tracks.iter().flatten().copied().max().unwrap_or(millis);
        let index = track.place().unwrap_or(MOST_TRACKS);
        let before = self.tracks.get(index).copied().flatten().unwrap_or(millis);
        if millis < before {
            let back = MediaTime::from_millis(before).since(MediaTime::from_millis(millis));
            if back > BEGAN_ANEW && track != TrackId::DATA {
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
        assert_eq!(
            [at(TrackId::VIDEO, u32::MAX - 40), at(TrackId::AUDIO, u32::MAX - 20)],
            [4_294_967_255, 4_294_967_275]
        );
        // Past 2^32, and one of them a little before the other.
        assert_eq!(
            [at(TrackId::VIDEO, 10), at(TrackId::AUDIO, u32::MAX), at(TrackId::VIDEO, 50)],
            [4_294_967_306, 4_294_967_295, 4_294_967_346]
        );
        // A frame out of order.
        assert_eq!([at(TrackId::VIDEO, 20), at(TrackId::VIDEO, 90)], [4_294_967_346, 4_294_967_386]);
        // Past 2^24 nothing happens.
        assert_eq!(at(TrackId::VIDEO, 1 << 24), (1 << 32) + (1 << 24));
    }

    #[test]
    fn a_clock_that_begins_anew_goes_on() {
        let mut clock = Clock::default();
        let mut at = |track, t: u32| clock.place(track, t).millis();
        assert_eq!([at(TrackId::VIDEO, 60_000), at(TrackId::AUDIO, 60_010)], [60_000, 60_010]);
        assert_eq!(
            [at(TrackId::VIDEO, 0), at(TrackId::AUDIO, 5), at(TrackId::VIDEO, 40), at(TrackId::AUDIO, 28)],
            [60_010, 60_015, 60_050, 60_038]
        );
        // Forward jumps are as they are.
        assert_eq!(at(TrackId::VIDEO, 93_600_000), 93_660_010);
        assert_eq!(at(TrackId::VIDEO, 100), 93_660_010);
    }
}
