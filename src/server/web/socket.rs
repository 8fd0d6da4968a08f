//! The socket of a viewer, which fails when its peer has taken nothing for a while, however long the whole answer takes.

use crate::process::sys;
use crate::protocol::parting::Parting;
use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// How much of an answer the kernel holds for a peer, for whoever answers with less than others.
#[derive(Clone)]
pub struct SendBuffer(Arc<TcpStream>);

impl SendBuffer {
    /// Of a socket.
    pub fn of(socket: &Arc<TcpStream>) -> SendBuffer {
        SendBuffer(socket.clone())
    }

    /// So many bytes from now on. The kernel doubles the number for its own bookkeeping.
    pub fn shrink(&self, bytes: usize) {
        let _ = socket2::SockRef::from(&*self.0).set_send_buffer_size(bytes);
    }
}

/// See the module.
pub struct Progressing {
    /// It sees to the end of the connection, whoever has it by then: what an upgrade made of it too.
    _parting: Parting,
    socket: Arc<TcpStream>,
    patience: Duration,
    /// While the socket is full: when it is looked at again, and what the peer had not taken yet.
    full: Option<(Pin<Box<Sleep>>, u64)>,
    /// Once no more is sent: when it is looked again, what the peer had not taken, and since when it is that much.
    ending: Option<(Pin<Box<Sleep>>, u64, Instant)>,
}

/// Between two looks at whether a peer has taken the last of it.
const LOOK: Duration = Duration::from_millis(20);

impl Progressing {
    /// A socket whose peer may take nothing for `patience` at most.
    pub fn new(socket: Arc<TcpStream>, patience: Duration) -> Progressing {
        Progressing { _parting: Parting::new(socket.clone()), socket, patience, full: None, ending: None }
    }

    fn untaken(&self) -> u64 {
        sys::unsent(self.socket.as_fd()).unwrap_or(0)
    }

    /// Whether the peer has stopped taking. To be asked while the socket is full.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            let untaken = self.untaken();
            let (look, before) = self.full.get_or_insert_with(|| (Box::pin(sleep(self.patience)), untaken));
            ready!(look.as_mut().poll(cx));
            // A peer that takes a little makes no room in the socket for a long time.
            if untaken >= *before {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            *before = untaken;
            look.as_mut().reset(Instant::now() + self.patience);
        }
    }

    /// Waits until the peer has taken everything, or has stopped taking: a socket that ends over it is reset.
    fn poll_taken(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let untaken = self.untaken();
            let gone = self.socket.peer_addr().is_err();
            let fresh = || (Box::pin(sleep(LOOK)), untaken, Instant::now());
            let (look, before, since) = self.ending.get_or_insert_with(fresh);
            if untaken == 0 || gone {
                return Poll::Ready(Ok(()));
            }
            if untaken < *before {
                (*before, *since) = (untaken, Instant::now());
            } else if since.elapsed() >= self.patience {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            ready!(look.as_mut().poll(cx));
            look.as_mut().reset(Instant::now() + LOOK);
        }
    }

    fn poll_written(
        &mut self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.socket.poll_write_ready(cx) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => return self.poll_stalled(cx).map(Err),
            }
            match write(&self.socket) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                other => {
                    self.full = None;
                    return Poll::Ready(other);
                }
            }
        }
    }
}

impl AsyncRead for Progressing {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            match self.socket.try_read(buffer.initialize_unfilled()) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Poll::Ready(Err(e)),
                Ok(count) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for Progressing {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_written(cx, |socket| socket.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_written(cx, |socket| socket.try_write_vectored(pieces))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ending.is_none() {
            socket2::SockRef::from(&*this.socket).shutdown(std::net::Shutdown::Write)?;
        }
        this.poll_taken(cx)
    }
}
