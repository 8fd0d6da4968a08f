//! The tracks of one RTP source on one line of time. Each track counts in a clock of its own from a point of its own;
//! sender reports say which moments of them are the same (RFC 3550, 6.4.1). Until they do, what arrives together is
//! taken to belong together.

use super::reception::Unwrapped;
use crate::media::MediaTime;
use std::time::Duration;

/// A correction up to this is made slowly, a larger one is a clock that was set.
const SMALL: i64 = 1_000_000_000;
/// A first report further from the arrivals than this is not believed.
const BELIEVABLE: i64 = 10_000_000_000;
/// A step of RTP time that runs so far from the arrivals is a source that began anew.
const JUMP: i64 = 10_000_000_000;
/// Slow corrections: slew at most 1/200 of the elapsed time.
const SLOWNESS: i64 = 200;

#[derive(Clone, Copy, Debug)]
struct Report {
    ntp: u64,
    timestamp: u32,
}

#[derive(Clone, Debug)]
struct Track {
    rate: u32,
    clock: Unwrapped<32>,
    /// From the track's own time to the line, nanoseconds; none before the first packet.
    offset: Option<i64>,
    /// Where reports say that the offset should be.
    target: i64,
    reported: bool,
    pending: Option<Report>,
    /// Own time and arrival of the last packet.
    last: (i64, i64),
}

/// The line of one source.
#[derive(Clone, Debug)]
pub struct Line {
    tracks: Vec<Track>,
    /// The sender's wall clock where the line is zero, nanoseconds; none before the first report.
    origin: Option<i64>,
}

impl Line {
    /// For tracks whose clocks tick at `rates`.
    pub fn new(rates: &[u32]) -> Line {
        let track = |rate: &u32| Track {
            rate: (*rate).max(1),
            clock: Unwrapped::default(),
            offset: None,
            target: 0,
            reported: false,
            pending: None,
            last: (0, 0),
        };
        Line { tracks: rates.iter().map(track).collect(), origin: None }
    }

    /// Where a packet with this RTP time stands that came `arrival` after the source began. Zero for a track that
    /// there is not.
    pub fn place(&mut self, track: usize, timestamp: u32, arrival: Duration) -> MediaTime {
        let arrival = i64::try_from(arrival.as_nanos()).unwrap_or(i64::MAX);
        let Some(of) = self.tracks.get_mut(track) else { return MediaTime::ZERO };
        let own = MediaTime::from_clock(of.clock.follow(timestamp), of.rate).nanos();
        let passed = arrival.saturating_sub(of.last.1);
        let jumped = own.saturating_sub(of.last.0).saturating_sub(passed).saturating_abs() > JUMP;
        of.last = (own, arrival);
        match of.offset {
            Some(offset) if !jumped => {
                let most = (passed / SLOWNESS).max(0);
                let step = of.target.saturating_sub(offset).clamp(most.saturating_neg(), most);
                of.offset = Some(offset.saturating_add(step));
            }
            before => {
                of.offset = Some(arrival.saturating_sub(own));
                of.target = arrival.saturating_sub(own);
                if before.is_some() {
                    // All reports so far spoke of the time before the jump.
                    self.origin = None;
                    self.tracks.iter_mut().for_each(|t| t.reported = false);
                }
            }
        }
        if let Some(report) = self.tracks.get_mut(track).and_then(|t| t.pending.take()) {
            self.apply(track, report);
        }
        let offset = self.tracks.get(track).and_then(|t| t.offset).unwrap_or(0);
        MediaTime::from_nanos(own.saturating_add(offset))
    }

    /// Takes a sender report: its NTP time (32.32 bits, 0 if it has none) and the RTP time of the same moment.
    pub fn report(&mut self, track: usize, ntp: u64, timestamp: u32) {
        let Some(of) = self.tracks.get_mut(track) else { return };
        if ntp == 0 {
            return;
        }
        match of.offset {
            Some(_) => self.apply(track, Report { ntp, timestamp }),
            None => of.pending = Some(Report { ntp, timestamp }),
        }
    }

    fn apply(&mut self, track: usize, report: Report) {
        let Some(of) = self.tracks.get_mut(track) else { return };
        let Some(offset) = of.offset else { return };
        let own = MediaTime::from_clock(of.clock.near(report.timestamp), of.rate).nanos();
        let to_wall = ntp_nanos(report.ntp).saturating_sub(own);
        let fresh = to_wall.saturating_sub(offset);
        let Some(origin) = self.origin else {
            self.origin = Some(fresh);
            of.reported = true;
            return;
        };
        let wanted = to_wall.saturating_sub(origin);
        let distance = wanted.saturating_sub(offset).saturating_abs();
        if !of.reported {
            if distance <= BELIEVABLE {
                of.offset = Some(wanted);
                of.target = wanted;
                of.reported = true;
            }
        } else if distance <= SMALL {
            of.target = wanted;
        } else {
            // The sender set its clock: this track goes on as it is, the others follow by their next reports.
            self.origin = Some(fresh);
            for (at, other) in self.tracks.iter_mut().enumerate() {
                other.reported = at == track;
            }
        }
    }
}

