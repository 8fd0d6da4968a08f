//! The addresses of this machine.

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use std::net::IpAddr;

/// Most addresses that are looked at.
const MOST: usize = 64;

/// The addresses of interfaces that are up, without those of bridges for containers, behind which nobody else is.
pub fn addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    let up = interfaces
        .filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING));
    let ours = up.filter(|interface| {
        !["docker", "br-", "veth", "virbr"].iter().any(|bridge| interface.interface_name.starts_with(bridge))
    });
    let address = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    };
    ours.filter_map(address).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_itself() {
        assert!(addresses().contains(&"127.0.0.1".parse().unwrap()));
    }
}
