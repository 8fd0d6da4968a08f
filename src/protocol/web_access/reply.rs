//! Answers to requests for streams, which pages of any origin may read.

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, CACHE_CONTROL, CONTENT_TYPE,
    HeaderValue, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Response, StatusCode};

/// The fields that a page of another origin sees.
const EXPOSED: &str = "Date, Age, Location, ETag, Link, Msconv-Without-Audio";

/// A refusal in words.
pub fn refusal(status: StatusCode, why: &str) -> Response<Body> {
    let mut reply = open(status, Body::from(format!("{why}\n")));
    let fields = reply.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    // So that nobody who asks again and again for what may come any moment is told of an hour ago, nor asks us each time.
    let kept = if status == StatusCode::NOT_FOUND { "max-age=1" } else { "no-store" };
    fields.insert(CACHE_CONTROL, HeaderValue::from_static(kept));
    if status == StatusCode::UNAUTHORIZED {
        fields.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"msconv\""));
    }
    reply
}

/// The refusal of a method where these are `allowed`.
pub fn wrong_method(allowed: &'static str, why: &str) -> Response<Body> {
    let mut reply = refusal(StatusCode::METHOD_NOT_ALLOWED, why);
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    reply
}

/// An answer that any page may read.
pub fn open(status: StatusCode, body: Body) -> Response<Body> {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    let fields = reply.headers_mut();
    fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    fields.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    fields.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn field(reply: &Response<Body>, name: HeaderName) -> &str {
        reply.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn refusals_say_what_to_do() {
        let nobody = refusal(StatusCode::NOT_FOUND, "nobody publishes this name");
        assert_eq!(field(&nobody, CACHE_CONTROL), "max-age=1");
        let who = refusal(StatusCode::UNAUTHORIZED, "who");
        assert_eq!(
            (field(&who, CACHE_CONTROL), field(&who, WWW_AUTHENTICATE)),
            ("no-store", "Basic realm=\"msconv\"")
        );
        assert_eq!(field(&wrong_method("GET, HEAD, OPTIONS", "no"), ALLOW), "GET, HEAD, OPTIONS");
        assert_eq!(wrong_method("", "no").status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
