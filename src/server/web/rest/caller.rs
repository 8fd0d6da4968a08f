//! Who asks: this machine and trusted networks are the operator, a browser that has signed in and a program with a token as
//! well, an owner shows the private id, and everybody else is anybody.

use super::origin::{host, is_foreign};
use super::{Api, Outcome};
use crate::auth::{self, Action, Demand, Denied, PATIENCE, Protocol, Shown, pause};
use crate::base::secret::Secret;
use crate::model::secret_word::Purpose;
use crate::platform::operators::{Holder, Scope};
use crate::platform::{Kept, Refusal, Stream};
use crate::protocol::web_access::Connection;
use crate::server::endpoint::permission::{Permission, Sender};
use crate::server::web::problem::Problem;
use axum::http::header::{AUTHORIZATION, COOKIE, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::PoisonError;

/// The cookie of a browser that has signed in; over https with the prefix that binds it to the host.
pub const COOKIES: [&str; 2] = ["__Host-msconv", "msconv_session"];
/// Fields that a proxy adds: what comes through one does not come from this machine.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// See the module.
#[derive(Clone)]
pub struct Caller {
    /// Where it comes from.
    pub address: IpAddr,
    /// What the operator may do here; none if it is somebody else.
    scopes: BTreeSet<Scope>,
    /// Whether it is the operator only because it asks from this machine or a trusted network.
    by_place: bool,
    /// The private id that was shown.
    private: Option<Secret>,
    /// The session that was shown.
    pub session: Option<Secret>,
}

impl Caller {
    /// Whether it is the operator, and may do this.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&Scope::All) || self.scopes.contains(&scope)
    }

    /// Whether it may see what the operator sees.
    pub fn sees_all(&self) -> bool {
        !self.scopes.is_empty()
    }

    /// Whether it is the operator by what it shows, and not only by where it is.
    pub fn has_shown(&self, scope: Scope) -> bool {
        self.may(scope) && !self.by_place
    }

    /// Whether it shows the private id of this stream.
    pub fn owns(&self, stream: &Stream) -> bool {
        self.private.as_ref().is_some_and(|shown| Kept::owns(stream, shown.reveal()))
    }

    /// Whether it shows any private id.
    pub fn shows_private_id(&self) -> bool {
        self.private.is_some()
    }

    /// Refuses whoever is not the operator, or may not do this.
    pub fn needs(&self, scope: Scope) -> Outcome<()> {
        if self.may(scope) {
            return Ok(());
        }
        Err(if self.scopes.is_empty() {
            Refusal::Unknown.into()
        } else {
            Refusal::Forbidden(format!("this token lacks the scope `{}`", scope.word())).into()
        })
    }

    /// Refuses whoever is neither the operator nor the owner.
    pub fn needs_owner(&self, stream: &Stream, scope: Scope) -> Outcome<()> {
        match self.owns(stream) {
            true => Ok(()),
            false if self.private.is_some() && !self.may(scope) => {
                Err(Refusal::Forbidden("this private id is not that of the stream".into()).into())
            }
            false => self.needs(scope),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = if !self.scopes.is_empty() {
            "operator"
        } else if self.private.is_some() {
            "owner"
        } else {
            "anybody"
        };
        write!(f, "{who} at {}", self.address)
    }
}

/// Who sends a request.
///
/// # Errors
/// A page of another origin that wants to change something, and whatever was shown if it is wrong.
pub async fn of(api: &Api, head: &Parts) -> Outcome<Caller> {
    let foreign = is_foreign(head);
    let address = head
        .extensions
        .get::<Connection>()
        .map_or(IpAddr::from([127, 0, 0, 1]), |ends| ends.remote.ip().to_canonical());
    let changes = !matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS)
        || head.uri.path() == "/start_stream";
    if foreign && changes {
        let why = "requests of other web pages change nothing here";
        return Err(Problem::new(StatusCode::FORBIDDEN, "foreign_page", why));
    }
    known(api, &head.headers, host(head), address, foreign).await
}

