//! `/api/v1/session`: the operator's browser.

use super::caller::{COOKIES, Caller, wrong};
use super::input::Json;
use super::{Api, Outcome};
use crate::auth::Denied;
use crate::base::secret::Secret;
use crate::platform::Refusal;
use crate::platform::operators::Scope;
use crate::server::web::problem::Problem;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Answer};
use serde::{Deserialize, Serialize};
use std::sync::PoisonError;
use utoipa::ToSchema;

/// How somebody signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionBody {
    /// The operator's password; with `setup`, or from this machine with `set`, it is set
    password: String,
    /// What the set-up link says
    setup: Option<String>,
    /// Sets the password; for whoever is the operator already
    #[serde(default)]
    set: bool,
}

/// Who is signed in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShownSession {
    /// Whether whoever asks is the operator
    operator: bool,
    /// Whether there is a password to sign in with
    has_password: bool,
}

/// Who asks.
#[utoipa::path(get, path = "/api/v1/session", tag = "session", responses((status = 200, body = ShownSession)))]
pub async fn show(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Outcome<Answer<ShownSession>> {
    let has_password = api.kept().has_password().await?;
    Ok(Answer(ShownSession { operator: caller.may(Scope::All), has_password }))
}

/// Signs in, or sets the password and signs in. The session is a cookie.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = SessionBody,
    responses((status = 200, body = ShownSession), (status = 401), (status = 403), (status = 422)))]
pub async fn sign_in(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<SessionBody>,
) -> Outcome<Response> {
    let shut_out = {
        let ledger = api.0.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.shut_out(caller.address, api.0.begun.elapsed())
    };
    if shut_out {
        return Err(Problem::new(StatusCode::FORBIDDEN, "shut_out", Denied::ShutOut.to_string()));
    }
    if body.set {
        caller.needs(Scope::All)?;
    }
    let outcome = match &body.setup {
        Some(setup) => api.kept().set_password(Some(setup), &body.password).await,
        None if body.set => api.kept().set_password(None, &body.password).await,
        None => api.kept().sign_in(&body.password).await,
    };
    let session = match outcome {
        Ok(session) => session,
        Err(Refusal::Unknown) => return Err(wrong(&api, caller.address).await),
        Err(refusal) => return Err(refusal.into()),
    };
    api.audit(&caller, format_args!("signs in as the operator"));
    let shown = ShownSession { operator: true, has_password: true };
    Ok(with_cookie(&api, &session, 30 * 24 * 3600, Answer(shown).into_response()))
}

/// What opens the console for the first time.
#[derive(Serialize, ToSchema)]
pub struct ShownSetup {
    /// The link; it sets the operator's password, once, for a day
    url: String,
}

/// A link that sets the operator's password and signs in. Those made before end.
#[utoipa::path(post, path = "/api/v1/session/setup", tag = "session",
    responses((status = 201, body = ShownSetup), (status = 401), (status = 503)))]
pub async fn setup(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Outcome<(StatusCode, Answer<ShownSetup>)> {
    caller.needs(Scope::All)?;
    let secret = api.kept().setup().await?;
    api.audit(&caller, format_args!("makes a set-up link"));
    // Behind the # it is sent to no server and stands in no log.
    let url = api.0.addresses.seen(&headers).web(&format!("/console#setup={}", secret.reveal()));
    Ok((StatusCode::CREATED, Answer(ShownSetup { url })))
}

/// Signs out.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", responses((status = 204)))]
pub async fn sign_out(State(api): State<Api>, Extension(caller): Extension<Caller>) -> Outcome<Response> {
    if let Some(session) = &caller.session {
        api.kept().sign_out(session.reveal()).await?;
    }
    Ok(with_cookie(&api, &Secret::new(""), 0, StatusCode::NO_CONTENT.into_response()))
}

fn with_cookie(api: &Api, session: &Secret, seconds: u32, mut response: Response) -> Response {
    let [bound, plain] = COOKIES;
    let (name, secure) = if api.0.addresses.tls() { (bound, "; Secure") } else { (plain, "") };
    let session = session.reveal();
    let cookie = format!("{name}={session}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, value);
    }
    response
}
