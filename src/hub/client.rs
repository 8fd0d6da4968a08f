//! A connection or a session of a protocol, with its counters, as everybody in the server knows it.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
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
    /// Repairs that the reader asked for.
    pub nacks_in: AtomicU64,
    /// Keyframes that the reader asked for.
    pub plis_in: AtomicU64,
    /// To the other end and back, microseconds; 0 if unknown.
    pub round_trip_us: AtomicU64,
    /// Changes of the rendition that is read.
    pub switches: AtomicU64,
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
    /// `TCP` or `UDP` for an RTSP session, `HTTP` for a viewer over HLS: all but `TCP` are carried by no connection that is
    /// in the lists.
    pub transport: Option<&'static str>,
    /// The session of an RTSP connection, the connections of an RTSP session.
    pub linked: Vec<Uuid>,
    /// Whether it is a program that the server started to make something of the stream: no viewer.
    pub own: bool,
    /// Between which addresses the media of a WebRTC session goes, once it is connected.
    pub ends: Option<Ends>,
}

/// The two ends of a way of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// `udp` or `tcp`.
    pub transport: &'static str,
    /// Our address.
    pub local: SocketAddr,
    /// The other end's.
    pub remote: SocketAddr,
}

/// Why a client has to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// It was asked to.
    Asked,
    /// What it was allowed to do was allowed for a time, which is over.
    TimeIsUp,
}

impl Leaves {
    /// In words for the log.
    pub const fn why(self) -> &'static str {
        match self {
            Leaves::Asked => "it was asked to leave",
            Leaves::TimeIsUp => "the time that it was allowed is over",
        }
    }
}

/// One connection or session.
#[derive(Debug)]
pub struct Client {
    /// Its name in the `/v3` endpoint.
    pub id: Uuid,
    /// Its number in the `/stat` endpoint.
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
    leaves_at: Mutex<Option<Instant>>,
    kick: Notify,
    list: Weak<dyn Leave>,
}

impl Client {
    /// What it does now.
    pub fn details(&self) -> Details {
        locked(&self.details).clone()
    }

    /// Whether it is no viewer but a program of the server's own.
    pub fn is_own(&self) -> bool {
        locked(&self.details).own
    }

    /// Changes what is known of it.
    pub fn describe(&self, change: impl FnOnce(&mut Details)) {
        change(&mut locked(&self.details));
    }

    /// A client that has just come and does nothing yet.
    pub(super) fn new(
        number: u64,
        kind: Kind,
        remote: SocketAddr,
        (since, created_ms): (Instant, i64),
        list: Weak<dyn Leave>,
    ) -> Client {
        Client {
            id: Uuid::new_v4(),
            number,
            kind,
            remote,
            created_ms,
            since,
            counters: Counters::default(),
            details: Mutex::new(Details::default()),
            kicked: AtomicBool::new(false),
            leaves_at: Mutex::new(None),
            kick: Notify::new(),
            list,
        }
    }

    /// Whether its bytes are nobody else's: those of a session inside a connection are the connection's as well.
    pub(super) fn carries_itself(&self) -> bool {
        self.kind.connection || locked(&self.details).transport.is_some_and(|transport| transport != "TCP")
    }

    /// Bytes received and sent.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (get(&self.counters.bytes_in), get(&self.counters.bytes_out))
    }

    /// Asks it to leave.
    pub fn kick(&self) {
        self.kicked.store(true, Ordering::Relaxed);
        self.kick.notify_one();
    }

    /// It has to leave after this time, or need not (`None`). The last word counts.
    pub fn leave_after(&self, time: Option<Duration>) {
        *locked(&self.leaves_at) = time.and_then(|time| Instant::now().checked_add(time));
        self.kick.notify_one();
    }

    /// Whether it has to leave by now, and why; for whoever looks now and then and does not wait.
    pub fn leaves_by(&self, now: Instant) -> Option<Leaves> {
        if self.kicked.load(Ordering::Relaxed) {
            return Some(Leaves::Asked);
        }
        locked(&self.leaves_at).is_some_and(|at| at <= now).then_some(Leaves::TimeIsUp)
    }

    /// Waits until it has to leave, and says why. One task may wait.
    pub async fn leaves(&self) -> Leaves {
        loop {
            if self.kicked.load(Ordering::Relaxed) {
                return Leaves::Asked;
            }
            let leaves_at = *locked(&self.leaves_at);
            let Some(at) = leaves_at else {
                self.kick.notified().await;
                continue;
            };
            tokio::select! {
                () = self.kick.notified() => {}
                () = tokio::time::sleep_until(at.into()) => return Leaves::TimeIsUp,
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(list) = self.list.upgrade() {
            list.leave(self);
        }
    }
}

/// A list that clients stand in until the last handle is dropped.
pub(super) trait Leave: Debug + Send + Sync {
    /// The client is no more.
    fn leave(&self, client: &Client);
}

/// A lock whose holder panicked still guards whole values here: each change is one assignment.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
