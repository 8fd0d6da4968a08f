//! The RTSP server: accepts connections and gives each a task.

mod connection;
mod publishing;
mod reading;
mod tunnels;

use super::egress::{Begin, Numbers, Progress};
use super::udp::Udp;
use crate::auth::{Authorizer, Ledger, PATIENCE};
use crate::hub::Hub;
use crate::model::StreamName;
use crate::protocol::RTSP_CONNECTION;
use crate::protocol::accepting::{self, ListenerContext};
use crate::protocol::admission::Admission;
use crate::protocol::workers::Workers;
use crate::telemetry::Log;
use connection::Connection;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;
use tunnels::Tunnels;
use uuid::Uuid;

/// The server's bounds in time and number. Values, so that tests can shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first byte of a message or packet to its last.
    pub message: Duration,
    /// Without a sign of life.
    pub idle: Duration,
    /// A publisher without packets.
    pub silence: Duration,
    /// Between two receiver reports to a publisher.
    pub reports: Duration,
    /// For a reader to take what was sent before its stream ended.
    pub farewell: Duration,
    /// For a datagram reader whose port is closed to take its leave: GStreamer closes its ports first, and on a machine
    /// full of work has needed more than two seconds for the rest.
    pub vanished: Duration,
    /// For the answer to whether somebody may publish or read.
    pub authorization: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            message: Duration::from_secs(10),
            idle: Duration::from_secs(super::session::server::TIMEOUT_SECS),
            silence: Duration::from_secs(10),
            reports: Duration::from_secs(5),
            farewell: Duration::from_secs(5),
            vanished: Duration::from_secs(10),
            authorization: PATIENCE,
        }
    }
}

/// What the connections of a server share.
pub struct Shared {
    /// The streams.
    pub hub: Hub,
    /// The applications, the first one being that of names without one.
    pub applications: Arc<[String]>,
    /// Who may publish and read.
    pub authorizer: Arc<dyn Authorizer>,
    /// How many may come in.
    pub admission: Admission,
    /// Wrong passwords.
    pub ledger: Arc<Mutex<Ledger>>,
    /// Who came, what was refused.
    pub log: Log,
    /// Bounds.
    pub limits: Limits,
    udp: Option<Arc<Udp>>,
    started: Instant,
    sources: RandomState,
    /// How far packings have come, by stream and key.
    packings: Mutex<HashMap<(StreamName, String), Progress>>,
    tunnels: Tunnels,
}

impl Shared {
    /// A server that begins now. Without `udp` all packets go through connections.
    pub fn new(
        hub: Hub,
        applications: Arc<[String]>,
        authorizer: Arc<dyn Authorizer>,
        admission: Admission,
        ledger: Arc<Mutex<Ledger>>,
        udp: Option<Arc<Udp>>,
        log: Log,
    ) -> Shared {
        let (limits, started) = (Limits::default(), Instant::now());
        Shared {
            hub,
            applications,
            authorizer,
            admission,
            ledger,
            log,
            limits,
            udp,
            started,
            sources: RandomState::new(),
            packings: Mutex::default(),
            tunnels: Tunnels::default(),
        }
    }

    /// Time since the server began.
    fn age(&self) -> Duration {
        self.started.elapsed()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the tracks of a stream begin in one packing: random, but for the sources, which are always the same while
    /// the server runs.
    fn numbers(&self, name: &StreamName, key: &str) -> Numbers {
        std::array::from_fn(|track| {
            let random = Uuid::new_v4().as_u128();
            Begin {
                ssrc: (self.sources.hash_one((name, key, track)) & u64::from(u32::MAX)) as u32,
                sequence: random as u16,
                timestamp: (random >> 16) as u32,
            }
        })
    }

    /// How far a packing has come: one that has just been made, or the one that there is.
    fn progress(&self, packing: (StreamName, String), made: Option<Progress>) -> Progress {
        let mut packings = self.packings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = made {
            packings.retain(|_, progress| progress.is_used());
            packings.insert(packing, made.clone());
            return made;
        }
        packings.get(&packing).cloned().unwrap_or_default()
    }
}

/// Serves RTSP with these workers until `shutdown` says so. Then readers are told, and what is not gone after a few seconds is dropped.
/// What comes by datagram is read by [`Udp::serve`], which is a task of its own.
pub async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    workers: Workers,
    shutdown: watch::Receiver<bool>,
) {
    let entrance = ListenerContext {
        hub: &shared.hub,
        admission: &shared.admission,
        log: &shared.log,
        kind: RTSP_CONNECTION,
        workers: &workers,
    };
    accepting::serve(listener, entrance, shutdown, |socket, client, place| {
        Connection::new(shared.clone(), socket, client, place)
    })
    .await;
}
