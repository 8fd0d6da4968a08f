//! The embedded server: listeners, the hub, the protocols and the control faces, put together.
//!
//! It runs on one thread. Whoever starts it gives a future that tells it to end; then listeners close first, readers
//! are told, and what has not ended a few seconds later is dropped.

pub mod control;
pub mod face;
pub mod listeners;
pub mod look;
pub mod options;
pub mod rates;
pub mod view;

use crate::base::clock::Now;
use crate::base::{Failure, Outcome, failure::io_words};
use crate::hub::{self, Hub, Registry};
use crate::process::load::open_files_allowed;
use crate::protocol::access::Ledger;
use crate::protocol::admission::{self, Door};
use crate::protocol::{rtmp, rtsp};
use crate::telemetry::Log;
use control::{Control, Parts};
use face::http::{self, Face};
use face::permission::Rules;
use listeners::{Addresses, Listeners};
use look::Looker;
pub use options::Options;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use view::About;

/// How long connections may take to end when the server ends.
const POLITE: Duration = Duration::from_secs(5);
/// Time between two looks at the counters.
const TICK: Duration = Duration::from_secs(1);

/// A server that listens and does not serve yet.
pub struct Server {
    options: Options,
    listeners: Listeners,
    addresses: Addresses,
    log: Log,
}

impl Server {
    /// Opens every socket.
    ///
    /// # Errors
    /// As [`Listeners::open`].
    pub fn bind(options: Options, log: Log) -> Outcome<Server> {
        let listeners = Listeners::open(&options)?;
        let addresses = listeners
            .addresses()
            .map_err(|e| Failure::internal("cannot tell where the server listens").why(io_words(&e)))?;
        Ok(Server { options, listeners, addresses, log })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Serves until `shutdown` is over.
    ///
    /// # Errors
    /// Internal, if a part of it ends by itself: half a server is worse than none.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Outcome<()> {
        let Server { options, listeners, log, .. } = self;
        let hub = Hub::new(Registry::default(), hub::Limits::default());
        let now = Now::read();
        let about = About {
            pid: std::process::id(),
            started_ms: now.wall_ms,
            built: built(),
            applications: options.applications.clone(),
        };
        let (down, downs) = watch::channel(false);
        let parts = Arc::new(Parts::default());
        let looker = Arc::new(Looker::new(hub.clone(), about, now));
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let door =
            Door::new(admission::Limits::with_file_limit(open_files_allowed()), options.trusted.clone());
        let mut tasks = JoinSet::new();
        let faces = [("stat", listeners.stat), ("api", listeners.api), ("metrics", listeners.metrics)];
        for (name, listener) in faces {
            let control = Control {
                name,
                rules: Rules {
                    trusted: options.trusted.clone(),
                    credentials: options.access.publish.clone(),
                },
                stat_path: options.stat_path.clone(),
                looker: looker.clone(),
                parts: parts.clone(),
                ledger: ledger.clone(),
                begun: now,
                log: log.clone(),
            };
            let (listener, face, downs) = (listening(listener)?, face(control), downs.clone());
            parts.begin(name);
            tasks.spawn(async move {
                http::serve(listener, face, downs).await;
                name
            });
        }
        let rules = rtmp::session::server::Rules {
            applications: options.applications.clone(),
            access: options.access.clone(),
            ..Default::default()
        };
        let shared = rtmp::server::Shared::new(hub.clone(), rules, door.clone(), ledger.clone(), log.clone());
        let (listener, downs_of_rtmp) = (listening(listeners.rtmp)?, downs.clone());
        parts.begin("rtmp");
        tasks.spawn(async move {
            rtmp::server::serve(listener, Arc::new(shared), downs_of_rtmp).await;
            "rtmp"
        });
        let udp = rtsp::udp::Udp::new(listeners.rtp, listeners.rtcp, hub.registry().clone())
            .map(Arc::new)
            .map_err(|e| Failure::internal("cannot serve RTP").why(io_words(&e)))?;
        let shared =
            rtsp::server::Shared::new(hub, options.access, door, ledger, Some(udp.clone()), log.clone());
        let downs_of_rtp = downs.clone();
        parts.begin("rtp");
        tasks.spawn(async move {
            udp.serve(downs_of_rtp).await;
            "rtp"
        });
        let (listener, downs_of_rtsp) = (listening(listeners.rtsp)?, downs.clone());
        parts.begin("rtsp");
        tasks.spawn(async move {
            rtsp::server::serve(listener, Arc::new(shared), downs_of_rtsp).await;
            "rtsp"
        });
        tasks.spawn(ticks(looker, downs));
        let failure = tokio::select! {
            () = shutdown => None,
            ended = tasks.join_next() => {
                let name = ended.and_then(Result::ok).unwrap_or("server");
                parts.end(name);
                log.error(format_args!("the part '{name}' ended by itself; the server ends"));
                Some(Failure::internal(format!("the part '{name}' of the server ended by itself")))
            }
        };
        log.info(format_args!("ending"));
        let _ = down.send(true);
        let polite = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(POLITE, polite).await.is_err() {
            log.warn(format_args!("some connections did not end in time and were dropped"));
        }
        tasks.shutdown().await;
        log.info(format_args!("ended"));
        failure.map_or(Ok(()), Err)
    }
}

fn listening(listener: std::net::TcpListener) -> Outcome<TcpListener> {
    TcpListener::from_std(listener)
        .map_err(|e| Failure::internal("cannot serve a listener").why(io_words(&e)))
}

fn face(control: Control) -> Arc<Face> {
    let name = control.name;
    Arc::new(Face {
        name,
        server: if name == "stat" { concat!("msconv/", env!("CARGO_PKG_VERSION")) } else { "mediamtx" },
        limits: http::Limits::default(),
        registry: control.looker.registry().clone(),
        log: control.log.clone(),
        answer: Box::new(move |asked| control.answer(asked)),
    })
}

/// When our own program file was made, in the form of C compilers: `Feb  3 2023 11:56:56`.
fn built() -> String {
    let made = std::fs::metadata("/proc/self/exe").and_then(|meta| meta.modified()).ok();
    made.and_then(|time| jiff::Timestamp::try_from(time).ok())
        .map(|time| time.strftime("%b %e %Y %H:%M:%S").to_string())
        .unwrap_or_default()
}

/// Looks at the counters every second.
async fn ticks(looker: Arc<Looker>, mut shutdown: watch::Receiver<bool>) -> &'static str {
    let mut again = tokio::time::interval(TICK);
    again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = again.tick() => looker.tick(Now::read().mono),
            () = http::asked_to_end(&mut shutdown) => return "ticks",
        }
    }
}
