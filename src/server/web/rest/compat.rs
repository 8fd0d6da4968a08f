//! The paths of programs that were there before: a list, a start, a look, a stop, and the question about a key.

use super::caller::Caller;
use super::input::Query;
use super::shown::{ShownRendition, rendition};
use super::streams::{end, found, register};
use super::{Api, Outcome, airing};
use crate::base::clock::{now_ms, rfc3339};
use crate::platform::air::{AirState, Airing, OnAirRendition, fitting};
use crate::platform::operators::Scope;
use crate::platform::registration::Said;
use crate::platform::{ReadPolicy, Refusal, Stream, secrets};
use crate::server::web::problem::Problem;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::{Extension, Json as Answer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// A line of the list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ListedStream {
    /// Its title
    name: String,
    /// The id of a registered stream; of any other its name
    public_id: String,
    /// `live`; with `state=all` also `waiting` and `ended`
    #[schema(value_type = String)]
    state: AirState,
    /// Who watches now
    viewers: usize,
    /// Since when (RFC 3339)
    started_at: Option<String>,
    /// More about it
    href: String,
    /// Its page
    page: String,
    /// A picture of it
    thumbnail: String,
}

/// Which streams.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// `live` (the default) or `all`
    state: Option<String>,
}

/// What is live.
#[utoipa::path(get, path = "/streams", tag = "paths", params(ListQuery),
    responses((status = 200, body = Vec<ListedStream>), (status = 422)))]
pub async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Outcome<Answer<Vec<ListedStream>>> {
    let all = match query.state.as_deref() {
        None | Some("live") => false,
        Some("all") => true,
        Some(_) => return Err(Refusal::wrong("state", "it is `live` or `all`").into()),
    };
    let seen = api.0.addresses.seen(&headers);
    let mut air: BTreeMap<String, Airing> =
        airing(&api).into_iter().map(|airing| (airing.key.clone(), airing)).collect();
    let line =
        |name: &str, id: &str, slug: &str, state, air: Option<&Airing>, since: Option<i64>| ListedStream {
            name: name.into(),
            public_id: id.into(),
            state,
            viewers: air.map_or(0, |air| air.viewers),
            started_at: since.map(rfc3339),
            href: format!("/stream/{id}"),
            page: format!("/watch/{slug}"),
            thumbnail: seen.path_of(slug, "thumbnail.jpg"),
        };
    let mut lines = Vec::new();
    for stream in api.kept().directory().all() {
        let airing = air.remove(&stream.slug);
        let visible = stream.listed && stream.read == ReadPolicy::Anyone;
        if (all || airing.is_some()) && (visible || caller.sees_all() || caller.owns(&stream)) {
            let since = airing.as_ref().map(|air| air.since_ms);
            let state = AirState::of(&stream, airing.as_ref());
            lines.push(line(&stream.name, &stream.public_id, &stream.slug, state, airing.as_ref(), since));
        }
    }
    lines.extend(
        air.iter().map(|(key, air)| line(key, key, key, AirState::Live, Some(air), Some(air.since_ms))),
    );
    Ok(Answer(lines))
}

/// What a stream is to be called.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StartQuery {
    /// Its title, 1 to 120 characters
    name: Option<String>,
}

/// Registers a stream under a title: its ids, its key and its addresses.
#[utoipa::path(post, path = "/start_stream", tag = "paths", params(StartQuery),
    responses((status = 201, body = super::shown::ShownRegistered), (status = 401), (status = 422)))]
pub async fn start(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<StartQuery>,
    headers: HeaderMap,
) -> Outcome<Response> {
    if !api.0.open_registration {
        caller.needs(Scope::Streams)?;
    } else if !caller.may(Scope::Streams) {
        api.0.strangers.registers(caller.address)?;
    }
    register(&api, &caller, &headers, Said { name: query.name, ..Said::default() }).await
}

/// The same by GET, as a link.
#[utoipa::path(get, path = "/start_stream", tag = "paths", params(StartQuery),
    responses((status = 201, body = super::shown::ShownRegistered), (status = 401), (status = 422)))]
pub async fn start_by_link(
    state: State<Api>,
    caller: Extension<Caller>,
    query: Query<StartQuery>,
    headers: HeaderMap,
) -> Outcome<Response> {
    start(state, caller, query, headers).await
}

