//! The authorizer that asks the back end.

use super::admitted::Admitted;
use super::answer::{Allowed, HttpAnswer, HttpRequest, Verdict};
use super::ask::Ask;
use super::memory::{Fingerprint, Memory, fingerprint};
use super::target::Target;
use crate::auth::{Action, Answer, Authorizer, Demand, Denied, Grant, Limits, Protocol, Request, Shown};
use crate::base::clock::{Now, now_ms, spoken};
use crate::base::secret::{MASK, Secret};
use crate::hub::Hub;
use crate::model::StreamName;
use crate::model::stream_name::is_name;
use crate::telemetry::Log;
use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Questions that may be open at once. Whoever comes then is told to try again.
pub const MOST_OPEN: usize = 64;

/// The user whose password may be a key.
const PUBLISHER: &str = "publish";

/// Why there is no answer: one lowercase sentence without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence(pub String);

/// An answer that is waited for.
pub type Posted = Pin<Box<dyn Future<Output = Result<HttpAnswer, Silence>> + Send>>;

/// Carries requests to the back end: without following redirects, and with a bounded answer.
pub trait Post: Debug + Send + Sync {
    /// Sends one.
    fn post(&self, request: HttpRequest) -> Posted;
}

/// What the back end decides, and what its answers are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether it decides about publishing.
    pub publish: bool,
    /// Whether it decides about reading.
    pub read: bool,
    /// How long it may take.
    pub timeout: Duration,
    /// How long an answer holds for the same question.
    pub cache: Duration,
    /// Whether what it allowed within a day is allowed while it is silent.
    pub allow_known: bool,
}

/// Asks a back end who may publish and read. What it does not decide, and whoever shows the server's own password, is decided by
/// the authorizer behind it.
#[derive(Clone, Debug)]
pub struct Admission(Arc<Inside>);

struct Inside {
    target: Target,
    rules: Rules,
    behind: Arc<dyn Authorizer>,
    post: Arc<dyn Post>,
    hub: Hub,
    /// Where questions run, so that none depends on who asks it.
    runtime: Handle,
    log: Log,
    state: Mutex<State>,
    numbers: AtomicU32,
    silent: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    memory: Memory,
    open: HashMap<Fingerprint, watch::Receiver<Option<Outcome>>>,
    admitted: Admitted,
}

/// A verdict, or none.
type Outcome = Result<Verdict, ()>;

impl Admission {
    /// Of a back end; `behind` is what decides the rest.
    pub fn new(
        target: Target,
        rules: Rules,
        behind: Arc<dyn Authorizer>,
        post: Arc<dyn Post>,
        hub: Hub,
        (runtime, log): (Handle, Log),
    ) -> Admission {
        let (numbers, silent) = (AtomicU32::new(1), AtomicBool::new(false));
        let state = Mutex::default();
        Admission(Arc::new(Inside { target, rules, behind, post, hub, runtime, log, state, numbers, silent }))
    }

    /// Whether the back end is told anything beside what it is asked.
    pub fn is_told(&self) -> bool {
        self.0.target.is_told()
    }

    pub(super) fn target(&self) -> &Target {
        &self.0.target
    }

    pub(super) fn log(&self) -> &Log {
        &self.0.log
    }

    /// Sends a request within the time limit.
    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpAnswer, Silence> {
        self.0.send(request).await
    }

    /// What was asked about somebody who was let in, for [`super::notices`].
    pub(super) fn admitted<T>(&self, look: impl FnOnce(&mut Admitted) -> T) -> T {
        look(&mut self.0.state().admitted)
    }
}

impl Authorizer for Admission {
    fn authorize(&self, request: Request) -> Answer {
        let inside = self.0.clone();
        Box::pin(async move { inside.decide(request).await })
    }

    fn demand(&self, action: Action) -> Demand {
        if self.0.decides(action) { Demand::Key } else { self.0.behind.demand(action) }
    }
}

