//! How many connections there may be: in all, from one address, and from one address without having published or played.
//! RTMP and RTSP share one admission. When it is full, the oldest connection that has done nothing yet makes room.

use crate::auth::neighbourhood;
use crate::hub::{Client, Role};
use crate::model::Network;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// How many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub total: usize,
    /// Readers from one address (of IPv6: from one /64), except from this machine and trusted networks. An office or a
    /// mobile network is one address to us.
    pub readers_per_address: usize,
    /// Publishers from one address, likewise.
    pub publishers_per_address: usize,
    /// Such as have neither published nor played yet, likewise.
    pub idle_per_address: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { total: 4096, readers_per_address: 500, publishers_per_address: 32, idle_per_address: 64 }
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
    /// Too many from this address play.
    #[error("too many readers from this address")]
    Readers,
    /// Too many from this address publish.
    #[error("too many publishers from this address")]
    Publishers,
    /// Too many from this address that have not published or played.
    #[error("too many connections from this address that neither publish nor play")]
    Idle,
}

impl Refused {
    /// The name of the limit in the metrics.
    pub const fn limit(self) -> &'static str {
        match self {
            Refused::Full => "connections",
            Refused::Readers => "readers_per_address",
            Refused::Publishers => "publishers_per_address",
            Refused::Idle => "idle_connections_per_address",
        }
    }
}

/// Who is connected, within the limits. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Admission(Arc<Mutex<Inside>>);

#[derive(Debug)]
struct Inside {
    limits: Limits,
    /// Whose addresses are not counted, like this machine's.
    trusted: Vec<Network>,
    next: u64,
    /// All that are in, by order of arrival.
    places: HashMap<u64, Held>,
    /// Those of them that have done nothing yet.
    idle: BTreeMap<u64, Weak<Client>>,
    /// How many from where.
    addresses: HashMap<IpAddr, Count>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    /// None for those that are not counted.
    address: Option<IpAddr>,
    role: Role,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    readers: usize,
    publishers: usize,
    idle: usize,
}

impl Count {
    fn of(&mut self, role: Role) -> &mut usize {
        match role {
            Role::Read => &mut self.readers,
            Role::Publish => &mut self.publishers,
            Role::Idle => &mut self.idle,
        }
    }

    fn is_empty(&self) -> bool {
        self.readers == 0 && self.publishers == 0 && self.idle == 0
    }
}

