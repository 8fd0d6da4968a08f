//! The API of the platform: `/api/v1`, and the paths that other programs know.

mod addresses;
mod caller;
pub mod chat;
mod compat;
mod events;
mod hooks;
mod input;
mod load;
mod openapi;
mod origin;
mod session;
mod shown;
mod sources;
mod sse;
mod stats;
mod strangers;
mod streams;
mod switching;
mod tokens;

use super::problem::Problem;
use crate::auth::{Access, Authorizer, Ledger};
use crate::base::clock::Now;
use crate::base::{Failure, Kind};
use crate::config::serve::Serve;
use crate::hub::{self, Hub, Registry};
use crate::platform::hooks::sending::Post;
use crate::platform::load::Load;
use crate::platform::statistics::Statistics;
use crate::platform::{Kept, Refusal};
use crate::server::endpoint::permission::Rules;
use crate::server::hook_post::Poster;
use crate::server::options::Options;
use crate::server::webrtc;
use crate::store::{Fault, Place, Store};
use crate::telemetry::Log;
use addresses::Addresses;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use input::LARGEST_BODY;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use strangers::Strangers;
use tokio::sync::{Semaphore, oneshot, watch};
use tower::ServiceExt;

/// What answers. Cloning shares it.
#[derive(Clone)]
pub struct Api(Arc<Inside>);

struct Inside {
    kept: Kept,
    hub: Hub,
    rules: Rules,
    authorizer: Arc<dyn Authorizer>,
    ledger: Arc<Mutex<Ledger>>,
    log: Log,
    begun: Instant,
    addresses: Addresses,
    open_registration: bool,
    strangers: Strangers,
    statistics: Statistics,
    load: Load,
    /// What tries webhooks out.
    post: Arc<dyn Post>,
    /// Who may listen to events.
    listeners: Arc<Semaphore>,
    shutdown: watch::Receiver<bool>,
}

/// Most who listen to events at once.
const LISTENERS: usize = 64;

/// What an answer that went wrong is.
type Outcome<T> = Result<T, Problem>;

impl Api {
    /// Of a server.
    pub fn new(options: &Options, kept: Kept, parts: &webrtc::Parts<'_>) -> Api {
        let demand = parts.authorizer.demand(crate::auth::Action::Control);
        Api(Arc::new(Inside {
            kept,
            hub: parts.hub.clone(),
            rules: Rules { trusted: options.trusted.clone(), demand },
            authorizer: parts.authorizer.clone(),
            ledger: parts.ledger.clone(),
            log: parts.log.clone(),
            begun: Instant::now(),
            addresses: Addresses::of(options),
            open_registration: options.open_registration,
            strangers: Strangers::default(),
            statistics: Statistics::default(),
            load: Load::default(),
            post: Arc::new(Poster::default()),
            listeners: Arc::new(Semaphore::new(LISTENERS)),
            shutdown: parts.shutdown.clone(),
        }))
    }

    /// Without a server: nothing is on the air.
    fn without_server(told: &Serve, kept: Kept) -> Api {
        Api(Arc::new(Inside {
            kept,
            hub: Hub::new(Registry::default(), hub::Limits::default()),
            rules: Rules::default(),
            authorizer: Arc::new(Access::default()),
            ledger: Arc::default(),
            log: Log::silent(),
            begun: Instant::now(),
            addresses: Addresses::told(told),
            open_registration: false,
            strangers: Strangers::default(),
            statistics: Statistics::default(),
            load: Load::default(),
            post: Arc::new(Poster::default()),
            listeners: Arc::new(Semaphore::new(0)),
            shutdown: watch::channel(false).1,
        }))
    }

    /// What streams have carried, to be followed by somebody.
    pub fn statistics(&self) -> &Statistics {
        &self.0.statistics
    }

    /// What the machine and the streams take, to be looked at by somebody.
    pub fn load(&self) -> &Load {
        &self.0.load
    }

