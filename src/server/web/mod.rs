//! The web port: HTTP/1.1 for viewers, with TLS also HTTP/2, on an accept loop of our own around axum's routes. Connections are bounded in all and
//! from one address, heads in time and size; an answer may take as long as its peer goes on taking it, and no longer.

mod activity;
mod health;
mod http;
pub mod pages;
mod problem;
pub mod rest;
mod socket;
pub mod tls;

use crate::auth::neighbourhood;
use crate::hub::Registry;
use crate::model::Network;
use crate::protocol::parting;
use crate::protocol::web_access::{Connection, path};
use crate::protocol::{hls, webrtc};
use crate::server::endpoint::http::asked_to_end;
use crate::server::per_address::{Counted, PerAddress};
use crate::server::thumbnails::Thumbnails;
use crate::telemetry::Log;
use activity::Activity;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use problem::Problem;
use rest::chat::{self, Chat};
use socket::{Progressing, SendBuffer};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tls::Tls;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Bounds of the port. Values, so that tests can shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the beginning of the connection, or the end of the answer before, to the end of a request's head.
    pub head: Duration,
    /// A peer that takes nothing of its answer for so long is ended.
    pub stalled: Duration,
    /// The largest head, in bytes.
    pub head_bytes: usize,
    /// Most header fields.
    pub fields: usize,
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address (of IPv6: from one /64), except from this machine and trusted networks.
    pub per_address: usize,
}

impl Limits {
    /// The default, with so many connections from one address and no more than a quarter of the files that the process
    /// may have open.
    pub fn new(per_address: usize, files: u64) -> Limits {
        let quarter = usize::try_from(files / 4).unwrap_or(usize::MAX).max(1);
        Limits {
            head: Duration::from_secs(15),
            stalled: Duration::from_secs(10),
            head_bytes: 16 << 10,
            fields: 64,
            connections: quarter.min(4096),
            per_address,
        }
    }
}

/// How much the kernel may hold of what a viewer has not taken. It doubles the number for its own bookkeeping.
const SEND_BUFFER: usize = 256 << 10;

/// What the connections share.
pub struct Web {
    /// Bounds.
    pub limits: Limits,
    /// Whose addresses are not counted, like this machine's.
    pub trusted: Vec<Network>,
    /// Where broken limits are counted.
    pub registry: Registry,
    /// What cannot be accepted.
    pub log: Log,
    /// TLS, if that is what is spoken.
    pub tls: Option<Arc<Tls>>,
    /// What is served.
    pub routes: Router,
}

/// What is served.
#[derive(Clone)]
pub struct Served {
    /// HLS.
    pub hls: Arc<hls::server::Shared>,
    /// WebRTC.
    pub webrtc: Arc<webrtc::server::Shared>,
    /// Chat.
    pub chat: Arc<Chat>,
    /// Thumbnails.
    pub thumbnails: Arc<Thumbnails>,
}

/// The routes: everything that is no page and no API is the name of a stream.
pub fn routes(served: Served, api: rest::Api) -> Router {
    let hls = served.hls.clone();
    let nothing = |uri: Uri| async move {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address").at(uri.path())
    };
    let pages = pages::routes(hls, api.server_of_encoders(), pages::built::Files::of_this_program());
    Router::new()
        .merge(health::routes(api.readiness()))
        .merge(chat::routes(served.chat.clone()))
        .route("/api", any(nothing))
        .route("/api/{*rest}", any(nothing))
        .fallback(streams)
        .with_state(served.clone())
        .merge(rest::routes(api))
        .merge(pages)
        .layer(from_fn_with_state(served, streams_first))
}

/// An application may be called as a page is: then its streams count before the page, which cannot end like theirs.
async fn streams_first(
    State(served): State<Served>,
    Extension(ends): Extension<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if path::begins_as_a_page(path) && served.names(path) {
        served.answer(request, ends).await
    } else {
        next.run(request).await
    }
}

async fn streams(
    State(served): State<Served>,
    Extension(ends): Extension<Connection>,
    request: Request,
) -> Response {
    served.answer(request, ends).await
}

impl Served {
    /// Whether a path names something of a stream.
    fn names(&self, path: &str) -> bool {
        self.webrtc.route(path).is_some() || self.thumbnails.route(path).is_some() || self.hls.names(path)
    }

    /// Answers a request for a stream.
    async fn answer(&self, request: Request, ends: Connection) -> Response {
        if let Some(stream) = self.thumbnails.route(request.uri().path()) {
            return self.thumbnails.answer(stream, request, ends.remote.ip()).await;
        }
        match self.webrtc.route(request.uri().path()) {
            Some(route) => self.webrtc.answer(route, request, ends).await,
            None => self.hls.answer(request, ends.remote).await,
        }
    }
}

