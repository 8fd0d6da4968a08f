//! The socket of a WebSocket's client, once its request was answered. Of each there are thousands, so it holds no buffers:
//! what is sent is the bytes of whoever sends, and what is read stays only until it is whole.

use crate::protocol::websocket::{CloseCode, Incoming, Reader, Wrong, close};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

/// Bytes that are read at once.
const PIECE: usize = 1 << 10;
/// For the last words to leave, and again for the peer to take them and close.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Bytes that are read for that.
const MOST_DRAINED: usize = 1 << 20;

/// See the module.
pub struct WebSocket {
    io: TokioIo<Upgraded>,
    reader: Reader,
}

/// Nothing more comes.
#[derive(Debug)]
pub enum Ended {
    /// The client has gone, with or without a word.
    Gone,
    /// It breaks the rules of the wire.
    Wrong(Wrong),
}

impl WebSocket {
    /// Of a connection. Messages of its client have `most` bytes at most.
    pub fn new(io: Upgraded, most: usize) -> WebSocket {
        WebSocket { io: TokioIo::new(io), reader: Reader::new(most) }
    }

    /// Sends whole frames.
    ///
    /// # Errors
    /// The client has gone, or takes nothing.
    pub async fn send(&mut self, frames: &[u8]) -> io::Result<()> {
        self.io.write_all(frames).await?;
        self.io.flush().await
    }

    /// The next thing that the client sends. Nothing is lost if this is dropped before it is done.
    ///
    /// # Errors
    /// There is none.
    pub async fn receive(&mut self) -> Result<Incoming, Ended> {
        poll_fn(|cx| self.poll_receive(cx)).await
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, Ended>> {
        loop {
            match self.reader.take() {
                Ok(Some(whole)) => return Poll::Ready(Ok(whole)),
                Ok(None) => {}
                Err(wrong) => return Poll::Ready(Err(Ended::Wrong(wrong))),
            }
            let mut piece = [0; PIECE];
            let mut read = ReadBuf::new(&mut piece);
            match ready!(Pin::new(&mut self.io).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => self.reader.feed(read.filled()),
                Ok(()) | Err(_) => return Poll::Ready(Err(Ended::Gone)),
            }
        }
    }

    /// Says why it ends, and lets the client take that: a socket that is closed over unread bytes resets the connection.
    pub async fn close(mut self, code: CloseCode, reason: &str) {
        let last = close(code, reason);
        let said = async {
            self.send(&last).await?;
            self.io.shutdown().await
        };
        if timeout(LAST_WORDS, said).await.is_ok_and(|said| said.is_ok()) {
            let _ = timeout(LAST_WORDS, self.drain()).await;
        }
    }

    async fn drain(&mut self) {
        let mut left = MOST_DRAINED;
        while left > 0 {
            let read = poll_fn(|cx| {
                let mut piece = [0; PIECE];
                let mut read = ReadBuf::new(&mut piece);
                Pin::new(&mut self.io).poll_read(cx, &mut read).map_ok(|()| read.filled().len())
            });
            match read.await {
                Ok(0) | Err(_) => return,
                Ok(count) => left = left.saturating_sub(count),
            }
        }
    }
}