impl Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in the form {}, then {:?}", self.target.url, self.target.form.word(), self.behind)
    }
}

impl Inside {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the back end decides this.
    fn decides(&self, action: Action) -> bool {
        match action {
            Action::Publish => self.rules.publish,
            Action::Read => self.rules.read && self.target.decides_reading(),
            Action::Control => false,
        }
    }

    async fn decide(self: Arc<Self>, request: Request) -> Result<Grant, Denied> {
        if !self.decides(request.action) || request.name.reveal().is_empty() {
            return self.behind.authorize(request).await;
        }
        let with_login = self.behind.demand(request.action) == Demand::Login;
        if with_login && request.shown.is_some() {
            let own = self.behind.authorize(request.clone()).await;
            if own.is_ok() {
                return own;
            }
        }
        let request = if self.target.takes_logins() { request } else { by_its_key(request) };
        let shown = request.name.reveal().to_string();
        let (request, label) = self.about_the_ladder(request);
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let ask = Arc::new(Ask::of(&request, number, now_ms()));
        match self.verdict(&ask).await? {
            Verdict::Allowed(allowed) => {
                let name = match allowed.name {
                    Some(name) => name + label.as_deref().unwrap_or_default(),
                    None => shown,
                };
                if !is_name(&name) {
                    return Err(Denied::refused("no stream can have this name"));
                }
                let user = if allowed.user.is_empty() { ask.user.clone() } else { allowed.user };
                let stream = StreamName::new(&*ask.application, &*name);
                if self.target.is_told() {
                    self.state().admitted.expect(stream, ask);
                }
                Ok(Grant { name, user, limits: Limits { time: allowed.lifetime }, own: false })
            }
            // Programs that can be asked for the server's own password are.
            _ if with_login && !ask.shows_login() && ask.protocol != Protocol::Rtmp => {
                Err(Denied::NeedsCredentials(ask.action))
            }
            verdict => Err(denied(&ask, verdict)),
        }
    }

    /// A rendition is read by whoever may read its ladder: the question is about that, and the answer about the rendition again,
    /// by what stands behind the ladder's name in its own.
    fn about_the_ladder(&self, request: Request) -> (Request, Option<String>) {
        if request.action != Action::Read {
            return (request, None);
        }
        let name = request.name.reveal();
        let (ladder, _) = self.hub.place_of(&StreamName::new(&*request.application, name));
        let label = name.strip_prefix(ladder.key.as_str()).filter(|label| !label.is_empty());
        match label.map(str::to_string).filter(|_| !self.hub.on_air(&ladder).is_empty()) {
            Some(label) => (Request { name: Secret::new(ladder.key), ..request }, Some(label)),
            None => (request, None),
        }
    }

    /// What the back end says, now or a moment ago, to this question or an equal one.
    async fn verdict(self: &Arc<Self>, ask: &Arc<Ask>) -> Result<Verdict, Denied> {
        let mut answer = match self.open(ask)? {
            Ok(verdict) => return Ok(verdict),
            Err(answer) => answer,
        };
        // An error means that whoever asked is gone, so nobody will say anything.
        let outcome = answer.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
        if let Some(Ok(verdict)) = outcome {
            return Ok(verdict);
        }
        let known = self.state().memory.known(ask, Now::read().mono).filter(|_| self.rules.allow_known);
        known.map(|allowed: Allowed| Verdict::Allowed(Box::new(allowed))).ok_or(Denied::Late)
    }

