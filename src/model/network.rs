//! Networks that are told apart from strangers: one address, or a prefix with its length.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    length: u8,
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not an address at all.
    #[error("it is no IP address, as 10.0.0.0/8 or 192.168.1.7")]
    Address,
    /// A prefix longer than the address.
    #[error("the length behind '/' is 0 to 32, or 0 to 128 for IPv6")]
    Length,
    /// `10.1.2.3/8`, which is more likely a mistake than meant.
    #[error("it has bits set behind its prefix")]
    Bits,
}

impl Network {
    /// Whether `address` is in it. An IPv4 address that came over an IPv6 socket counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, plain(address)) {
            (IpAddr::V4(base), IpAddr::V4(other)) => {
                masked(base.to_bits().into(), self.length, 32)
                    == masked(other.to_bits().into(), self.length, 32)
            }
            (IpAddr::V6(base), IpAddr::V6(other)) => {
                masked(base.to_bits(), self.length, 128) == masked(other.to_bits(), self.length, 128)
            }
            _ => false,
        }
    }
}

/// IPv4 in the clothes of IPv6 (`::ffff:10.0.0.1`) as IPv4, everything else as it is.
pub fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        v4 => v4,
    }
}

/// Whether an address is this machine itself.
pub fn is_loopback(address: IpAddr) -> bool {
    plain(address).is_loopback()
}

/// Whether an address is of the link alone, where clouds keep their machines' secrets, in whatever form of version 6 it is carried.
pub fn is_link_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => {
            let [first, .., high, low] = address.segments();
            // The forms that carry one of version 4: 64:ff9b::/96 (RFC 6052) and the compatible ones.
            let [a, b] = high.to_be_bytes();
            let carries = address.segments().starts_with(&[0x64, 0xff9b, 0, 0, 0, 0])
                || address.segments().starts_with(&[0; 6]);
            let [c, d] = low.to_be_bytes();
            first & 0xffc0 == 0xfe80 || (carries && Ipv4Addr::new(a, b, c, d).is_link_local())
        }
    }
}

/// The first `length` of `width` bits.
fn masked(bits: u128, length: u8, width: u8) -> u128 {
    bits.checked_shr(u32::from(width.saturating_sub(length))).unwrap_or(0)
}

impl FromStr for Network {
    type Err = Error;

    fn from_str(text: &str) -> Result<Network, Error> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().map_err(|_| Error::Address)?;
        let base = plain(base);
        let width: u8 = if base.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => width,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse::<u8>().ok().filter(|n| *n <= width).ok_or(Error::Length)?
            }
            Some(_) => return Err(Error::Length),
        };
        let network = Network { base, length };
        let low = match base {
            IpAddr::V4(v4) => {
                let kept = masked(v4.to_bits().into(), length, 32)
                    .checked_shl(u32::from(32u8.saturating_sub(length)))
                    .unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(kept).unwrap_or(0)))
            }
            IpAddr::V6(v6) => {
                let kept = masked(v6.to_bits(), length, 128)
                    .checked_shl(u32::from(128u8.saturating_sub(length)))
                    .unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(kept))
            }
        };
        if low == base { Ok(network) } else { Err(Error::Bits) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.base.is_ipv4() { 32 } else { 128 };
        if self.length == whole {
            write!(f, "{}", self.base)
        } else {
            write!(f, "{}/{}", self.base, self.length)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn an_address_is_inside_or_not() {
        assert!(contains("10.0.0.0/8", "10.255.1.2"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("192.168.1.7", "192.168.1.7"));
        assert!(!contains("192.168.1.7", "192.168.1.8"));
        assert!(contains("0.0.0.0/0", "8.8.8.8"));
        assert!(!contains("0.0.0.0/0", "::1"));
        assert!(contains("fd00::/8", "fdab::1"));
        assert!(!contains("fd00::/8", "fe80::1"));
        assert!(contains("::/0", "fe80::1"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.1.1"));
        assert!(is_loopback("::ffff:127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn mistakes_are_told_apart() {
        for (text, error) in [
            ("", Error::Address),
            ("example.com", Error::Address),
            ("10.0.0.0/33", Error::Length),
            ("10.0.0.0/", Error::Length),
            ("10.0.0.0/-1", Error::Length),
            ("10.0.0.0/8/8", Error::Length),
            ("::/129", Error::Length),
            ("10.1.0.0/8", Error::Bits),
            ("fd00::1/8", Error::Bits),
        ] {
            assert_eq!(text.parse::<Network>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_network_contains_its_base(bits in any::<u32>(), length in 0u8..=32) {
            let kept = u32::try_from(masked(bits.into(), length, 32) << (32 - length)).unwrap();
            let text = format!("{}/{length}", Ipv4Addr::from_bits(kept));
            let network: Network = text.parse().unwrap();
            prop_assert!(network.contains(IpAddr::V4(Ipv4Addr::from_bits(bits))));
            prop_assert_eq!(network.to_string().parse::<Network>().unwrap(), network);
        }
    }
}
