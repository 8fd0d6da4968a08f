//! Bits a second over the last ten seconds, from counters that are looked at every second. Pure: the time comes as an
//! argument.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// The window; nginx-rtmp's is as long.
pub const WINDOW: Duration = Duration::from_secs(10);

/// Counters that belong together: bytes of up to four kinds.
pub type Bytes = [u64; 4];

/// Rates by what is counted.
#[derive(Clone, Debug)]
pub struct Rates<K> {
    seen: BTreeMap<K, VecDeque<(Instant, Bytes)>>,
}

impl<K> Default for Rates<K> {
    fn default() -> Rates<K> {
        Rates { seen: BTreeMap::new() }
    }
}

impl<K: Ord> Rates<K> {
    /// Notes what every counter says at `now`; what is not among them is forgotten.
    pub fn note(&mut self, now: Instant, counters: impl IntoIterator<Item = (K, Bytes)>) {
        let mut before = std::mem::take(&mut self.seen);
        for (name, bytes) in counters {
            let mut past = before.remove(&name).unwrap_or_default();
            // Counters that went back belong to a new stream of the same name.
            let back =
                past.back().is_some_and(|(_, last)| last.iter().zip(&bytes).any(|(old, new)| new < old));
            if back {
                past.clear();
            }
            past.push_back((now, bytes));
            // One look older than the window stays, so that the window is full.
            while past.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= WINDOW) {
                past.pop_front();
            }
            self.seen.insert(name, past);
        }
    }

    /// Bits a second of each kind, zeros for an unknown name.
    pub fn of<Q: Ord + ?Sized>(&self, name: &Q) -> Bytes
    where
        K: std::borrow::Borrow<Q>,
    {
        let ends = self.seen.get(name).and_then(|past| past.front().zip(past.back()));
        let Some(((begun, first), (ended, last))) = ends else { return Bytes::default() };
        let seconds = ended.saturating_duration_since(*begun).as_secs_f64();
        if seconds <= 0.0 {
            return Bytes::default();
        }
        let mut rates = Bytes::default();
        for (rate, (old, new)) in rates.iter_mut().zip(first.iter().zip(last)) {
            *rate = (new.saturating_sub(*old) as f64 * 8.0 / seconds) as u64;
        }
        rates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_seconds_count() {
        let begun = Instant::now();
        let mut rates = Rates::default();
        let mut note = |second: u64, bytes: u64| {
            rates.note(begun + Duration::from_secs(second), [("a".to_string(), [bytes, 0, 0, 0])]);
            rates.of("a")[0]
        };
        assert_eq!(note(0, 500), 0, "nothing is known yet");
        assert_eq!(note(1, 600), 800);
        for second in 2..=20 {
            assert_eq!(note(second, 500 + 100 * second), 800, "{second}");
        }
        // It stands still: after ten seconds nothing is left.
        let mut last = 800;
        for second in 21..=30 {
            let now = note(second, 2500);
            assert!(now < last, "{second}");
            last = now;
        }
        assert_eq!(last, 0);
        assert_eq!(note(31, 10), 0, "a counter that went back begins anew");
        rates.note(begun + Duration::from_secs(32), []);
        assert_eq!(rates.of("a"), Bytes::default());
        assert!(rates.seen.is_empty());
    }
}
