//! `/api/v1/load`: what the machine and each stream take; now, before, and as it goes on.

use super::caller::Caller;
use super::input::Query;
use super::sse;
use super::{Api, Outcome};
use crate::base::clock::now_ms;
use crate::platform::Refusal;
use crate::platform::load::moment::{Moment, Step};
use crate::platform::load::{SPAN, STEP};
use crate::platform::operators::Scope;
use crate::server::web::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json as Answer};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// How far back.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// Seconds; less than 2 are 2, and more than 900 are 900 [default: 900]
    seconds: Option<String>,
}

/// What was seen before.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct History {
    /// How far back it goes
    seconds: u64,
    /// Seconds between two looks
    step_s: u64,
    /// What was seen, the oldest first
    items: Vec<Step>,
}

fn not_yet() -> Problem {
    let why = "nothing has been seen yet";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_yet", why).retry_after(STEP)
}

/// What the machine and each stream take, at the last look; there is one every two seconds.
#[utoipa::path(get, path = "/api/v1/load", tag = "load",
    responses((status = 200, body = Moment), (status = 401), (status = 403), (status = 503)))]
pub async fn now(State(api): State<Api>, Extension(caller): Extension<Caller>) -> Outcome<Answer<Moment>> {
    caller.needs(Scope::Read)?;
    let moment = api.0.load.last().ok_or_else(not_yet)?;
    Ok(Answer(Moment::clone(&moment)))
}

/// What the machine took in the last quarter of an hour.
#[utoipa::path(get, path = "/api/v1/load/history", tag = "load", params(HistoryQuery),
    responses((status = 200, body = History), (status = 401), (status = 403), (status = 422)))]
pub async fn history(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<HistoryQuery>,
) -> Outcome<Answer<History>> {
    caller.needs(Scope::Read)?;
    let seconds = match query.seconds.as_deref() {
        None => SPAN.as_secs(),
        Some(text) => {
            let wrong = || Refusal::wrong("seconds", "it is a number of seconds");
            let asked: u64 = text.parse().map_err(|_| wrong())?;
            asked.clamp(STEP.as_secs(), SPAN.as_secs())
        }
    };
    let since_ms = now_ms().saturating_sub(i64::try_from(seconds).unwrap_or(0).saturating_mul(1000));
    Ok(Answer(History { seconds, step_s: STEP.as_secs(), items: api.0.load.since(since_ms) }))
}

/// What the machine and each stream take, as it goes on: an event each two seconds, beginning with the last look.
#[utoipa::path(get, path = "/api/v1/load/live", tag = "load",
    responses((status = 200, content((String = "text/event-stream"))), (status = 401), (status = 403), (status = 503)))]
pub async fn live(State(api): State<Api>, Extension(caller): Extension<Caller>) -> Outcome<Response> {
    caller.needs(Scope::Read)?;
    let listener = api.0.listeners.clone().try_acquire_owned().map_err(|_| {
        let why = "as many listen as may";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many", why).retry_after(Duration::from_secs(10))
    })?;
    let (sse, body) = sse::channel();
    let (mut seen, mut shutdown) = (api.0.load.follow(), api.0.shutdown.clone());
    seen.mark_changed();
    tokio::spawn(async move {
        let _listener = listener;
        loop {
            tokio::select! {
                changed = seen.changed() => if changed.is_err() { return },
                () = sse.gone() => return,
                _ = shutdown.wait_for(|down| *down) => return,
            }
            let Some(moment) = seen.borrow_and_update().clone() else { continue };
            let Ok(json) = serde_json::to_string(&*moment) else { return };
            if sse.send(None, Some("load"), &json).await.is_none() {
                return;
            }
        }
    });
    Ok(body)
}
