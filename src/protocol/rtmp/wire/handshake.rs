//! The handshake, simple (RTMP 1.0, section 5.2) and with digests, as Flash players and ffmpeg want it (never published
//! by Adobe; known from every server). The digest stands in one of two places, the "schemes".

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};

/// Bytes of each handshake packet.
pub const PACKET: usize = 1536;
/// The only protocol version.
pub const VERSION: u8 = 3;
const DIGEST: usize = 32;

/// "Genuine Adobe Flash Player 001" and 32 bytes that both sides know.
const PLAYER: &[u8] = b"Genuine Adobe Flash Player 001";
/// "Genuine Adobe Flash Media Server 001" and the same 32 bytes.
const SERVER: &[u8] = b"Genuine Adobe Flash Media Server 001";
const KNOWN: &[u8; 32] = &[
    0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57, 0x6e,
    0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae,
];
/// The version that the server's packet claims; ffmpeg asks for digests from 3 on.
const SERVER_VERSION: [u8; 4] = [4, 5, 0, 1];
/// The version that our client's packet claims when it offers a digest.
const CLIENT_VERSION: [u8; 4] = [9, 0, 124, 2];

/// Where the digest of a packet stands: the first byte of four whose sum places it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Behind the time and the version.
    Near,
    /// In the second half.
    Far,
}

/// Both.
pub const SCHEMES: [Scheme; 2] = [Scheme::Far, Scheme::Near];

/// One packet of the handshake.
pub type Packet = [u8; PACKET];

/// Why the other side's handshake is no RTMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Another version, or something else altogether (an HTTP request, for instance).
    #[error("the first byte is {0:#04x}, not that of RTMP")]
    Version(u8),
    /// The server's answer to our digest is wrong.
    #[error("the server's handshake does not prove what it claims")]
    Digest,
}

impl Scheme {
    /// Where the digest stands in `packet`.
    fn place(self, packet: &Packet) -> usize {
        let base: usize = match self {
            Scheme::Near => 8,
            Scheme::Far => 772,
        };
        let sum: u32 = packet.get(base..).unwrap_or_default().iter().take(4).map(|b| u32::from(*b)).sum();
        // 4 * 255 at most; both schemes leave 728 places behind the four bytes.
        base.saturating_add(4).saturating_add(usize::try_from(sum % 728).unwrap_or(0))
    }
}

fn key(name: &[u8], whole: bool) -> Key {
    let mut bytes = name.to_vec();
    if whole {
        bytes.extend_from_slice(KNOWN);
    }
    Key::new(HMAC_SHA256, &bytes)
}

/// The digest of a packet without the digest itself.
fn digest(key: &Key, packet: &Packet, place: usize) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(packet.get(..place).unwrap_or_default());
    context.update(packet.get(place.saturating_add(DIGEST)..).unwrap_or_default());
    context.sign()
}

fn at(packet: &Packet, place: usize) -> &[u8] {
    packet.get(place..place.saturating_add(DIGEST)).unwrap_or_default()
}

fn put(packet: &mut Packet, place: usize, bytes: &[u8]) {
    if let Some(target) = packet.get_mut(place..place.saturating_add(bytes.len())) {
        target.copy_from_slice(bytes);
    }
}

/// The scheme and digest of a packet that was signed with `key`; `None` if it was not.
fn find(key: &Key, packet: &Packet) -> Option<(Scheme, [u8; DIGEST])> {
    SCHEMES.into_iter().find_map(|scheme| {
        let place = scheme.place(packet);
        let there: [u8; DIGEST] = at(packet, place).try_into().ok()?;
        // No secret is guarded here, so an ordinary comparison is enough.
        (digest(key, packet, place).as_ref() == there).then_some((scheme, there))
    })
}

/// A packet of bytes that look random, from a seed. Nothing secret depends on them, and a flood of connections must not
/// be answered with work: a xorshift generator (Marsaglia, 2003) for each 8 bytes of the seed.
fn noise(seed: [u8; 32]) -> Packet {
    let mut packet = [0; PACKET];
    let (words, _) = seed.as_chunks::<8>();
    for (part, word) in packet.chunks_mut(PACKET / 4).zip(words) {
        // It stands still at 0.
        let mut state = u64::from_ne_bytes(*word) | 1;
        for piece in part.chunks_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            piece.copy_from_slice(&state.to_ne_bytes());
        }
    }
    packet
}

