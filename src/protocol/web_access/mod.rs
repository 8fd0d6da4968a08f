//! Who may watch and publish over HTTP: the same question for HLS, WHEP and WHIP, and its answer as a status.

pub mod login;
pub mod path;
pub mod reply;

use crate::auth::{
    self, Action, Authorizer, Caller, Demand, Denied, Grant, Ledger, PATIENCE, Protocol, pause,
};
use crate::base::secret::Secret;
use crate::model::StreamName;
use crate::model::secret_word::is_secret;
use crate::telemetry::Log;
use axum::http::header::{AUTHORIZATION, HOST, HeaderValue, REFERER, USER_AGENT};
use axum::http::{HeaderMap, StatusCode};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// See the module.
pub struct Gate {
    authorizer: Arc<dyn Authorizer>,
    ledger: Arc<Mutex<Ledger>>,
    log: Log,
    begun: Instant,
}

/// What is asked for.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// What is to be done.
    pub action: Action,
    /// How.
    pub protocol: Protocol,
    /// Of which stream, as it was named.
    pub stream: &'a StreamName,
    /// The query of the request.
    pub query: &'a str,
    /// Its fields.
    pub headers: &'a HeaderMap,
    /// Where it comes from.
    pub remote: IpAddr,
}

/// Between which addresses a request's connection goes.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// The other end's.
    pub remote: SocketAddr,
    /// Our own.
    pub local: SocketAddr,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turned {
    /// The status of the answer.
    pub status: StatusCode,
    /// One lowercase sentence.
    pub why: String,
}

impl Gate {
    /// One that begins now.
    pub fn new(authorizer: Arc<dyn Authorizer>, ledger: Arc<Mutex<Ledger>>, log: Log) -> Gate {
        Gate { authorizer, ledger, log, begun: Instant::now() }
    }

    /// What has to be shown for `action`.
    pub fn demand(&self, action: Action) -> Demand {
        self.authorizer.demand(action)
    }

    /// Whether something has to be shown for `action`.
    pub fn restricted(&self, action: Action) -> bool {
        self.authorizer.demand(action) != Demand::Nothing
    }

    /// The public name of the stream and who asks, if it may be done. A wrong guess is answered after a while.
    ///
    /// # Errors
    /// Why not.
    pub async fn ask(&self, question: Question<'_>) -> Result<Grant, Turned> {
        let Question { action, protocol, stream, query, headers, remote } = question;
        let guesses = self.restricted(action) || is_secret(&stream.name);
        if guesses && self.ledger().shut_out(remote, self.begun.elapsed()) {
            return Err(Turned { status: StatusCode::FORBIDDEN, why: Denied::ShutOut.to_string() });
        }
        let credentials = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let request = auth::Request {
            action,
            protocol,
            application: stream.application.clone(),
            name: Secret::new(stream.name.clone()),
            query: Secret::new(query),
            shown: login::shown(credentials, query),
            address: remote,
            caller: caller(headers, stream),
        };
        let denied = match auth::ask(&*self.authorizer, request, PATIENCE).await {
            Ok(grant) => return Ok(grant),
            Err(denied) => denied,
        };
        if denied.is_guess() {
            if denied.counts(remote) {
                self.ledger().failed(remote, self.begun.elapsed());
            }
            self.log.warn(format_args!("{}: {remote}: {denied}", word(protocol)));
            tokio::time::sleep(pause(uuid::Uuid::new_v4().as_fields().0)).await;
        }
        let status = match denied {
            Denied::NeedsCredentials(_)
            | Denied::NeedsKey
            | Denied::Wrong
            | Denied::WrongKey
            | Denied::UnknownKey => StatusCode::UNAUTHORIZED,
            Denied::Late => StatusCode::SERVICE_UNAVAILABLE,
            Denied::Refused(_) | Denied::ShutOut | Denied::Outside | Denied::Because(_) => {
                StatusCode::FORBIDDEN
            }
        };
        Err(Turned { status, why: denied.to_string() })
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest field that is passed on, in bytes.
const LONGEST_FIELD: usize = 256;

/// What a client says of itself.
fn caller(headers: &HeaderMap, stream: &StreamName) -> Caller {
    let field = |name| {
        let value = headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        value.filter(|text| text.len() <= LONGEST_FIELD).unwrap_or_default().to_string()
    };
    let host = field(HOST);
    let url = if host.is_empty() { String::new() } else { format!("http://{host}/{stream}") };
    Caller { agent: field(USER_AGENT), url: Secret::new(url), page: field(REFERER), ..Caller::default() }
}

/// What stands before a line of the log.
const fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Rtmp => "rtmp",
        Protocol::Rtsp => "rtsp",
        Protocol::Hls => "hls",
        Protocol::WebRtc => "webrtc",
        Protocol::Control => "control",
    }
}