    /// Whether it lacks the database that other servers share with it.
    pub fn readiness(&self) -> super::health::Ready {
        let kept = self.0.kept.clone();
        Arc::new(move || {
            let lacks = matches!(kept.place(), Place::Postgres(_)) && !kept.is_reachable();
            lacks.then(|| Refusal::Away("it was not there a moment ago".into()).into())
        })
    }

    /// What encoders are given as the server, as a request with these fields sees it.
    pub fn server_of_encoders(&self) -> super::pages::ServerOfEncoders {
        let addresses = self.0.addresses.clone();
        Arc::new(move |headers| addresses.seen(headers).rtmp())
    }

    pub(in crate::server) fn kept(&self) -> &Kept {
        &self.0.kept
    }

    fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// A line about who changed what.
    fn audit(&self, who: &caller::Caller, what: std::fmt::Arguments<'_>) {
        self.0.log.info(format_args!("api: {who} {what}"));
    }
}

/// Every route over a database that no server need have open.
pub struct WithoutServer {
    routes: Router,
    kept: Kept,
    /// Ends the one who writes events down.
    _done: oneshot::Sender<()>,
}

impl WithoutServer {
    /// The answer to a request, once what happened by it is written down.
    pub async fn answer(&self, request: Request) -> Response {
        let Ok(answer) = self.routes.clone().oneshot(request).await;
        self.kept.events().written().await;
        answer
    }
}

/// For whoever runs this program.
///
/// # Errors
/// The database cannot be opened.
pub async fn without_server(told: &Serve, place: &Place) -> crate::base::Outcome<WithoutServer> {
    let failed = |fault: Fault| {
        let kind = if fault.passes() { Kind::Server } else { Kind::Usage };
        Failure::new(kind, "the database cannot be used").why(fault.to_string())
    };
    let kept = Kept::new(Store::lazy(place).map_err(failed)?);
    kept.open().await.map_err(failed)?;
    let (done, over) = oneshot::channel();
    let writing = kept.clone();
    tokio::spawn(async move { writing.write_events(Log::silent(), over).await });
    Ok(WithoutServer { routes: routes(Api::without_server(told, kept.clone())), kept, _done: done })
}

/// Every route.
pub fn routes(api: Api) -> Router {
    let (described, _) = openapi::routes().split_for_parts();
    described
        .route("/api/openapi.json", axum::routing::get(openapi::document))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state(api.clone(), with_caller))
        .with_state(api)
}

/// Finds out who asks before anything is done.
async fn with_caller(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    match caller::of(&api, &head).await {
        Ok(caller) => {
            head.extensions.insert(caller);
            next.run(Request::from_parts(head, body)).await
        }
        Err(problem) => problem.at(head.uri.path()).into_response(),
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let (status, code) = match &refusal {
            Refusal::Missing(_) => (StatusCode::NOT_FOUND, "not_found"),
            Refusal::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            Refusal::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
            Refusal::Outdated => (StatusCode::PRECONDITION_FAILED, "outdated"),
            Refusal::Unknown => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Refusal::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
            Refusal::Often(_) => (StatusCode::TOO_MANY_REQUESTS, "too_often"),
            Refusal::Away(_) => (StatusCode::SERVICE_UNAVAILABLE, "database_away"),
        };
        let problem = Problem::new(status, code, refusal.to_string());
        match refusal {
            Refusal::Invalid(wrong) => problem.fields(wrong),
            Refusal::Often(wait) => problem.retry_after(wait),
            Refusal::Away(_) => problem.retry_after(std::time::Duration::from_secs(3)),
            _ => problem,
        }
    }
}

/// What is on the air at this moment.
fn airing(api: &Api) -> Vec<crate::platform::air::Airing> {
    crate::platform::air::airing(api.hub(), Now::read())
}

/// The same of one ladder.
fn airing_of(api: &Api, key: &str) -> Option<crate::platform::air::Airing> {
    crate::platform::air::airing_of(api.hub(), key, Now::read())
}
