//! How many connections there may be: in all, from one address, and from one address without having published or played.
//! RTMP and RTSP share one door. When it is full, the oldest connection that has done nothing yet makes room.

use super::access::neighbourhood;
use crate::hub::Client;
use crate::model::Network;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// How many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub total: usize,
    /// From one address (of IPv6: from one /64), except from this machine and trusted networks.
    pub per_address: usize,
    /// Of these, such as have neither published nor played yet.
    pub idle_per_address: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { total: 4096, per_address: 32, idle_per_address: 8 }
    }
}

impl Limits {
    /// The default, with no more connections than half of the files that the process may have open.
    pub fn with_file_limit(files: u64) -> Limits {
        let half = usize::try_from(files / 2).unwrap_or(usize::MAX).max(1);
        let limits = Limits::default();
        Limits { total: limits.total.min(half), ..limits }
    }
}

/// Why a connection is refused. The words are those of `msconv_limit_exceeded_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There are too many, and all of them publish or play.
    #[error("too many connections")]
    Full,
    /// Too many from this address.
    #[error("too many connections from this address")]
    Address,
    /// Too many from this address that have not published or played.
    #[error("too many connections from this address that neither publish nor play")]
    Idle,
}

impl Refused {
    /// The name of the limit in the metrics.
    pub const fn limit(self) -> &'static str {
        match self {
            Refused::Full => "connections",
            Refused::Address => "connections_per_address",
            Refused::Idle => "idle_connections_per_address",
        }
    }
}

/// The door of the server. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Door(Arc<Mutex<Inside>>);

#[derive(Debug)]
struct Inside {
    limits: Limits,
    /// Whose addresses are not counted, like this machine's.
    trusted: Vec<Network>,
    next: u64,
    /// All that are in, by order of arrival.
    places: HashMap<u64, Seat>,
    /// Those of them that have done nothing yet.
    idle: BTreeMap<u64, Weak<Client>>,
    /// How many from where.
    addresses: HashMap<IpAddr, Count>,
}

#[derive(Clone, Copy, Debug)]
struct Seat {
    /// None for those that are not counted.
    address: Option<IpAddr>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    all: usize,
    idle: usize,
}

impl Door {
    /// A door with nobody inside. Addresses of `trusted` networks are not counted, nor are this machine's.
    pub fn new(limits: Limits, trusted: Vec<Network>) -> Door {
        Door(Arc::new(Mutex::new(Inside {
            limits,
            trusted,
            next: 0,
            places: HashMap::new(),
            idle: BTreeMap::new(),
            addresses: HashMap::new(),
        })))
    }

    /// Lets a connection in, as long as the place is kept. If it is full, the oldest idle one is kicked.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn enter(&self, client: &Arc<Client>) -> Result<Place, Refused> {
        let (number, out) = self.inside().enter(client)?;
        // Kicking wakes a task: not under the lock.
        if let Some(out) = out.and_then(|out| out.upgrade()) {
            out.kick();
        }
        Ok(Place { door: self.clone(), number })
    }

    /// Connections that are in.
    pub fn count(&self) -> usize {
        self.inside().places.len()
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn enter(&mut self, client: &Arc<Client>) -> Result<(u64, Option<Weak<Client>>), Refused> {
        let remote = client.remote.ip().to_canonical();
        let known = remote.is_loopback() || self.trusted.iter().any(|network| network.contains(remote));
        let address = (!known).then(|| neighbourhood(remote));
        if let Some(count) = address.and_then(|a| self.addresses.get(&a)) {
            if count.all >= self.limits.per_address {
                return Err(Refused::Address);
            }
            if count.idle >= self.limits.idle_per_address {
                return Err(Refused::Idle);
            }
        }
        let mut out = None;
        if self.places.len() >= self.limits.total {
            let oldest = self.idle.keys().next().copied().ok_or(Refused::Full)?;
            out = self.idle.get(&oldest).cloned();
            self.leave(oldest);
        }
        let number = self.next;
        self.next = self.next.saturating_add(1);
        self.places.insert(number, Seat { address });
        self.idle.insert(number, Arc::downgrade(client));
        if let Some(address) = address {
            let count = self.addresses.entry(address).or_default();
            count.all = count.all.saturating_add(1);
            count.idle = count.idle.saturating_add(1);
        }
        Ok((number, out))
    }

    fn settle(&mut self, number: u64) {
        if self.idle.remove(&number).is_none() {
            return;
        }
        let address = self.places.get(&number).and_then(|seat| seat.address);
        if let Some(count) = address.and_then(|a| self.addresses.get_mut(&a)) {
            count.idle = count.idle.saturating_sub(1);
        }
    }

    fn leave(&mut self, number: u64) {
        self.settle(number);
        let Some(address) = self.places.remove(&number).and_then(|seat| seat.address) else { return };
        if let Some(count) = self.addresses.get_mut(&address) {
            count.all = count.all.saturating_sub(1);
            if count.all == 0 {
                self.addresses.remove(&address);
            }
        }
    }
}

