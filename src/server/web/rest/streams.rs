//! `/api/v1/streams`: registering, listing, changing and removing.

use super::caller::Caller;
use super::input::{Json, Page, Query, if_match};
use super::shown::{Listed, ShownRegistered, ShownStream};
use super::sources::SourceBody;
use super::{Api, Outcome, airing, airing_of};
use crate::base::clock::parse_stamp;
use crate::platform::operators::Scope;
use crate::platform::registration::Said;
use crate::platform::streams::Registered;
use crate::platform::{ReadPolicy, Refusal, Stream, air};
use axum::extract::{Path, State};
use axum::http::header::{ETAG, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Answer};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// What is said of a stream.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StreamBody {
    /// Its title, 1 to 120 characters
    name: Option<String>,
    /// Its name in addresses; its id unless said
    slug: Option<String>,
    /// A few words, up to 2000 characters
    description: Option<String>,
    /// Whether it is in the list for everybody [default: true]
    listed: Option<bool>,
    /// `off`, `auto` or a list of variants; null leaves it to the server's setting
    #[serde(deserialize_with = "said")]
    ladder: Option<Option<String>>,
    /// Whether it is recorded [default: false]
    record: Option<bool>,
    /// Whether it has a chat [default: true]
    chat: Option<bool>,
    /// Who may watch: `anyone` or `owner` [default: anyone]
    read: Option<String>,
    /// When its key stops opening it (RFC 3339); null never
    #[serde(deserialize_with = "said")]
    expires_at: Option<Option<String>>,
    /// What the server itself publishes under its name; null nothing. Only the operator says it
    #[serde(deserialize_with = "said")]
    source: Option<Option<SourceBody>>,
}

/// Null is something that was said.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(value).map(Some)
}

impl StreamBody {
    /// A source may be any file and any address that the server can read.
    fn allowed(&self, caller: &Caller) -> Outcome<()> {
        if self.source.is_some() { caller.needs(Scope::All) } else { Ok(()) }
    }

    /// As the platform takes it.
    pub fn said(self) -> Result<Said, Refusal> {
        let time = |text: String| {
            parse_stamp(&text)
                .ok_or_else(|| Refusal::wrong("expires_at", "it is a time as 2026-12-31T18:00:00Z"))
        };
        let expires_ms = match self.expires_at {
            Some(Some(text)) => Some(Some(time(text)?)),
            Some(None) => Some(None),
            None => None,
        };
        let source = match self.source {
            Some(Some(body)) => Some(Some(body.origin()?)),
            Some(None) => Some(None),
            None => None,
        };
        Ok(Said {
            name: self.name,
            slug: self.slug,
            description: self.description,
            listed: self.listed,
            ladder: self.ladder,
            record: self.record,
            chat: self.chat,
            read: self.read,
            expires_ms,
            source,
        })
    }
}

/// A new key.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NewKey {
    /// What it is published with from now on; shown this once
    stream_key: String,
}

/// Streams, registered ones and whatever else is live, by id.
#[utoipa::path(get, path = "/api/v1/streams", tag = "streams", params(Page),
    responses((status = 200, body = Listed<ShownStream>)))]
pub async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Query(page): Query<Page>,
    headers: HeaderMap,
) -> Outcome<Answer<Listed<ShownStream>>> {
    let limit = page.limit()?;
    let seen = api.0.addresses.seen(&headers);
    let directory = api.kept().directory();
    let mut air: BTreeMap<String, air::Airing> =
        airing(&api).into_iter().map(|airing| (airing.key.clone(), airing)).collect();
    let visible = |stream: &Arc<Stream>| {
        caller.sees_all() || caller.owns(stream) || (stream.listed && stream.read == ReadPolicy::Anyone)
    };
    let after = page.after.unwrap_or_default();
    let mut rows: Vec<(String, Option<Arc<Stream>>, Option<air::Airing>)> = Vec::new();
    for stream in directory.all() {
        let airing = air.remove(&stream.slug);
        if visible(&stream) {
            rows.push((stream.public_id.clone(), Some(stream), airing));
        }
    }
    rows.extend(air.into_iter().map(|(key, airing)| (key, None, Some(airing))));
    rows.retain(|(id, ..)| *id > after);
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let next = rows.get(limit.saturating_sub(1)).filter(|_| rows.len() > limit).map(|(id, ..)| id.clone());
    let items = rows.iter().take(limit).map(|(id, stream, airing)| match stream {
        Some(stream) => ShownStream::registered(&api, stream, airing.as_ref(), &seen, &caller),
        None => ShownStream::open(id, airing.as_ref(), &seen),
    });
    Ok(Answer(Listed { items: items.collect(), next }))
}

/// Registers a stream.
#[utoipa::path(post, path = "/api/v1/streams", tag = "streams", request_body = StreamBody,
    responses((status = 201, body = ShownRegistered), (status = 401), (status = 409), (status = 422)))]
pub async fn add(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Json(body): Json<StreamBody>,
) -> Outcome<Response> {
    caller.needs(Scope::Streams)?;
    body.allowed(&caller)?;
    register(&api, &caller, &headers, body.said()?).await
}

/// Registers a stream, and answers with its secrets.
pub async fn register(api: &Api, caller: &Caller, headers: &HeaderMap, said: Said) -> Outcome<Response> {
    let registered = api.kept().register(said).await?;
    let stream = &registered.stream;
    api.audit(caller, format_args!("registers the stream {} ({})", stream.public_id, stream.slug));
    let location = format!("/api/v1/streams/{}", stream.public_id);
    let body = Answer(shown(api, headers, &registered));
    let mut response = (StatusCode::CREATED, [(LOCATION, location)], body).into_response();
    response.headers_mut().insert(ETAG, version(stream));
    Ok(response)
}

