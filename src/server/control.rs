//! The control endpoints at work: who may ask, and what is answered.

use super::endpoint::answer::{Request, Response};
use super::endpoint::http::{Endpoint, IncomingRequest, Limits, Reply, ReplyFuture};
use super::endpoint::permission::{Permission, Rules, Sender};
use super::endpoint::{listing, own};
use super::options::Options;
use super::sampler::Sampler;
use super::view::About;
use crate::auth::{self, Action, Authorizer, Denied, Ledger, PATIENCE, Protocol, Shown, pause};
use crate::base::clock::Now;
use crate::base::secret::Secret;
use crate::hub::Hub;
use crate::telemetry::Log;
use hyper::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use std::collections::BTreeMap;
use std::net::SocketAddr;
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
    fn answer(&self) -> Response {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let well = parts.values().all(|serves| *serves);
        let body = serde_json::json!({ "status": if well { "ok" } else { "error" }, "serving": parts });
        Response {
            status: if well { 200 } else { 503 },
            content_type: "application/json; charset=utf-8",
            body: body.to_string(),
        }
    }
}

/// The control endpoints: who may ask, and what is answered.
#[derive(Clone)]
pub struct Control {
    /// What is shown.
    pub sampler: Arc<Sampler>,
    rules: Arc<Rules>,
    authorizer: Arc<dyn Authorizer>,
    stat_path: Arc<str>,
    parts: Arc<Parts>,
    ledger: Arc<Mutex<Ledger>>,
    begun: Now,
    log: Log,
}

impl Control {
    /// Endpoints of a server that begins now.
    pub fn new(
        options: &Options,
        authorizer: Arc<dyn Authorizer>,
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
            ports: options.ports,
            web_tls: options.tls.is_some(),
        };
        let rules = Rules { trusted: options.trusted.clone(), demand: authorizer.demand(Action::Control) };
        Control {
            sampler: Arc::new(Sampler::new(hub, about, begun)),
            rules: Arc::new(rules),
            authorizer,
            stat_path: options.stat_path.as_str().into(),
            parts,
            ledger,
            begun,
            log,
        }
    }

    /// The endpoint `stat`, `api` or `metrics`.
    pub fn endpoint(&self, name: &'static str) -> Arc<Endpoint> {
        let control = self.clone();
        Arc::new(Endpoint {
            name,
            server: if name == "stat" { concat!("msconv/", env!("CARGO_PKG_VERSION")) } else { "mediamtx" },
            limits: Limits::default(),
            registry: self.sampler.registry().clone(),
            log: self.log.clone(),
            answer: Box::new(move |asked| control.answer(name, asked)),
        })
    }

    fn answer(&self, endpoint: &'static str, asked: &IncomingRequest<'_>) -> ReplyFuture {
        let question = Request::new(asked.method, asked.target);
        if question.reads() && question.path == "/health" {
            return Reply::from(self.parts.answer()).into();
        }
        let remote = asked.remote;
        let field = |name: HeaderName| asked.headers.get(name).and_then(|value| value.to_str().ok());
        let verdict = self.rules.check(&Sender {
            remote: remote.ip(),
            host: field(HOST),
            origin: field(ORIGIN),
            authorization: field(AUTHORIZATION),
        });
        match verdict {
            Permission::Yes => self.serve(endpoint, &question, asked.body, remote).into(),
            Permission::Ask => {
                self.refuse(endpoint, remote, &Denied::NeedsCredentials(Action::Control)).into()
            }
            Permission::No(why) => self.refuse(endpoint, remote, &Denied::Because(why.into())).into(),
            Permission::Shown(shown) => {
                let (control, body) = (self.clone(), asked.body.to_vec());
                Box::pin(async move {
                    let request = control_by(shown, remote);
                    match auth::ask(&*control.authorizer, request, PATIENCE).await {
                        Ok(_) => control.serve(endpoint, &question, &body, remote),
                        Err(denied) => control.refuse(endpoint, remote, &denied),
                    }
                })
            }
        }
    }

    /// Answers somebody who may ask.
    fn serve(&self, endpoint: &str, question: &Request, body: &[u8], remote: SocketAddr) -> Reply {
        let now = Now::read();
        if endpoint == "api" && question.path.starts_with(own::PREFIX) {
            if question.method == "GET" && question.path == own::SERVER {
                return own::json(200, &listing::listing(&self.sampler.view(now))).into();
            }
            let applications = self.sampler.applications();
            return own::answer(self.sampler.hub(), applications, question, body, now).into();
        }
        let view = if endpoint == "metrics" { self.sampler.whole_view(now) } else { self.sampler.view(now) };
        let answer = match (endpoint, question.path.as_str()) {
            ("stat", path) if question.reads() && path == &*self.stat_path => {
                Response::ok("text/xml", super::endpoint::stat::page(&view))
            }
            ("metrics", "/metrics") if question.reads() => super::endpoint::metrics::answer(&view, question),
            ("api", _) => super::endpoint::api::answer(&view, question, &mut |kind, id| {
                let found = self.sampler.registry().find(kind, id);
                if let Some(client) = &found {
                    self.log.info(format_args!("{remote} kicks the {} {id} ({})", kind.name, client.remote));
                    client.kick();
                }
                found.is_some()
            }),
            ("metrics", _) => super::endpoint::api::nowhere(),
            _ => Response { status: 404, content_type: "text/plain", body: "404 not found\n".into() },
        };
        answer.into()
    }

    /// The refusal of somebody who may not ask.
    fn refuse(&self, endpoint: &str, remote: SocketAddr, denied: &Denied) -> Reply {
        let now = Now::read().mono.saturating_duration_since(self.begun.mono);
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if ledger.shut_out(remote.ip(), now) {
            return refusal(403, "too many failed attempts from this address");
        }
        match denied {
            Denied::NeedsCredentials(_) => refusal(401, "authentication error"),
            Denied::Wrong | Denied::WrongKey | Denied::UnknownKey | Denied::Refused(_) => {
                ledger.failed(remote.ip(), now);
                self.log.warn(format_args!("{endpoint}: wrong password from {remote}"));
                Reply { wait: pause(random()), ..refusal(401, "authentication error") }
            }
            Denied::Late => {
                self.sampler.registry().broke("control_authentication_time");
                refusal(503, &denied.to_string())
            }
            Denied::NeedsKey | Denied::ShutOut | Denied::Outside | Denied::Because(_) => {
                refusal(403, &denied.to_string())
            }
        }
    }
}

