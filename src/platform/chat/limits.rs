//! How often something may happen: so often within a time, and again as the time passes (GCRA, which is one moment for each
//! that is counted).

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// So often within a time, all at once if they like.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How often.
    pub times: u32,
    /// Within what.
    pub within: Duration,
}

/// How far one has used it up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    /// When all of it is there again.
    whole: Option<Instant>,
}

impl Meter {
    /// Once more.
    ///
    /// # Errors
    /// Not yet, and how long to wait.
    pub fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        let each = rate.within.checked_div(rate.times).unwrap_or(rate.within);
        let whole = self.whole.map_or(now, |whole| whole.max(now)).checked_add(each).unwrap_or(now);
        let used = whole.saturating_duration_since(now);
        match used.checked_sub(rate.within).filter(|over| !over.is_zero()) {
            Some(over) => Err(over),
            None => {
                self.whole = Some(whole);
                Ok(())
            }
        }
    }

    fn is_whole(&self, now: Instant) -> bool {
        self.whole.is_none_or(|whole| whole <= now)
    }
}

/// One for each of many. Those that nothing is used of are forgotten.
#[derive(Debug)]
pub struct Meters<K>(HashMap<K, Meter>);

/// The most that are counted at once; beyond them everybody waits.
const MOST: usize = 16 << 10;

impl<K> Default for Meters<K> {
    fn default() -> Meters<K> {
        Meters(HashMap::new())
    }
}

impl<K: Eq + Hash> Meters<K> {
    /// As [`Meter::take`] of this one.
    ///
    /// # Errors
    /// As there.
    pub fn take(&mut self, key: K, rate: Rate, now: Instant) -> Result<(), Duration> {
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            self.0.retain(|_, meter| !meter.is_whole(now));
            if self.0.len() >= MOST {
                return Err(rate.within);
            }
        }
        self.0.entry(key).or_default().take(rate, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const THREE: Rate = Rate { times: 3, within: Duration::from_secs(2) };

    #[test]
    fn a_burst_and_then_as_time_passes() {
        let (begun, mut meter) = (Instant::now(), Meter::default());
        let at = |ms| begun + Duration::from_millis(ms);
        for _ in 0..3 {
            assert_eq!(meter.take(THREE, begun), Ok(()));
        }
        let wait = meter.take(THREE, begun).unwrap_err();
        assert!((660..=667).contains(&wait.as_millis()), "{wait:?}");
        assert_eq!(meter.take(THREE, begun + wait), Ok(()));
        assert!(meter.take(THREE, at(700)).is_err());
        for _ in 0..3 {
            assert_eq!(meter.take(THREE, at(9_000)), Ok(()));
        }
        assert!(meter.take(THREE, at(9_000)).is_err());
    }

    #[test]
    fn only_those_that_used_something_are_kept() {
        let (begun, mut meters) = (Instant::now(), Meters::default());
        for key in 0..MOST {
            assert_eq!(meters.take(key, THREE, begun), Ok(()));
        }
        assert!(meters.take(MOST, THREE, begun).is_err());
        assert_eq!(meters.take(0, THREE, begun), Ok(()), "who is counted already goes on");
        let later = begun + Duration::from_secs(3);
        assert_eq!(meters.take(MOST, THREE, later), Ok(()));
        assert_eq!(meters.0.len(), 1);
    }

    proptest! {
        #[test]
        fn never_more_than_twice_the_rate_in_any_window(gaps in proptest::collection::vec(0u64..900, 1..80)) {
            let (begun, mut meter, mut now) = (Instant::now(), Meter::default(), 0);
            let mut taken = Vec::new();
            for gap in gaps {
                now += gap;
                match meter.take(THREE, begun + Duration::from_millis(now)) {
                    Ok(()) => taken.push(now),
                    Err(wait) => prop_assert!(wait <= THREE.within),
                }
            }
            for (at, first) in taken.iter().enumerate() {
                let within = taken[at..].iter().filter(|t| **t - first < 2000).count();
                prop_assert!(within <= 6, "{:?}", taken);
            }
        }
    }
}
