//! `/api/v1/hooks`: addresses of the operator's that events are sent to.

use super::caller::Caller;
use super::input::{Json, Page, Query};
use super::shown::Listed;
use super::{Api, Outcome};
use crate::base::clock::{log_stamp, rfc3339};
use crate::base::secret::Secret;
use crate::platform::Refusal;
use crate::platform::hooks::Said;
use crate::platform::hooks::schedule::Answer as Answered;
use crate::platform::operators::Scope;
use crate::store::hooks::{DeliveryRow, HookRow};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Answer};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is said of a webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HookBody {
    /// Where events are sent, `http://` or `https://`
    url: Option<String>,
    /// Which, as `stream.live` or `chat.*` [default: all but `viewer.joined`, `viewer.left` and `stats`]
    types: Option<Vec<String>>,
    /// What they are signed with, `whsec_` and base64 of 24 to 64 bytes; made and shown once unless said
    secret: Option<String>,
    /// Whether anything is sent [default: true]; true also sends at once what has waited
    enabled: Option<bool>,
}

impl HookBody {
    fn said(self) -> Said {
        Said { url: self.url, types: self.types, secret: self.secret.map(Secret::new), enabled: self.enabled }
    }
}

/// A webhook.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShownHook {
    /// Its name
    hook_id: String,
    /// Where events are sent
    url: String,
    /// Which; all but those that have to be named where it is empty
    types: Vec<String>,
    /// Whether anything is sent
    enabled: bool,
    /// Why it was switched off, if msconv did
    why: Option<String>,
    /// Since when it has taken nothing (RFC 3339)
    failing_since: Option<String>,
    /// The number of the last event that it is done with
    after: i64,
    /// When it was made
    created_at: String,
    /// What messages are signed with, if it was made here; shown this once
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl From<HookRow> for ShownHook {
    fn from(row: HookRow) -> ShownHook {
        ShownHook {
            types: row.types.split(',').filter(|word| !word.is_empty()).map(str::to_string).collect(),
            hook_id: row.hook_id,
            url: row.url,
            enabled: row.enabled != 0,
            why: (!row.why.is_empty()).then_some(row.why),
            failing_since: row.failing_since_ms.map(rfc3339),
            after: row.after_seq,
            created_at: rfc3339(row.created_ms),
            secret: None,
        }
    }
}

/// What became of an event at a webhook.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShownDelivery {
    /// The number of the event
    seq: i64,
    /// Whether it was taken
    done: bool,
    /// How often it was sent
    tries: i64,
    /// The last status that came back
    status: Option<i64>,
    /// Why it was not taken
    why: Option<String>,
    /// When it was taken (RFC 3339)
    done_at: Option<String>,
    /// When it is sent again
    next_at: Option<String>,
}

impl From<DeliveryRow> for ShownDelivery {
    fn from(row: DeliveryRow) -> ShownDelivery {
        ShownDelivery {
            seq: row.seq,
            done: row.done_ms.is_some(),
            tries: row.tries,
            status: row.status,
            why: (!row.why.is_empty()).then_some(row.why),
            done_at: row.done_ms.map(log_stamp),
            next_at: (row.done_ms.is_none() && row.next_ms > 0).then(|| log_stamp(row.next_ms)),
        }
    }
}

/// What came of a test.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HookTested {
    /// Whether it was taken
    ok: bool,
    /// The status that came back
    status: Option<i64>,
    /// Why it was not taken
    why: Option<String>,
}

/// Webhooks.
#[utoipa::path(get, path = "/api/v1/hooks", tag = "hooks", params(Page),
    responses((status = 200, body = Listed<ShownHook>), (status = 401), (status = 503)))]
pub async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Query(page): Query<Page>,
) -> Outcome<Answer<Listed<ShownHook>>> {
    caller.needs(Scope::Read)?;
    let limit = page.limit()?;
    let one_more = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut rows = api.kept().hooks(&page.after.unwrap_or_default(), one_more).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| row.hook_id.clone());
    Ok(Answer(Listed { items: rows.into_iter().map(ShownHook::from).collect(), next }))
}