/// The question whether somebody who shows this may use the control endpoints.
fn control_by(shown: Shown, remote: SocketAddr) -> auth::Request {
    auth::Request {
        action: Action::Control,
        protocol: Protocol::Control,
        application: String::new(),
        name: Secret::new(""),
        query: Secret::new(""),
        shown,
        address: remote.ip(),
        caller: auth::Caller::default(),
    }
}

fn refusal(status: u16, why: &str) -> Reply {
    Reply {
        answer: super::endpoint::api::error(status, why),
        challenge: (status == 401).then_some("Basic realm=\"msconv\""),
        wait: Duration::ZERO,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Access, Credentials, Demand};
    use crate::config::{Environment, Layer, Settings};
    use crate::hub::{Limits as HubLimits, Registry};
    use hyper::HeaderMap;

    /// Never answers.
    #[derive(Debug)]
    struct Silent;

    impl Authorizer for Silent {
        fn authorize(&self, _: auth::Request) -> auth::Answer {
            Box::pin(std::future::pending())
        }

        fn demand(&self, _: Action) -> Demand {
            Demand::Login
        }
    }

    fn control(authorizer: Arc<dyn Authorizer>) -> Control {
        let dir = tempfile::tempdir().unwrap();
        let flags = Layer::flags(std::iter::empty::<(&'static str, Option<String>)>());
        let settings = Settings::load(flags, &Environment::made(&[], dir.path())).unwrap();
        let options = Options::of(&settings, &mut std::io::empty()).unwrap();
        let hub = Hub::new(Registry::default(), HubLimits::default());
        Control::new(&options, authorizer, hub, Arc::default(), Arc::default(), Log::silent())
    }

    /// What a stranger gets who asks for the list of streams.
    fn ask(control: &Control, password: Option<&'static str>) -> ReplyFuture {
        let mut headers = HeaderMap::new();
        if let Some(coded) = password {
            headers.insert(AUTHORIZATION, coded.parse().unwrap());
        }
        let remote = "192.0.2.1:4000".parse().unwrap();
        let (method, target) = ("GET", "/v3/paths/list");
        control.answer("api", &IncomingRequest { remote, method, target, headers: &headers, body: b"" })
    }

    /// `bob:pw` and `bob:no`.
    const RIGHT: &str = "Basic Ym9iOnB3";
    const WRONG: &str = "Basic Ym9iOm5v";

    #[tokio::test]
    async fn strangers_show_the_publish_credentials() {
        let publish = Some(Credentials::new("bob", "pw"));
        let control = control(Arc::new(Access { publish, ..Access::default() }));
        assert_eq!(ask(&control, Some(RIGHT)).await.answer.status, 200);
        let told = ask(&control, None).await;
        assert_eq!((told.answer.status, told.wait), (401, Duration::ZERO));
        for _ in 0..10 {
            let told = ask(&control, Some(WRONG)).await;
            assert_eq!(told.answer.status, 401);
            assert!(told.challenge.is_some() && told.wait >= Duration::from_millis(500));
        }
        assert_eq!(ask(&control, None).await.answer.status, 403, "shut out");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_decides_has_a_time_limit() {
        let control = control(Arc::new(Silent));
        let begun = tokio::time::Instant::now();
        assert_eq!(ask(&control, Some(RIGHT)).await.answer.status, 503);
        assert_eq!(begun.elapsed(), PATIENCE);
        assert_eq!(control.sampler.registry().broken_limits()["control_authentication_time"], 1);
        // Who is asked for nothing waits for nothing.
        assert_eq!(ask(&control, None).await.answer.status, 401);
    }
}