/// A connection's place; dropping it leaves.
#[derive(Debug)]
pub struct Place {
    door: Door,
    number: u64,
}

impl Place {
    /// The connection publishes or plays now: it will not have to make room for another.
    pub fn settle(&self) {
        self.door.inside().settle(self.number);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.door.inside().leave(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Registry;
    use crate::protocol;
    use std::time::Instant;

    fn client(registry: &Registry, from: &str) -> Arc<Client> {
        let remote = std::net::SocketAddr::new(from.parse().unwrap(), 4000);
        registry.enter(protocol::RTMP, remote, Instant::now(), 0)
    }

    fn kicked(client: &Arc<Client>) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        std::pin::pin!(client.kicked()).poll(&mut context).is_ready()
    }

    #[test]
    fn the_oldest_idle_one_makes_room() {
        let registry = Registry::default();
        let door = Door::new(Limits { total: 3, ..Limits::default() }, Vec::new());
        let clients: Vec<_> = (0..5).map(|_| client(&registry, "127.0.0.1")).collect();
        let first = door.enter(&clients[0]).unwrap();
        first.settle();
        let second = door.enter(&clients[1]).unwrap();
        let third = door.enter(&clients[2]).unwrap();
        let fourth = door.enter(&clients[3]).unwrap();
        assert_eq!(clients.iter().map(kicked).collect::<Vec<_>>(), [false, true, false, false, false]);
        drop(second);
        assert_eq!(door.count(), 3, "the place of one that was kicked is not given back twice");
        third.settle();
        fourth.settle();
        assert_eq!(door.enter(&clients[4]).unwrap_err(), Refused::Full);
        drop(first);
        assert!(door.enter(&clients[4]).is_ok());
    }

    #[test]
    fn one_address_does_not_take_all() {
        let registry = Registry::default();
        let door = Door::new(Limits::default(), Vec::new());
        let there = client(&registry, "192.0.2.1");
        let mut places = Vec::new();
        for _ in 0..8 {
            places.push(door.enter(&there).unwrap());
        }
        assert_eq!(door.enter(&there).unwrap_err(), Refused::Idle);
        assert!(door.enter(&client(&registry, "192.0.2.2")).is_ok());
        for _ in 8..32 {
            places.last().unwrap().settle();
            places.push(door.enter(&there).unwrap());
        }
        places.iter().for_each(Place::settle);
        assert_eq!(door.enter(&client(&registry, "::ffff:192.0.2.1")).unwrap_err(), Refused::Address);
        drop(places);
        assert!(door.enter(&there).is_ok());
        assert_eq!(door.count(), 0);
        assert!(door.inside().addresses.is_empty() && door.inside().idle.is_empty());
    }

    #[test]
    fn this_machine_and_trusted_networks_are_not_counted() {
        let registry = Registry::default();
        let door = Door::new(Limits::default(), vec!["10.0.0.0/8".parse().unwrap()]);
        let (here, near) = (client(&registry, "::1"), client(&registry, "::ffff:10.1.2.3"));
        let places: Vec<_> =
            (0..100).flat_map(|_| [door.enter(&here), door.enter(&near)]).map(Result::unwrap).collect();
        assert_eq!(door.count(), places.len());
    }

    #[test]
    fn half_of_the_files_bound_the_total() {
        assert_eq!(Limits::with_file_limit(1024).total, 512);
        assert_eq!(Limits::with_file_limit(1 << 20).total, 4096);
        assert_eq!(Limits::with_file_limit(0).total, 1);
    }
}
