//! What stands between the socket and the HTTP library: both ends note in which phase the connection is.

use super::phase::{At, Phase};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::net::TcpStream;

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

/// The socket, which notes when a request begins.
pub struct Watched {
    /// The socket.
    pub stream: Arc<TcpStream>,
    /// The connection's.
    pub phase: Arc<Phase>,
}

impl hyper::rt::Read for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0u8; 8192];
        let room = buffer.remaining().min(bytes.len());
        let Some(into) = bytes.get_mut(..room) else { return Poll::Ready(Ok(())) };
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.stream.try_read(into) {
                Ok(count) => {
                    if count > 0 && self.phase.now().0 == At::Idle {
                        self.phase.go(At::Head);
                    }
                    buffer.put_slice(into.get(..count).unwrap_or_default());
                    return Poll::Ready(Ok(()));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
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