fn shown(api: &Api, headers: &HeaderMap, registered: &Registered) -> ShownRegistered {
    let Registered { stream, private_id, stream_key } = registered;
    let seen = api.0.addresses.seen(headers);
    ShownRegistered {
        public_id: stream.public_id.clone(),
        private_id: private_id.reveal().into(),
        name: stream.name.clone(),
        stream_key: stream_key.reveal().into(),
        rtmp_url: seen.rtmp(),
        rtsp_url: seen.rtsp(stream_key.reveal()),
        whip_url: seen.of_stream(&stream.slug, "whip"),
        hls_url: seen.of_stream(&stream.slug, "index.m3u8"),
        chat_url: seen.web(&format!("/api/v1/streams/{}/chat/messages", stream.public_id)),
        page: seen.web(&format!("/watch/{}", stream.slug)),
    }
}

/// One stream, by its id or its name.
#[utoipa::path(get, path = "/api/v1/streams/{id}", tag = "streams",
    responses((status = 200, body = ShownStream), (status = 404)))]
pub async fn one(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Outcome<Response> {
    let seen = api.0.addresses.seen(&headers);
    let (stream, airing) = found(&api, &caller, &id)?;
    let shown = match &stream {
        Some(stream) => ShownStream::registered(&api, stream, airing.as_ref(), &seen, &caller),
        None => ShownStream::open(&id, airing.as_ref(), &seen),
    };
    let mut response = Answer(shown).into_response();
    if let Some(stream) = stream {
        response.headers_mut().insert(ETAG, version(&stream));
    }
    Ok(response)
}

/// A registered stream that `caller` may see, or an open one that is live.
pub fn found(api: &Api, caller: &Caller, id: &str) -> Outcome<(Option<Arc<Stream>>, Option<air::Airing>)> {
    let stream = api.kept().directory().find(id);
    let hidden = stream
        .as_ref()
        .is_some_and(|stream| stream.read == ReadPolicy::Owner && !caller.sees_all() && !caller.owns(stream));
    let key = stream.as_ref().map_or(id, |stream| &stream.slug);
    let airing = airing_of(api, key);
    if hidden || (stream.is_none() && airing.is_none()) {
        return Err(Refusal::Missing("stream").into());
    }
    Ok((stream, airing))
}

/// Changes a stream. `If-Match` takes the `ETag` of what was read.
#[utoipa::path(patch, path = "/api/v1/streams/{id}", tag = "streams", request_body = StreamBody,
    responses((status = 200, body = ShownStream), (status = 401), (status = 404), (status = 409), (status = 412), (status = 422)))]
pub async fn change(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<StreamBody>,
) -> Outcome<Response> {
    caller.needs(Scope::Streams)?;
    body.allowed(&caller)?;
    let stream = api.kept().stream(&id)?;
    let version_read = if_match(&headers)?;
    let on_air = air::is_live(api.hub(), &stream.slug);
    let stream = api.kept().change(&stream.public_id, body.said()?, version_read, on_air).await?;
    api.audit(&caller, format_args!("changes the stream {}", stream.public_id));
    let airing = airing_of(&api, &stream.slug);
    let seen = api.0.addresses.seen(&headers);
    let mut response =
        Answer(ShownStream::registered(&api, &stream, airing.as_ref(), &seen, &caller)).into_response();
    response.headers_mut().insert(ETAG, version(&stream));
    Ok(response)
}

/// Removes a stream; its publisher and its viewers end.
#[utoipa::path(delete, path = "/api/v1/streams/{id}", tag = "streams",
    responses((status = 204), (status = 401), (status = 404), (status = 412)))]
pub async fn remove(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Outcome<StatusCode> {
    caller.needs(Scope::Streams)?;
    let stream = api.kept().stream(&id)?;
    end(&api, &caller, &stream, if_match(&headers)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a stream and ends all that is on the air of it.
pub async fn end(api: &Api, caller: &Caller, stream: &Stream, version: Option<i64>) -> Outcome<()> {
    api.kept().remove(&stream.public_id, version).await?;
    air::cleared(api.hub(), &stream.slug).await;
    api.audit(caller, format_args!("removes the stream {}", stream.public_id));
    Ok(())
}

/// Gives a stream a new key: the old one and its publisher end at once.
#[utoipa::path(post, path = "/api/v1/streams/{id}/key", tag = "streams",
    responses((status = 200, body = NewKey), (status = 401), (status = 403), (status = 404)))]
pub async fn new_key(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Outcome<Answer<NewKey>> {
    let stream = owned(&api, &caller, &id)?;
    let (stream, key) = api.kept().new_key(&stream.public_id).await?;
    api.audit(&caller, format_args!("gives the stream {} a new key", stream.public_id));
    Ok(Answer(NewKey { stream_key: key.reveal().into() }))
}

/// A registered stream of which `caller` is the owner or the operator.
pub fn owned(api: &Api, caller: &Caller, id: &str) -> Outcome<Arc<Stream>> {
    let stream = api.kept().stream(id).map_err(|missing| {
        // Nobody learns which ids there are without saying who asks.
        if caller.sees_all() || caller.shows_private_id() { missing } else { Refusal::Unknown }
    })?;
    caller.needs_owner(&stream, Scope::Streams)?;
    Ok(stream)
}

/// The version as an entity tag.
pub fn version(stream: &Stream) -> HeaderValue {
    HeaderValue::from_str(&format!("\"v{}\"", stream.version)).unwrap_or(HeaderValue::from_static("\"v0\""))
}
