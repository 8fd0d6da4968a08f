//! Who may publish and read: credentials compared in constant time, and a ledger of failed attempts. Pure: the time
//! comes as an argument, counted from any fixed moment.

use crate::base::secret::Secret;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send a stream in.
    Publish,
    /// Take one out.
    Read,
}

/// A user and a password. Debug prints the password masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    password: Secret,
}

impl Credentials {
    /// From what the configuration says.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Credentials {
        Credentials { user: user.into(), password: Secret::new(password) }
    }

    /// The user's name, which is no secret.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password itself, for protocols that answer a challenge with it.
    pub fn password(&self) -> &str {
        self.password.reveal()
    }

    /// Whether these are the user and the password. Takes as long whichever of the two is wrong, and wherever.
    pub fn are(&self, user: &str, password: &str) -> bool {
        let user = same(self.user.as_bytes(), user.as_bytes());
        let password = same(self.password.reveal().as_bytes(), password.as_bytes());
        user & password
    }
}

/// Whether two secrets are equal, in a time that depends on nothing but their lengths.
pub fn same(ours: &[u8], theirs: &[u8]) -> bool {
    ours.ct_eq(theirs).into()
}

/// The server's rules of access. The default lets everybody publish and read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// What a publisher must show; none if anybody may publish.
    pub publish: Option<Credentials>,
    /// What a reader must show; none if anybody may read.
    pub read: Option<Credentials>,
    /// Publishers that do not come from this machine are refused as long as [`Access::publish`] is not set.
    pub outside_needs_password: bool,
    /// RTMP only. Asks every publisher without credentials for Adobe's authentication when it connects. Otherwise it is
    /// asked so at the attempt that follows one without credentials: an RTMP client shows the stream name, which may
    /// carry `?user=..&pass=..`, only after it has been let in, and Adobe's authentication exists only before that.
    pub adobe_at_connect: bool,
}

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No credentials were shown, and there must be some.
    #[error("{} needs a user and a password", .0.word())]
    NeedsCredentials(Action),
    /// The credentials are wrong.
    #[error("wrong user or password")]
    Wrong,
    /// Too many wrong ones came from this address.
    #[error("too many failed attempts from this address, try again in a minute")]
    ShutOut,
    /// A publisher from outside, and the server has no publish password.
    #[error(
        "publishing from other machines is refused as long as the server has no publish password; \
         set one, or publish from the server's own machine"
    )]
    Outside,
}

impl Action {
    const fn word(self) -> &'static str {
        match self {
            Action::Publish => "publishing",
            Action::Read => "reading",
        }
    }
}

impl Access {
    /// What must be shown for `action`.
    pub fn credentials(&self, action: Action) -> Option<&Credentials> {
        match action {
            Action::Publish => self.publish.as_ref(),
            Action::Read => self.read.as_ref(),
        }
    }

    /// Whether somebody at `remote` who shows `shown` (user and password) may do `action`.
    ///
    /// # Errors
    /// The reason why not. [`Denied::Wrong`] counts as a failed attempt ([`Ledger::failed`]).
    pub fn check(&self, action: Action, remote: IpAddr, shown: Option<(&str, &str)>) -> Result<(), Denied> {
        let Some(wanted) = self.credentials(action) else {
            let outside = action == Action::Publish && !remote.to_canonical().is_loopback();
            return if outside && self.outside_needs_password { Err(Denied::Outside) } else { Ok(()) };
        };
        match shown {
            None => Err(Denied::NeedsCredentials(action)),
            Some((user, password)) if wanted.are(user, password) => Ok(()),
            Some(_) => Err(Denied::Wrong),
        }
    }
}

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
pub(super) fn neighbourhood(remote: IpAddr) -> IpAddr {
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
    fn only_the_right_pair_is_let_in() {
        let access = Access { publish: Some(Credentials::new("bob", "pw")), ..Access::default() };
        let there = ip("192.0.2.7");
        let check = |shown| access.check(Action::Publish, there, shown);
        assert_eq!(check(Some(("bob", "pw"))), Ok(()));
        for wrong in [("bob", "p"), ("bob", "pwx"), ("bo", "pw"), ("", ""), ("pw", "bob"), ("bob", "")] {
            assert_eq!(check(Some(wrong)), Err(Denied::Wrong), "{wrong:?}");
        }
        assert_eq!(check(None), Err(Denied::NeedsCredentials(Action::Publish)));
        assert_eq!(access.check(Action::Read, there, None), Ok(()));
        assert_eq!(access.check(Action::Read, there, Some(("x", "y"))), Ok(()));
        assert!(!format!("{access:?}").contains("pw"));
    }

    #[test]
    fn publishers_from_outside_need_a_password_to_be_set() {
        let access = Access { outside_needs_password: true, ..Access::default() };
        let publish = |from| access.check(Action::Publish, ip(from), None);
        for here in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(publish(here), Ok(()), "{here}");
        }
        for there in ["10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1", "169.254.1.1"] {
            assert_eq!(publish(there), Err(Denied::Outside), "{there}");
        }
        assert_eq!(access.check(Action::Read, ip("10.0.0.1"), None), Ok(()));
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
