//! The end of a connection: what is still to be said is sent, and the peer gets a moment to read it. A socket that is
//! closed with unread bytes in it resets the connection, and the last words are lost.

use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// For the last words to leave.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// For the peer to close.
const LINGER: Duration = Duration::from_secs(1);
/// Bytes that are read for that.
const MOST_DRAINED: usize = 1 << 20;

/// Sends `words` and closes.
pub async fn say(socket: &TcpStream, words: &[u8]) {
    let _ = timeout(LAST_WORDS, send(socket, words)).await;
    let _ = socket2::SockRef::from(socket).shutdown(std::net::Shutdown::Write);
    let _ = timeout(LINGER, drain(socket)).await;
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
