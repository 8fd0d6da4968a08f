//! A stream of server-sent events (HTML, 9.2), which stays open while its peer takes what is sent.

use axum::body::{Body, HttpBody};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Frame;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval_at};

/// Events that may wait for a peer.
const WAITING: usize = 64;
/// Between two signs of life of a stream in which nothing happens. Proxies give up after half a minute, often.
const PING: Duration = Duration::from_secs(15);
/// An answer over HTTP/2 that does not move for some seconds counts as stalled, so it moves more often than it says something: as
/// long as its peer leaves it room.
const MOVE: Duration = Duration::from_secs(5);

/// The end that events are put into.
pub struct Sse(mpsc::Sender<Bytes>);

impl Sse {
    /// Sends an event, of the usual type if none is named; nothing if the other end is gone. `json` has no line breaks.
    pub async fn send(&self, id: Option<&str>, kind: Option<&str>, json: &str) -> Option<()> {
        let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        let kind = kind.map(|kind| format!("event: {kind}\n")).unwrap_or_default();
        self.0.send(format!("{id}{kind}data: {json}\n\n").into()).await.ok()
    }

    /// Waits until the other end is gone.
    pub async fn gone(&self) {
        self.0.closed().await;
    }
}

/// Both ends of a stream; it ends with the one that events are put into.
pub fn channel() -> (Sse, Response) {
    let (events, waiting) = mpsc::channel(WAITING);
    let mut beat = interval_at(tokio::time::Instant::now() + MOVE, MOVE);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut response =
        Response::new(Body::new(Stream { waiting, beat, quiet: Duration::ZERO, begun: false }));
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would hold the events back.
    fields.insert("x-accel-buffering", HeaderValue::from_static("no"));
    (Sse(events), response)
}

struct Stream {
    waiting: mpsc::Receiver<Bytes>,
    beat: Interval,
    /// How long nothing was sent, about.
    quiet: Duration,
    begun: bool,
}

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let said =
            |text: &'static str| Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(text.as_bytes())))));
        if !self.begun {
            self.begun = true;
            // The head goes out with it, and browsers wait as long before they come back.
            return said("retry: 2000\n\n");
        }
        match self.waiting.poll_recv(cx) {
            Poll::Ready(Some(event)) => {
                self.quiet = Duration::ZERO;
                return Poll::Ready(Some(Ok(Frame::data(event))));
            }
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => {}
        }
        while self.beat.poll_tick(cx).is_ready() {
            self.quiet = self.quiet.saturating_add(MOVE);
            if self.quiet >= PING {
                self.quiet = Duration::ZERO;
                return said(": ping\n\n");
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test(start_paused = true)]
    async fn it_says_something_now_and_then_and_ends() {
        let (sse, response) = channel();
        let mut body = response.into_body();
        let mut next = async || {
            let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            frame.map(|frame| String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
        };
        assert_eq!(next().await.as_deref(), Some("retry: 2000\n\n"));
        sse.send(Some("7"), Some("stream.live"), "{}").await.unwrap();
        assert_eq!(next().await.as_deref(), Some("id: 7\nevent: stream.live\ndata: {}\n\n"));
        let begun = tokio::time::Instant::now();
        assert_eq!(next().await.as_deref(), Some(": ping\n\n"));
        assert_eq!(begun.elapsed(), PING);
        drop(sse);
        assert_eq!(next().await, None);
    }
}
