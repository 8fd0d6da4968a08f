//! Messages and moderation by single requests, for whoever has no socket.

use super::open_room::OpenRoom;
use super::refused;
use super::service::{Chat, Entered};
use crate::base::clock::Now;
use crate::base::percent::argument;
use crate::platform::chat::{
    ClientFrame, Entry, FRAME_BYTES, Message, Patch, PersonId, ServerFrame, Settings, Unavailable,
};
use crate::protocol::web_access::Connection;
use crate::server::web::problem::Problem;
use crate::server::web::rest::origin;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts as Head;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// Entries of a list without `limit`.
const SOME: usize = 50;
/// The most.
const MOST: usize = 200;
/// How long a body may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which part of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes what is read by hand")]
struct Which {
    /// Messages before this number
    before: Option<u64>,
    /// What happened after this number, deletions too
    after: Option<u64>,
    /// 1 to 200 [default: 50]
    limit: Option<u64>,
}

/// A part of a list.
#[derive(Serialize, ToSchema)]
struct ListedFrames {
    /// Frames: messages, and behind a number `delete` and `clear`
    #[schema(value_type = Vec<Object>)]
    items: Vec<ServerFrame>,
    /// The next `before` or `after`; null at the end
    next: Option<u64>,
}

/// A ban that holds.
#[derive(Serialize, ToSchema)]
struct ShownBan {
    /// Who
    #[schema(value_type = String)]
    author: PersonId,
    /// How he was called
    name: String,
    /// Until when (RFC 3339); null is for good
    until: Option<String>,
}

/// The messages before a number, the newest of them without one; or what happened after one.
#[utoipa::path(get, path = "/api/v1/streams/{id}/chat/messages", tag = "chat", params(Which),
    responses((status = 200, body = ListedFrames), (status = 400), (status = 401), (status = 403), (status = 404),
              (status = 503)))]
pub async fn list(
    State(chat): State<Arc<Chat>>,
    Path(id): Path<String>,
    Extension(ends): Extension<Connection>,
    request: Request,
) -> Response {
    let (head, _) = request.into_parts();
    let path = head.uri.path();
    let query = head.uri.query().unwrap_or_default();
    let number = |key| argument(query, key).map(|text| text.parse::<u64>()).transpose();
    let (Ok(before), Ok(after), Ok(limit)) = (number("before"), number("after"), number("limit")) else {
        return refused::bad(path, "before, after and limit are whole numbers");
    };
    if before.is_some() && after.is_some() {
        return refused::bad(path, "a list is before a number or after one, not both");
    }
    let (found, _) = match chat.find(&id, &head, ends).await {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    let limit = limit.map_or(SOME, |limit| usize::try_from(limit).unwrap_or(MOST).clamp(1, MOST));
    match listed(&chat, &found.room, before, after, limit).await {
        Ok((items, next)) => fresh(Json(ListedFrames { items, next }).into_response()),
        Err(Unavailable) => refused::refused(crate::platform::chat::Code::Unavailable.into(), path),
    }
}

async fn listed(
    chat: &Chat,
    room: &str,
    before: Option<u64>,
    after: Option<u64>,
    limit: usize,
) -> Result<(Vec<ServerFrame>, Option<u64>), Unavailable> {
    let more = limit.saturating_add(1);
    if let Some(after) = after {
        let mut entries = chat.log().after(room, after, more).await?;
        let rest = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| rest).map(|entry| entry.seq);
        return Ok((entries.iter().filter_map(ServerFrame::of).collect(), next));
    }
    let mut messages = chat.log().messages(room, before, more).await?;
    let rest = messages.len() > limit;
    if rest {
        messages.remove(0);
    }
    let next = messages.first().filter(|_| rest).map(|message| message.seq);
    Ok((messages.into_iter().map(ServerFrame::Message).collect(), next))
}

/// A message in a request.
#[derive(Deserialize, ToSchema)]
struct Say {
    /// Plain text, up to as many characters as the room allows
    text: String,
    /// What its author calls it until it has a number, up to 64 characters
    #[serde(rename = "ref", default)]
    reference: Option<String>,
    /// A name to choose before
    #[serde(default)]
    name: Option<String>,
}

/// Writes a message.
#[utoipa::path(post, path = "/api/v1/streams/{id}/chat/messages", tag = "chat", request_body = Say,
    responses((status = 201, body = Message), (status = 400), (status = 401), (status = 403), (status = 404),
              (status = 409), (status = 413), (status = 422), (status = 429), (status = 503)))]
pub async fn say(
    State(chat): State<Arc<Chat>>,
    Path(id): Path<String>,
    Extension(ends): Extension<Connection>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let say: Say = match body_of(&head, body).await {
        Ok(say) => say,
        Err(answer) => return answer,
    };
    let Entered { room, who, cookie } = match chat.enter(&id, &head, ends).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let path = head.uri.path();
    if let Some(name) = say.name
        && *room.state().room.author(who).name != *name
        && let Err(refusal) = room.act(who, &ClientFrame::Name { name }, Now::read()).await
    {
        return Entered::with_cookie(cookie, refused::refused(refusal, path));
    }
    let frame =
        ClientFrame::Say { text: say.text, reference: say.reference.map(|r| r.chars().take(64).collect()) };
    let answer = match room.act(who, &frame, Now::read()).await {
        Ok(entry) => created(path, &entry),
        Err(refusal) => refused::refused(refusal, path),
    };
    Entered::with_cookie(cookie, answer)
}

