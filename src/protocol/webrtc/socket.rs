//! The one UDP socket of all sessions. A frame to a viewer is a run of datagrams of one size, which the kernel cuts out of
//! one message; the runs of many viewers go in one call.

use super::datagram::Outgoing;
use crate::process::sys::{self, Datagrams};
use nix::libc;
use socket2::{SockAddr, SockRef};
use std::io::{self, ErrorKind, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::UdpSocket;

/// What the socket may hold, in bytes: a keyframe for many viewers.
const BUFFER: usize = 4 << 20;
/// Most datagrams of one message (UDP_MAX_SEGMENTS of older kernels).
const MOST_SEGMENTS: usize = 64;
/// Most bytes of one message.
const MOST_BYTES: usize = 60_000;
/// Most messages of one call.
const MOST_MESSAGES: usize = 256;
/// Datagrams that are read before others have a turn.
pub const AT_ONCE: usize = 128;

/// See the module.
pub struct Socket {
    socket: UdpSocket,
    bound: SocketAddr,
    segments: AtomicBool,
}

/// Datagrams of one size to one address, the last one may be shorter.
struct Run<'a> {
    to: SockAddr,
    parts: Vec<IoSlice<'a>>,
    first: usize,
    count: usize,
    bytes: usize,
}

impl Socket {
    /// Serves this one.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(socket: std::net::UdpSocket) -> io::Result<Socket> {
        socket.set_nonblocking(true)?;
        let reference = SockRef::from(&socket);
        // More than the system allows is cut down to that, which is all right.
        reference.set_send_buffer_size(BUFFER)?;
        reference.set_recv_buffer_size(BUFFER)?;
        let bound = socket.local_addr()?;
        Ok(Socket { socket: UdpSocket::from_std(socket)?, bound, segments: AtomicBool::new(true) })
    }

    /// Where it is bound.
    pub fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// Waits for a datagram.
    ///
    /// # Errors
    /// What the system says.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// The next datagram and where it comes from; none if none is there.
    pub fn read(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        // An unreachable peer of an earlier datagram is told here too: that is no datagram, and others wait behind it.
        for _ in 0..AT_ONCE {
            match self.socket.try_recv_from(buffer) {
                Ok((length, from)) => {
                    return Some((length, SocketAddr::new(from.ip().to_canonical(), from.port())));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => {}
            }
        }
        None
    }

    fn address(&self, to: SocketAddr) -> SockAddr {
        match to.ip() {
            IpAddr::V4(v4) if self.bound.is_ipv6() => {
                SocketAddr::new(v4.to_ipv6_mapped().into(), to.port()).into()
            }
            _ => to.into(),
        }
    }

    /// Sends everything. What finds no room is lost, and counted.
    pub fn send(&self, outgoing: &[Outgoing]) {
        let runs = self.runs(outgoing);
        let mut done = 0_usize;
        let mut retried = false;
        while let Some(rest) = runs.get(done..).filter(|rest| !rest.is_empty()) {
            let batch = rest.get(..rest.len().min(MOST_MESSAGES)).unwrap_or(rest);
            let what: Vec<Datagrams<'_>> = batch.iter().map(Run::datagrams).collect();
            let messages: Vec<(usize, &SockAddr)> =
                batch.iter().enumerate().map(|(index, run)| (index, &run.to)).collect();
            match sys::send_datagrams(self.socket.as_fd(), &what, &messages) {
                Ok(sent) => {
                    let sent = sent.max(1);
                    batch.iter().take(sent).for_each(|run| count(outgoing, run, true));
                    done = done.saturating_add(sent);
                    retried = false;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return rest.iter().for_each(|run| count(outgoing, run, false));
                }
                Err(error) if batch.first().is_some_and(|run| run.count > 1) && !cuts(&error) => {
                    // The kernel, or this way, does not cut messages: once and for all.
                    self.segments.store(false, Ordering::Relaxed);
                    let first = batch.first().map_or(0, |run| run.first);
                    return self.send(outgoing.get(first..).unwrap_or_default());
                }
                // An earlier datagram met nobody; this one has not been tried.
                Err(_) if !retried => retried = true,
                Err(_) => {
                    batch.iter().take(1).for_each(|run| count(outgoing, run, false));
                    done = done.saturating_add(1);
                    retried = false;
                }
            }
        }
    }

    fn runs<'a>(&self, outgoing: &'a [Outgoing]) -> Vec<Run<'a>> {
        let together = self.segments.load(Ordering::Relaxed);
        let mut runs: Vec<Run<'a>> = Vec::new();
        let mut last_to = None;
        for (index, datagram) in outgoing.iter().enumerate() {
            let length = datagram.bytes.len();
            let joins = |run: &&mut Run<'a>| {
                let first = run.parts.first().map_or(0, |part| part.len());
                let even = run.parts.last().is_some_and(|part| part.len() == first);
                let room = run.count < MOST_SEGMENTS && run.bytes.saturating_add(length) <= MOST_BYTES;
                together && last_to == Some(datagram.to) && even && length <= first && length > 0 && room
            };
            match runs.last_mut().filter(joins) {
                Some(run) => {
                    run.parts.push(IoSlice::new(&datagram.bytes));
                    run.count = run.count.saturating_add(1);
                    run.bytes = run.bytes.saturating_add(length);
                }
                None => runs.push(Run {
                    to: self.address(datagram.to),
                    parts: vec![IoSlice::new(&datagram.bytes)],
                    first: index,
                    count: 1,
                    bytes: length,
                }),
            }
            last_to = Some(datagram.to);
        }
        runs
    }
}

impl Run<'_> {
    fn datagrams(&self) -> Datagrams<'_> {
        let segment = self.parts.first().and_then(|part| u16::try_from(part.len()).ok());
        Datagrams { parts: &self.parts, segment: segment.filter(|_| self.count > 1) }
    }
}

/// Whether an error says nothing against cutting messages.
fn cuts(error: &io::Error) -> bool {
    !matches!(
        error.raw_os_error(),
        Some(libc::EIO | libc::ENOPROTOOPT | libc::EOPNOTSUPP | libc::EINVAL | libc::EMSGSIZE)
    )
}

/// Counts the datagrams of a run.
fn count(outgoing: &[Outgoing], run: &Run<'_>, sent: bool) {
    let end = run.first.saturating_add(run.count);
    outgoing.get(run.first..end).unwrap_or_default().iter().for_each(|datagram| datagram.count(sent));
}