/// Serves until `shutdown` says so; open requests have a moment to end.
pub async fn serve(listener: TcpListener, web: Arc<Web>, mut shutdown: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let addresses = PerAddress::default();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = asked_to_end(&mut shutdown) => break,
        };
        match accepted {
            Ok((socket, remote)) => {
                let full = connections.len() >= web.limits.connections;
                let from = counted_as(remote.ip(), &web.trusted);
                match addresses.enter(from, web.limits.per_address) {
                    Some(counted) if !full => {
                        connections.spawn(connection(socket, remote, web.clone(), counted, shutdown.clone()));
                    }
                    Some(_) => web.registry.broke("web_connections"),
                    None => web.registry.broke("web_connections_per_address"),
                }
            }
            Err(error) => {
                web.log.warn(format_args!("web: cannot accept a connection: {error}"));
                // Out of files or memory: a moment lets others end.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let polite = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(Duration::from_secs(1), polite).await;
    connections.shutdown().await;
}

async fn connection(
    socket: TcpStream,
    remote: SocketAddr,
    web: Arc<Web>,
    _counted: Counted,
    mut shutdown: watch::Receiver<bool>,
) {
    let Ok(local) = socket.local_addr() else { return };
    let ends = Connection { remote, local };
    let _ = socket.set_nodelay(true);
    let _ = socket2::SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER);
    let socket = Arc::new(socket);
    let limits = &web.limits;
    let activity = Activity::default();
    let io = Progressing::new(socket.clone(), limits.stalled);
    let ended = match &web.tls {
        None => {
            http::first(TokioIo::new(io), answers(&web, ends, &socket, None), limits, &mut shutdown).await
        }
        Some(tls) => {
            let accepted =
                async { if is_plain(&socket).await { Ok(None) } else { tls.accept(io).await.map(Some) } };
            match tokio::time::timeout(limits.head, accepted).await {
                Ok(Ok(Some((stream, true)))) => {
                    let service = answers(&web, ends, &socket, Some(activity.clone()));
                    http::second(TokioIo::new(stream), service, &activity, limits, &mut shutdown).await
                }
                Ok(Ok(Some((stream, false)))) => {
                    http::first(
                        TokioIo::new(stream),
                        answers(&web, ends, &socket, None),
                        limits,
                        &mut shutdown,
                    )
                    .await
                }
                Ok(Ok(None)) => {
                    web.registry.broke("web_plain");
                    return parting::say(&socket, PLAIN).await;
                }
                Ok(Err(_)) | Err(_) => return web.registry.broke("web_tls"),
            }
        }
    };
    if ended.is_err_and(|error| error.is_parse_too_large()) {
        web.registry.broke("web_head");
    }
}

/// What answers the requests of a connection; `activity` is told of answers that have to get on.
fn answers(
    web: &Web,
    ends: Connection,
    socket: &Arc<TcpStream>,
    activity: Option<Activity>,
) -> impl Service<
    hyper::Request<hyper::body::Incoming>,
    Response = Response,
    Error = Infallible,
    Future: Send + 'static,
> + use<> {
    let routes = TowerToHyperService::new(web.routes.clone());
    let buffer = SendBuffer::of(socket);
    service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ends);
        request.extensions_mut().insert(buffer.clone());
        let (answer, activity) = (routes.call(request.map(Body::new)), activity.clone());
        async move {
            let answer = answer.await?;
            Ok(match activity {
                Some(activity) => answer.map(|body| activity.watched(body)),
                None => answer,
            })
        }
    })
}

/// Whether the first byte is one of a request without TLS, whose first byte is 22 (RFC 8446, 5.1).
async fn is_plain(socket: &TcpStream) -> bool {
    let mut first = [0];
    matches!(socket.peek(&mut first).await, Ok(1) if first.first().is_some_and(u8::is_ascii_uppercase))
}

/// The answer to a request without TLS where TLS is spoken.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 39\r\nConnection: close\r\n\r\nthis port speaks https: use https://...";

/// The address that a connection is counted by; none for this machine and trusted networks.
fn counted_as(remote: IpAddr, trusted: &[Network]) -> Option<IpAddr> {
    let remote = remote.to_canonical();
    let known = remote.is_loopback() || trusted.iter().any(|network| network.contains(remote));
    (!known).then(|| neighbourhood(remote))
}

#[cfg(test)]
mod tests;
