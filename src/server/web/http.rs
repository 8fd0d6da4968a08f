//! One connection of a viewer, HTTP/1.1 or HTTP/2, from its first request until it ends or is asked to.

use super::Limits;
use super::activity::Activity;
use crate::server::endpoint::http::asked_to_end;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::rt;
use hyper::server::conn::{http1, http2};
use hyper::service::HttpService;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use tokio::sync::watch;

/// Requests at once on a connection of HTTP/2. A page has some ten: playlists and parts that are waited for.
const STREAMS: u32 = 32;
/// What HTTP/2 holds of an answer that its peer has no room for, in bytes.
const HELD: usize = 64 << 10;

/// Serves HTTP/1.1, until what becomes a WebSocket goes on by itself.
///
/// # Errors
/// What ended it, if it was no orderly end.
pub async fn first<I, S>(
    io: I,
    service: S,
    limits: &Limits,
    shutdown: &mut watch::Receiver<bool>,
) -> hyper::Result<()>
where
    I: rt::Read + rt::Write + Unpin + Send + 'static,
    S: HttpService<Incoming, ResBody = Body>,
    <S as HttpService<Incoming>>::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(limits.fields)
        .max_buf_size(limits.head_bytes)
        .half_close(false)
        .serve_connection(io, service)
        .with_upgrades();
    until_asked(serving, shutdown).await
}

/// Serves HTTP/2. `activity` is what its answers report to: a peer that makes room for none of them is ended.
///
/// # Errors
/// What ended it, if it was no orderly end.
pub async fn second<I, S>(
    io: I,
    service: S,
    activity: &Activity,
    limits: &Limits,
    shutdown: &mut watch::Receiver<bool>,
) -> hyper::Result<()>
where
    I: rt::Read + rt::Write + Unpin,
    S: HttpService<Incoming, ResBody = Body>,
    <S as HttpService<Incoming>>::Error: Into<Box<dyn Error + Send + Sync>>,
    <S as HttpService<Incoming>>::Future: Send + 'static,
{
    let head = u32::try_from(limits.head_bytes).unwrap_or(u32::MAX);
    let serving = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.head)
        .keep_alive_timeout(limits.head)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(head)
        .max_send_buf_size(HELD)
        .serve_connection(io, service);
    tokio::select! {
        ended = until_asked(serving, shutdown) => ended,
        () = activity.stalls(limits.stalled) => Ok(()),
    }
}

/// A connection that can be asked to end after the answers that it is at.
trait Graceful: Future<Output = hyper::Result<()>> {
    fn ask(self: Pin<&mut Self>);
}

impl<I, S> Graceful for http1::UpgradeableConnection<I, S>
where
    I: rt::Read + rt::Write + Unpin + Send + 'static,
    S: HttpService<Incoming, ResBody = Body>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn ask(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S> Graceful for http2::Connection<I, S, TokioExecutor>
where
    I: rt::Read + rt::Write + Unpin,
    S: HttpService<Incoming, ResBody = Body>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send + 'static,
{
    fn ask(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

async fn until_asked(serving: impl Graceful, shutdown: &mut watch::Receiver<bool>) -> hyper::Result<()> {
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        ended = &mut serving => ended,
        () = asked_to_end(shutdown) => {
            serving.as_mut().ask();
            serving.await
        }
    }
}