fn created(path: &str, entry: &Entry) -> Response {
    let mut answer = (StatusCode::CREATED, Json(ServerFrame::of(entry))).into_response();
    let at = format!("{path}/{}", crate::platform::chat::id_of(entry.seq));
    answer.headers_mut().extend(HeaderValue::from_str(&at).ok().map(|at| (LOCATION, at)));
    fresh(answer)
}

/// Deletes a message.
#[utoipa::path(delete, path = "/api/v1/streams/{id}/chat/messages/{mid}", tag = "chat",
    params(("id" = String, Path, description = "The stream"), ("mid" = String, Path, description = "The message, as `m7`")),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 503)))]
pub async fn remove(
    State(chat): State<Arc<Chat>>,
    Path((id, mid)): Path<(String, String)>,
    Extension(ends): Extension<Connection>,
    request: Request,
) -> Response {
    moderate(&chat, &id, ends, request, |_: ()| ClientFrame::Delete { id: mid }, |_, _| no_content()).await
}

/// Deletes all messages.
#[utoipa::path(delete, path = "/api/v1/streams/{id}/chat/messages", tag = "chat",
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 503)))]
pub async fn clear(
    State(chat): State<Arc<Chat>>,
    Path(id): Path<String>,
    Extension(ends): Extension<Connection>,
    request: Request,
) -> Response {
    moderate(&chat, &id, ends, request, |_: ()| ClientFrame::Clear {}, |_, _| no_content()).await
}

/// A ban in a request.
#[derive(Deserialize, ToSchema)]
pub struct NewBan {
    /// Who: the `id` of an author
    #[schema(value_type = String)]
    author: PersonId,
    /// For so many seconds; for good without them, and 0 lifts the ban
    #[serde(default)]
    seconds: Option<u64>,
}

/// Bans an author.
#[utoipa::path(post, path = "/api/v1/streams/{id}/chat/bans", tag = "chat", request_body = NewBan,
    responses((status = 201, body = ShownBan), (status = 204, description = "The ban is lifted"), (status = 400),
              (status = 401), (status = 403), (status = 404), (status = 503)))]
pub async fn ban(
    State(chat): State<Arc<Chat>>,
    Path(id): Path<String>,
    Extension(ends): Extension<Connection>,
    request: Request,
) -> Response {
    let frame = |NewBan { author, seconds }| ClientFrame::Ban { author, seconds };
    let answer = |_: &OpenRoom, entry: Entry| match entry.what {
        crate::platform::chat::What::Banned { ban, .. } => {
            let until = ban.until.map(crate::base::clock::rfc3339);
            let body = ShownBan { author: ban.author, name: ban.name, until };
            fresh((StatusCode::CREATED, Json(body)).into_response())
        }
        _ => no_content(),
    };
    moderate(&chat, &id, ends, request, frame, answer).await
}

/// Changes the settings of a room.
#[utoipa::path(patch, path = "/api/v1/streams/{id}/chat/room", tag = "chat", request_body = Patch,
    responses((status = 200, body = Settings), (status = 400), (status = 401), (status = 403), (status = 404),
              (status = 422), (status = 503)))]
pub async fn room(
    State(chat): State<Arc<Chat>>,
    Path(id): Path<String>,
    Extension(ends): Extension<Connection>,
    request: Request,
) -> Response {
    let answer = |room: &OpenRoom, _| fresh(Json(room.settings(Now::read())).into_response());
    moderate(&chat, &id, ends, request, |patch: Patch| ClientFrame::Room(patch), answer).await
}

/// Does what a moderator asks for.
async fn moderate<T: DeserializeOwned + 'static>(
    chat: &Arc<Chat>,
    id: &str,
    ends: Connection,
    request: Request,
    frame: impl FnOnce(T) -> ClientFrame,
    answer: impl FnOnce(&OpenRoom, Entry) -> Response,
) -> Response {
    let (head, body) = request.into_parts();
    let asked = match body_of(&head, body).await {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    let Entered { room, who, cookie } = match chat.enter(id, &head, ends).await {
        Ok(entered) => entered,
        Err(answer) => return answer,
    };
    let answer = match room.act(who, &frame(asked), Now::read()).await {
        Ok(entry) => answer(&room, entry),
        Err(refusal) => refused::refused(refusal, head.uri.path()),
    };
    Entered::with_cookie(cookie, answer)
}

/// What a request that changes something carries, if no other page makes it. An empty body is `null`.
async fn body_of<T: DeserializeOwned>(head: &Head, body: Body) -> Result<T, Response> {
    let path = head.uri.path();
    if origin::is_foreign(head) {
        return Err(refused::foreign(path));
    }
    let problem = |status, code, why: &str| Problem::new(status, code, why).at(path).into_response();
    let bytes = match tokio::time::timeout(PATIENCE, to_bytes(body, FRAME_BYTES)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            return Err(problem(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "a body has at most 4096 bytes"));
        }
        Err(_) => return Err(problem(StatusCode::REQUEST_TIMEOUT, "timeout", "the body took too long")),
    };
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !bytes.is_empty() && !kind.to_ascii_lowercase().starts_with("application/json") {
        return Err(problem(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media_type",
            "the body is application/json",
        ));
    }
    let text: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
    serde_json::from_slice(text).map_err(|error| {
        problem(StatusCode::BAD_REQUEST, "bad_request", &format!("the body cannot be read: {error}"))
    })
}

fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// Never out of a cache.
fn fresh(mut answer: Response) -> Response {
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
