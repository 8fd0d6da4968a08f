//! What a request says, read with bounds and refused in one form.

use super::Outcome;
use crate::server::web::problem::Problem;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{CONTENT_TYPE, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The largest body of a request, in bytes.
pub const LARGEST_BODY: usize = 64 << 10;
/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Items on a page of a list.
const PAGE: std::ops::RangeInclusive<usize> = 1..=500;
/// Items where none are asked for.
const USUAL_PAGE: usize = 50;

/// A body in JSON.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Json<T>, Problem> {
        let json =
            request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(is_json);
        let body = whole(request.into_body()).await?;
        if !json && !body.is_empty() {
            let why = "the body is JSON: Content-Type: application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", why));
        }
        // Nothing is said by nothing.
        let text: &[u8] = if body.is_empty() { b"{}" } else { &body };
        match serde_json::from_slice(text) {
            Ok(value) => Ok(Json(value)),
            Err(error) if error.is_data() => Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid",
                format!("the body cannot be taken: {error}"),
            )),
            Err(error) => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "not_json",
                format!("the body is no JSON: {error}"),
            )),
        }
    }
}

/// The arguments of a query.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Query<T>, Problem> {
        match axum::extract::Query::from_request_parts(head, state).await {
            Ok(axum::extract::Query(value)) => Ok(Query(value)),
            Err(rejection) => Err(Problem::new(StatusCode::BAD_REQUEST, "bad_query", rejection.body_text())),
        }
    }
}

/// `application/json`, with or without parameters, and what ends with `+json`.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

/// A whole body within its bounds.
async fn whole(body: Body) -> Outcome<bytes::Bytes> {
    match tokio::time::timeout(PATIENCE, to_bytes(body, LARGEST_BODY)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => {
            let why = format!("the body cannot be read, or has more than {LARGEST_BODY} bytes");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", why))
        }
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "late", "the body did not come in time")),
    }
}

/// Which part of a list is asked for.
#[derive(Clone, Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Items, 1 to 500 [default: 50]
    pub limit: Option<String>,
    /// Behind this one: `next` of the page before
    pub after: Option<String>,
}

impl Page {
    /// How many items.
    ///
    /// # Errors
    /// It is no number within the bounds.
    pub fn limit(&self) -> Outcome<usize> {
        let Some(text) = &self.limit else { return Ok(USUAL_PAGE) };
        let wrong = || {
            let why = format!("it is a number from {} to {}", PAGE.start(), PAGE.end());
            Problem::from(crate::platform::Refusal::wrong("limit", why))
        };
        text.parse().ok().filter(|n| PAGE.contains(n)).ok_or_else(wrong)
    }
}

/// The version that a change was made of, by `If-Match`.
///
/// # Errors
/// It is no version of ours.
pub fn if_match(headers: &HeaderMap) -> Outcome<Option<i64>> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let version =
        text.strip_prefix("\"v").and_then(|rest| rest.strip_suffix('"')).and_then(|n| n.parse().ok());
    version.map(Some).ok_or_else(|| crate::platform::Refusal::Outdated.into())
}
