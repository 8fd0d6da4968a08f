//! How a connection ends. In order, with the last words read, for a peer that takes what it is sent: a socket that is
//! closed over unread bytes resets the connection, and the last words are lost. By a reset for one that does not:
//! otherwise the kernel would keep what it was sent, half a megabyte, and go on offering it for minutes.

use crate::process::sys;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// For the last words to leave.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// For the peer to take them and close.
const LINGER: Duration = Duration::from_secs(1);
/// Bytes that are read for that.
const MOST_DRAINED: usize = 1 << 20;
/// Between two looks at what the peer has taken.
const LOOK: Duration = Duration::from_millis(20);

/// Sees to the end of a connection, however its task ends: what the peer has not taken by then is not kept for it.
#[derive(Debug)]
pub struct Parting {
    socket: Arc<TcpStream>,
    patient: bool,
}

impl Parting {
    /// For a connection that has just been made.
    pub fn new(socket: Arc<TcpStream>) -> Parting {
        Parting { socket, patient: false }
    }

    /// It is seen to by this handle from now on.
    pub fn follow(&mut self, socket: Arc<TcpStream>) {
        self.socket = socket;
    }

    /// The peer takes nothing, or stands inside a frame: it learns so by a reset.
    pub fn reset(&self) {
        let _ = socket2::SockRef::from(&*self.socket).set_linger(Some(Duration::ZERO));
    }

    /// The peer closed first: what little is under way to it may arrive.
    pub fn be_patient(&mut self) {
        self.patient = true;
    }
}

impl Drop for Parting {
    fn drop(&mut self) {
        if !self.patient && untaken(&self.socket) {
            self.reset();
        }
    }
}

fn untaken(socket: &TcpStream) -> bool {
    sys::unsent(socket.as_fd()).is_ok_and(|bytes| bytes > 0)
}

/// Sends `words`, says that no more follows, and lets the peer take them and close.
pub async fn say(socket: &TcpStream, words: &[u8]) {
    let _ = timeout(LAST_WORDS, send(socket, words)).await;
    farewell(socket).await;
}

/// Says that no more follows, and lets the peer take what was sent and close.
pub async fn farewell(socket: &TcpStream) {
    let _ = socket2::SockRef::from(socket).shutdown(std::net::Shutdown::Write);
    let _ = timeout(LINGER, async {
        drain(socket).await;
        while untaken(socket) {
            sleep(LOOK).await;
        }
    })
    .await;
}

async fn send(socket: &TcpStream, mut words: &[u8]) {
    while !words.is_empty() {
        if socket.writable().await.is_err() {
            return;
        }
        match socket.try_write(words) {
            Ok(sent) => words = words.get(sent..).unwrap_or_default(),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

async fn drain(socket: &TcpStream) {
    let mut left = MOST_DRAINED;
    while left > 0 && socket.readable().await.is_ok() {
        match drain_once(socket) {
            Some(read) => left = left.saturating_sub(read),
            None => return,
        }
    }
}

/// Not part of the task that waits: its buffer would be a part of every connection.
fn drain_once(socket: &TcpStream) -> Option<usize> {
    match socket.try_read(&mut [0; 4096]) {
        Ok(0) => None,
        Ok(read) => Some(read),
        Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => Some(0),
        Err(_) => None,
    }
}

#[cfg(test)]
#[path = "parting_tests.rs"]
mod tests;
