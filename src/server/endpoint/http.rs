//! Carries the endpoints over HTTP: an accept loop of our own, because strangers are slow, many and insistent. Every
//! connection has a time limit for each phase, every part of a request a size limit, and the number of connections is
//! bounded; the oldest idle one makes room.

pub mod borders;
mod connections;
mod phase;
mod socket;

use super::answer::Response;
use crate::hub::Registry;
use crate::protocol::parting::{self, Parting};
use crate::telemetry::Log;
use borders::Follows;
use bytes::Bytes;
use connections::{Connection, Connections};
use hyper::StatusCode;
use hyper::body::{Body, Incoming};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, SERVER, TRANSFER_ENCODING,
};
use hyper::service::service_fn;
use phase::{At, Phase};
use socket::{Meter, Once, Watched};
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Bounds of an endpoint. Values, so that tests can shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first byte of a request to the end of its head.
    pub head: Duration,
    /// From the first byte of a request to the last byte of its answer.
    pub request: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// Longest request target, in bytes.
    pub target: usize,
    /// Most header fields.
    pub fields: usize,
    /// Longest header field, name and value, in bytes.
    pub field: usize,
    /// Largest request body, in bytes.
    pub body: usize,
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address that is not this machine's.
    pub per_address: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head: Duration::from_secs(10),
            request: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            target: 4096,
            fields: 100,
            field: 16 * 1024,
            body: 64 * 1024,
            connections: 256,
            per_address: 32,
        }
    }
}

/// The largest head in all; a hundred full fields are nobody's honest request.
const HEAD: usize = 64 * 1024;

/// A request whose head is within its limits.
#[derive(Debug)]
pub struct IncomingRequest<'a> {
    /// The other end.
    pub remote: SocketAddr,
    /// The method.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// Header fields.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

/// An answer with the header fields that only some have.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The answer.
    pub answer: Response,
    /// `WWW-Authenticate`, for 401.
    pub challenge: Option<&'static str>,
    /// How long it is held back, against guessing.
    pub wait: Duration,
}

impl From<Response> for Reply {
    fn from(answer: Response) -> Reply {
        Reply { answer, challenge: None, wait: Duration::ZERO }
    }
}

/// An answer that may have to be waited for.
pub type ReplyFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

impl From<Reply> for ReplyFuture {
    fn from(told: Reply) -> ReplyFuture {
        Box::pin(std::future::ready(told))
    }
}

