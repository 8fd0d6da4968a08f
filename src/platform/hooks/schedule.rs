//! When an event that was not taken is sent again, and when a webhook is given up. Pure: the time and the dice are arguments.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// Seconds before each try, as Standard Webhooks 1.0 recommends; further ones wait as long as the last.
const WAITS: [u64; 10] =
    [0, 5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
/// The longest wait that a receiver may ask for.
const LONGEST: Duration = Duration::from_secs(24 * HOUR);
/// The shortest wait where a receiver says that it is too much for it.
const SLOWER: Duration = Duration::from_secs(MINUTE);
/// A hook that has taken nothing for so long is switched off.
const GIVEN_UP_MS: i64 = 5 * 24 * 3600 * 1000;

/// What a receiver said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A status.
    Status {
        /// Which.
        code: u16,
        /// The wait that it asks for.
        retry_after: Option<Duration>,
    },
    /// There was none; why.
    None(String),
}

impl Answer {
    /// In words: why the event was not taken; empty if it was.
    pub fn why(&self) -> String {
        match self {
            Answer::Status { code: 200..300, .. } => String::new(),
            Answer::Status { code: code @ 300..400, .. } => {
                format!("it answers {code}, and redirects are not followed")
            }
            Answer::Status { code, .. } => format!("it answers {code}"),
            Answer::None(why) => why.clone(),
        }
    }

    /// The status.
    pub fn status(&self) -> Option<i64> {
        match self {
            Answer::Status { code, .. } => Some(i64::from(*code)),
            Answer::None(_) => None,
        }
    }
}

/// What follows from an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The event was taken.
    Done,
    /// It is sent again then.
    Again {
        /// When, milliseconds since 1970.
        at_ms: i64,
    },
    /// Nothing is sent any more; why.
    Off(String),
}

/// What follows from the answer to try number `tries` (1 is the first) of a hook that has taken nothing since
/// `failing_since_ms`. `dice` is any number: who failed together does not come back together.
pub fn next(answer: &Answer, tries: i64, failing_since_ms: i64, now_ms: i64, dice: u32) -> Next {
    let asked = match answer {
        Answer::Status { code: 200..300, .. } => return Next::Done,
        Answer::Status { code: 410, .. } => return Next::Off("it answers 410: it is gone for good".into()),
        Answer::Status { retry_after, .. } => *retry_after,
        Answer::None(_) => None,
    };
    if now_ms.saturating_sub(failing_since_ms) >= GIVEN_UP_MS {
        return Next::Off(format!("it has taken nothing for 5 days; {}", answer.why()));
    }
    let tries = usize::try_from(tries.max(1)).unwrap_or(usize::MAX);
    let seconds = WAITS.get(tries).copied().unwrap_or(LONGEST.as_secs());
    // Four fifths to six fifths of it.
    let mut wait = Duration::from_secs(seconds).mul_f64(0.8 + 0.4 * f64::from(dice % 1000) / 999.0);
    if matches!(answer, Answer::Status { code: 429 | 502 | 504, .. }) {
        wait = wait.max(SLOWER);
    }
    if let Some(asked) = asked {
        wait = wait.max(asked.min(LONGEST));
    }
    Next::Again { at_ms: now_ms.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)) }
}

/// Whether it is time. A clock that was set back must not make anybody wait for days.
pub fn is_due(at_ms: i64, now_ms: i64) -> bool {
    let longest = i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX).saturating_mul(2);
    at_ms <= now_ms || at_ms.saturating_sub(now_ms) > longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: i64 = 24 * 3600 * 1000;

    fn status(code: u16) -> Answer {
        Answer::Status { code, retry_after: None }
    }

    fn wait(next: Next, now_ms: i64) -> i64 {
        match next {
            Next::Again { at_ms } => at_ms - now_ms,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_schedule_is_the_recommended_one() {
        for (tries, seconds) in (1..).zip(&WAITS[1..]) {
            let waited = [0, 999].map(|dice| wait(next(&status(500), tries, 0, 0, dice), 0));
            let seconds = *seconds as i64;
            assert_eq!(waited, [seconds * 800, seconds * 1200], "{tries}");
        }
        assert_eq!(wait(next(&status(500), 50, 0, 0, 0), 0), 24 * 3600 * 800);
    }

    #[test]
    fn answers_decide() {
        assert_eq!(next(&status(204), 1, 0, 0, 0), Next::Done);
        assert!(matches!(next(&status(410), 1, 0, 0, 0), Next::Off(why) if why.contains("410")));
        assert_eq!(wait(next(&status(429), 1, 0, 0, 0), 0), 60_000);
        assert_eq!(wait(next(&status(301), 1, 0, 0, 0), 0), 4_000);
        let asks = |seconds| Answer::Status { code: 503, retry_after: Some(Duration::from_secs(seconds)) };
        assert_eq!(wait(next(&asks(90), 1, 0, 0, 0), 0), 90_000);
        assert_eq!(wait(next(&asks(1), 1, 0, 0, 0), 0), 4_000);
        assert_eq!(wait(next(&asks(u64::MAX), 1, 0, 0, 0), 0), DAY);
        assert!(
            matches!(next(&Answer::None("no".into()), 3, 0, 5 * DAY, 0), Next::Off(why) if why.ends_with("no"))
        );
        assert_eq!(next(&status(200), 3, 0, 9 * DAY, 0), Next::Done);
        assert_eq!(status(302).why(), "it answers 302, and redirects are not followed");
    }

    proptest! {
        #[test]
        fn nobody_is_asked_at_once_or_never(
            code in 300u16..600, asked in proptest::option::of(0u64..1 << 40), tries in -3i64..100, dice: u32,
            since in 0i64..1 << 45, later in 0i64..9 * DAY,
        ) {
            let answer = Answer::Status { code, retry_after: asked.map(Duration::from_secs) };
            let now = since + later;
            match next(&answer, tries, since, now, dice) {
                Next::Again { at_ms } => {
                    prop_assert!(at_ms >= now + 4000 && at_ms <= now + 24 * 3600 * 1200 && later < 5 * DAY);
                    prop_assert!(!is_due(at_ms, now) && is_due(at_ms, at_ms));
                    // A clock that was wrong for years and is right now.
                    prop_assert!(is_due(at_ms, now - 300 * DAY));
                }
                Next::Off(_) => prop_assert!(later >= 5 * DAY || code == 410),
                Next::Done => prop_assert!(false),
            }
        }
    }
}
