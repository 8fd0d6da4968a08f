//! How much people may do whom nobody knows.

use crate::auth::neighbourhood;
use crate::platform::Refusal;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::net::IpAddr;
use std::num::NonZeroU32;

/// Streams that one address may register at once, and in an hour.
const STREAMS: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
/// After so many addresses those that are idle are forgotten.
const MOST: usize = 4096;

/// See the module.
pub struct Strangers {
    registrations: DefaultKeyedRateLimiter<IpAddr>,
}

impl Default for Strangers {
    fn default() -> Strangers {
        Strangers { registrations: RateLimiter::keyed(Quota::per_hour(STREAMS)) }
    }
}

impl Strangers {
    /// Somebody registers a stream.
    ///
    /// # Errors
    /// There were too many from there.
    pub fn registers(&self, from: IpAddr) -> Result<(), Refusal> {
        if self.registrations.len() > MOST {
            self.registrations.retain_recent();
        }
        let checked = self.registrations.check_key(&neighbourhood(from));
        checked.map_err(|not_until| Refusal::Often(not_until.wait_time_from(DefaultClock::default().now())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_does_not_take_all() {
        let strangers = Strangers::default();
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for _ in 0..10 {
            strangers.registers(one).unwrap();
        }
        assert!(matches!(strangers.registers(one), Err(Refusal::Often(_))));
        strangers.registers(other).unwrap();
    }
}
