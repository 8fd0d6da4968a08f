//! Who is connected: every connection and session of every protocol, with its counters, for the control endpoints. The
//! entry goes when the last handle to it is dropped.

use super::client::{Client, Kind, Leave, add, get, locked};
use super::event::{Event, Events};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};
use uuid::Uuid;

#[derive(Debug, Default)]
struct Inner {
    clients: Mutex<BTreeMap<u64, Weak<Client>>>,
    next: AtomicU64,
    accepted: AtomicU64,
    gone_in: AtomicU64,
    gone_out: AtomicU64,
    limits: Mutex<BTreeMap<&'static str, Broken>>,
    events: Events,
}

impl Leave for Inner {
    fn leave(&self, client: &Client) {
        locked(&self.clients).remove(&client.number);
        if client.carries_itself() {
            let (bytes_in, bytes_out) = client.bytes();
            add(&self.gone_in, bytes_in);
            add(&self.gone_out, bytes_out);
        }
    }
}

/// One event for a limit at most so often.
const TELL_EVERY: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, Default)]
struct Broken {
    times: u64,
    told: Option<Instant>,
}

/// All clients of the server, what happens, and how often which limit was broken. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<Inner>);

impl Registry {
    /// A new entry. It stays in the lists until the last handle is dropped.
    pub fn enter(&self, kind: Kind, remote: SocketAddr, now: Instant, wall_ms: i64) -> Arc<Client> {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if kind.connection {
            add(&self.0.accepted, 1);
        }
        let list = Arc::downgrade(&self.0);
        let client = Arc::new(Client::new(number, kind, remote, (now, wall_ms), list));
        locked(&self.0.clients).insert(number, Arc::downgrade(&client));
        client
    }

    /// Those of one kind, oldest first.
    pub fn list(&self, kind: Kind) -> Vec<Arc<Client>> {
        let clients: Vec<_> = locked(&self.0.clients).values().filter_map(Weak::upgrade).collect();
        clients.into_iter().filter(|c| c.kind == kind).collect()
    }

    /// The one with this name.
    pub fn find(&self, kind: Kind, id: Uuid) -> Option<Arc<Client>> {
        self.list(kind).into_iter().find(|c| c.id == id)
    }

    /// Connections accepted since the start.
    pub fn accepted(&self) -> u64 {
        get(&self.0.accepted)
    }

    /// Everybody, oldest first.
    pub fn everybody(&self) -> Vec<Arc<Client>> {
        locked(&self.0.clients).values().filter_map(Weak::upgrade).collect()
    }

    /// Bytes received and sent by all who are here or were: each connection's, and those of sessions that have no
    /// connection to carry them.
    pub fn traffic(&self) -> (u64, u64) {
        let present = self.everybody();
        let mut carried: BTreeMap<Uuid, (u64, u64)> = BTreeMap::new();
        for client in present.iter().filter(|c| !c.carries_itself()) {
            carried.insert(client.id, client.bytes());
        }
        let mut all = (get(&self.0.gone_in), get(&self.0.gone_out));
        for client in present.iter().filter(|c| c.carries_itself()) {
            let mut own = client.bytes();
            if client.kind.connection && !carried.is_empty() {
                // A connection hears of what its session carries only now and then.
                for id in &client.details().linked {
                    let of_session = carried.get(id).copied().unwrap_or_default();
                    own = (own.0.max(of_session.0), own.1.max(of_session.1));
                }
            }
            all = (all.0.saturating_add(own.0), all.1.saturating_add(own.1));
        }
        all
    }

    /// Counts that a limit was broken. `limit` is a word of ours, never text from outside.
    pub fn broke(&self, limit: &'static str) {
        let now = Instant::now();
        let mut limits = locked(&self.0.limits);
        let broken = limits.entry(limit).or_default();
        broken.times = broken.times.saturating_add(1);
        // Who breaks limits all the time does not drown what else happens.
        if broken.told.is_none_or(|told| now.saturating_duration_since(told) >= TELL_EVERY) {
            broken.told = Some(now);
            self.0.events.send(Event::LimitReached { limit });
        }
    }

    /// What happens.
    pub fn events(&self) -> &Events {
        &self.0.events
    }

    /// How often which limit was broken.
    pub fn broken_limits(&self) -> BTreeMap<&'static str, u64> {
        locked(&self.0.limits).iter().map(|(limit, broken)| (*limit, broken.times)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOCKET: Kind = Kind { name: "socket", connection: true };
    const SESSION: Kind = Kind { name: "session", connection: false };

    #[test]
    fn entries_go_with_their_last_handle() {
        let registry = Registry::default();
        let here = "127.0.0.1:5".parse().unwrap();
        let a = registry.enter(SOCKET, here, Instant::now(), 1);
        let b = registry.enter(SESSION, here, Instant::now(), 2);
        assert_eq!(registry.list(SOCKET).len(), 1);
        assert_eq!(registry.find(SESSION, b.id).unwrap().number, 2);
        assert!(registry.find(SOCKET, b.id).is_none());
        drop(a);
        assert!(registry.list(SOCKET).is_empty());
        assert_eq!(registry.accepted(), 1);
    }

    #[test]
    fn traffic_outlives_its_connections_and_counts_nothing_twice() {
        let registry = Registry::default();
        let here = "127.0.0.1:5".parse().unwrap();
        let connection = registry.enter(SOCKET, here, Instant::now(), 1);
        let session = registry.enter(SESSION, here, Instant::now(), 1);
        session.describe(|d| d.transport = Some("TCP"));
        let apart = registry.enter(SESSION, here, Instant::now(), 1);
        apart.describe(|d| d.transport = Some("UDP"));
        for (client, bytes) in [(&connection, 100), (&session, 90), (&apart, 7)] {
            add(&client.counters.bytes_in, bytes);
            add(&client.counters.bytes_out, 1);
        }
        assert_eq!(registry.traffic(), (107, 2));
        // What the session carries counts before its connection has heard of it.
        connection.describe(|d| d.linked.push(session.id));
        add(&session.counters.bytes_out, 50);
        assert_eq!(registry.traffic(), (107, 52));
        add(&connection.counters.bytes_out, 50);
        assert_eq!(registry.traffic(), (107, 52));
        drop((connection, session));
        assert_eq!(registry.traffic(), (107, 52));
        drop(apart);
        assert_eq!(registry.traffic(), (107, 52));
    }

    #[tokio::test]
    async fn a_kick_is_not_missed() {
        let registry = Registry::default();
        let client = registry.enter(SOCKET, "[::1]:5".parse().unwrap(), Instant::now(), 1);
        client.kick();
        client.leaves().await;
    }
}
