//! What stands between the socket and the HTTP library: both ends note in which phase the connection is, and what comes
//! in is handed over up to the end of each head, so that it is known where its body begins.

use super::borders::{Borders, Follows};
use super::phase::{At, Phase};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// A body of one piece. When it is dropped the answer is in the server's hands and the connection is idle again.
pub struct Once {
    /// The bytes, until they are taken.
    pub body: Option<Bytes>,
    /// The connection's.
    pub phase: Arc<Phase>,
}

impl Body for Once {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.body.take().filter(|b| !b.is_empty()).map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.as_ref().map_or(0, Bytes::len) as u64)
    }
}

impl Drop for Once {
    fn drop(&mut self) {
        self.phase.go(At::Idle);
    }
}

/// What a connection's bodies say of themselves.
pub struct Meter {
    borders: Mutex<Borders>,
    over: Notify,
}

impl Meter {
    /// For bodies of at most so many bytes.
    pub fn new(most: usize) -> Meter {
        let borders = Mutex::new(Borders::new(u64::try_from(most).unwrap_or(u64::MAX)));
        Meter { borders, over: Notify::new() }
    }

    fn borders(&self) -> MutexGuard<'_, Borders> {
        self.borders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What follows the head that the library has just read.
    pub fn follows(&self, what: Follows) {
        self.borders().follows(what);
    }

    /// Returns once a body has said that it becomes too large.
    pub async fn over(&self) {
        while !self.borders().is_over() {
            self.over.notified().await;
        }
    }

    fn take(&self, bytes: &[u8]) -> usize {
        let mut borders = self.borders();
        let taken = borders.take(bytes);
        if borders.is_over() {
            self.over.notify_one();
        }
        taken
    }
}

/// The socket, which notes when a request begins.
pub struct Watched {
    /// The socket.
    pub stream: Arc<TcpStream>,
    /// The connection's.
    pub phase: Arc<Phase>,
    /// The connection's.
    pub meter: Arc<Meter>,
    /// What was read behind the end of a head.
    pub ahead: Vec<u8>,
}

impl hyper::rt::Read for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let watched = self.get_mut();
        let mut bytes = [0u8; 8192];
        let room = buffer.remaining().min(bytes.len());
        let Some(into) = bytes.get_mut(..room) else { return Poll::Ready(Ok(())) };
        let mut count = watched.ahead.len().min(room);
        if count > 0 {
            into.iter_mut().zip(watched.ahead.drain(..count)).for_each(|(to, from)| *to = from);
        } else {
            count = loop {
                ready!(watched.stream.poll_read_ready(cx))?;
                match watched.stream.try_read(into) {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    other => break other?,
                }
            };
        }
        if count > 0 && watched.phase.now().0 == At::Idle {
            watched.phase.go(At::Head);
        }
        let came = into.get(..count).unwrap_or_default();
        let (now, later) = came.split_at_checked(watched.meter.take(came)).unwrap_or((came, &[]));
        watched.ahead.splice(..0, later.iter().copied());
        buffer.put_slice(now);
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            match self.stream.try_write(bytes) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                other => return Poll::Ready(other),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(socket2::SockRef::from(&*self.stream).shutdown(std::net::Shutdown::Write))
    }
}
