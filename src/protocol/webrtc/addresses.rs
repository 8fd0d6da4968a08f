//! Where a session is told to send its datagrams: the addresses of ours that its end can reach. Pure.

use std::net::{IpAddr, SocketAddr};

/// Most addresses that a session is told.
pub const MOST: usize = 16;

/// What is known of our addresses.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// Where the socket is bound; unspecified if that is everywhere.
    pub bound: SocketAddr,
    /// Addresses under which we are reached from outside (NAT), as the settings say. They come before all others.
    pub public: &'a [IpAddr],
    /// Our own address on the connection that asks: who asks there reaches it.
    pub asked_at: IpAddr,
    /// Addresses of the interfaces that are up.
    pub interfaces: &'a [IpAddr],
}

impl Known<'_> {
    /// The addresses, best first.
    pub fn offered(&self) -> Vec<SocketAddr> {
        let asked_at = self.asked_at.to_canonical();
        let mut found: Vec<IpAddr> = self.public.to_vec();
        if !self.bound.ip().is_unspecified() {
            found.push(self.bound.ip().to_canonical());
        } else if self.public.is_empty() || asked_at.is_loopback() {
            // A request from this machine, or from a proxy on it: then nothing is known of who asks.
            let of_others = self.interfaces.iter().copied().filter(|ip| is_reachable(*ip));
            if !asked_at.is_loopback() {
                found.push(asked_at);
            }
            found.extend(of_others);
            if asked_at.is_loopback() {
                found.push(asked_at);
            }
        } else {
            found.push(asked_at);
        }
        let mut offered: Vec<SocketAddr> = Vec::new();
        for ip in found.into_iter().filter(|ip| self.hears(*ip)) {
            let address = SocketAddr::new(ip, self.bound.port());
            if !offered.contains(&address) && offered.len() < MOST {
                offered.push(address);
            }
        }
        offered
    }

    /// Whether the socket gets what is sent to this address; through a NAT it may be of the other family.
    fn hears(&self, ip: IpAddr) -> bool {
        self.public.contains(&ip) || ip.is_ipv4() || self.bound.is_ipv6()
    }
}

/// Whether another machine may know the address as ours.
fn is_reachable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unspecified() && (v6.segments()[0] & 0xffc0) != 0xfe80,
    }
}

/// Which of the addresses that were offered a datagram came to, where the socket cannot tell: the first one of its family.
pub fn arrived_at(offered: &[SocketAddr], from: SocketAddr) -> Option<SocketAddr> {
    let same = |address: &&SocketAddr| address.is_ipv4() == from.is_ipv4();
    offered.iter().find(same).or_else(|| offered.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(bound: &str, public: &[&str], asked_at: &str, interfaces: &[&str]) -> Vec<String> {
        let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let known = Known {
            bound: bound.parse().unwrap(),
            public: &ips(public),
            asked_at: asked_at.parse().unwrap(),
            interfaces: &ips(interfaces),
        };
        known.offered().iter().map(SocketAddr::to_string).collect()
    }

    #[test]
    fn who_asks_is_told_where_it_asked_first() {
        let interfaces = ["127.0.0.1", "172.17.0.1", "192.0.2.7", "fe80::1", "fd00::7", "169.254.3.4"];
        assert_eq!(
            offered("0.0.0.0:8189", &[], "192.0.2.7", &interfaces),
            ["192.0.2.7:8189", "172.17.0.1:8189"]
        );
        assert_eq!(
            offered("[::]:8189", &[], "::ffff:192.0.2.7", &interfaces),
            ["192.0.2.7:8189", "172.17.0.1:8189", "[fd00::7]:8189"]
        );
        // On this machine, or behind a proxy on it.
        assert_eq!(
            offered("0.0.0.0:8189", &[], "127.0.0.1", &interfaces),
            ["172.17.0.1:8189", "192.0.2.7:8189", "127.0.0.1:8189"]
        );
        assert_eq!(offered("127.0.0.1:9", &[], "127.0.0.1", &interfaces), ["127.0.0.1:9"]);
    }

    #[test]
    fn public_addresses_come_first() {
        let interfaces = ["10.0.0.5", "172.17.0.1"];
        assert_eq!(
            offered("0.0.0.0:1", &["203.0.113.9"], "10.0.0.5", &interfaces),
            ["203.0.113.9:1", "10.0.0.5:1"]
        );
        assert_eq!(
            offered("10.0.0.5:1", &["2001:db8::9"], "10.0.0.5", &[]),
            ["[2001:db8::9]:1", "10.0.0.5:1"]
        );
    }

    #[test]
    fn a_datagram_came_to_an_address_of_its_family() {
        let offered: Vec<SocketAddr> =
            ["[fd00::7]:1", "192.0.2.7:1"].map(|text| text.parse().unwrap()).to_vec();
        assert_eq!(arrived_at(&offered, "192.0.2.9:5".parse().unwrap()), Some(offered[1]));
        assert_eq!(arrived_at(&offered[..1], "192.0.2.9:5".parse().unwrap()), Some(offered[0]));
        assert_eq!(arrived_at(&[], "192.0.2.9:5".parse().unwrap()), None);
    }
}
