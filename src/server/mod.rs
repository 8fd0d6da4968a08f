//! The embedded server: listeners, the hub, the protocols and the control faces, put together.
//!
//! It runs on one thread. Whoever starts it gives a future that tells it to end; then listeners close first, readers
//! are told, and what has not ended a few seconds later is dropped.

pub mod face;
pub mod listeners;
pub mod look;
pub mod options;
pub mod rates;
pub mod view;

use crate::base::clock::Now;
use crate::base::{Failure, Outcome, failure::io_words};
use crate::hub::{self, Hub, Registry};
use crate::protocol::access::{Ledger, pause};
use crate::protocol::admission::{self, Door};
use crate::protocol::{rtmp, rtsp};
use crate::telemetry::Log;
use face::answer::{Answer, Question};
use face::http::{self, Asked, Face, Told};
use face::permission::{Rules, Sender, Verdict};
use hyper::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use listeners::{Addresses, Listeners};
use look::Looker;
pub use options::Options;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
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
            built: String::new(),
            applications: options.applications.clone(),
        };
        let (down, downs) = watch::channel(false);
        let parts = Arc::new(Parts::default());
        let looker = Arc::new(Looker::new(hub.clone(), about, now));
        let mut tasks = JoinSet::new();
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        for (name, listener) in
            [("stat", listeners.stat), ("api", listeners.api), ("metrics", listeners.metrics)]
        {
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
            let face = Arc::new(Face {
                name,
                server: if name == "stat" {
                    concat!("msconv/", env!("CARGO_PKG_VERSION"))
                } else {
                    "mediamtx"
                },
                limits: http::Limits::default(),
                registry: looker.registry().clone(),
                log: log.clone(),
                answer: Box::new(move |asked| control.answer(asked)),
            });
            let listener = listening(listener)?;
            parts.begin(name);
            let shutdown = downs.clone();
            tasks.spawn(async move {
                http::serve(listener, face, shutdown).await;
                name
            });
        }
        let door = Door::new(admission::Limits::with_file_limit(open_files()), options.trusted.clone());
        let rules = rtmp::session::server::Rules {
            applications: options.applications.clone(),
            access: options.access.clone(),
            ..Default::default()
        };
        let udp = rtsp::udp::Udp::new(listeners.rtp, listeners.rtcp, hub.registry().clone())
            .map(Arc::new)
            .map_err(|e| Failure::internal("cannot serve datagrams").why(io_words(&e)))?;
        let shared = Arc::new(rtsp::server::Shared::new(
            hub.clone(),
            options.access.clone(),
            door.clone(),
            ledger.clone(),
            Some(udp.clone()),
            log.clone(),
        ));
        let (listener, down_rtsp, down_udp) = (listening(listeners.rtsp)?, downs.clone(), downs.clone());
        parts.begin("rtsp");
        tasks.spawn(async move {
            rtsp::server::serve(listener, shared, down_rtsp).await;
            "rtsp"
        });
        parts.begin("rtp");
        tasks.spawn(async move {
            udp.serve(down_udp).await;
            "rtp"
        });
        let shared = Arc::new(rtmp::server::Shared::new(hub, rules, door, ledger, log.clone()));
        let (listener, down_rtmp) = (listening(listeners.rtmp)?, downs.clone());
        parts.begin("rtmp");
        tasks.spawn(async move {
            rtmp::server::serve(listener, shared, down_rtmp).await;
            "rtmp"
        });
        tasks.spawn(ticks(looker.clone(), downs.clone()));
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

fn listening(listener: TcpListener) -> Outcome<tokio::net::TcpListener> {
    tokio::net::TcpListener::from_std(listener)
        .map_err(|e| Failure::internal("cannot serve a listener").why(io_words(&e)))
}

/// How many files this process may have open.
fn open_files() -> u64 {
    nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft)
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

/// Which parts of the server serve.
#[derive(Default)]
struct Parts(Mutex<BTreeMap<&'static str, bool>>);

impl Parts {
    fn begin(&self, name: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, true);
    }

    fn end(&self, name: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, false);
    }

    /// `/health`.
    fn answer(&self) -> Answer {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let well = parts.values().all(|serves| *serves);
        let body = serde_json::json!({ "status": if well { "ok" } else { "error" }, "serving": parts });
        Answer {
            status: if well { 200 } else { 503 },
            content_type: "application/json; charset=utf-8",
            body: body.to_string(),
        }
    }
}

/// One control face: who may ask, and what is answered.
struct Control {
    name: &'static str,
    rules: Rules,
    stat_path: String,
    looker: Arc<Looker>,
    parts: Arc<Parts>,
    ledger: Arc<Mutex<Ledger>>,
    begun: Now,
    log: Log,
}

impl Control {
    fn answer(&self, asked: &Asked<'_>) -> Told {
        let question = Question::new(asked.method, asked.target);
        if question.reads() && question.path == "/health" {
            return self.parts.answer().into();
        }
        if let Some(refusal) = self.refusal(asked) {
            return refusal;
        }
        let view = self.looker.view(Now::read());
        let answer = match (self.name, question.path.as_str()) {
            ("stat", path) if question.reads() && path == self.stat_path => {
                Answer::ok("text/xml", face::stat::page(&view))
            }
            ("metrics", "/metrics") if question.reads() => face::metrics::answer(&view, &question),
            ("api", _) => face::api::answer(&view, &question, &mut |kind, id| {
                let found = self.looker.registry().find(kind, id);
                if let Some(client) = &found {
                    self.log.info(format_args!(
                        "{} kicks the {} {id} ({})",
                        asked.remote, kind.name, client.remote
                    ));
                    client.kick();
                }
                found.is_some()
            }),
            ("metrics", _) => face::api::nowhere(),
            _ => Answer { status: 404, content_type: "text/plain", body: "404 not found\n".into() },
        };
        answer.into()
    }

    /// The refusal of somebody who may not ask.
    fn refusal(&self, asked: &Asked<'_>) -> Option<Told> {
        let field = |name: HeaderName| asked.headers.get(name).and_then(|value| value.to_str().ok());
        let sender = Sender {
            remote: asked.remote.ip(),
            host: field(HOST),
            origin: field(ORIGIN),
            authorization: field(AUTHORIZATION),
        };
        let now = Now::read().mono.saturating_duration_since(self.begun.mono);
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = match self.rules.check(&sender) {
            Verdict::Yes => return None,
            _ if ledger.shut_out(sender.remote, now) => {
                Verdict::No("too many failed attempts from this address")
            }
            other => other,
        };
        let (status, why, wait) = match verdict {
            Verdict::Yes => return None,
            Verdict::No(why) => (403, why, Duration::ZERO),
            Verdict::Ask => (401, "authentication error", Duration::ZERO),
            Verdict::Wrong => {
                ledger.failed(sender.remote, now);
                self.log.warn(format_args!("{}: wrong password from {}", self.name, asked.remote));
                (401, "authentication error", pause(random()))
            }
        };
        Some(Told {
            answer: face::api::error(status, why),
            challenge: (status == 401).then_some("Basic realm=\"msconv\""),
            wait,
        })
    }
}

/// A number that nobody can foresee.
fn random() -> u32 {
    uuid::Uuid::new_v4().as_fields().0
}
