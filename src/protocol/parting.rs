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
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn pair() -> (Arc<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let theirs = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (ours, _) = listener.accept().await.unwrap();
        (Arc::new(ours), theirs)
    }

    /// Sends until nothing more is taken: how much.
    fn fill(socket: &TcpStream) -> usize {
        let mut sent = 0;
        while let Ok(n) = socket.try_write(&[7; 65_536]) {
            sent += n;
        }
        sent
    }

    /// Reads to the end: how much, and how it ended.
    async fn read(socket: &mut TcpStream) -> (usize, Option<ErrorKind>) {
        let mut all = 0;
        let mut buffer = vec![0; 65_536];
        loop {
            match timeout(Duration::from_secs(20), socket.read(&mut buffer)).await.expect("an end") {
                Ok(0) => return (all, None),
                Ok(n) => all += n,
                Err(e) => return (all, Some(e.kind())),
            }
        }
    }

    #[tokio::test]
    async fn who_takes_nothing_is_reset_and_nothing_is_kept() {
        let (ours, mut theirs) = pair().await;
        ours.writable().await.unwrap();
        let sent = fill(&ours);
        drop(Parting::new(ours));
        let (got, end) = read(&mut theirs).await;
        assert_eq!(end, Some(ErrorKind::ConnectionReset));
        assert!(got < sent, "{got} of {sent}: what the kernel still held is gone");
    }

    #[tokio::test]
    async fn who_reads_gets_the_last_words_and_an_end() {
        for polite in [true, false] {
            let (ours, mut theirs) = pair().await;
            // Bytes that nobody reads would reset the connection.
            theirs.write_all(&[1; 5000]).await.unwrap();
            if polite {
                theirs.shutdown().await.unwrap();
            }
            let reader = tokio::spawn(async move { read(&mut theirs).await });
            say(&ours, &[7; 100_000]).await;
            drop(Parting::new(ours));
            assert_eq!(reader.await.unwrap(), (100_000, None));
        }
    }

    #[tokio::test]
    async fn last_words_do_not_wait_for_who_does_not_read() {
        let (ours, mut theirs) = pair().await;
        ours.writable().await.unwrap();
        fill(&ours);
        timeout(Duration::from_secs(20), say(&ours, &[7; 100_000])).await.expect("bounded");
        drop(Parting::new(ours));
        assert_eq!(read(&mut theirs).await.1, Some(ErrorKind::ConnectionReset));
    }

    #[tokio::test]
    async fn what_is_under_way_to_who_closed_first_arrives() {
        let (ours, mut theirs) = pair().await;
        theirs.shutdown().await.unwrap();
        let mut one = [0];
        assert_eq!(ours.readable().await.map(|()| ours.try_read(&mut one).unwrap()).unwrap(), 0);
        ours.try_write(&[7; 100]).unwrap();
        let mut parting = Parting::new(ours);
        parting.be_patient();
        drop(parting);
        assert_eq!(read(&mut theirs).await, (100, None));
    }
}
