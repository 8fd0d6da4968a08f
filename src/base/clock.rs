//! Times as people and files write them. Everything pure takes a time as an argument; this is where it comes from.

use jiff::{Timestamp, tz::TimeZone};
use std::time::{Duration, Instant};

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The clock that never goes back.
    pub mono: Instant,
    /// The clock on the wall, milliseconds since 1970.
    pub wall_ms: i64,
}

impl Now {
    /// This moment.
    pub fn read() -> Now {
        Now { mono: Instant::now(), wall_ms: now_ms() }
    }

    /// This moment and some time more.
    pub fn after(self, more: Duration) -> Now {
        let wall_ms = self.wall_ms.saturating_add(i64::try_from(more.as_millis()).unwrap_or(i64::MAX));
        Now { mono: self.mono.checked_add(more).unwrap_or(self.mono), wall_ms }
    }
}

/// Wall-clock now, in milliseconds since 1970 (UTC).
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// `2026-11-21T12:00:00Z` of milliseconds since 1970; out-of-range values become the epoch.
pub fn rfc3339(ms: i64) -> String {
    Timestamp::from_millisecond(ms)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

/// As [`rfc3339`] with milliseconds, the stamp of log lines.
pub fn log_stamp(ms: i64) -> String {
    Timestamp::from_millisecond(ms)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}

/// Milliseconds since 1970 of a stamp that [`log_stamp`] or [`rfc3339`] wrote.
pub fn parse_stamp(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(|t| t.as_millisecond())
}

/// A time of day in the user's time zone, with the date if it is not today: `12:41:07` or `2026-11-20 12:41:07`.
pub fn local_time(ms: i64, now: i64) -> String {
    let zone = TimeZone::system();
    let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone());
    let today = Timestamp::from_millisecond(now).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone).date();
    if at.date() == today {
        at.strftime("%H:%M:%S").to_string()
    } else {
        at.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}

/// `00:12:41`; hours grow past two digits where needed.
pub fn uptime(duration: Duration) -> String {
    let s = duration.as_secs();
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// Reads `500ms`, `2s`, `1.5m`, `1h`, `2d`, several of them (`1h30m`), or a plain number of seconds.
/// Negative, empty, unknown units and more than a year are refused with the reason.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a duration; write it like 500ms, 15s, 2m or 1h30m");
    let text = text.trim();
    let mut total = 0f64;
    let mut rest = text;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        total += number
            * match unit {
                "ms" => 0.001,
                "s" | "" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                "d" => 86400.0,
                _ => return Err(wrong()),
            };
        if unit.is_empty() && digits != text.len() {
            return Err(wrong());
        }
        rest = tail;
    }
    if total > 366.0 * 86400.0 {
        return Err(format!("'{text}' is longer than a year"));
    }
    Ok(Duration::from_secs_f64(total))
}

/// Reads a point in the past: a duration back (`10m`), a time with zone (`2026-11-21T12:00:00Z`), or one in the
/// user's own zone (`2026-11-21 12:00`, `2026-11-21`, `12:00`). Gives milliseconds since 1970; what lies in the future
/// is refused.
pub fn parse_since(text: &str, now: i64) -> Result<i64, String> {
    let text = text.trim();
    let zone = TimeZone::system();
    let local =
        |at: jiff::civil::DateTime| at.to_zoned(zone.clone()).ok().map(|z| z.timestamp().as_millisecond());
    let today = || Timestamp::from_millisecond(now).ok().map(|t| t.to_zoned(zone.clone()).date());
    let time = if let Ok(back) = parse_duration(text) {
        i64::try_from(back.as_millis()).ok().map(|back| now.saturating_sub(back))
    } else if let Ok(at) = text.parse::<Timestamp>() {
        Some(at.as_millisecond())
    } else if let Ok(at) = text.parse::<jiff::civil::DateTime>() {
        local(at)
    } else if let Ok(date) = text.parse::<jiff::civil::Date>() {
        local(date.to_datetime(jiff::civil::Time::midnight()))
    } else if let Ok(time) = text.parse::<jiff::civil::Time>() {
        today().and_then(|date| local(date.to_datetime(time)))
    } else {
        None
    };
    match time {
        Some(time) if time > now => Err(format!("'{text}' lies in the future")),
        Some(time) => Ok(time),
        None => Err(format!(
            "'{text}' is neither a time back nor a time; write it like 10m, 2026-11-21T12:00:00Z or '2026-11-21 12:00'"
        )),
    }
}

/// A duration as people say it: `0.4 s`, `12 s`, `3 min`.
pub fn spoken(duration: Duration) -> String {
    let s = duration.as_secs_f64();
    if s < 9.95 {
        format!("{s:.1} s")
    } else if s < 180.0 {
        format!("{s:.0} s")
    } else {
        format!("{:.0} min", s / 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        assert_eq!(parse_duration("15s"), Ok(Duration::from_secs(15)));
        assert_eq!(parse_duration("0"), Ok(Duration::ZERO));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration("1.5m"), Ok(Duration::from_secs(90)));
        for bad in ["", "-1s", "s", "5 s", "5x", "1e9s", "9999999h", "5s5", "..s"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn reads_points_in_the_past() {
        let now = parse_stamp("2026-11-21T12:00:00Z").unwrap();
        assert_eq!(parse_since("10m", now), Ok(now - 600_000));
        assert_eq!(parse_since("2026-11-21T11:59:00Z", now), Ok(now - 60_000));
        assert_eq!(parse_since("2026-11-21T13:59:00+02:00", now), Ok(now - 60_000));
        for local in ["2026-11-20 12:00", "2026-11-20T12:00:00", "2026-11-20", "00:00"] {
            assert!(parse_since(local, now).unwrap() <= now, "{local}");
        }
        for bad in ["", "-10m", "yesterday", "2026-13-01", "2027-01-01", "9999999h"] {
            assert!(parse_since(bad, now).is_err(), "{bad}");
        }
    }

    #[test]
    fn writes_times() {
        assert_eq!(uptime(Duration::from_secs(761)), "00:12:41");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(parse_stamp(&log_stamp(1_700_000_000_123)), Some(1_700_000_000_123));
        assert_eq!(spoken(Duration::from_millis(400)), "0.4 s");
    }
}
