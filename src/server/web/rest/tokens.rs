//! `/api/v1/tokens`: what programs show.

use super::caller::Caller;
use super::input::{Json, Page, Query};
use super::shown::Listed;
use super::{Api, Outcome};
use crate::base::clock::{parse_stamp, rfc3339};
use crate::platform::Refusal;
use crate::platform::operators::Scope;
use crate::store::tokens::TokenRow;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json as Answer};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A token to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenBody {
    /// What people call it
    label: String,
    /// What it may do: `all`, or some of `read`, `streams` and `chat`, with blanks between [default: all]
    scopes: Option<String>,
    /// When it ends (RFC 3339); never unless said
    expires_at: Option<String>,
}

/// A token.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShownToken {
    /// Its name, which is no secret
    token_id: String,
    /// What people call it
    label: String,
    /// What it may do
    scopes: String,
    /// When it was made (RFC 3339)
    created_at: String,
    /// When it ends
    expires_at: Option<String>,
    /// When it was used last, to the minute
    used_at: Option<String>,
    /// The token itself; shown this once
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl From<TokenRow> for ShownToken {
    fn from(row: TokenRow) -> ShownToken {
        ShownToken {
            token_id: row.token_id,
            label: row.label,
            scopes: row.scopes,
            created_at: rfc3339(row.created_ms),
            expires_at: row.expires_ms.map(rfc3339),
            used_at: row.used_ms.map(rfc3339),
            token: None,
        }
    }
}

/// Tokens of programs.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(Page),
    responses((status = 200, body = Listed<ShownToken>), (status = 401)))]
pub async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Query(page): Query<Page>,
) -> Outcome<Answer<Listed<ShownToken>>> {
    caller.needs(Scope::All)?;
    let limit = page.limit()?;
    let one_more = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut rows = api.kept().tokens(&page.after.unwrap_or_default(), one_more).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| row.token_id.clone());
    Ok(Answer(Listed { items: rows.into_iter().map(ShownToken::from).collect(), next }))
}

/// Makes a token.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = TokenBody,
    responses((status = 201, body = ShownToken), (status = 401), (status = 422)))]
pub async fn add(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<TokenBody>,
) -> Outcome<(StatusCode, Answer<ShownToken>)> {
    caller.needs(Scope::All)?;
    let expires_ms = match body.expires_at {
        Some(text) => {
            let wrong = || Refusal::wrong("expires_at", "it is a time as 2026-12-31T18:00:00Z");
            Some(parse_stamp(&text).ok_or_else(wrong)?)
        }
        None => None,
    };
    let scopes = body.scopes.as_deref().unwrap_or("all");
    let (row, token) = api.kept().new_token(&body.label, scopes, expires_ms).await?;
    api.audit(&caller, format_args!("makes the token {} ({})", row.token_id, row.scopes));
    let shown = ShownToken { token: Some(token.reveal().into()), ..row.into() };
    Ok((StatusCode::CREATED, Answer(shown)))
}

/// Ends a token.
#[utoipa::path(delete, path = "/api/v1/tokens/{token_id}", tag = "tokens",
    responses((status = 204), (status = 401), (status = 404)))]
pub async fn remove(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Path(token_id): Path<String>,
) -> Outcome<StatusCode> {
    caller.needs(Scope::All)?;
    api.kept().revoke(&token_id).await?;
    api.audit(&caller, format_args!("revokes the token {token_id}"));
    Ok(StatusCode::NO_CONTENT)
}