/// One endpoint.
pub struct Endpoint {
    /// For the log: `stat`.
    pub name: &'static str,
    /// What it calls itself in `Server`.
    pub server: &'static str,
    /// Its bounds.
    pub limits: Limits,
    /// Answers a request. What it needs of the request it takes before it waits for anything.
    pub answer: Box<dyn Fn(&IncomingRequest<'_>) -> ReplyFuture + Send + Sync>,
    /// Where broken limits are counted.
    pub registry: Registry,
    /// Where refusals are told.
    pub log: Log,
}

/// Serves an endpoint until `shutdown` says so; open requests have a moment to end.
pub async fn serve(listener: TcpListener, endpoint: Arc<Endpoint>, mut shutdown: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    let connections = Connections::default();
    loop {
        while tasks.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = asked_to_end(&mut shutdown) => break,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(e) => {
                endpoint.log.warn(format_args!("{}: cannot accept a connection: {e}", endpoint.name));
                // Out of files or memory: a moment lets others end.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(permit) = connections.enter(remote.ip(), &endpoint) else { continue };
        let _ = stream.set_nodelay(true);
        tasks.spawn(connection(stream, remote, endpoint.clone(), permit, shutdown.clone()));
    }
    drop(listener);
    let polite = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(Duration::from_secs(1), polite).await;
    tasks.shutdown().await;
}

/// Waits until the server ends.
pub async fn asked_to_end(shutdown: &mut watch::Receiver<bool>) {
    // An error means that whoever would say so is gone, which says the same.
    let _ = shutdown.wait_for(|down| *down).await;
}

async fn connection(
    stream: TcpStream,
    remote: SocketAddr,
    endpoint: Arc<Endpoint>,
    connection: Connection,
    mut shutdown: watch::Receiver<bool>,
) {
    let stream = Arc::new(stream);
    let _parting = Parting::new(stream.clone());
    let phase = connection.phase.clone();
    let meter = Arc::new(Meter::new(endpoint.limits.body));
    let io =
        Watched { stream: stream.clone(), phase: phase.clone(), meter: meter.clone(), ahead: Vec::new() };
    let service = service_fn(|request: hyper::Request<Incoming>| {
        // Before the next byte is read, and so not inside the answer's future.
        meter.follows(follows(request.headers()));
        respond(request, remote, endpoint.clone(), phase.clone(), meter.clone())
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.title_case_headers(true)
        .max_headers(endpoint.limits.fields)
        .max_buf_size(HEAD)
        .half_close(false)
        .header_read_timeout(None);
    let mut serving = std::pin::pin!(http.serve_connection(io, service));
    let mut down = false;
    let over = loop {
        tokio::select! {
            ended = &mut serving => {
                if ended.is_err_and(|e| e.is_parse_too_large()) {
                    endpoint.registry.broke("http_head");
                }
                break At::Idle;
            }
            at = phase.over(&endpoint.limits) => break at,
            () = asked_to_end(&mut shutdown), if !down => {
                down = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    };
    if matches!(over, At::Head | At::Request) {
        endpoint.registry.broke("http_request_time");
        // The answer, if the peer still has room for it; nothing of this request has been answered yet.
        let _ = stream
            .try_write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    parting::farewell(&stream).await;
}

async fn respond(
    request: hyper::Request<Incoming>,
    remote: SocketAddr,
    endpoint: Arc<Endpoint>,
    phase: Arc<Phase>,
    meter: Arc<Meter>,
) -> Result<hyper::Response<Once>, Infallible> {
    phase.go(At::Request);
    let (head, body) = request.into_parts();
    let limits = &endpoint.limits;
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let long = |(name, value): (&hyper::header::HeaderName, &HeaderValue)| {
        name.as_str().len().saturating_add(value.len()) > limits.field
    };
    let declared = declared(&head.headers);
    let mut content = Vec::new();
    let refused = if target.len() > limits.target {
        Some((414, "http_target"))
    } else if head.headers.iter().any(long) {
        Some((431, "http_field"))
    } else if declared.is_some_and(|n| n > limits.body as u64) {
        Some((413, "http_body"))
    } else {
        let passed = tokio::select! {
            biased;
            // Said, if not sent.
            () = meter.over() => Passed::TooMuch,
            passed = read(body, limits.body, &mut content) => passed,
        };
        match passed {
            Passed::All => None,
            Passed::TooMuch => Some((413, "http_body")),
            Passed::Broken => Some((400, "http_body")),
        }
    };
    let (told, close) = match refused {
        Some((status, limit)) => {
            endpoint.registry.broke(limit);
            (Reply::from(Response::text(status, words(status))), true)
        }
        None => {
            let asked = IncomingRequest {
                remote,
                method: head.method.as_str(),
                target,
                headers: &head.headers,
                body: &content,
            };
            let answering = (endpoint.answer)(&asked);
            (answering.await, false)
        }
    };
    if !told.wait.is_zero() {
        tokio::time::sleep(told.wait).await;
    }
    Ok(response(told, close, endpoint.server, phase))
}

/// What follows a head. The library has seen to it that the two ways of saying so do not contradict each other.
fn follows(headers: &HeaderMap) -> Follows {
    match declared(headers) {
        _ if headers.contains_key(TRANSFER_ENCODING) => Follows::Chunks,
        Some(length) => Follows::Bytes(length),
        None => Follows::Nothing,
    }
}

/// The declared length of a body.
fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

enum Passed {
    All,
    TooMuch,
    Broken,
}

/// Reads a body of at most `most` bytes. Few routes want one, but the next request stands behind it.
async fn read(mut body: Incoming, most: usize, content: &mut Vec<u8>) -> Passed {
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(frame) = frame else { return Passed::Broken };
        let piece = frame.data_ref().map_or(&[][..], |bytes| bytes);
        if content.len().saturating_add(piece.len()) > most {
            return Passed::TooMuch;
        }
        content.extend_from_slice(piece);
    }
    Passed::All
}

const fn words(status: u16) -> &'static str {
    match status {
        400 => "the request's body is broken",
        413 => "the request's body is too large",
        414 => "the request's target is too long",
        _ => "a field of the request's head is too long",
    }
}

fn response(told: Reply, close: bool, server: &'static str, phase: Arc<Phase>) -> hyper::Response<Once> {
    let Response { status, content_type, body } = told.answer;
    let mut response = hyper::Response::new(Once { body: Some(Bytes::from(body)), phase });
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(SERVER, HeaderValue::from_static(server));
    headers.insert(hyper::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(hyper::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(challenge) = told.challenge {
        headers.insert(hyper::header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
