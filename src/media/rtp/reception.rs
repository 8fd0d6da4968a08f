//! What a receiver knows of one RTP source: numbers and times without their wraps, losses, jitter (RFC 3550, A.1, A.3,
//! A.8).

/// A counter of `BITS` bits that wraps, followed over its wraps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwrapped<const BITS: u32> {
    last: Option<i64>,
}

impl<const BITS: u32> Unwrapped<BITS> {
    /// The whole count that `value` stands for: the one nearest to the last.
    pub fn follow(&mut self, value: u32) -> i64 {
        let whole = self.near(value);
        self.last = Some(whole);
        whole
    }

    /// As [`Unwrapped::follow`], but only looks.
    pub fn near(&self, value: u32) -> i64 {
        let Some(last) = self.last else { return i64::from(value) };
        let span = 1_i64 << BITS;
        let mask = span.wrapping_sub(1);
        let ahead = i64::from(value).wrapping_sub(last) & mask;
        let step = if ahead >= span / 2 { ahead.wrapping_sub(span) } else { ahead };
        last.saturating_add(step)
    }
}

/// Packets counted as RFC 3550 counts them.
#[derive(Clone, Debug, Default)]
pub struct Reception {
    first: Option<i64>,
    highest: i64,
    received: u64,
    transit: Option<i64>,
    jitter: f64,
    expected_before: i64,
    received_before: u64,
}

/// What a receiver report says of a source (RFC 3550, 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lost since the last summary, in 256ths.
    pub fraction_lost: u8,
    /// Packets missing since the beginning, clamped to 24 bits with sign.
    pub lost: i32,
    /// The highest sequence number with its wraps.
    pub highest: u32,
    /// Jitter in clock ticks.
    pub jitter: u32,
}

impl Reception {
    /// Counts a packet: its whole number, its RTP time and when it came, both in ticks of the stream's clock.
    pub fn packet(&mut self, sequence: i64, timestamp: i64, arrival: i64) {
        self.first.get_or_insert(sequence);
        self.highest = if self.received == 0 { sequence } else { self.highest.max(sequence) };
        self.received = self.received.saturating_add(1);
        let transit = arrival.saturating_sub(timestamp);
        if let Some(before) = self.transit {
            let difference = transit.abs_diff(before) as f64;
            self.jitter += (difference - self.jitter) / 16.0;
        }
        self.transit = Some(transit);
    }

    /// The source began to count anew.
    pub fn restart(&mut self) {
        let jitter = self.jitter;
        *self = Reception { jitter, ..Reception::default() };
    }

    /// Mean deviation of the spacing of packets, in clock ticks.
    pub fn jitter(&self) -> f64 {
        self.jitter
    }

    /// For a receiver report; the next summary counts from here.
    pub fn summary(&mut self) -> Summary {
        let expected = self.first.map_or(0, |f| self.highest.saturating_sub(f).saturating_add(1));
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let lost = expected.saturating_sub(signed(self.received));
        let expected_now = expected.saturating_sub(self.expected_before);
        let received_now = signed(self.received.saturating_sub(self.received_before));
        self.expected_before = expected;
        self.received_before = self.received;
        let lost_now = expected_now.saturating_sub(received_now).max(0);
        let fraction = lost_now.saturating_mul(256).checked_div(expected_now).unwrap_or(0);
        Summary {
            fraction_lost: u8::try_from(fraction).unwrap_or(255),
            lost: i32::try_from(lost.clamp(-0x80_0000, 0x7f_ffff)).unwrap_or(0),
            highest: (self.highest & i64::from(u32::MAX)) as u32,
            jitter: self.jitter as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_are_followed_both_ways() {
        let mut count = Unwrapped::<16>::default();
        let all: Vec<_> = [65_534, 65_535, 0, 1, 65_535, 2].map(|v| count.follow(v)).into();
        assert_eq!(all, [65_534, 65_535, 65_536, 65_537, 65_535, 65_538]);
        let mut time = Unwrapped::<32>::default();
        assert_eq!(time.follow(u32::MAX), i64::from(u32::MAX));
        assert_eq!(time.follow(5), i64::from(u32::MAX) + 6);
        assert_eq!(time.near(u32::MAX - 5), i64::from(u32::MAX) - 5);
    }

    #[test]
    fn losses_and_jitter() {
        let mut reception = Reception::default();
        for i in 0..100_i64 {
            if i % 10 != 3 {
                reception.packet(65_500 + i, i * 3000, i * 3000 + 50);
            }
        }
        let summary = reception.summary();
        assert_eq!((summary.fraction_lost, summary.lost), (25, 10));
        assert_eq!((summary.highest, summary.jitter), (65_599, 0));
        assert_eq!(reception.summary().fraction_lost, 0);
        // Every packet now comes early or late by 160 ticks.
        for i in 100..400_i64 {
            reception.packet(65_500 + i, i * 3000, i * 3000 + (i % 2) * 160);
        }
        assert!((150.0..170.0).contains(&reception.jitter()), "{}", reception.jitter());
    }
}