/// Who shows and is what, wherever the request goes.
///
/// # Errors
/// Whatever was shown is wrong.
pub async fn known(
    api: &Api,
    headers: &HeaderMap,
    host: Option<&str>,
    address: IpAddr,
    foreign: bool,
) -> Outcome<Caller> {
    let field = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let mut caller =
        Caller { address, scopes: BTreeSet::new(), by_place: false, private: None, session: None };
    if let Some(shown) = private_id(headers) {
        caller.private = Some(shown);
    }
    if let Some(shown) = field(AUTHORIZATION) {
        return by_credentials(api, caller, shown).await;
    }
    if let Some(session) = cookie(headers).filter(|_| !foreign)
        && let Holder::Operator(scopes) = api.kept().holder(session.reveal()).await?
    {
        caller.scopes = scopes;
        caller.session = Some(session);
        return Ok(caller);
    }
    let through_a_proxy = FORWARDED.iter().any(|name| headers.contains_key(*name));
    let sender = Sender { remote: address, host, origin: field(ORIGIN), authorization: None };
    if !foreign && !through_a_proxy && api.0.rules.check(&sender) == Permission::Yes {
        caller.scopes = BTreeSet::from([Scope::All]);
        caller.by_place = true;
    }
    Ok(caller)
}

/// By a token, a private id, or the password of publishers, which opens the control endpoints as well.
async fn by_credentials(api: &Api, mut caller: Caller, header: &str) -> Outcome<Caller> {
    let shown = Shown::bearer(header).or_else(|| Shown::basic(header));
    if api
        .0
        .ledger
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .shut_out(caller.address, api.0.begun.elapsed())
    {
        return Err(Problem::new(StatusCode::FORBIDDEN, "shut_out", Denied::ShutOut.to_string()));
    }
    let right = match shown {
        Some(Shown::Token(token)) => match Purpose::of(token.reveal()) {
            Some(Purpose::Private) => {
                caller.private = Some(token);
                return Ok(caller);
            }
            Some(Purpose::Token | Purpose::Session) => match api.kept().holder(token.reveal()).await? {
                Holder::Operator(scopes) => {
                    caller.scopes = scopes;
                    return Ok(caller);
                }
                Holder::Nobody => false,
            },
            _ => by_password(api, caller.address, Shown::Token(token)).await?,
        },
        Some(shown) => by_password(api, caller.address, shown).await?,
        None => false,
    };
    if !right {
        return Err(wrong(api, caller.address).await);
    }
    caller.scopes = BTreeSet::from([Scope::All]);
    Ok(caller)
}

/// Whether this is the password that opens the control endpoints.
async fn by_password(api: &Api, address: IpAddr, shown: Shown) -> Outcome<bool> {
    let request = auth::Request {
        action: Action::Control,
        protocol: Protocol::Control,
        application: String::new(),
        name: Secret::new(""),
        query: Secret::new(""),
        shown,
        address,
        caller: auth::Caller::default(),
    };
    if api.0.authorizer.demand(Action::Control) == Demand::Nothing {
        return Ok(false);
    }
    match auth::ask(&*api.0.authorizer, request, PATIENCE).await {
        Ok(_) => Ok(true),
        Err(Denied::Late) => {
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "late", Denied::Late.to_string()))
        }
        Err(_) => Ok(false),
    }
}

/// The answer to a wrong guess, after a while; it is written down.
pub async fn wrong(api: &Api, address: IpAddr) -> Problem {
    api.0.ledger.lock().unwrap_or_else(PoisonError::into_inner).failed(address, api.0.begun.elapsed());
    api.0.log.warn(format_args!("api: {address} showed a wrong password or token"));
    tokio::time::sleep(pause(uuid::Uuid::new_v4().as_fields().0)).await;
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "the password or token is wrong")
}

/// `Private-Id` or `X-Private-Id`.
fn private_id(headers: &HeaderMap) -> Option<Secret> {
    let shown = ["private-id", "x-private-id"].iter().find_map(|name| headers.get(*name));
    let shown = shown?.to_str().unwrap_or_default().trim();
    Some(Secret::new(shown))
}

/// The session of a browser.
fn cookie(headers: &HeaderMap) -> Option<Secret> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let value = pairs.find_map(|(name, value)| COOKIES.contains(&name).then_some(value))?;
    Some(Secret::new(value))
}
