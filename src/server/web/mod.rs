//! The web port: HTTP/1.1 for viewers, on an accept loop of our own around axum's routes. Connections are bounded in all and
//! from one address, heads in time and size; an answer may take as long as its peer goes on taking it, and no longer.

pub mod pages;
mod socket;

use crate::auth::neighbourhood;
use crate::hub::Registry;
use crate::model::Network;
use crate::protocol::hls;
use crate::protocol::parting::Parting;
use crate::server::endpoint::http::asked_to_end;
use crate::server::per_address::{Counted, PerAddress};
use crate::telemetry::Log;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use socket::Progressing;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
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
    /// What is served.
    pub routes: Router,
}

/// The other end of a request's connection.
#[derive(Clone, Copy)]
struct Remote(SocketAddr);

/// The routes: everything that is no page and no API is the name of a stream.
pub fn routes(hls: Arc<hls::server::Shared>) -> Router {
    Router::new().fallback(streams).with_state(hls.clone()).merge(pages::routes(hls, pages::built::BUILT))
}

async fn streams(
    State(hls): State<Arc<hls::server::Shared>>,
    Extension(Remote(remote)): Extension<Remote>,
    request: Request,
) -> Response {
    hls.answer(request, remote.ip()).await
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
    let _ = socket.set_nodelay(true);
    let _ = socket2::SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER);
    let socket = Arc::new(socket);
    let _parting = Parting::new(socket.clone());
    let routes = TowerToHyperService::new(web.routes.clone());
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Remote(remote));
        routes.call(request.map(Body::new))
    });
    let limits = &web.limits;
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(limits.fields)
        .max_buf_size(limits.head_bytes)
        .half_close(false)
        .serve_connection(Progressing::new(socket, limits.stalled), service);
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = asked_to_end(&mut shutdown) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if ended.is_err_and(|error| error.is_parse_too_large()) {
        web.registry.broke("web_head");
    }
}

/// The address that a connection is counted by; none for this machine and trusted networks.
fn counted_as(remote: IpAddr, trusted: &[Network]) -> Option<IpAddr> {
    let remote = remote.to_canonical();
    let known = remote.is_loopback() || trusted.iter().any(|network| network.contains(remote));
    (!known).then(|| neighbourhood(remote))
}

#[cfg(test)]
mod tests;