/// Which rendition is wanted.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LookQuery {
    /// The most bits a second, `1500k`, `2M`, or a label; all renditions in one playlist unless said
    bitrate: Option<String>,
}

/// Where a stream is watched.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Watched {
    /// Its id
    public_id: String,
    /// Its title
    name: String,
    /// `waiting`, `live` or `ended`
    #[schema(value_type = String)]
    state: AirState,
    /// The playlist that fits
    url: String,
    /// The rendition that it is of; null where it is of all
    label: Option<String>,
    /// Its bits a second
    bitrate: Option<u64>,
    /// Its chat
    chat: String,
    /// WebRTC
    whep: String,
    /// RTSP
    rtsp: String,
    /// What can be watched, the best first
    renditions: Vec<ShownRendition>,
}

/// Where a stream is watched, in a rendition that fits.
#[utoipa::path(get, path = "/stream/{id}", tag = "paths", params(LookQuery),
    responses((status = 200, body = Watched), (status = 404), (status = 422)))]
pub async fn look(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(query): Query<LookQuery>,
    headers: HeaderMap,
) -> Outcome<Answer<Watched>> {
    let (stream, air) = found(&api, &caller, &id)?;
    let slug = stream.as_ref().map_or(id.clone(), |stream| stream.slug.clone());
    let seen = api.0.addresses.seen(&headers);
    let renditions = air.as_ref().map_or(&[][..], |air| &air.renditions);
    let wanted = match query.bitrate.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => chosen(renditions, text)?,
        None => None,
    };
    let of = wanted.map_or(&slug, |rendition| &rendition.name);
    Ok(Answer(Watched {
        public_id: stream.as_ref().map_or(id, |stream| stream.public_id.clone()),
        name: stream.as_ref().map_or(slug.clone(), |stream| stream.name.clone()),
        state: stream.as_ref().map_or(AirState::Live, |stream| state_at_look(stream, air.as_ref())),
        url: seen.of_stream(of, "index.m3u8"),
        label: wanted.map(|rendition| rendition.label.clone()),
        bitrate: wanted.map(|rendition| rendition.bitrate),
        chat: seen.web(&format!(
            "/api/v1/streams/{}/chat/messages",
            stream.as_ref().map_or(&slug, |stream| &stream.public_id)
        )),
        whep: seen.of_stream(of, "whep"),
        rtsp: seen.rtsp(of),
        renditions: renditions.iter().map(|r| rendition(r, &seen)).collect(),
    }))
}

/// One that is not live waits for its publisher, whether it was live before or not.
fn state_at_look(stream: &Stream, air: Option<&Airing>) -> AirState {
    match AirState::of(stream, air) {
        AirState::Ended => AirState::Waiting,
        state => state,
    }
}

/// A rendition by its label, or by the bits a second that it may have.
fn chosen<'a>(renditions: &'a [OnAirRendition], text: &str) -> Outcome<Option<&'a OnAirRendition>> {
    if let Some(found) = renditions.iter().find(|rendition| rendition.label == text) {
        return Ok(Some(found));
    }
    let most = bits(text).ok_or_else(|| {
        Refusal::wrong("bitrate", "it is a number of bits a second, as 1500000, 1500k or 1.5M, or a label")
    });
    match most {
        Ok(most) => Ok(fitting(renditions, most)),
        // A label of a stream that is not live yet.
        Err(_) if renditions.is_empty() && text.parse::<crate::model::Label>().is_ok() => Ok(None),
        Err(wrong) => Err(wrong.into()),
    }
}

/// `1500000`, `1500k`, `1.5M`.
fn bits(text: &str) -> Option<u64> {
    let (number, factor) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (text.get(..at)?, 1e3),
        (at, 'm' | 'M') => (text.get(..at)?, 1e6),
        _ => (text, 1.0),
    };
    let plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let value: f64 = number.parse().ok().filter(|_| plain)?;
    let bits = value * factor;
    // Beyond any bitrate, and still exact.
    (bits.is_finite() && bits <= 1e15).then_some(bits as u64)
}

/// A stream that is no more.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Stopped {
    /// Its id
    public_id: String,
    /// `deleted`
    state: &'static str,
}

/// Removes a stream, for whoever shows its private id.
#[utoipa::path(post, path = "/stop_stream/{id}", tag = "paths",
    responses((status = 200, body = Stopped), (status = 401), (status = 403), (status = 404)))]
