//! Datagrams on their way out, what they carry, and who counts them.

use crate::hub::Client;
use crate::hub::client::add;
use std::net::SocketAddr;
use std::sync::Arc;
use str0m::net::{DatagramSend, Protocol};

/// A datagram on its way out.
pub struct Outgoing {
    /// Where to.
    pub to: SocketAddr,
    /// How.
    pub protocol: Protocol,
    /// Its bytes.
    pub bytes: DatagramSend,
    /// Who counts it.
    pub client: Arc<Client>,
}

/// What a datagram carries, as its first bytes say (RFC 7983, 7; RFC 5761, 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// Checks of the connection, and its keys.
    Control,
    /// RTP.
    Rtp,
    /// RTCP.
    Rtcp,
}

impl Carries {
    /// Looks at a datagram.
    pub fn of(datagram: &[u8]) -> Carries {
        match datagram {
            [128..=191, 192..=223, ..] => Carries::Rtcp,
            [128..=191, ..] => Carries::Rtp,
            _ => Carries::Control,
        }
    }
}

impl Outgoing {
    /// Counts it as sent, or as one that found no room.
    pub fn count(&self, sent: bool) {
        let counters = &self.client.counters;
        if !sent {
            return add(&counters.packets_discarded, 1);
        }
        add(&counters.bytes_out, self.bytes.len() as u64);
        match Carries::of(&self.bytes) {
            Carries::Rtp => add(&counters.packets_out, 1),
            Carries::Rtcp => add(&counters.rtcp_out, 1),
            Carries::Control => {}
        }
    }
}

/// As MediaMTX writes it.
pub const fn transport(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Udp => "udp",
        _ => "tcp",
    }
}
