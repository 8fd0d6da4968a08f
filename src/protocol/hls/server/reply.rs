//! The answers: status, header fields and bodies. What may be kept how long is said exactly, so that a cache between us
//! and many viewers asks once for each URL.

use crate::protocol::web_access::reply::open;
use axum::body::{Body, HttpBody};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, CACHE_CONTROL, CONTENT_ENCODING,
    CONTENT_TYPE, HeaderName, HeaderValue, VARY,
};
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What is answered here.
pub const METHODS: &str = "GET, HEAD, OPTIONS";

/// How long an answer may be kept by whoever gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// So many seconds; then it may be another.
    Seconds(u64),
    /// So many seconds, and it never changes.
    Immutable(u64),
}

/// The answers of a server.
#[derive(Clone, Copy, Debug)]
pub struct Replies {
    /// Whether viewers have to say who they are: then no cache that many use may keep what they get.
    pub private: bool,
}

impl Replies {
    /// A playlist; `gzipped` if its bytes are.
    pub fn playlist(self, text: Bytes, gzipped: bool, keep: Keep) -> Response<Body> {
        let mut reply = self.media("application/vnd.apple.mpegurl", vec![text], keep);
        reply.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if gzipped {
            reply.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        reply
    }

    /// Media in some pieces.
    pub fn media(self, content_type: &'static str, pieces: Vec<Bytes>, keep: Keep) -> Response<Body> {
        let scope = if self.private { "private" } else { "public" };
        let control = match keep {
            Keep::Seconds(seconds) => format!("{scope}, max-age={seconds}"),
            Keep::Immutable(seconds) => format!("{scope}, max-age={seconds}, immutable"),
        };
        let mut reply = open(StatusCode::OK, Body::new(Pieces::of(pieces)));
        let fields = reply.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Ok(control) = HeaderValue::from_str(&control) {
            fields.insert(CACHE_CONTROL, control);
        }
        reply
    }
}

/// What a browser asks before it asks from another page (Fetch, CORS preflight).
pub fn preflight() -> Response<Body> {
    let mut reply = open(StatusCode::NO_CONTENT, Body::empty());
    let fields = reply.headers_mut();
    fields.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    fields.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Range, Authorization"));
    fields.insert(HeaderName::from_static("access-control-max-age"), HeaderValue::from_static("86400"));
    reply
}

/// A body of some pieces of known length.
struct Pieces {
    waiting: VecDeque<Bytes>,
    left: u64,
}

impl Pieces {
    fn of(pieces: Vec<Bytes>) -> Pieces {
        let left = pieces.iter().fold(0_u64, |sum, piece| sum.saturating_add(piece.len() as u64));
        Pieces { waiting: pieces.into(), left }
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        let next = self.waiting.pop_front();
        if let Some(piece) = &next {
            self.left = self.left.saturating_sub(piece.len() as u64);
        }
        Poll::Ready(next.map(|piece| Ok(hyper::body::Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.waiting.is_empty()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::ACCESS_CONTROL_ALLOW_ORIGIN;

    fn field(reply: &Response<Body>, name: HeaderName) -> &str {
        reply.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn caches_learn_what_they_may_keep() {
        let open = Replies { private: false };
        let media = open.media(
            "video/mp4",
            vec![Bytes::from_static(b"ab"), Bytes::from_static(b"c")],
            Keep::Immutable(60),
        );
        assert_eq!(field(&media, CACHE_CONTROL), "public, max-age=60, immutable");
        assert_eq!(field(&media, ACCESS_CONTROL_ALLOW_ORIGIN), "*");
        assert_eq!(media.body().size_hint().exact(), Some(3));
        assert_eq!((preflight().status(), METHODS), (StatusCode::NO_CONTENT, "GET, HEAD, OPTIONS"));
        let closed = Replies { private: true }.playlist(Bytes::new(), true, Keep::Seconds(2));
        assert_eq!(field(&closed, CACHE_CONTROL), "private, max-age=2");
        assert_eq!((field(&closed, CONTENT_ENCODING), field(&closed, VARY)), ("gzip", "Accept-Encoding"));
    }
}
