//! Holds back a flood of lines: a burst passes at once, after that so many a second, and the rest becomes a count.

use std::time::Duration;

/// Lets a burst of lines through at once and a number of lines a second after that. Pure.
#[derive(Clone, Debug)]
pub struct Sieve {
    rate: f64,
    burst: f64,
    tokens: f64,
    last: Duration,
    suppressed: u64,
}

impl Sieve {
    /// `rate` lines a second in the long run, `burst` at once.
    pub fn new(rate: f64, burst: f64) -> Sieve {
        Sieve { rate, burst, tokens: burst, last: Duration::ZERO, suppressed: 0 }
    }

    /// Whether a line at `now` may pass; and how many were held back before it, once they end.
    pub fn pass(&mut self, now: Duration) -> (bool, Option<u64>) {
        let gained = now.saturating_sub(self.last).as_secs_f64() * self.rate;
        self.last = now;
        self.tokens = (self.tokens + gained).min(self.burst);
        // After a flood a whole second must be saved up, so that the notice does not come with every other line.
        let need = if self.suppressed > 0 { self.rate } else { 1.0 };
        if self.tokens >= need {
            self.tokens -= 1.0;
            let held = std::mem::take(&mut self.suppressed);
            (true, (held > 0).then_some(held))
        } else {
            self.suppressed = self.suppressed.saturating_add(1);
            (false, None)
        }
    }

    /// Lines held back and not told yet.
    pub fn held(&mut self) -> Option<u64> {
        let held = std::mem::take(&mut self.suppressed);
        (held > 0).then_some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_becomes_one_notice() {
        let mut sieve = Sieve::new(50.0, 500.0);
        let mut passed = 0;
        for n in 0..100_000u64 {
            let (pass, held) = sieve.pass(Duration::from_micros(n * 10));
            passed += u32::from(pass);
            assert_eq!(held, None);
        }
        assert!((500..=560).contains(&passed), "{passed}");
        let (pass, held) = sieve.pass(Duration::from_secs(100));
        assert!(pass);
        assert_eq!(held, Some(100_000 - u64::from(passed)));
    }
}
