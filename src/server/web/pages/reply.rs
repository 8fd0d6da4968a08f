//! The answers of the pages, with what a browser may do with them.

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, CACHE_CONTROL, CONTENT_ENCODING,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Response, StatusCode};

const A_YEAR: &str = "public, max-age=31536000, immutable";

/// What a page may do beyond what all of them may.
#[derive(Clone, Copy, PartialEq)]
pub enum Powers {
    /// Nothing.
    Usual,
    /// It takes the camera, the microphone and the screen.
    Capture,
    /// Other pages show it within theirs.
    Framed,
}

/// Scripts, styles and requests of this server alone, and no script out of a text; the video comes out of a buffer that the
/// script fills. Older Safaris do not take `'self'` for sockets, so they are named by the host that was asked.
fn policy(powers: Powers, host: Option<&str>) -> String {
    let plain = |host: &&str| {
        (1..=255).contains(&host.len())
            && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c))
    };
    let sockets = host.filter(plain).map(|host| format!(" ws://{host} wss://{host}")).unwrap_or_default();
    let framed_by = if powers == Powers::Framed { "*" } else { "'none'" };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; \
         connect-src 'self'{sockets}; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {framed_by}; \
         require-trusted-types-for 'script'"
    )
}

/// A page. It is asked for again each time, since its name says nothing of what is in it.
pub fn page(status: StatusCode, html: Bytes, powers: Powers, asked: &HeaderMap) -> Response<Body> {
    let mut reply = safe(status, "text/html; charset=utf-8", "no-cache", Body::from(html));
    let host = asked.get(HOST).and_then(|value| value.to_str().ok());
    if let Ok(value) = HeaderValue::from_str(&policy(powers, host)) {
        reply.headers_mut().insert(CONTENT_SECURITY_POLICY, value);
    }
    if powers == Powers::Capture {
        let value = HeaderValue::from_static("camera=(self), microphone=(self), display-capture=(self)");
        reply.headers_mut().insert(HeaderName::from_static("permissions-policy"), value);
    }
    reply
}

/// A file that never changes; `gzipped` if its bytes are.
pub fn asset(name: &str, bytes: Bytes, gzipped: bool) -> Response<Body> {
    let mut reply = safe(StatusCode::OK, content_type(name), A_YEAR, Body::from(bytes));
    let fields = reply.headers_mut();
    fields.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if gzipped {
        fields.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    reply
}

/// A sentence.
pub fn text(status: StatusCode, words: &str) -> Response<Body> {
    let body = Body::from(format!("{words}\n"));
    let mut reply = safe(status, "text/plain; charset=utf-8", "no-store", body);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    reply
}

/// What the streams' own server refused, as a page: no other page may read it.
pub fn refused(mut reply: Response<Body>) -> Response<Body> {
    let fields = reply.headers_mut();
    fields.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
    fields.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
    guard(fields);
    reply
}

fn safe(status: StatusCode, content_type: &'static str, keep: &'static str, body: Body) -> Response<Body> {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    let fields = reply.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    fields.insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    guard(fields);
    reply
}

fn guard(fields: &mut HeaderMap) {
    if let Ok(value) = HeaderValue::from_str(&policy(Powers::Usual, None)) {
        fields.insert(CONTENT_SECURITY_POLICY, value);
    }
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        fields.insert(name, HeaderValue::from_static(value));
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("txt") => "text/plain; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
