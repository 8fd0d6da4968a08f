//! Free ports that two tests cannot get at once, also not two test binaries on one machine.
//!
//! They lie below the range from which the kernel takes ports for outgoing connections: a port found by binding to 0
//! and letting go can be taken by any client in between.

use std::fmt;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that is ours until the last copy is dropped. Nothing listens there yet.
#[derive(Clone, Debug)]
pub struct Port {
    number: u16,
    // An abstract socket as the reservation: seen by every process, gone with ours whatever happens.
    _reservation: Arc<UnixListener>,
}

impl Port {
    /// Takes one.
    pub fn free() -> Port {
        let start = (std::process::id() as u16).wrapping_mul(97);
        for _ in 0..COUNT {
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            let number = FIRST + start.wrapping_add(step) % COUNT;
            let Ok(name) = SocketAddr::from_abstract_name(format!("msconv-test-port-{number}")) else {
                continue;
            };
            let Ok(reservation) = UnixListener::bind_addr(&name) else { continue };
            if TcpListener::bind(("127.0.0.1", number)).is_ok()
                && TcpListener::bind(("0.0.0.0", number)).is_ok()
            {
                return Port { number, _reservation: Arc::new(reservation) };
            }
        }
        panic!("no free port between {FIRST} and {}", FIRST + COUNT)
    }

    /// The number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}
