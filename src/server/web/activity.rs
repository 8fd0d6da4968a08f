//! Whether the answers of a connection of HTTP/2 get on. There a peer that takes nothing does not fill the socket: it
//! gives an answer no room (RFC 9113, 5.2), and everything else goes on.

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// What the answers of a connection report to. Cloning shares it.
#[derive(Clone, Default)]
pub struct Activity(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Answers that are not over.
    open: usize,
    /// When one of them got on; none before the first.
    last: Option<Instant>,
}

impl Activity {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The body of an answer, which reports from now on.
    pub fn watched(&self, body: Body) -> Body {
        let mut state = self.state();
        state.open = state.open.saturating_add(1);
        state.last = Some(Instant::now());
        drop(state);
        Body::new(Watched { body, activity: self.clone() })
    }

    /// Waits until answers are open and none of them has got on for `patience`.
    pub async fn stalls(&self, patience: Duration) {
        loop {
            let since = {
                let state = self.state();
                state.last.filter(|_| state.open > 0).unwrap_or_else(Instant::now)
            };
            let until = since + patience;
            if Instant::now() >= until {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

struct Watched {
    body: Body,
    activity: Activity,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.activity.state().last = Some(Instant::now());
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.open = state.open.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_open_answers_stall() {
        let activity = Activity::default();
        let patience = Duration::from_secs(10);
        let never = tokio::time::timeout(Duration::from_secs(60), activity.stalls(patience)).await;
        assert!(never.is_err(), "nothing is open");
        let body = activity.watched(Body::from("answer"));
        let begun = Instant::now();
        activity.stalls(patience).await;
        assert_eq!(begun.elapsed(), patience);
        drop(body);
        let never = tokio::time::timeout(Duration::from_secs(60), activity.stalls(patience)).await;
        assert!(never.is_err(), "nothing is open any more");
    }
}