/// NTP's 32.32 bits in nanoseconds since 1900.
fn ntp_nanos(ntp: u64) -> i64 {
    let seconds = (ntp >> 32).saturating_mul(1_000_000_000);
    let fraction = (ntp & 0xffff_ffff).saturating_mul(1_000_000_000) >> 32;
    i64::try_from(seconds.saturating_add(fraction)).unwrap_or(i64::MAX)
}

/// NTP's 32.32 bits of Unix milliseconds and nanoseconds on top. Times before 1900 give 0.
pub fn ntp_of(unix_ms: i64, more_nanos: i64) -> u64 {
    const FROM_1900: i128 = 2_208_988_800;
    let nanos = i128::from(unix_ms).saturating_mul(1_000_000).saturating_add(i128::from(more_nanos));
    let nanos = nanos.saturating_add(FROM_1900 * 1_000_000_000);
    let fixed = (nanos.max(0) << 32).checked_div(1_000_000_000).unwrap_or(0);
    // The era turns in 2036; what is over 64 bits belongs to the next.
    (fixed & i128::from(u64::MAX)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIDEO: usize = 0;
    const AUDIO: usize = 1;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The place in milliseconds, to the nearest: NTP's fractions are no round numbers.
    fn place(line: &mut Line, track: usize, timestamp: u32, ms: u64) -> i64 {
        line.place(track, timestamp, at(ms)).in_clock(1000)
    }

    #[test]
    fn reports_bring_tracks_together() {
        let mut line = Line::new(&[90_000, 48_000]);
        // Both reports come before the first packets, as ffmpeg sends them; the audio comes late on the wire.
        let wall = ntp_of(1_700_000_000_000, 0);
        line.report(VIDEO, wall, u32::MAX - 10);
        assert_eq!(place(&mut line, VIDEO, u32::MAX - 10, 100), 100);
        line.report(AUDIO, wall, 777);
        assert_eq!(place(&mut line, AUDIO, 777 + 480, 190), 110);
        assert_eq!(place(&mut line, VIDEO, 3600 - 11, 145), 140);
        assert_eq!(place(&mut line, AUDIO, 777 + 48_000, 1090), 1100);
    }

    #[test]
    fn without_reports_arrival_counts_until_they_come() {
        let mut line = Line::new(&[90_000, 8_000]);
        assert_eq!(place(&mut line, VIDEO, 5_000, 10), 10);
        assert_eq!(place(&mut line, AUDIO, 9, 60), 60);
        line.report(VIDEO, ntp_of(5_000, 0), 5_000);
        assert_eq!(place(&mut line, VIDEO, 8_600, 51), 50, "the first report moves nothing");
        line.report(AUDIO, ntp_of(5_020, 0), 9);
        assert_eq!(place(&mut line, AUDIO, 9 + 800, 160), 130, "the second brings them together");
        line.report(AUDIO, 0, 9);
        assert_eq!(place(&mut line, AUDIO, 9 + 1600, 260), 230);
    }

    #[test]
    fn drift_is_made_good_slowly_and_a_set_clock_not_at_all() {
        let mut line = Line::new(&[1000, 1000]);
        line.report(VIDEO, ntp_of(0, 0), 0);
        line.report(AUDIO, ntp_of(0, 0), 0);
        line.place(VIDEO, 0, at(0));
        line.place(AUDIO, 0, at(0));
        line.report(AUDIO, ntp_of(1000, 0), 900);
        assert_eq!(place(&mut line, AUDIO, 1000, 1000), 1005);
        assert_eq!(place(&mut line, AUDIO, 21_000, 21_000), 21_100, "then it is there");
        line.report(AUDIO, ntp_of(90_000_000, 0), 21_000);
        assert_eq!(place(&mut line, AUDIO, 22_000, 22_000), 22_100);
        line.report(VIDEO, ntp_of(90_000_000, 0), 21_100);
        assert_eq!(place(&mut line, VIDEO, 22_100, 22_000), 22_100);
    }

    #[test]
    fn a_source_that_begins_anew_goes_on_by_arrival() {
        let mut line = Line::new(&[1000, 1000]);
        line.place(VIDEO, 0, at(0));
        assert_eq!(place(&mut line, VIDEO, 1000, 1000), 1000);
        assert_eq!(place(&mut line, VIDEO, 3_000_000_000, 1040), 1040);
        assert_eq!(place(&mut line, VIDEO, 3_000_000_040, 1080), 1080);
        assert_eq!(line.place(7, 0, at(0)), MediaTime::ZERO);
        line.report(7, 1, 1);
    }

    #[test]
    fn ntp_there_and_back() {
        assert_eq!(ntp_of(0, 500_000_000), (2_208_988_800 << 32) + (1 << 31));
        assert!((ntp_nanos(ntp_of(1_234_567, 0)) - 2_208_988_800_000_000_000 - 1_234_567_000_000).abs() < 2);
        assert_eq!(ntp_of(i64::MIN, 0), 0);
    }
}
