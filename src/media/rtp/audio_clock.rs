//! RTP time of audio without gaps. Publishers give whole milliseconds (RTMP), in which 1024 samples of 44.1 kHz are now
//! 23 and now 24; a player that takes them at their word stretches or clicks. So the count of samples goes on by itself
//! while it stays near the given time, and begins anew where audio really paused or jumped.

use crate::media::MediaTime;

/// How far the count of samples may stand from the given time before it begins anew, in milliseconds.
const NEAR_MS: u32 = 10;

/// What is earlier than the count by less than this, in milliseconds, is a publisher's unsteady clock and no jump.
const UNSTEADY_MS: u32 = 200;

/// Counts one track's samples.
#[derive(Clone, Debug)]
pub struct AudioClock {
    rate: u32,
    next: Option<i64>,
}

impl AudioClock {
    /// A count with `rate` ticks a second.
    pub fn new(rate: u32) -> AudioClock {
        AudioClock { rate, next: None }
    }

    /// Ticks a second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// The tick at which a packet of `length` ticks begins that the publisher placed at `time`. Without a length the
    /// given time is all there is.
    pub fn tick(&mut self, time: MediaTime, length: Option<u32>) -> i64 {
        let given = time.in_clock(self.rate);
        let ticks = |millis: u32| i64::from(self.rate).saturating_mul(i64::from(millis)) / 1000;
        let tick = match self.next {
            Some(next) if next.abs_diff(given) <= ticks(NEAR_MS).unsigned_abs() => next,
            // A live source under load gives two packets one time. They cannot sound at once: the count comes back to
            // the given time in steps of half a packet, and always goes on.
            Some(next) if given < next && next.saturating_sub(given) < ticks(UNSTEADY_MS) => {
                given.max(next.saturating_sub(length.map_or(0, |length| i64::from(length) / 2)))
            }
            _ => given,
        };
        self.next = length.map(|length| tick.saturating_add(i64::from(length)));
        tick
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_become_even_steps() {
        let mut clock = AudioClock::new(44_100);
        let mut before = None;
        for packet in 0..100_000_i64 {
            let time = MediaTime::from_millis(5_000 + packet * 1024 * 1000 / 44_100);
            let tick = clock.tick(time, Some(1024));
            assert!(before.is_none_or(|before| tick - before == 1024), "packet {packet}");
            before = Some(tick);
        }
    }

    #[test]
    fn an_unsteady_clock_never_stands_still() {
        let mut clock = AudioClock::new(44_100);
        let ticks: Vec<i64> = [0, 40, 40, 40, 80, 63, 140, 163]
            .into_iter()
            .map(|millis| clock.tick(MediaTime::from_millis(millis), Some(1024)))
            .collect();
        assert!(ticks.windows(2).all(|w| w[1] - w[0] >= 512), "{ticks:?}");
        // And it is back at the given time soon.
        assert!((ticks[7] - 163 * 441 / 10).abs() <= 1024, "{ticks:?}");
    }

    #[test]
    fn a_pause_is_kept() {
        let mut clock = AudioClock::new(48_000);
        assert_eq!(clock.tick(MediaTime::from_millis(0), Some(1024)), 0);
        assert_eq!(clock.tick(MediaTime::from_millis(21), Some(1024)), 1024);
        assert_eq!(clock.tick(MediaTime::from_millis(1000), Some(1024)), 48_000);
        assert_eq!(clock.tick(MediaTime::from_millis(500), Some(1024)), 24_000);
        assert_eq!(clock.tick(MediaTime::from_millis(520), None), 25_024);
        assert_eq!(clock.tick(MediaTime::from_millis(541), None), 25_968);
    }
}
