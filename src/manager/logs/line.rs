//! One line of a log: bounded, and with its time where the line begins with one.

use crate::base::clock;
use crate::base::printable::bounded;
use jiff::{civil::DateTime, fmt::strtime, tz::TimeZone};

/// Longest part of a line that is kept, in bytes; what follows up to the line's end is skipped.
pub const LONGEST: usize = 8 * 1024;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The file among those of the log that it stands in.
    pub file: usize,
    /// When it was written, milliseconds since 1970, if it says so.
    pub time_ms: Option<i64>,
    /// The text, safe for a terminal.
    pub text: String,
}

impl Line {
    /// A line from its bytes, with or without the line end.
    pub fn new(file: usize, bytes: &[u8]) -> Line {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end_matches(['\n', '\r']);
        Line { file, time_ms: stamp(text), text: bounded(text, LONGEST) }
    }
}

/// The time at the head of a line: msconv's own stamps (`2026-11-21T12:00:00.123Z`), those of nginx's error log and
/// of MediaMTX (`2026/11/21 12:00:00`, local time), and those of nginx's access log (`[21/Nov/2026:12:00:00 +0000]`).
pub fn stamp(line: &str) -> Option<i64> {
    let first = line.split(' ').next().unwrap_or_default();
    if first.len() >= 20 && first.as_bytes().get(10) == Some(&b'T') {
        return clock::parse_stamp(first);
    }
    if let Some(head) = line.get(..19)
        && head.as_bytes().get(4) == Some(&b'/')
    {
        let civil: DateTime = strtime::parse("%Y/%m/%d %H:%M:%S", head).ok()?.to_datetime().ok()?;
        return civil.to_zoned(TimeZone::system()).ok().map(|z| z.timestamp().as_millisecond());
    }
    let (_, rest) = line.split_once('[')?;
    let inner = rest.get(..26)?;
    let time = strtime::parse("%d/%b/%Y:%H:%M:%S %z", inner).ok()?.to_timestamp().ok()?;
    Some(time.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_stamps_of_every_service() {
        assert_eq!(stamp("2026-11-21T12:00:00.123Z [error] x"), Some(1_795_262_400_123));
        assert_eq!(
            stamp(r#"127.0.0.1 - - [21/Nov/2026:12:00:00 +0000] "GET /stat HTTP/1.1" 200 1"#),
            Some(1_795_262_400_000)
        );
        assert_eq!(
            stamp(r#"127.0.0.1 [21/Nov/2026:14:00:00 +0200] PUBLISH "live" "a" "" - 1 2 "" "" (3s)"#),
            Some(1_795_262_400_000)
        );
        let local = stamp("2026/11/21 12:00:00 INF MediaMTX v1.20.1").unwrap();
        let zone = TimeZone::system();
        let civil = jiff::Timestamp::from_millisecond(local).unwrap().to_zoned(zone).datetime();
        assert_eq!(civil.to_string(), "2026-11-21T12:00:00");
        assert_eq!(stamp("frame= 1 fps=2"), None);
        assert_eq!(stamp(""), None);
    }

    #[test]
    fn is_bounded_and_safe() {
        let mut bytes = b"\x1b[2Jx\xff".to_vec();
        bytes.extend(std::iter::repeat_n(b'y', 20_000));
        let line = Line::new(0, &bytes);
        assert!(!line.text.contains('\u{1b}'));
        assert!(line.text.chars().count() <= LONGEST + 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_line(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let line = Line::new(0, &bytes);
            prop_assert!(!line.text.contains(|c: char| c.is_control()));
        }

        #[test]
        fn any_text_has_a_stamp_or_none(text in "[0-9]{4}[/-T\\[][0-9/]{0,12}[ :T][0-9:]{0,9}.{0,20}") {
            let _ = stamp(&text);
        }
    }
}
