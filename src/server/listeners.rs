//! Every socket of the server, opened before anything is served, so that it comes up whole or not at all.

use super::options::Options;
use crate::base::{Failure, Outcome};
use crate::model::service::{Audience, PerService, Service, Transport};
use crate::process::listener::cannot_listen;
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
    tcp: Vec<(Service, TcpListener)>,
    /// RTP, an even port, and RTCP, the port behind it.
    datagrams: Option<(UdpSocket, UdpSocket)>,
    /// All of WebRTC's, and the listener at the same port for networks without UDP.
    webrtc: Option<(UdpSocket, TcpListener)>,
}

/// Where they listen; none for a service that is not offered.
pub type Addresses = PerService<Option<SocketAddr>>;

impl Listeners {
    /// Opens them all.
    ///
    /// # Errors
    /// Server, naming the port and who has it; Usage for an address that is not ours, or a port for root only.
    pub fn open(options: &Options) -> Outcome<Listeners> {
        let mut tcp = Vec::new();
        let (mut datagrams, mut webrtc) = (None, None);
        for (service, port) in options.ports.each().filter(|(of, _)| options.web || !of.is_of_the_web()) {
            let row = service.row();
            let ip = match row.audience {
                Audience::Viewers => options.listen,
                Audience::Operators => options.control_listen,
            };
            let refused =
                |(address, e), udp| cannot_listen("the server", address, udp, &format!("--{}", row.flag), &e);
            let address = SocketAddr::new(ip, port);
            match row.transport {
                Transport::Tcp => {
                    tcp.push((service, stream(address).map_err(|e| refused((address, e), false))?))
                }
                Transport::UdpPair => datagrams = Some(pair(address).map_err(|e| refused(e, true))?),
                Transport::Udp => {
                    webrtc = Some(both(address).map_err(|(e, udp)| refused((address, e), udp))?);
                }
            }
        }
        Ok(Listeners { tcp, datagrams, webrtc })
    }

    /// Where they listen.
    ///
    /// # Errors
    /// What the system says.
    pub fn addresses(&self) -> io::Result<Addresses> {
        PerService::try_of(|service| match service.row().transport {
            Transport::Tcp => {
                let listener = self.tcp.iter().find(|(of, _)| *of == service);
                listener.map(|(_, listener)| listener.local_addr()).transpose()
            }
            Transport::UdpPair => self.datagrams.as_ref().map(|(rtp, _)| rtp.local_addr()).transpose(),
            Transport::Udp => self.webrtc.as_ref().map(|(udp, _)| udp.local_addr()).transpose(),
        })
    }

    /// The listener of a service of connections.
    ///
    /// # Errors
    /// Internal, if it has been taken.
    pub fn take(&mut self, service: Service) -> Outcome<TcpListener> {
        let at = self.tcp.iter().position(|(of, _)| *of == service).ok_or_else(taken)?;
        Ok(self.tcp.swap_remove(at).1)
    }

    /// RTP and RTCP.
    ///
    /// # Errors
    /// Internal, if they have been taken.
    pub fn take_datagrams(&mut self) -> Outcome<(UdpSocket, UdpSocket)> {
        self.datagrams.take().ok_or_else(taken)
    }
}

impl Listeners {
    /// The sockets of WebRTC.
    ///
    /// # Errors
    /// Internal, if they have been taken.
    pub fn take_webrtc(&mut self) -> Outcome<(UdpSocket, TcpListener)> {
        self.webrtc.take().ok_or_else(taken)
    }
}

fn taken() -> Failure {
    Failure::internal("a listener is wanted twice")
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

/// One port of both kinds; with port 0 a free one. An error says whether it is that of UDP.
fn both(wanted: SocketAddr) -> Result<(UdpSocket, TcpListener), (io::Error, bool)> {
    let mut tried = 0;
    loop {
        let udp = datagram(wanted).map_err(|e| (e, true))?;
        let address = udp.local_addr().map_err(|e| (e, true))?;
        match stream(address) {
            Ok(tcp) => return Ok((udp, tcp)),
            // The free one of UDP may be taken for TCP.
            Err(_) if wanted.port() == 0 && tried < PAIRS => tried += 1,
            Err(e) => return Err((e, false)),
        }
    }
}

/// An even port and the one behind it; with port 0 a free pair.
fn pair(wanted: SocketAddr) -> Result<(UdpSocket, UdpSocket), (SocketAddr, io::Error)> {
    let at = |port| SocketAddr::new(wanted.ip(), port);
    let open = |address: SocketAddr| datagram(address).map_err(|e| (address, e));
    if wanted.port() != 0 {
        return Ok((open(wanted)?, open(at(wanted.port().saturating_add(1)))?));
    }
    let mut last = None;
    // Keep rejected sockets open, so that the system does not return them again.
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