pub async fn stop(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Outcome<Answer<Stopped>> {
    let stream = shown_to(&api, &caller, &id)?;
    end(&api, &caller, &stream, None).await?;
    Ok(Answer(Stopped { public_id: stream.public_id.clone(), state: "deleted" }))
}

/// The same by DELETE.
#[utoipa::path(delete, path = "/stop_stream/{id}", tag = "paths",
    responses((status = 200, body = Stopped), (status = 401), (status = 403), (status = 404)))]
pub async fn stop_by_delete(
    state: State<Api>,
    caller: Extension<Caller>,
    id: Path<String>,
) -> Outcome<Answer<Stopped>> {
    stop(state, caller, id).await
}

/// A token for one publisher.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BrowserStart {
    /// Where it publishes
    whip_url: String,
    /// The Bearer token
    token: String,
    /// When the token ends (RFC 3339)
    expires_at: String,
    /// The page that goes live
    page: String,
}

/// Lets one publisher go live from a browser within ten minutes, for whoever shows the private id.
#[utoipa::path(post, path = "/start_wrtc_stream/{id}", tag = "paths",
    responses((status = 200, body = BrowserStart), (status = 401), (status = 403), (status = 404)))]
pub async fn start_in_browser(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Outcome<Answer<BrowserStart>> {
    let stream = shown_to(&api, &caller, &id)?;
    let (row, token) = api.kept().publish_token(&stream.public_id).await?;
    api.audit(&caller, format_args!("lets one publisher go live on {}", stream.public_id));
    let seen = api.0.addresses.seen(&headers);
    Ok(Answer(BrowserStart {
        whip_url: seen.of_stream(&stream.slug, "whip"),
        token: token.reveal().into(),
        expires_at: rfc3339(row.expires_ms.unwrap_or_default()),
        page: format!("/studio?stream={}", stream.public_id),
    }))
}

/// A stream of which `caller` shows the private id, or which the operator names with what it shows. Being on this machine is not
/// enough: these paths are for other programs, and whoever forgets the header must hear of it.
fn shown_to(api: &Api, caller: &Caller, id: &str) -> Outcome<Arc<Stream>> {
    let stream = api.kept().stream(id)?;
    if caller.owns(&stream) || caller.has_shown(Scope::Streams) {
        return Ok(stream);
    }
    Err(match caller.shows_private_id() {
        true => Refusal::Forbidden("this private id is not that of the stream".into()).into(),
        false => Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "the private id of the stream is needed, in the field Private-Id",
        ),
    })
}

/// What is said of a key.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KeyState {
    /// The key that was asked about
    stream_key: String,
    /// Whether it opens its stream
    is_active: bool,
    /// The stream's id
    public_id: String,
    /// Its title
    name: String,
    /// When the key stops opening it (RFC 3339)
    expires_at: Option<String>,
}

/// Whether a key opens a stream, for servers on this machine and in trusted networks.
#[utoipa::path(get, path = "/api/streams/{stream_key}", tag = "paths",
    responses((status = 200, body = KeyState), (status = 401), (status = 404)))]
pub async fn key(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(stream_key): Path<String>,
) -> Outcome<Answer<KeyState>> {
    caller.needs(Scope::Read)?;
    let hash = secrets::hash(&stream_key);
    let mut stream = api.kept().directory().by_key(&hash);
    if stream.is_none() {
        api.kept().look_again().await;
        stream = api.kept().directory().by_key(&hash);
    }
    let stream =
        stream.filter(|stream| !stream.has_expired(now_ms())).ok_or(Refusal::Missing("stream key"))?;
    Ok(Answer(KeyState {
        stream_key,
        is_active: true,
        public_id: stream.public_id.clone(),
        name: stream.name.clone(),
        expires_at: stream.expires_ms.map(rfc3339),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitrates_are_read_as_people_write_them() {
        for (text, value) in [("1500000", 1_500_000), ("1500k", 1_500_000), ("1.5M", 1_500_000), ("0", 0)] {
            assert_eq!(bits(text), Some(value), "{text}");
        }
        for wrong in ["", "k", "-5", "1e9", "inf", "1.5.5M", "1500kbit", "99999999999999999999M", "１k"] {
            assert_eq!(bits(wrong), None, "{wrong}");
        }
    }
}
