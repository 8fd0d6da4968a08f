//! Errors of everything on the web port that speaks JSON (RFC 9457).

use crate::platform::refusal::Wrong;
use axum::Json;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Which kind of problem, as a relative URI; the same for the same `code`.
    r#type: String,
    /// The status in words.
    title: &'static str,
    status: u16,
    /// One lowercase sentence for people.
    detail: String,
    /// A word for programs.
    code: &'static str,
    /// The path that was asked for.
    #[serde(skip_serializing_if = "String::is_empty")]
    instance: String,
    /// Seconds after which it may be tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    /// Values that cannot be taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    errors: Vec<Wrong>,
}

impl Problem {
    /// A problem with this status, a word for programs and a sentence for people.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Problem {
        Problem {
            r#type: format!("/problems/{code}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            instance: String::new(),
            retry_after: None,
            errors: Vec::new(),
        }
    }

    /// With the values that cannot be taken.
    pub fn fields(self, errors: Vec<Wrong>) -> Problem {
        Problem { errors, ..self }
    }

    /// It may be tried again then.
    pub fn retry_after(self, wait: Duration) -> Problem {
        Problem {
            retry_after: Some(wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)),
            ..self
        }
    }

    /// Of a request for `path`.
    pub fn at(self, path: &str) -> Problem {
        Problem { instance: path.chars().take(256).collect(), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let fields = response.headers_mut();
        if let Some(seconds) = retry_after {
            fields.insert(RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            // Not Basic, for which browsers would open a window of their own.
            fields.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"msconv\""));
        }
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
