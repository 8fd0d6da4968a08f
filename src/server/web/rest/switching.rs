//! Switching the source of a stream on and off.

use super::caller::Caller;
use super::shown::ShownStream;
use super::streams::{owned, version};
use super::{Api, Outcome, airing_of};
use crate::platform::{Stream, air};
use axum::extract::{Path, State};
use axum::http::header::ETAG;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Answer};

/// Switches the stream's source on.
#[utoipa::path(post, path = "/api/v1/streams/{id}/start", tag = "streams",
    responses((status = 202, body = ShownStream), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub async fn start(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Outcome<Response> {
    let stream = owned(&api, &caller, &id)?;
    let on_air = air::is_live(api.hub(), &stream.slug);
    let stream = api.kept().start_source(&stream.public_id, on_air).await?;
    api.audit(&caller, format_args!("switches the source of {} on", stream.public_id));
    Ok(accepted(&api, &caller, &stream, &headers))
}

/// Switches the stream's source off.
#[utoipa::path(post, path = "/api/v1/streams/{id}/stop", tag = "streams",
    responses((status = 202, body = ShownStream), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub async fn stop(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Outcome<Response> {
    let stream = owned(&api, &caller, &id)?;
    let stream = api.kept().stop_source(&stream.public_id).await?;
    api.audit(&caller, format_args!("switches the source of {} off", stream.public_id));
    Ok(accepted(&api, &caller, &stream, &headers))
}

fn accepted(api: &Api, caller: &Caller, stream: &Stream, headers: &HeaderMap) -> Response {
    let airing = airing_of(api, &stream.slug);
    let seen = api.0.addresses.seen(headers);
    let shown = ShownStream::registered(api, stream, airing.as_ref(), &seen, caller);
    (StatusCode::ACCEPTED, [(ETAG, version(stream))], Answer(shown)).into_response()
}