/// Adds a webhook. It is sent what happens from now on.
#[utoipa::path(post, path = "/api/v1/hooks", tag = "hooks", request_body = HookBody,
    responses((status = 201, body = ShownHook), (status = 401), (status = 409), (status = 422), (status = 503)))]
pub async fn add(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<HookBody>,
) -> Outcome<Response> {
    caller.needs(Scope::All)?;
    let (row, secret) = api.kept().add_hook(body.said()).await?;
    api.audit(&caller, format_args!("adds the hook {}", row.hook_id));
    let location = format!("/api/v1/hooks/{}", row.hook_id);
    let shown = ShownHook { secret: secret.map(|secret| secret.reveal().into()), ..row.into() };
    Ok((StatusCode::CREATED, [(LOCATION, location)], Answer(shown)).into_response())
}

/// One webhook.
#[utoipa::path(get, path = "/api/v1/hooks/{hook_id}", tag = "hooks",
    responses((status = 200, body = ShownHook), (status = 401), (status = 404), (status = 503)))]
pub async fn one(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(hook_id): Path<String>,
) -> Outcome<Answer<ShownHook>> {
    caller.needs(Scope::Read)?;
    Ok(Answer(api.kept().hook(&hook_id).await?.into()))
}

/// Changes a webhook.
#[utoipa::path(patch, path = "/api/v1/hooks/{hook_id}", tag = "hooks", request_body = HookBody,
    responses((status = 200, body = ShownHook), (status = 401), (status = 404), (status = 422), (status = 503)))]
pub async fn change(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(hook_id): Path<String>,
    Json(body): Json<HookBody>,
) -> Outcome<Answer<ShownHook>> {
    caller.needs(Scope::All)?;
    let row = api.kept().change_hook(&hook_id, body.said()).await?;
    api.audit(&caller, format_args!("changes the hook {}", row.hook_id));
    Ok(Answer(row.into()))
}

/// Removes a webhook; what waits for it is not sent.
#[utoipa::path(delete, path = "/api/v1/hooks/{hook_id}", tag = "hooks",
    responses((status = 204), (status = 401), (status = 404), (status = 503)))]
pub async fn remove(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(hook_id): Path<String>,
) -> Outcome<StatusCode> {
    caller.needs(Scope::All)?;
    let row = api.kept().hook(&hook_id).await?;
    api.kept().remove_hook(&row.hook_id).await?;
    api.audit(&caller, format_args!("removes the hook {}", row.hook_id));
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a test event past whatever waits, and tells the answer.
#[utoipa::path(post, path = "/api/v1/hooks/{hook_id}/test", tag = "hooks",
    responses((status = 200, body = HookTested), (status = 401), (status = 404), (status = 503)))]
pub async fn test(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(hook_id): Path<String>,
) -> Outcome<Answer<HookTested>> {
    caller.needs(Scope::All)?;
    let answer: Answered = api.kept().test_hook(&hook_id, &*api.0.post).await?;
    let why = answer.why();
    Ok(Answer(HookTested {
        ok: why.is_empty(),
        status: answer.status(),
        why: (!why.is_empty()).then_some(why),
    }))
}

/// What was sent to a webhook, the newest first.
#[utoipa::path(get, path = "/api/v1/hooks/{hook_id}/deliveries", tag = "hooks", params(Page),
    responses((status = 200, body = Listed<ShownDelivery>), (status = 401), (status = 404), (status = 422), (status = 503)))]
pub async fn deliveries(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(hook_id): Path<String>,
    Query(page): Query<Page>,
) -> Outcome<Answer<Listed<ShownDelivery>>> {
    caller.needs(Scope::Read)?;
    let limit = page.limit()?;
    let before = match page.after.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => text.parse().map_err(|_| Refusal::wrong("after", "it is the number of an event"))?,
        None => i64::MAX,
    };
    let one_more = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut rows = api.kept().deliveries(&hook_id, before, one_more).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| row.seq.to_string());
    Ok(Answer(Listed { items: rows.into_iter().map(ShownDelivery::from).collect(), next }))
}