    /// What is known already; otherwise the answer that is waited for.
    fn open(
        self: &Arc<Self>,
        ask: &Arc<Ask>,
    ) -> Result<Result<Verdict, watch::Receiver<Option<Outcome>>>, Denied> {
        let mut state = self.state();
        if let Some(verdict) = state.memory.recall(ask, self.rules.cache, Now::read().mono) {
            return Ok(Ok(verdict));
        }
        let question = fingerprint(ask);
        if let Some(answer) = state.open.get(&question) {
            return Ok(Err(answer.clone()));
        }
        if state.open.len() >= MOST_OPEN {
            drop(state);
            self.log.warn(format_args!("admission: {MOST_OPEN} questions wait for the back end already"));
            return Err(Denied::Late);
        }
        let Some(request) = self.target.question(ask) else { return Ok(Ok(Verdict::Refused(None))) };
        let (said, answer) = watch::channel(None);
        state.open.insert(question, answer.clone());
        drop(state);
        let (inside, ask) = (self.clone(), ask.clone());
        self.runtime.spawn(async move {
            let open = Open { inside: &inside, question };
            let outcome = inside.ask(&ask, request).await;
            drop(open);
            // Those who asked may have gone.
            let _ = said.send(Some(outcome));
        });
        Ok(Err(answer))
    }

    async fn ask(&self, ask: &Ask, request: HttpRequest) -> Outcome {
        let why = match self.send(request).await {
            Ok(answer) if !answer.is_fault() => {
                if self.silent.swap(false, Ordering::Relaxed) {
                    self.log.info(format_args!("admission: the back end answers again"));
                }
                let verdict = self.target.verdict(&answer, ask.shows_login(), now_ms());
                self.state().memory.keep(ask, &verdict, self.rules.cache, Now::read().mono);
                return Ok(verdict);
            }
            Ok(answer) => format!("it answers with HTTP {}", answer.status),
            Err(Silence(why)) => why,
        };
        if !self.silent.swap(true, Ordering::Relaxed) {
            let what = if self.rules.allow_known { "only what it allowed lately" } else { "nobody" };
            self.log
                .error(format_args!("admission: {} is of no use ({why}); {what} is let in", self.target.url));
        }
        Err(())
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpAnswer, Silence> {
        let patience = self.rules.timeout;
        let late = || Silence(format!("no whole answer within {}", spoken(patience)));
        tokio::time::timeout(patience, self.post.post(request)).await.unwrap_or_else(|_| Err(late()))
    }
}

/// A question that is open until this is dropped, also if it ends by a panic.
struct Open<'a> {
    inside: &'a Inside,
    question: Fingerprint,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.inside.state().open.remove(&self.question);
    }
}

/// WHIP shows a key as a token, and RTSP can as the password of `publish`: in forms that know a name alone, that is the name.
fn by_its_key(request: Request) -> Request {
    if request.action != Action::Publish {
        return request;
    }
    let key = match (&request.shown, request.protocol) {
        (Shown::Token(token), Protocol::WebRtc) => token.clone(),
        (Shown::Password { user, password }, Protocol::Rtsp | Protocol::WebRtc) if user == PUBLISHER => {
            password.clone()
        }
        _ => return request,
    };
    Request { name: key, shown: Shown::Nothing, ..request }
}

/// The refusal of what was asked. What the back end says of a key is not passed on with the key in it.
fn denied(ask: &Ask, verdict: Verdict) -> Denied {
    let key = ask.name.reveal();
    let verdict = match verdict {
        Verdict::Refused(Some(why)) if ask.publishes() && !key.is_empty() => {
            Verdict::Refused(Some(why.replace(key, MASK)))
        }
        other => other,
    };
    match (verdict, ask.action) {
        (Verdict::NeedsLogin, action) if !ask.shows_login() => Denied::NeedsCredentials(action),
        (Verdict::Refused(Some(why)), Action::Publish) => Denied::refused(&why),
        (Verdict::Refused(Some(why)), _) if ask.shows_login() => Denied::refused(&why),
        (Verdict::Refused(Some(why)), _) => Denied::because(&why),
        (_, _) if ask.shows_login() => Denied::Wrong,
        (_, Action::Publish) => Denied::WrongKey,
        // Nothing was guessed: the name of a stream is no secret to its viewers.
        _ => Denied::because("this stream is not open to everybody"),
    }
}

#[cfg(test)]
#[path = "asking_tests.rs"]
mod tests;
