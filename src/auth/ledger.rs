//! Failed attempts by address, and how long the answer to one is held back. Pure: the time comes as an argument, counted
//! from any fixed moment.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Failed attempts that shut an address out.
pub const MOST_FAILURES: usize = 10;
/// How long they are remembered, and how long the address stays shut out.
pub const REMEMBERED: Duration = Duration::from_secs(60);
/// Addresses remembered. When there are more, those that failed longest ago are forgotten.
const MOST_ADDRESSES: usize = 4096;

/// Failed attempts by address: 10 in a minute shut it out for a minute.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    addresses: HashMap<IpAddr, Failures>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    /// Times of the last failures, a ring; `count` of them are valid.
    times: [Duration; MOST_FAILURES],
    count: usize,
    shut_until: Duration,
}

impl Ledger {
    /// Whether attempts from `remote` are refused unseen at the time `now`.
    pub fn shut_out(&self, remote: IpAddr, now: Duration) -> bool {
        self.addresses.get(&neighbourhood(remote)).is_some_and(|f| now < f.shut_until)
    }

    /// Writes down a failed attempt.
    pub fn failed(&mut self, remote: IpAddr, now: Duration) {
        let key = neighbourhood(remote);
        if self.addresses.len() >= MOST_ADDRESSES && !self.addresses.contains_key(&key) {
            self.forget(now);
        }
        let failures = self.addresses.entry(key).or_default();
        let at = failures.count % MOST_FAILURES;
        let before = failures.times.get(at).copied().unwrap_or_default();
        if let Some(slot) = failures.times.get_mut(at) {
            *slot = now;
        }
        failures.count = failures.count.saturating_add(1);
        // The ring now holds the last ten; the tenth before this one was overwritten just now, so what counts is the
        // oldest that is left.
        let oldest = failures.times.get(failures.count % MOST_FAILURES).copied().unwrap_or(before);
        if failures.count >= MOST_FAILURES && now.saturating_sub(oldest) <= REMEMBERED {
            failures.shut_until = now.saturating_add(REMEMBERED);
            failures.count = 0;
        }
    }

    /// Makes room: forgets all that is out of date, or, if nothing is, the older half.
    fn forget(&mut self, now: Duration) {
        self.addresses.retain(|_, f| now < f.shut_until || now.saturating_sub(f.last()) <= REMEMBERED);
        if self.addresses.len() >= MOST_ADDRESSES {
            let mut times: Vec<Duration> = self.addresses.values().map(Failures::last).collect();
            let middle = times.len() / 2;
            let (_, median, _) = times.select_nth_unstable(middle);
            let median = *median;
            self.addresses.retain(|_, f| f.last() > median);
        }
    }
}

impl Failures {
    fn last(&self) -> Duration {
        self.times.iter().copied().max().unwrap_or_default()
    }
}

/// How long the answer to a failed attempt is held back: 0.5 to 2 s, by a random number.
pub fn pause(random: u32) -> Duration {
    Duration::from_millis(500).saturating_add(Duration::from_millis(u64::from(random % 1501)))
}

/// Addresses that one person has: an IPv4 address, or the /64 around an IPv6 address.
pub fn neighbourhood(remote: IpAddr) -> IpAddr {
    match remote.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) if v6.is_loopback() => IpAddr::V6(v6),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ten_failures_in_a_minute_shut_an_address_out() {
        let mut ledger = Ledger::default();
        let (a, b) = (ip("192.0.2.1"), ip("192.0.2.2"));
        for second in 0..9 {
            ledger.failed(a, Duration::from_secs(second));
        }
        assert!(!ledger.shut_out(a, Duration::from_secs(9)));
        ledger.failed(a, Duration::from_secs(9));
        assert!(ledger.shut_out(a, Duration::from_secs(9)));
        assert!(ledger.shut_out(ip("::ffff:192.0.2.1"), Duration::from_secs(68)));
        assert!(!ledger.shut_out(a, Duration::from_secs(69)));
        assert!(!ledger.shut_out(b, Duration::from_secs(9)));
    }

    #[test]
    fn slow_failures_shut_nobody_out() {
        let mut ledger = Ledger::default();
        let a = ip("2001:db8::1");
        for n in 0..100 {
            ledger.failed(a, Duration::from_secs(n * 7));
            assert!(!ledger.shut_out(a, Duration::from_secs(n * 7)), "after {n}");
        }
        // Another address of the same network counts with it.
        for n in 0..10 {
            ledger.failed(ip(&format!("2001:db8::{n}")), Duration::from_secs(1000));
        }
        assert!(ledger.shut_out(a, Duration::from_secs(1000)));
        assert!(!ledger.shut_out(ip("2001:db8:0:1::1"), Duration::from_secs(1000)));
    }

    #[test]
    fn a_flood_of_addresses_does_not_grow_the_ledger() {
        let mut ledger = Ledger::default();
        for n in 0..20_000_u32 {
            ledger.failed(IpAddr::V4(n.into()), Duration::from_millis(n.into()));
            assert!(ledger.addresses.len() <= MOST_ADDRESSES);
        }
    }

    #[test]
    fn pauses_lie_between_half_a_second_and_two() {
        assert_eq!(pause(0), Duration::from_millis(500));
        assert_eq!(pause(1500), Duration::from_secs(2));
        assert_eq!(pause(1501), Duration::from_millis(500));
        assert!(pause(u32::MAX) <= Duration::from_secs(2));
    }
}
