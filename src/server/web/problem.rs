//! Errors of everything on the web port that speaks JSON (RFC 9457).

use axum::Json;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
    /// After how many seconds it may be tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    /// The path that was asked for.
    #[serde(skip_serializing_if = "String::is_empty")]
    instance: String,
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
            retry_after: None,
            instance: String::new(),
        }
    }

    /// It may be tried again after so many seconds.
    pub fn retry_after(self, seconds: u64) -> Problem {
        Problem { retry_after: Some(seconds), ..self }
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
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        fields.extend(retry_after.map(|seconds| (RETRY_AFTER, seconds.into())));
        response
    }
}
