//! ICE over TCP (RFC 6544), for networks that let no UDP through: connections come to the same port number, and carry the
//! datagrams of sessions one behind the other.

use super::engine::Engine;
use super::framing;
use bytes::{Bytes, BytesMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Connections at once.
const MOST: usize = 512;
/// How long a connection may take to send something that belongs to a session.
const FIRST: Duration = Duration::from_secs(10);
/// How long it may be silent afterwards. Browsers check their connections every few seconds.
const SILENT: Duration = Duration::from_secs(30);

/// Takes connections until `shutdown` says so.
pub async fn serve(engine: Arc<Engine>, listener: TcpListener, mut shutdown: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.wait_for(|down| *down) => break,
        };
        match accepted {
            Ok((socket, remote)) if connections.len() < MOST => {
                connections.spawn(connection(engine.clone(), socket, remote));
            }
            Ok(_) => engine.hub().registry().broke("webrtc_connections"),
            // Out of files: a moment lets others end.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    connections.shutdown().await;
}

async fn connection(engine: Arc<Engine>, socket: TcpStream, remote: SocketAddr) {
    let _ = socket.set_nodelay(true);
    let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    let (remote, Ok(local)) = (canonical(remote), socket.local_addr().map(canonical)) else { return };
    let (from, to) = socket.into_split();
    let waiting = engine.ways().open(remote);
    tokio::select! {
        () = read(&engine, from, remote, local) => {}
        () = write(to, waiting) => {}
    }
    engine.ways().close(remote);
}

async fn read(engine: &Engine, mut from: OwnedReadHalf, remote: SocketAddr, local: SocketAddr) {
    let mut came = BytesMut::with_capacity(framing::LONGEST * 2);
    let mut patience = FIRST;
    loop {
        match tokio::time::timeout(patience, from.read_buf(&mut came)).await {
            Ok(Ok(1..)) => {}
            Ok(Ok(0) | Err(_)) | Err(_) => return,
        }
        loop {
            match framing::next(&mut came) {
                Ok(Some(datagram)) if engine.came_over_tcp(remote, local, &datagram) => patience = SILENT,
                // Not one of a session: nobody who comes first with something else is listened to.
                Ok(Some(_)) if patience == FIRST => return,
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

async fn write(mut to: OwnedWriteHalf, mut waiting: mpsc::Receiver<Bytes>) {
    let mut all = Vec::new();
    let mut out = BytesMut::new();
    while waiting.recv_many(&mut all, 64).await > 0 {
        out.clear();
        for datagram in all.drain(..) {
            if let Some(length) = framing::length(&datagram) {
                out.extend_from_slice(&length);
                out.extend_from_slice(&datagram);
            }
        }
        if !matches!(tokio::time::timeout(FIRST, to.write_all(&out)).await, Ok(Ok(()))) {
            return;
        }
    }
}
