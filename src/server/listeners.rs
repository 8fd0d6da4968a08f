//! Every socket of the server, opened before anything is served, so that it comes up whole or not at all.

use super::options::Options;
use crate::base::Outcome;
use crate::process::listener::cannot_listen;
use serde::Serialize;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;
/// Pairs of free ports that are tried for RTP.
const PAIRS: usize = 64;

/// The sockets.
#[derive(Debug)]
pub struct Listeners {
    /// RTMP.
    pub rtmp: TcpListener,
    /// RTSP.
    pub rtsp: TcpListener,
    /// RTP, an even port.
    pub rtp: UdpSocket,
    /// RTCP, the port behind it.
    pub rtcp: UdpSocket,
    /// `/stat`.
    pub stat: TcpListener,
    /// `/v3`.
    pub api: TcpListener,
    /// `/metrics`.
    pub metrics: TcpListener,
}

/// Where they listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// RTMP.
    pub rtmp: SocketAddr,
    /// RTSP.
    pub rtsp: SocketAddr,
    /// RTP.
    pub rtp: SocketAddr,
    /// `/stat`.
    pub stat: SocketAddr,
    /// `/v3`.
    pub api: SocketAddr,
    /// `/metrics`.
    pub metrics: SocketAddr,
}

impl Listeners {
    /// Opens them all.
    ///
    /// # Errors
    /// Server, naming the port and who has it; Usage for an address that is not ours, or a port for root only.
    pub fn open(options: &Options) -> Outcome<Listeners> {
        let media = |port, flag: &str| {
            let address = SocketAddr::new(options.listen, port);
            stream(address).map_err(|e| cannot_listen("the server", address, false, flag, &e))
        };
        let control = |port, flag: &str| {
            let address = SocketAddr::new(options.control_listen, port);
            stream(address).map_err(|e| cannot_listen("the server", address, false, flag, &e))
        };
        let ports = &options.ports;
        let rtmp = media(ports.rtmp, "--rtmp-port")?;
        let rtsp = media(ports.rtsp, "--rtsp-port")?;
        let (rtp, rtcp) = pair(SocketAddr::new(options.listen, ports.rtp))
            .map_err(|(address, e)| cannot_listen("the server", address, true, "--rtp-port", &e))?;
        let stat = control(ports.stat, "--stat-port")?;
        let api = control(ports.api, "--api-port")?;
        let metrics = control(ports.metrics, "--metrics-port")?;
        Ok(Listeners { rtmp, rtsp, rtp, rtcp, stat, api, metrics })
    }

    /// Where they listen.
    ///
    /// # Errors
    /// What the system says.
    pub fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses {
            rtmp: self.rtmp.local_addr()?,
            rtsp: self.rtsp.local_addr()?,
            rtp: self.rtp.local_addr()?,
            stat: self.stat.local_addr()?,
            api: self.api.local_addr()?,
            metrics: self.metrics.local_addr()?,
        })
    }
}

impl Addresses {
    /// Names and addresses, in the order in which they are printed.
    pub fn named(&self) -> [(&'static str, SocketAddr); 6] {
        [
            ("rtmp", self.rtmp),
            ("rtsp", self.rtsp),
            ("rtp", self.rtp),
            ("stat", self.stat),
            ("api", self.api),
            ("metrics", self.metrics),
        ]
    }
}

/// A TCP listener.
///
/// # Errors
/// What the system says.
pub fn stream(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a server before us that linger do not keep the port; a listening one does.
    socket.set_reuse_address(true)?;
    both_families(&socket, address)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn datagram(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    both_families(&socket, address)?;
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// `::` takes IPv4 as well, whatever the machine's usual way.
fn both_families(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv6() && address.ip().is_unspecified() { socket.set_only_v6(false) } else { Ok(()) }
}

/// An even port and the one behind it; with port 0 a free pair.
fn pair(wanted: SocketAddr) -> Result<(UdpSocket, UdpSocket), (SocketAddr, io::Error)> {
    let at = |port| SocketAddr::new(wanted.ip(), port);
    let open = |address: SocketAddr| datagram(address).map_err(|e| (address, e));
    if wanted.port() != 0 {
        return Ok((open(wanted)?, open(at(wanted.port().saturating_add(1)))?));
    }
    let mut last = None;
    // What was opened in vain stays open meanwhile, or the system might give it again.
    let mut vain = Vec::new();
    for _ in 0..PAIRS {
        let first = open(wanted)?;
        let port = first.local_addr().map_err(|e| (wanted, e))?.port();
        let (even, odd) = (port & !1, port | 1);
        match datagram(at(if port == even { odd } else { even })) {
            Ok(second) if port == even => return Ok((first, second)),
            Ok(second) => return Ok((second, first)),
            Err(e) => {
                last = Some((at(odd), e));
                vain.push(first);
            }
        }
    }
    Err(last.unwrap_or_else(|| (wanted, io::Error::from(io::ErrorKind::AddrInUse))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_pairs_are_even_and_odd() {
        for _ in 0..20 {
            let (rtp, rtcp) = pair("127.0.0.1:0".parse().unwrap()).unwrap();
            let (rtp, rtcp) = (rtp.local_addr().unwrap().port(), rtcp.local_addr().unwrap().port());
            assert_eq!((rtp % 2, rtp + 1), (0, rtcp));
        }
    }

    #[test]
    fn two_do_not_share_a_port() {
        let first = stream("127.0.0.1:0".parse().unwrap()).unwrap();
        let error = stream(first.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let first = datagram("127.0.0.1:0".parse().unwrap()).unwrap();
        let error = datagram(first.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
