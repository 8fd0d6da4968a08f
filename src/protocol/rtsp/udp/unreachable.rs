//! Learns from the kernel's error queue (IP_RECVERR, ip(7)) which peers have closed their ports.

use nix::libc;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrLike, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};

/// Most errors taken at one go.
const AT_ONCE: usize = 256;

/// Turns the queue on.
///
/// # Errors
/// What the system says.
pub fn report(socket: &UdpSocket) -> io::Result<()> {
    if socket.local_addr()?.is_ipv6() {
        setsockopt(socket, sockopt::Ipv6RecvErr, &true)?;
    }
    setsockopt(socket, sockopt::Ipv4RecvErr, &true)?;
    Ok(())
}

/// The addresses whose ports are closed, as far as the queue says so now.
pub fn drain(socket: &impl AsFd) -> Vec<SocketAddr> {
    let mut gone = Vec::new();
    let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
    let mut packet = [0_u8; 64];
    for _ in 0..AT_ONCE {
        let mut parts = [io::IoSliceMut::new(&mut packet)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let descriptor = socket.as_fd().as_raw_fd();
        let Ok(message) = recvmsg::<SockaddrStorage>(descriptor, &mut parts, Some(&mut control), flags)
        else {
            break;
        };
        let closed = message.cmsgs().is_ok_and(|mut all| {
            all.any(|one| match one {
                ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
                    error.ee_errno == libc::ECONNREFUSED.cast_unsigned()
                }
                _ => false,
            })
        });
        if closed && let Some(address) = message.address.as_ref().and_then(socket_address) {
            gone.push(address);
        }
    }
    gone
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::new(v4.ip().into(), v4.port()));
    }
    let v6 = address.as_sockaddr_in6().filter(|_| address.len() > 0)?;
    Some(SocketAddr::new(v6.ip().into(), v6.port()))
}
