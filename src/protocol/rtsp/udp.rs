//! The pair of sockets through which all datagrams of RTSP go: RTP to and from the even port, RTCP to and from the odd
//! one. A frame goes to all its readers in a few calls: packets of equal size as one message that the kernel cuts
//! (UDP_SEGMENT), the same message to many addresses with one `sendmmsg`.

mod routes;
mod unreachable;

use crate::hub::client::add;
use crate::hub::{Counters, Datagrams, MOST_CHANNELS, Packed, Registry, Targets};
use crate::process::sys;
use bytes::Bytes;
use nix::libc;
use routes::Routes;
pub use routes::{Datagram, ReaderLink, Registration, Side};
use socket2::{SockAddr, SockRef};
use std::io::{self, ErrorKind, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::watch;

/// Most packets of one segmented message (UDP_MAX_SEGMENTS of older kernels).
const MOST_SEGMENTS: usize = 64;
/// Most bytes of one segmented message: what an IP datagram holds.
const MOST_BYTES: usize = 65_000;
/// Give up on UDP_SEGMENT after this many failures in a row.
const MOST_UNCUT: u32 = 64;
/// Most addresses of one call.
const MOST_MESSAGES: usize = 256;
/// What the sockets may hold, in bytes: some frames for all readers, some frames of all publishers.
const BUFFER: usize = 4 << 20;
/// Datagrams that are read before others have a turn.
const AT_ONCE: usize = 256;

/// See the module.
pub struct Udp {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    ports: (u16, u16),
    v6: bool,
    /// Whether the kernel cuts messages into packets.
    segments: AtomicBool,
    /// Messages in a row that were not cut.
    uncut: AtomicU32,
    routes: Routes,
    registry: Registry,
}

impl Udp {
    /// Serves this pair: `rtp` on an even port, `rtcp` on the one behind it.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(rtp: std::net::UdpSocket, rtcp: std::net::UdpSocket, registry: Registry) -> io::Result<Udp> {
        for socket in [&rtp, &rtcp] {
            socket.set_nonblocking(true)?;
            let reference = SockRef::from(socket);
            // More than the system allows is cut down to that, which is all right.
            reference.set_send_buffer_size(BUFFER)?;
            reference.set_recv_buffer_size(BUFFER)?;
            unreachable::report(socket)?;
        }
        let (here, there) = (rtp.local_addr()?, rtcp.local_addr()?);
        Ok(Udp {
            rtp: UdpSocket::from_std(rtp)?,
            rtcp: UdpSocket::from_std(rtcp)?,
            ports: (here.port(), there.port()),
            v6: here.is_ipv6(),
            segments: AtomicBool::new(true),
            uncut: AtomicU32::new(0),
            routes: Routes::default(),
            registry,
        })
    }

    /// Its ports for RTP and RTCP.
    pub fn ports(&self) -> (u16, u16) {
        self.ports
    }

    /// Who gets what comes from where.
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Reads what comes until `shutdown` says so.
    pub async fn serve(self: Arc<Udp>, mut shutdown: watch::Receiver<bool>) {
        let mut buffer = vec![0; 1 << 16];
        let interest = Interest::READABLE | Interest::ERROR;
        loop {
            let side = tokio::select! {
                _ = self.rtp.ready(interest) => Side::Rtp,
                _ = self.rtcp.ready(interest) => Side::Rtcp,
                _ = shutdown.wait_for(|down| *down) => return,
            };
            self.read(side, &mut buffer);
            tokio::task::yield_now().await;
        }
    }

    fn socket(&self, side: Side) -> &UdpSocket {
        match side {
            Side::Rtp => &self.rtp,
            Side::Rtcp => &self.rtcp,
        }
    }

    fn read(&self, side: Side, buffer: &mut [u8]) {
        let socket = self.socket(side);
        for _ in 0..AT_ONCE {
            match socket.try_recv_from(buffer) {
                Ok((length, from)) => {
                    let packet = buffer.get(..length).unwrap_or(&[]);
                    if !self.routes.deliver(side, canonical(from), packet) {
                        self.registry.broke("rtp_unknown_source");
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                // An unreachable peer of an earlier packet: it stands in the error queue as well.
                Err(_) => {}
            }
        }
        let drained = socket.try_io(Interest::ERROR, || {
            self.unreachable(side);
            Err::<(), _>(ErrorKind::WouldBlock.into())
        });
        debug_assert!(drained.is_err());
    }

    /// Ends readers whose port nobody listens on any more.
    fn unreachable(&self, side: Side) {
        for gone in unreachable::drain(self.socket(side)) {
            self.routes.unreachable(side, canonical(gone));
        }
    }

    /// An address as the socket wants it.
    fn address(&self, to: SocketAddr) -> SockAddr {
        match to.ip() {
            IpAddr::V4(v4) if self.v6 => SocketAddr::new(v4.to_ipv6_mapped().into(), to.port()).into(),
            _ => to.into(),
        }
    }

    /// One packet to one address. What cannot be sent is lost, as datagrams are.
    pub fn send_one(&self, side: Side, packet: &[u8], to: SocketAddr) {
        let address = self.address(to);
        if let Some(address) = address.as_socket() {
            let _ = self.socket(side).try_send_to(packet, address);
        }
    }

    /// Runs of packets through one socket, each to where it goes, in order.
    fn send_runs(&self, side: Side, runs: &[Run<'_>], letters: &[Letter<'_>]) {
        let mut done = 0;
        let mut retried = false;
        let what: Vec<sys::Datagrams<'_>> =
            runs.iter().map(|run| sys::Datagrams { parts: &run.parts, segment: run.segment }).collect();
        while let Some(rest) = letters.get(done..).filter(|rest| !rest.is_empty()) {
            let batch: Vec<_> = rest.iter().take(MOST_MESSAGES).map(|l| (l.run, l.to)).collect();
            let count = |letters: usize, sent: bool| {
                for letter in rest.iter().take(letters) {
                    match runs.get(letter.run) {
                        Some(run) if sent => run.count_sent(letter.counters),
                        Some(run) => run.count_lost(letter.counters),
                        None => {}
                    }
                }
            };
            match sys::send_datagrams(self.socket(side).as_fd(), &what, &batch) {
                Ok(sent) => {
                    let cut = rest.iter().take(sent).any(|l| runs.get(l.run).is_some_and(Run::is_cut));
                    if cut {
                        self.uncut.store(0, Ordering::Relaxed);
                    }
                    count(sent, true);
                    done = done.saturating_add(sent.max(1));
                    retried = false;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    return count(rest.len(), false);
                }
                // The kernel, or this one way, does not cut messages into packets.
                Err(e)
                    if rest.first().and_then(|l| runs.get(l.run)).is_some_and(Run::is_cut)
                        && no_segments(&e) =>
                {
                    let in_a_row = self.uncut.fetch_add(1, Ordering::Relaxed);
                    if never_segments(&e) || in_a_row >= MOST_UNCUT {
                        self.segments.store(false, Ordering::Relaxed);
                    }
                    self.send_singly(side, runs, rest.get(..1).unwrap_or(rest));
                    done = done.saturating_add(1);
                    retried = false;
                }
                // What an earlier packet met is told here; this one has not been tried yet.
                Err(_) if !retried => {
                    retried = true;
                    self.unreachable(side);
                }
                Err(_) => {
                    count(1, false);
                    done = done.saturating_add(1);
                    retried = false;
                }
            }
        }
    }

    /// As [`Udp::send_runs`], each packet as a message of its own.
    fn send_singly(&self, side: Side, runs: &[Run<'_>], letters: &[Letter<'_>]) {
        for letter in letters {
            let Some(run) = runs.get(letter.run) else { continue };
            for part in &run.parts {
                let single = [Run { parts: vec![*part], segment: None, bytes: part.len(), ..*run }];
                self.send_runs(side, &single, &[Letter { run: 0, ..*letter }]);
            }
        }
    }
}

/// Whether the kernel, or the way to this address, does not cut messages into packets. A path with a smaller packet size
/// than ours says so too, for itself.
fn no_segments(error: &io::Error) -> bool {
    never_segments(error) || matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EMSGSIZE))
}

