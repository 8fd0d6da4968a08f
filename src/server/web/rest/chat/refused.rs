//! Refusals of a room as answers of the API.

use super::super::super::problem::Problem;
use crate::platform::chat::{Code, Refusal};
use crate::protocol::web_access::Turned;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

/// There is no such room.
pub fn no_room(path: &str) -> Response {
    Problem::new(StatusCode::NOT_FOUND, "no_stream", "there is no such stream").at(path).into_response()
}

/// Another page made the request.
pub fn foreign(path: &str) -> Response {
    Problem::new(StatusCode::FORBIDDEN, "foreign_page", "requests of other web pages are refused")
        .at(path)
        .into_response()
}

/// There are as many as there may be.
pub fn full(path: &str) -> Response {
    let full =
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "full", "the chat has as many viewers as it may");
    full.retry_after(std::time::Duration::from_secs(10)).at(path).into_response()
}

/// Who may not watch may not chat.
pub fn turned(turned: Turned, path: &str) -> Response {
    let code = if turned.status == StatusCode::UNAUTHORIZED { "unauthorized" } else { "not_allowed" };
    Problem::new(turned.status, code, turned.why).at(path).into_response()
}

/// The request is wrong.
pub fn bad(path: &str, why: &str) -> Response {
    Problem::new(StatusCode::BAD_REQUEST, "bad_request", why).at(path).into_response()
}

/// The method is none of this address.
pub async fn method(uri: Uri) -> Response {
    let refused = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this address has no such method");
    refused.at(uri.path()).into_response()
}

/// The room does not do it.
pub fn refused(refusal: Refusal, path: &str) -> Response {
    let (status, code) = match refusal.code {
        Code::SlowMode => (StatusCode::TOO_MANY_REQUESTS, "slow_mode"),
        Code::Rate => (StatusCode::TOO_MANY_REQUESTS, "rate"),
        Code::Newcomer => (StatusCode::TOO_MANY_REQUESTS, "newcomer"),
        Code::TooLong => (StatusCode::UNPROCESSABLE_ENTITY, "too_long"),
        Code::Empty => (StatusCode::UNPROCESSABLE_ENTITY, "empty"),
        Code::BadName => (StatusCode::UNPROCESSABLE_ENTITY, "bad_name"),
        Code::BadSetting => (StatusCode::UNPROCESSABLE_ENTITY, "bad_setting"),
        Code::BadFrame => (StatusCode::BAD_REQUEST, "bad_request"),
        Code::Banned => (StatusCode::FORBIDDEN, "banned"),
        Code::Closed => (StatusCode::FORBIDDEN, "closed"),
        Code::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
        Code::NameTaken => (StatusCode::CONFLICT, "name_taken"),
        Code::Duplicate => (StatusCode::CONFLICT, "duplicate"),
        Code::NotFound => (StatusCode::NOT_FOUND, "not_found"),
        Code::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    let problem = Problem::new(status, code, refusal.code.to_string()).at(path);
    match refusal.retry_after {
        Some(wait) => problem.retry_after(wait),
        None => problem,
    }
    .into_response()
}
