//! Connections that are one side of a tunnel through HTTP.

use super::{Connection, End, Part, READ};
use crate::hub::Role;
use crate::hub::client::add;
use crate::protocol::parting;
use crate::protocol::rtsp::server::tunnels::Lower;
use crate::protocol::rtsp::wire::tunnel::{Decoder, Tunnel, granted, nobody, taken};
use bytes::{Bytes, BytesMut};
use std::future::pending;
use std::io::ErrorKind;
use std::time::Instant;
use tokio::sync::{mpsc, watch};

impl Connection {
    /// This connection turns out to be a side of a tunnel.
    pub(super) fn tunnel(&mut self, tunnel: Tunnel) -> Result<(), End> {
        match tunnel {
            Tunnel::Down(cookie) => {
                self.lower = self.shared.tunnels.lower(self.client.remote.ip(), cookie);
                if self.lower.is_none() {
                    self.out.extend_from_slice(&taken());
                    return Err(End::Goodbye);
                }
                self.out.extend_from_slice(&granted());
                // The first message still has to come, by the other connection.
                self.partial = Some(Instant::now());
                Ok(())
            }
            Tunnel::Up(cookie) => Err(End::Up(cookie)),
        }
    }

    /// What came up the tunnel; nothing if it is closed.
    pub(super) fn heard(&mut self, piece: &Bytes) -> Result<(), End> {
        self.dialog.buffer().extend_from_slice(piece);
        self.took(piece.len());
        Ok(())
    }

    /// Bytes of this session have come.
    pub(super) fn took(&mut self, bytes: usize) {
        add(&self.client.counters.bytes_in, bytes as u64);
        if let (Some(session), Part::Publishes(_)) = (&self.session, &self.part) {
            add(&session.counters.bytes_in, bytes as u64);
        }
    }

    /// Carries what comes up the tunnel to its lower side, as long as both are there.
    pub(super) async fn carry(mut self, cookie: String, mut shutdown: watch::Receiver<bool>) {
        let (remote, patience) = (self.client.remote, self.shared.limits.message);
        let client = self.client.clone();
        let carried = async {
            let upper = self.shared.tunnels.upper(remote.ip(), cookie, patience).await;
            match upper {
                Some(upper) => {
                    if let Err(refused) = self.seat.settle(Role::Read) {
                        self.shared.hub.registry().broke(refused.limit());
                        return "there are too many readers from its address";
                    }
                    self.shared.log.debug(format_args!("rtsp: {remote} speaks through HTTP"));
                    self.lift(upper).await
                }
                None => {
                    self.out.extend_from_slice(&nobody());
                    "no GET belongs to it"
                }
            }
        };
        let why = tokio::select! {
            why = carried => why,
            leaves = client.leaves() => leaves.why(),
            _ = shutdown.wait_for(|down| *down) => "the server ends",
        };
        self.shared.log.debug(format_args!("rtsp: {remote}, one side of a tunnel, has gone: {why}"));
        if !self.out.is_empty() {
            parting::say(&self.socket, &self.out).await;
        }
    }

    async fn lift(&mut self, upper: mpsc::Sender<Bytes>) -> &'static str {
        let mut decoder = Decoder::default();
        let mut piece: BytesMut = self.dialog.rest();
        loop {
            let Ok(bytes) = decoder.take(&piece) else {
                self.shared.hub.registry().broke("rtsp_tunnel_base64");
                return "what it sends is no base64";
            };
            if !bytes.is_empty() && upper.send(bytes).await.is_err() {
                return "the other side has gone";
            }
            piece.clear();
            tokio::select! {
                ready = self.socket.readable() => if ready.is_err() {
                    return "its connection failed";
                },
                () = upper.closed() => return "the other side has gone",
            }
            piece.reserve(READ);
            match self.socket.try_read_buf(&mut piece) {
                Ok(0) => return "it ended",
                Ok(read) => add(&self.client.counters.bytes_in, read as u64),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => return "its connection failed",
            }
        }
    }
}

/// What the client says, if it says it through a tunnel.
pub(super) async fn heard(lower: Option<&mut Lower>) -> Bytes {
    match lower {
        Some(lower) => match lower.heard.recv().await {
            Some(piece) => piece,
            None => pending().await,
        },
        None => pending().await,
    }
}