/// Whether the kernel never does.
fn never_segments(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::ENOPROTOOPT | libc::EOPNOTSUPP))
}

/// One message: which run goes where, and who counts it.
#[derive(Clone, Copy)]
struct Letter<'a> {
    run: usize,
    to: &'a SockAddr,
    counters: &'a Counters,
}

/// Packets that one message carries.
struct Run<'a> {
    channel: u8,
    parts: Vec<IoSlice<'a>>,
    segment: Option<u16>,
    bytes: usize,
}

impl Run<'_> {
    /// Whether the kernel is to cut it into packets.
    fn is_cut(&self) -> bool {
        self.segment.is_some()
    }

    fn count_sent(&self, counters: &Counters) {
        add(&counters.bytes_out, self.bytes as u64);
        let packets = match side_of(self.channel) {
            Side::Rtp => &counters.packets_out,
            Side::Rtcp => &counters.rtcp_out,
        };
        add(packets, self.parts.len() as u64);
    }

    fn count_lost(&self, counters: &Counters) {
        add(&counters.packets_discarded, self.parts.len() as u64);
    }
}

/// The socket of a channel.
fn side_of(channel: u8) -> Side {
    if channel.is_multiple_of(2) { Side::Rtp } else { Side::Rtcp }
}

/// The packets of `packed` in runs: the same channel, the same size but for the last.
fn runs<'a>(packed: &[&'a Packed], segments: bool) -> Vec<Run<'a>> {
    let mut runs: Vec<Run<'a>> = Vec::new();
    for (packed, cut) in packed.iter().flat_map(|packed| packed.cuts.iter().map(move |cut| (packed, cut))) {
        let start = cut.start as usize;
        let Some(packet) = packed.bytes.get(start..start.saturating_add(cut.len as usize)) else { continue };
        let length = packet.len();
        let joins = |run: &&mut Run<'a>| {
            let first = run.parts.first().map_or(0, |p| p.len());
            let even = run.parts.last().is_some_and(|p| p.len() == first);
            let room = run.parts.len() < MOST_SEGMENTS && run.bytes.saturating_add(length) <= MOST_BYTES;
            segments && run.channel == cut.channel && even && length <= first && length > 0 && room
        };
        match runs.last_mut().filter(joins) {
            Some(run) => {
                run.segment = run.parts.first().and_then(|p| u16::try_from(p.len()).ok());
                run.bytes = run.bytes.saturating_add(length);
                run.parts.push(IoSlice::new(packet));
            }
            None => runs.push(Run {
                channel: cut.channel,
                parts: vec![IoSlice::new(packet)],
                segment: None,
                bytes: length,
            }),
        }
    }
    runs
}

