//! What RTMP's and RTSP's servers do alike: accept connections, admit or refuse them, arrange their sockets, give each
//! a task, move it to where its stream is carried, and end them all.

use super::admission::{Admission, Permit};
use super::workers::Workers;
use crate::base::clock::Now;
use crate::hub::{Client, Hub, Kind, Worker};
use crate::telemetry::Log;
use socket2::{SockRef, TcpKeepalive};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How much the kernel may hold of what a reader has not taken. It doubles the number for its own bookkeeping.
const SEND_BUFFER: usize = 256 << 10;
/// How long connections may take to end when the server ends.
const POLITE: Duration = Duration::from_secs(4);

/// Where connections of one kind come in.
#[derive(Clone, Copy)]
pub struct ListenerContext<'a> {
    /// Who is there, in the registry.
    pub hub: &'a Hub,
    /// Who may come in.
    pub admission: &'a Admission,
    /// Where refusals are told.
    pub log: &'a Log,
    /// What comes in.
    pub kind: Kind,
    /// Where connections run.
    pub workers: &'a Workers,
}

/// A connection of one protocol.
pub trait Connection: Sized + Send + 'static {
    /// Serves it to its end, or until it turns out that another worker carries what it publishes or reads; then it goes
    /// on there.
    fn run(self, shutdown: watch::Receiver<bool>) -> impl Future<Output = Option<(Worker, Self)>> + Send;

    /// The runtime that this is called on watches its socket from now on.
    ///
    /// # Errors
    /// As [`super::workers::taken_over`].
    fn take_over(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}

/// Gives each connection the task that `begin` makes of it, until `shutdown` says so. Then publishers' streams end,
/// readers are told, and what is not gone after a few seconds is dropped.
pub async fn serve<C: Connection>(
    listener: TcpListener,
    entrance: ListenerContext<'_>,
    mut shutdown: watch::Receiver<bool>,
    begin: impl Fn(TcpStream, Arc<Client>, Permit) -> io::Result<C>,
) {
    let ends = shutdown.clone();
    let name = entrance.kind.name;
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(ended) = connections.join_next() => {
                if let Ok(Some((worker, connection))) = ended {
                    let there = go_on(connection, name, entrance.log.clone(), ends.clone());
                    connections.spawn_on(there, entrance.workers.runtime(worker));
                }
                continue;
            }
            _ = shutdown.wait_for(|down| *down) => break,
        };
        match accepted {
            Ok((socket, remote)) => {
                if let Some((client, place)) = entrance.admit(remote) {
                    match arrange(&socket).and_then(|()| begin(socket, client, place)) {
                        Ok(connection) => {
                            connections.spawn(connection.run(ends.clone()));
                        }
                        Err(error) => entrance.log.debug(format_args!("{name}: {remote}: {error}")),
                    }
                }
            }
            Err(error) => {
                entrance.log.warn(format_args!("{name}: cannot accept a connection: {error}"));
                // Out of files or memory: a moment lets others end.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let polite = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(POLITE, polite).await;
    connections.shutdown().await;
}

/// Serves a connection that came from another worker.
async fn go_on<C: Connection>(
    mut connection: C,
    name: &'static str,
    log: Log,
    shutdown: watch::Receiver<bool>,
) -> Option<(Worker, C)> {
    match connection.take_over().await {
        Ok(()) => connection.run(shutdown).await,
        Err(error) => {
            log.warn(format_args!("{name}: cannot move a connection: {error}"));
            None
        }
    }
}

impl ListenerContext<'_> {
    /// A place for a connection; none if there are too many.
    fn admit(&self, remote: SocketAddr) -> Option<(Arc<Client>, Permit)> {
        let now = Now::read();
        let registry = self.hub.registry();
        let client = registry.enter(self.kind, remote, now.mono, now.wall_ms);
        match self.admission.enter(&client) {
            Ok(place) => Some((client, place)),
            Err(refused) => {
                registry.broke(refused.limit());
                self.log.warn(format_args!("{}: {remote} refused: {refused}", self.kind.name));
                None
            }
        }
    }
}

/// Options of a connection: no waiting for more bytes, a bounded buffer, and an end for peers that vanished.
fn arrange(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    socket.set_send_buffer_size(SEND_BUFFER)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(10))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)
}
