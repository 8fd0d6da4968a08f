//! The RTMP server: accepts connections and gives each a task.

mod connection;

use super::session::server::{Demands, Rules};
use crate::auth::{Action, Authorizer, Ledger};
use crate::hub::Hub;
use crate::protocol::RTMP;
use crate::protocol::accepting::{self, ListenerContext};
use crate::protocol::admission::Admission;
use crate::protocol::workers::Workers;
use crate::telemetry::Log;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use connection::Connection;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

/// Addresses of which it is remembered that their last attempt showed no credentials.
const MOST_ASKED: usize = 1024;
/// How long that is remembered.
const ASKED: Duration = Duration::from_secs(60);

/// What the connections of a server share.
pub struct Shared {
    /// The streams.
    pub hub: Hub,
    /// What the dialog follows. Its secret and its demands are made by [`Shared::new`].
    pub rules: Arc<Rules>,
    /// Who may publish and read.
    pub authorizer: Arc<dyn Authorizer>,
    /// How many may come in.
    pub admission: Admission,
    /// Wrong passwords.
    pub ledger: Arc<Mutex<Ledger>>,
    /// Who came, what was refused.
    pub log: Log,
    started: Instant,
    random: SystemRandom,
    asked: Mutex<HashMap<IpAddr, Instant>>,
}

impl Shared {
    /// A server that begins now.
    pub fn new(
        hub: Hub,
        rules: Rules,
        authorizer: Arc<dyn Authorizer>,
        admission: Admission,
        ledger: Arc<Mutex<Ledger>>,
        log: Log,
    ) -> Shared {
        let random = SystemRandom::new();
        let secret = seed(&random);
        let demands =
            Demands { publish: authorizer.demand(Action::Publish), read: authorizer.demand(Action::Read) };
        Shared {
            hub,
            rules: Arc::new(Rules { secret, demands, ..rules }),
            authorizer,
            admission,
            ledger,
            log,
            started: Instant::now(),
            random,
            asked: Mutex::default(),
        }
    }

    /// Random bytes.
    fn seed(&self) -> [u8; 32] {
        seed(&self.random)
    }

    /// Time since the server began.
    fn age(&self) -> Duration {
        self.started.elapsed()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<IpAddr, Instant>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the next connection from there is asked for credentials before it is let in.
    fn asks(&self, address: IpAddr) -> bool {
        self.asked().get(&address.to_canonical()).is_some_and(|at| at.elapsed() < ASKED)
    }

    /// Somebody there showed no credentials.
    fn ask_next(&self, address: IpAddr) {
        let mut asked = self.asked();
        if asked.len() >= MOST_ASKED {
            asked.retain(|_, at| at.elapsed() < ASKED);
        }
        if asked.len() < MOST_ASKED {
            asked.insert(address.to_canonical(), Instant::now());
        }
    }

    /// It has been asked.
    fn has_asked(&self, address: IpAddr) {
        self.asked().remove(&address.to_canonical());
    }
}

/// Random bytes for challenges and handshakes.
fn seed(random: &SystemRandom) -> [u8; 32] {
    let mut seed = [0; 32];
    if random.fill(&mut seed).is_err() {
        // No such machine is known; a name that nobody can foresee is the second best source.
        let (a, b) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
        for (to, from) in seed.iter_mut().zip(a.as_bytes().iter().chain(b.as_bytes())) {
            *to = *from;
        }
    }
    seed
}

/// Serves RTMP with these workers until `shutdown` says so. Then publishers' streams end, readers are told, and what is not gone after a
/// few seconds is dropped.
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
        kind: RTMP,
        workers: &workers,
    };
    accepting::serve(listener, entrance, shutdown, |socket, client, place| {
        Ok(Connection::new(shared.clone(), socket, client, place))
    })
    .await;
}
