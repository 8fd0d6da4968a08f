//! Who is connected: every connection and session of every protocol, with its counters, for the control faces. The
//! entry goes when the last handle to it is dropped.

use super::event::{Event, Events};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use uuid::Uuid;

/// What kind of entry it is; each front end has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// A word of ours.
    pub name: &'static str,
    /// Whether it is a connection, and not something that connections carry.
    pub connection: bool,
}

/// What a client does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Neither yet.
    #[default]
    Idle,
    /// It publishes.
    Publish,
    /// It reads.
    Read,
}

/// Counts of one client. Bytes are those of the payload that its connection carried.
#[derive(Debug, Default)]
pub struct Counters {
    /// Bytes received.
    pub bytes_in: AtomicU64,
    /// Bytes sent.
    pub bytes_out: AtomicU64,
    /// RTP packets received.
    pub packets_in: AtomicU64,
    /// RTP packets missing among those received.
    pub packets_lost: AtomicU64,
    /// RTP or RTCP packets received that could not be read.
    pub packets_in_error: AtomicU64,
    /// RTCP packets received.
    pub rtcp_in: AtomicU64,
    /// RTP packets sent.
    pub packets_out: AtomicU64,
    /// RTCP packets sent.
    pub rtcp_out: AtomicU64,
    /// Packets that the reader reports as lost.
    pub packets_reported_lost: AtomicU64,
    /// Packets that found no room in the socket.
    pub packets_discarded: AtomicU64,
    /// Frames that were left out because the reader was too slow.
    pub frames_dropped: AtomicU64,
    /// Interarrival jitter of received RTP (RFC 3550, 6.4.1), in clock units, as the bits of an `f64`.
    pub jitter: AtomicU64,
    /// Media time of the last frame handed over, in milliseconds.
    pub timestamp_ms: AtomicU64,
}

/// Adds to a counter.
pub fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

/// Reads a counter.
pub fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// What changes about a client while it is connected.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// What it does.
    pub role: Role,
    /// The name of the stream, without the application.
    pub name: String,
    /// The application (`live`) that it named.
    pub application: String,
    /// The URL's query. It may carry a secret: shown redacted.
    pub query: String,
    /// The user that it gave.
    pub user: String,
    /// flashVer (RTMP) or User-Agent (RTSP).
    pub agent: String,
    /// `TCP` or `UDP` for an RTSP session.
    pub transport: Option<&'static str>,
    /// The session of an RTSP connection, the connections of an RTSP session.
    pub linked: Vec<Uuid>,
}

/// One connection or session.
#[derive(Debug)]
pub struct Client {
    /// Its name in the `/v3` face.
    pub id: Uuid,
    /// Its number in the `/stat` face.
    pub number: u64,
    /// What it is.
    pub kind: Kind,
    /// The other end.
    pub remote: SocketAddr,
    /// When it came, Unix milliseconds.
    pub created_ms: i64,
    /// When it came.
    pub since: Instant,
    /// Its counts.
    pub counters: Counters,
    details: Mutex<Details>,
    kicked: AtomicBool,
    kick: Notify,
    registry: Weak<Inner>,
}

impl Client {
    /// What it does now.
    pub fn details(&self) -> Details {
        locked(&self.details).clone()
    }

    /// Changes what is known of it.
    pub fn describe(&self, change: impl FnOnce(&mut Details)) {
        change(&mut locked(&self.details));
    }

    /// Whether its bytes are nobody else's: those of a session inside a connection are the connection's as well.
    fn carries_itself(&self) -> bool {
        self.kind.connection || locked(&self.details).transport == Some("UDP")
    }

    /// Bytes received and sent.
    fn bytes(&self) -> (u64, u64) {
        (get(&self.counters.bytes_in), get(&self.counters.bytes_out))
    }

    /// Asks it to leave.
    pub fn kick(&self) {
        self.kicked.store(true, Ordering::Relaxed);
        self.kick.notify_one();
    }

    /// Waits until it was asked to leave. One task may wait.
    pub async fn kicked(&self) {
        while !self.kicked.load(Ordering::Relaxed) {
            self.kick.notified().await;
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(inner) = self.registry.upgrade() {
            locked(&inner.clients).remove(&self.number);
            if self.carries_itself() {
                add(&inner.gone_in, get(&self.counters.bytes_in));
                add(&inner.gone_out, get(&self.counters.bytes_out));
            }
        }
    }
}

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
        let client = Arc::new(Client {
            id: Uuid::new_v4(),
            number,
            kind,
            remote,
            created_ms: wall_ms,
            since: now,
            counters: Counters::default(),
            details: Mutex::new(Details::default()),
            kicked: AtomicBool::new(false),
            kick: Notify::new(),
            registry: Arc::downgrade(&self.0),
        });
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
                for id in &locked(&client.details).linked {
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

/// A lock whose holder panicked still guards whole values here: each change is one assignment.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        client.kicked().await;
    }
}