/// The server's S0, S1 and S2 for a client's C1: with digests if it has one, otherwise simple.
pub fn answer(c1: &Packet, seed: [u8; 32]) -> Vec<u8> {
    let mut s1 = noise(seed);
    put(&mut s1, 0, &[0; 4]);
    let signed = find(&key(PLAYER, false), c1);
    let s2 = match signed {
        None => {
            put(&mut s1, 4, &[0; 4]);
            *c1
        }
        Some((scheme, client)) => {
            put(&mut s1, 4, &SERVER_VERSION);
            let place = scheme.place(&s1);
            let tag = digest(&key(SERVER, false), &s1, place);
            put(&mut s1, place, tag.as_ref());
            let mut other = seed;
            other.reverse();
            response(noise(other), &key(SERVER, true), &client)
        }
    };
    let mut out = Vec::with_capacity(PACKET.saturating_mul(2).saturating_add(1));
    out.push(VERSION);
    out.extend_from_slice(&s1);
    out.extend_from_slice(&s2);
    out
}

/// A second packet: noise, and at its end the proof that the other side's digest was read.
fn response(mut packet: Packet, own: &Key, theirs: &[u8]) -> Packet {
    let once = Key::new(HMAC_SHA256, hmac::sign(own, theirs).as_ref());
    let end = PACKET.saturating_sub(DIGEST);
    let tag = hmac::sign(&once, packet.get(..end).unwrap_or_default());
    put(&mut packet, end, tag.as_ref());
    packet
}

/// The client's C1, simple or with a digest.
pub fn hello(scheme: Option<Scheme>, seed: [u8; 32]) -> Packet {
    let mut c1 = noise(seed);
    put(&mut c1, 0, &[0; 4]);
    put(&mut c1, 4, &[0; 4]);
    if let Some(scheme) = scheme {
        put(&mut c1, 4, &CLIENT_VERSION);
        let place = scheme.place(&c1);
        let tag = digest(&key(PLAYER, false), &c1, place);
        put(&mut c1, place, tag.as_ref());
    }
    c1
}

/// The client's C2 for a server's S1 and S2.
///
/// # Errors
/// The server claims a digest handshake and its S2 does not prove that it read ours.
pub fn reply(c1: &Packet, s1: &Packet, s2: &Packet, seed: [u8; 32]) -> Result<Packet, HandshakeError> {
    let ours = find(&key(PLAYER, false), c1);
    let theirs = find(&key(SERVER, false), s1);
    let (Some((_, ours)), Some((_, theirs))) = (ours, theirs) else { return Ok(*s1) };
    let proof = response(*s2, &key(SERVER, true), &ours);
    if &proof != s2 {
        return Err(HandshakeError::Digest);
    }
    Ok(response(noise(seed), &key(PLAYER, true), &theirs))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "the test's own bytes")]
    use super::*;

    fn parts(answer: &[u8]) -> (u8, Packet, Packet) {
        let s1 = answer[1..=PACKET].try_into().unwrap();
        let s2 = answer[PACKET + 1..].try_into().unwrap();
        (answer[0], s1, s2)
    }

    #[test]
    fn a_simple_hello_is_echoed() {
        let c1 = hello(None, [7; 32]);
        let (version, s1, s2) = parts(&answer(&c1, [8; 32]));
        assert_eq!((version, s2), (3, c1));
        assert_eq!(s1[4..8], [0; 4]);
        assert_eq!(reply(&c1, &s1, &s2, [9; 32]), Ok(s1));
    }

    #[test]
    fn both_schemes_prove_both_sides() {
        for scheme in SCHEMES {
            for seed in 0..50 {
                let c1 = hello(Some(scheme), [seed; 32]);
                let (_, s1, s2) = parts(&answer(&c1, [seed ^ 0x55; 32]));
                assert_ne!(s2, c1);
                let c2 = reply(&c1, &s1, &s2, [1; 32]).unwrap();
                let (_, theirs) = find(&key(SERVER, false), &s1).unwrap();
                assert_eq!(response(c2, &key(PLAYER, true), &theirs), c2);
                let mut forged = s2;
                forged[100] ^= 1;
                assert_eq!(reply(&c1, &s1, &forged, [1; 32]), Err(HandshakeError::Digest));
            }
        }
    }

    #[test]
    fn the_digest_stays_inside_its_half() {
        let full = [255; PACKET];
        assert!(Scheme::Near.place(&full) + DIGEST <= 772);
        assert!(Scheme::Far.place(&full) + DIGEST <= PACKET);
        let mut most = [0; PACKET];
        most[8..11].copy_from_slice(&[255, 255, 217]);
        most[772..775].copy_from_slice(&[255, 255, 217]);
        assert_eq!(Scheme::Near.place(&most) + DIGEST, 12 + 727 + 32);
        assert_eq!(Scheme::Far.place(&most) + DIGEST, 776 + 727 + 32);
    }
}