impl Admission {
    /// An admission with nobody inside. Addresses of `trusted` networks are not counted, nor are this machine's.
    pub fn new(limits: Limits, trusted: Vec<Network>) -> Admission {
        Admission(Arc::new(Mutex::new(Inside {
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
    pub fn enter(&self, client: &Arc<Client>) -> Result<Permit, Refused> {
        let (number, out) = self.inside().enter(client)?;
        // Kicking wakes a task: not under the lock.
        if let Some(out) = out.and_then(|out| out.upgrade()) {
            out.kick();
        }
        Ok(Permit { admission: self.clone(), number })
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
        let there = address.and_then(|a| self.addresses.get(&a)).copied().unwrap_or_default();
        if there.idle >= self.limits.idle_per_address {
            return Err(Refused::Idle);
        }
        let mut out = None;
        if self.places.len() >= self.limits.total {
            let oldest = self.idle.keys().next().copied().ok_or(Refused::Full)?;
            out = self.idle.get(&oldest).cloned();
            self.leave(oldest);
        }
        let number = self.next;
        self.next = self.next.saturating_add(1);
        self.places.insert(number, Held { address, role: Role::Idle });
        self.idle.insert(number, Arc::downgrade(client));
        if let Some(address) = address {
            let count = self.addresses.entry(address).or_default();
            count.idle = count.idle.saturating_add(1);
        }
        Ok((number, out))
    }

    fn settle(&mut self, number: u64, role: Role) -> Result<(), Refused> {
        let Some(seat) = self.places.get_mut(&number).filter(|_| role != Role::Idle) else { return Ok(()) };
        if let Some(count) = seat.address.and_then(|address| self.addresses.get_mut(&address)) {
            let (most, refused) = match role {
                Role::Read => (self.limits.readers_per_address, Refused::Readers),
                Role::Publish => (self.limits.publishers_per_address, Refused::Publishers),
                Role::Idle => return Ok(()),
            };
            let there = count.of(role);
            if seat.role != role && *there >= most {
                return Err(refused);
            }
            *there = there.saturating_add(1);
            let before = count.of(seat.role);
            *before = before.saturating_sub(1);
        }
        seat.role = role;
        self.idle.remove(&number);
        Ok(())
    }

    fn leave(&mut self, number: u64) {
        self.idle.remove(&number);
        let Some(seat) = self.places.remove(&number) else { return };
        let Some((address, count)) = seat.address.and_then(|a| Some((a, self.addresses.get_mut(&a)?))) else {
            return;
        };
        let there = count.of(seat.role);
        *there = there.saturating_sub(1);
        if count.is_empty() {
            self.addresses.remove(&address);
        }
    }
}

/// A connection's place; dropping it leaves.
#[derive(Debug)]
pub struct Permit {
    admission: Admission,
    number: u64,
}

impl Permit {
    /// The connection publishes or plays from now on: it will not have to make room for another.
    ///
    /// # Errors
    /// Too many from its address do so.
    pub fn settle(&self, role: Role) -> Result<(), Refused> {
        self.admission.inside().settle(self.number, role)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.inside().leave(self.number);
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
        std::pin::pin!(client.leaves()).poll(&mut context).is_ready()
    }

    #[test]
    fn the_oldest_idle_one_makes_room() {
        let registry = Registry::default();
        let admission = Admission::new(Limits { total: 3, ..Limits::default() }, Vec::new());
        let clients: Vec<_> = (0..5).map(|_| client(&registry, "127.0.0.1")).collect();
        let first = admission.enter(&clients[0]).unwrap();
        first.settle(Role::Read).unwrap();
        let second = admission.enter(&clients[1]).unwrap();
        let third = admission.enter(&clients[2]).unwrap();
        let fourth = admission.enter(&clients[3]).unwrap();
        assert_eq!(clients.iter().map(kicked).collect::<Vec<_>>(), [false, true, false, false, false]);
        drop(second);
        assert_eq!(admission.count(), 3, "the place of one that was kicked is not given back twice");
        third.settle(Role::Publish).unwrap();
        fourth.settle(Role::Read).unwrap();
        assert_eq!(admission.enter(&clients[4]).unwrap_err(), Refused::Full);
        drop(first);
        assert!(admission.enter(&clients[4]).is_ok());
    }

    #[test]
    fn one_address_does_not_take_all() {
        let registry = Registry::default();
        let limits = Limits {
            readers_per_address: 20,
            publishers_per_address: 2,
            idle_per_address: 8,
            ..Limits::default()
        };
        let admission = Admission::new(limits, Vec::new());
        let there = client(&registry, "192.0.2.1");
        let mut places: Vec<Permit> = (0..8).map(|_| admission.enter(&there).unwrap()).collect();
        assert_eq!(admission.enter(&there).unwrap_err(), Refused::Idle);
        assert!(admission.enter(&client(&registry, "192.0.2.2")).is_ok());
        for _ in 8..28 {
            places.last().unwrap().settle(Role::Read).unwrap();
            places.push(admission.enter(&client(&registry, "::ffff:192.0.2.1")).unwrap());
        }
        let last = places.last().unwrap();
        assert_eq!(last.settle(Role::Read), Err(Refused::Readers));
        assert_eq!(last.settle(Role::Publish), Ok(()));
        assert_eq!(last.settle(Role::Publish), Ok(()), "it does so already");
        assert_eq!(places[0].settle(Role::Publish), Ok(()));
        assert_eq!(places[1].settle(Role::Publish), Err(Refused::Publishers));
        drop(places);
        assert!(admission.enter(&there).is_ok());
        assert_eq!(admission.count(), 0);
        assert!(admission.inside().addresses.is_empty() && admission.inside().idle.is_empty());
    }

    #[test]
    fn this_machine_and_trusted_networks_are_not_counted() {
        let registry = Registry::default();
        let admission = Admission::new(Limits::default(), vec!["10.0.0.0/8".parse().unwrap()]);
        let (here, near) = (client(&registry, "::1"), client(&registry, "::ffff:10.1.2.3"));
        let places: Vec<_> = (0..100)
            .flat_map(|_| [admission.enter(&here), admission.enter(&near)])
            .map(Result::unwrap)
            .collect();
        assert_eq!(admission.count(), places.len());
    }

    #[test]
    fn half_of_the_files_bound_the_total() {
        assert_eq!(Limits::with_file_limit(1024).total, 512);
        assert_eq!(Limits::with_file_limit(1 << 20).total, 4096);
        assert_eq!(Limits::with_file_limit(0).total, 1);
    }
}
