//! Ways back to those who came over TCP.

use bytes::Bytes;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Datagrams that wait for a connection; what comes beyond is lost, as on any way that is full.
const WAITING: usize = 1024;

/// By the addresses of the other ends.
#[derive(Default)]
pub struct Ways(Mutex<HashMap<SocketAddr, mpsc::Sender<Bytes>>>);

impl Ways {
    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, mpsc::Sender<Bytes>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection came; what is to go to it.
    pub fn open(&self, remote: SocketAddr) -> mpsc::Receiver<Bytes> {
        let (way, waiting) = mpsc::channel(WAITING);
        self.lock().insert(remote, way);
        waiting
    }

    /// It is gone.
    pub fn close(&self, remote: SocketAddr) {
        self.lock().remove(&remote);
    }

    /// Sends a datagram; `false` if there is no such connection, or no room in it.
    pub fn send(&self, to: SocketAddr, datagram: &[u8]) -> bool {
        let Some(way) = self.lock().get(&to).cloned() else { return false };
        way.try_send(Bytes::copy_from_slice(datagram)).is_ok()
    }
}
