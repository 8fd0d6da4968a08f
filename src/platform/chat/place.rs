//! Where somebody writes from, as far as a room has to know it: a salted hash of the neighbourhood of his address. It tells
//! that two are neighbours, and not where.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

/// A salted hash of a neighbourhood of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Place(u64);

/// What the hashes are salted with. Kept as long as bans are.
#[derive(Clone)]
pub struct Salt(Key);

impl Salt {
    /// Of random bytes.
    pub fn new(random: &[u8; 32]) -> Salt {
        Salt(Key::new(HMAC_SHA256, random))
    }

    /// As it is stored.
    pub fn of(stored: &str) -> Salt {
        Salt(Key::new(HMAC_SHA256, stored.as_bytes()))
    }

    /// Where `address` is.
    pub fn place(&self, address: IpAddr) -> Place {
        let tag = sign(&self.0, neighbourhood(address).to_string().as_bytes());
        Place(u64::from_be_bytes(tag.as_ref().first_chunk::<8>().copied().unwrap_or_default()))
    }
}

/// The salt that is in use: the stored one as soon as it is known. Cloning shares it.
#[derive(Clone)]
pub struct Salts(Arc<RwLock<Salt>>);

impl Salts {
    /// This one for now.
    pub fn new(salt: Salt) -> Salts {
        Salts(Arc::new(RwLock::new(salt)))
    }

    /// This one from now on.
    pub fn set(&self, salt: Salt) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = salt;
    }

    /// Where `address` is.
    pub fn place(&self, address: IpAddr) -> Place {
        self.0.read().unwrap_or_else(PoisonError::into_inner).place(address)
    }
}

/// The first address of the network that is taken for one household or office: a /24, of IPv6 a /64. Wider than for guesses
/// of passwords: who was banned often comes back with the next address of his provider.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) & !0xff).into()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_a_place_and_salts_hide_it() {
        let (salt, other) = (Salt::new(&[1; 32]), Salt::new(&[2; 32]));
        let place = |text: &str| salt.place(text.parse().unwrap());
        assert_eq!(place("192.0.2.1"), place("192.0.2.200"));
        assert_eq!(place("192.0.2.1"), place("::ffff:192.0.2.9"));
        assert_ne!(place("192.0.2.1"), place("192.0.3.1"));
        assert_eq!(place("2001:db8::1"), place("2001:db8::ffff:1"));
        assert_ne!(place("2001:db8::1"), place("2001:db8:0:1::1"));
        assert_ne!(place("192.0.2.1"), other.place("192.0.2.1".parse().unwrap()));
    }
}
