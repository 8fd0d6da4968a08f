//! How HLS divides what it serves, and how far back viewers can go.

use super::resolver::Resolver;
use crate::base::clock::{parse_duration, spoken};
use crate::base::next::Advice;
use crate::base::{Failure, Outcome};
use std::time::Duration;

/// The shortest and the longest segment.
const SEGMENT: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];
/// The shortest and the longest part.
const PART: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];
/// The longest window.
const WINDOW: Duration = Duration::from_secs(12 * 3600);
/// Segments that a window has at least: players begin three before the end (RFC 8216, 6.3.3).
const SEGMENTS: u32 = 3;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hls {
    /// The length of a segment, 1 to 10 s; a keyframe is waited for.
    pub segment: Duration,
    /// The length of a part, 100 ms to 1 s and no more than half a segment.
    pub part: Duration,
    /// How far back playlists reach: three segments to 12 h.
    pub window: Duration,
}

/// The longest window that stays in memory.
const IN_MEMORY: Duration = Duration::from_secs(60);

impl Hls {
    /// Whether the window is too long for the memory.
    pub fn on_disk(&self) -> bool {
        self.window > IN_MEMORY
    }
}

impl Resolver {
    /// See [`Hls`].
    pub(super) fn hls(&mut self) -> Outcome<Hls> {
        let segment = self.need("hls_segment", |text| within(text, SEGMENT))?;
        let part = self.need("hls_part", |text| within(text, PART))?;
        let shortest = segment.saturating_mul(SEGMENTS);
        let window = self.need("hls_window", |text| within(text, [Duration::ZERO, WINDOW]))?;
        if part.saturating_mul(2) > segment {
            return Err(Failure::usage("hls_part is more than half of hls_segment")
                .why(format!("a segment of {} has two parts at least", spoken(segment)))
                .hint(Advice::set("hls_part", "100ms")));
        }
        if window < shortest {
            return Err(Failure::usage(format!("hls_window is less than {SEGMENTS} segments"))
                .why(format!("players begin {SEGMENTS} segments of {} before the end", spoken(segment)))
                .hint(Advice::set("hls_window", format!("{}s", shortest.as_secs_f64().ceil()))));
        }
        Ok(Hls { segment, part, window })
    }
}

fn within(text: &str, [least, most]: [Duration; 2]) -> Result<Duration, String> {
    let length = parse_duration(text)?;
    if (least..=most).contains(&length) {
        Ok(length)
    } else if least.is_zero() {
        Err(format!("'{text}' is more than {}", spoken(most)))
    } else {
        Err(format!("'{text}' is not between {} and {}", spoken(least), spoken(most)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Layer, Settings};

    fn hls(flags: &[(&'static str, &str)]) -> Result<Hls, String> {
        let dir = tempfile::tempdir().unwrap();
        let flags = Layer::flags(flags.iter().map(|(name, value)| (*name, Some((*value).to_string()))));
        let settings = Settings::load(flags, &Environment::made(&[], dir.path()));
        settings.map(|settings| settings.serve.hls).map_err(|failure| failure.to_string())
    }

    #[test]
    fn lengths_are_bounded_and_fit_each_other() {
        let (segment, part) = (Duration::from_secs(2), Duration::from_millis(100));
        assert_eq!(hls(&[]), Ok(Hls { segment, part, window: Duration::from_secs(12) }));
        let longer = hls(&[("hls_segment", "4s"), ("hls_part", "500ms"), ("hls_window", "2h")]).unwrap();
        assert_eq!(longer.window, Duration::from_secs(7200));
        for (flags, why) in [
            (&[("hls_segment", "20s")][..], "--hls-segment: '20s' is not between 1.0 s and 10 s"),
            (&[("hls_part", "10ms")], "--hls-part: '10ms' is not between"),
            (&[("hls_part", "soon")], "--hls-part: 'soon' is not a duration"),
            (&[("hls_segment", "1s"), ("hls_part", "1s")], "hls_part is more than half of hls_segment"),
            (&[("hls_segment", "6s")], "hls_window is less than 3 segments"),
            (&[("hls_window", "13h")], "--hls-window: '13h' is more than"),
        ] {
            let failure = hls(flags).unwrap_err();
            assert!(failure.starts_with(why), "{flags:?}: {failure}");
        }
    }
}
