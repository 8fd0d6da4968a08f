//! How many connections there are from each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counts. Cloning shares them.
#[derive(Clone, Default)]
pub struct PerAddress(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection that is counted, as long as this is kept.
pub struct Counted {
    counts: PerAddress,
    /// None for those that are not counted.
    address: Option<IpAddr>,
}

impl PerAddress {
    /// Counts one more; none if there are `most` from there already. Without an address it is not counted.
    pub fn enter(&self, address: Option<IpAddr>, most: usize) -> Option<Counted> {
        if let Some(address) = address {
            let mut counts = self.counts();
            let there = counts.get(&address).copied().unwrap_or(0);
            if there >= most {
                return None;
            }
            counts.insert(address, there.saturating_add(1));
        }
        Some(Counted { counts: self.clone(), address })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut counts = self.counts.counts();
        if let Some(count) = counts.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back_and_nothing_is_kept_of_who_has_gone() {
        let counts = PerAddress::default();
        let (here, there) = ("192.0.2.1".parse().ok(), "192.0.2.2".parse().ok());
        let held = [counts.enter(here, 2), counts.enter(here, 2)];
        assert!(held.iter().all(Option::is_some) && counts.enter(here, 2).is_none());
        assert!(counts.enter(there, 2).is_some() && counts.enter(None, 0).is_some());
        drop(held);
        assert!(counts.enter(here, 1).is_some());
        assert!(counts.counts().is_empty());
    }
}
