//! The control faces at work: who may ask, and what is answered.

use super::face::answer::{Answer, Question};
use super::face::http::{Asked, Face, Limits, Told};
use super::face::own;
use super::face::permission::{Rules, Sender, Verdict};
use super::look::Looker;
use super::options::Options;
use super::view::About;
use crate::base::clock::Now;
use crate::hub::Hub;
use crate::protocol::access::{Ledger, pause};
use crate::telemetry::Log;
use hyper::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Which parts of the server serve.
#[derive(Default)]
pub struct Parts(Mutex<BTreeMap<&'static str, bool>>);

impl Parts {
    /// A part serves from now on.
    pub fn begin(&self, name: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, true);
    }

    /// A part serves no more.
    pub fn end(&self, name: &'static str) {
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

/// The control faces: who may ask, and what is answered.
#[derive(Clone)]
pub struct Control {
    /// What is shown.
    pub looker: Arc<Looker>,
    rules: Arc<Rules>,
    stat_path: Arc<str>,
    parts: Arc<Parts>,
    ledger: Arc<Mutex<Ledger>>,
    begun: Now,
    log: Log,
}

impl Control {
    /// Faces of a server that begins now.
    pub fn new(
        options: &Options,
        hub: Hub,
        parts: Arc<Parts>,
        ledger: Arc<Mutex<Ledger>>,
        log: Log,
    ) -> Control {
        let begun = Now::read();
        let about = About {
            pid: std::process::id(),
            started_ms: begun.wall_ms,
            built: built(),
            applications: options.applications.clone(),
        };
        let rules = Rules { trusted: options.trusted.clone(), credentials: options.access.publish.clone() };
        Control {
            looker: Arc::new(Looker::new(hub, about, begun)),
            rules: Arc::new(rules),
            stat_path: options.stat_path.as_str().into(),
            parts,
            ledger,
            begun,
            log,
        }
    }

    /// The face `stat`, `api` or `metrics`.
    pub fn face(&self, name: &'static str) -> Arc<Face> {
        let control = self.clone();
        Arc::new(Face {
            name,
            server: if name == "stat" { concat!("msconv/", env!("CARGO_PKG_VERSION")) } else { "mediamtx" },
            limits: Limits::default(),
            registry: self.looker.registry().clone(),
            log: self.log.clone(),
            answer: Box::new(move |asked| control.answer(name, asked).into()),
        })
    }

    fn answer(&self, face: &str, asked: &Asked<'_>) -> Told {
        let question = Question::new(asked.method, asked.target);
        if question.reads() && question.path == "/health" {
            return self.parts.answer().into();
        }
        if let Some(refusal) = self.refusal(face, asked) {
            return refusal;
        }
        let now = Now::read();
        if face == "api" && question.path.starts_with(own::PREFIX) {
            let applications = self.looker.applications();
            return own::answer(self.looker.hub(), applications, &question, asked.body, now).into();
        }
        let view = if face == "metrics" { self.looker.whole_view(now) } else { self.looker.view(now) };
        let answer = match (face, question.path.as_str()) {
            ("stat", path) if question.reads() && path == &*self.stat_path => {
                Answer::ok("text/xml", super::face::stat::page(&view))
            }
            ("metrics", "/metrics") if question.reads() => super::face::metrics::answer(&view, &question),
            ("api", _) => super::face::api::answer(&view, &question, &mut |kind, id| {
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
            ("metrics", _) => super::face::api::nowhere(),
            _ => Answer { status: 404, content_type: "text/plain", body: "404 not found\n".into() },
        };
        answer.into()
    }

    /// The refusal of somebody who may not ask.
    fn refusal(&self, face: &str, asked: &Asked<'_>) -> Option<Told> {
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
                self.log.warn(format_args!("{face}: wrong password from {}", asked.remote));
                (401, "authentication error", pause(random()))
            }
        };
        Some(Told {
            answer: super::face::api::error(status, why),
            challenge: (status == 401).then_some("Basic realm=\"msconv\""),
            wait,
        })
    }
}

/// A number that nobody can foresee.
fn random() -> u32 {
    uuid::Uuid::new_v4().as_fields().0
}

/// When our own program file was made, in the form of C compilers: `Feb  3 2023 11:56:56`.
fn built() -> String {
    let made = std::fs::metadata("/proc/self/exe").and_then(|meta| meta.modified()).ok();
    made.and_then(|time| jiff::Timestamp::try_from(time).ok())
        .map(|time| time.strftime("%b %e %Y %H:%M:%S").to_string())
        .unwrap_or_default()
}
