//! One control face at work: who may ask, and what is answered.

use super::face;
use super::face::answer::{Answer, Question};
use super::face::http::{Asked, Told};
use super::face::permission::{Rules, Sender, Verdict};
use super::look::Looker;
use crate::base::clock::Now;
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

/// One control face: who may ask, and what is answered.
pub struct Control {
    /// `stat`, `api` or `metrics`.
    pub name: &'static str,
    /// Who may ask.
    pub rules: Rules,
    /// Path of the status page.
    pub stat_path: String,
    /// What is shown.
    pub looker: Arc<Looker>,
    /// What `/health` tells.
    pub parts: Arc<Parts>,
    /// Wrong passwords.
    pub ledger: Arc<Mutex<Ledger>>,
    /// Since when the ledger counts.
    pub begun: Now,
    /// Who was refused or kicked.
    pub log: Log,
}

impl Control {
    /// The answer to one request.
    pub fn answer(&self, asked: &Asked<'_>) -> Told {
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