/// A channel as one bit of all; none from [`MOST_CHANNELS`] on.
fn bit(channel: u8) -> u32 {
    const { assert!(MOST_CHANNELS <= 32) };
    1_u32.checked_shl(channel.into()).unwrap_or(0)
}

/// The channels whose bits are set, in order.
fn channels(mut bits: u32) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let channel = u8::try_from(bits.trailing_zeros()).ok().filter(|_| bits != 0)?;
        bits &= bits.wrapping_sub(1);
        Some(channel)
    })
}

impl Datagrams for Udp {
    fn send(&self, packed: &[&Packed], to: &[(&Targets, &Counters)]) {
        let runs = runs(packed, self.segments.load(Ordering::Relaxed));
        // A frame has packets of one track, and at times reports beside them.
        let used = runs.iter().fold(0, |used, run| used | bit(run.channel));
        let each = used.count_ones().max(1) as usize;
        let address = |targets: &Targets, channel| targets.to(channel).map(|to| self.address(to));
        let mut addresses: Vec<Option<SockAddr>> = Vec::with_capacity(to.len().saturating_mul(each));
        for (targets, _) in to {
            addresses.extend(channels(used).map(|channel| address(targets, channel)));
        }
        for side in [Side::Rtp, Side::Rtcp] {
            let mut letters = Vec::new();
            for ((_, counters), own) in to.iter().zip(addresses.chunks(each)) {
                for (index, run) in runs.iter().enumerate().filter(|(_, run)| side_of(run.channel) == side) {
                    let before = used & bit(run.channel).wrapping_sub(1);
                    if let Some(Some(to)) = own.get(before.count_ones() as usize) {
                        letters.push(Letter { run: index, to, counters });
                    }
                }
            }
            if !letters.is_empty() {
                self.send_runs(side, &runs, &letters);
            }
        }
    }
}

/// An IPv4 address that came through an IPv6 socket is an IPv4 address.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// A datagram's bytes on their way to a task.
fn owned(packet: &[u8]) -> Bytes {
    Bytes::copy_from_slice(packet)
}

#[cfg(test)]
mod tests;
