//! WebRTC: WHEP to viewers and WHIP from publishers, without encoding again.
//!
//! ICE, DTLS, SRTP and SDP are str0m's. Ours is what it is for: frames are packed once for all viewers of a rendition
//! ([`packing`]), each session counts its own packets ([`numbering`]), begins with the frames since the last keyframe
//! ([`recent`]) and gets the rendition that its link carries ([`choosing`]). One UDP socket serves all sessions.

pub mod addresses;
pub mod choosing;
pub mod converter;
pub mod datagram;
pub mod ending;
pub mod engine;
pub mod foreign_audio;
pub mod framing;
pub mod ladder;
pub mod matching;
pub mod numbering;
pub mod obu_pack;
pub mod offer;
pub mod outlets;
pub mod packing;
pub mod peer;
pub mod publishing;
pub mod recent;
pub mod route;
pub mod server;
pub mod sessions;
pub mod socket;
pub mod tcp;
pub mod totals;
pub mod ufrag;
pub mod viewer;
pub mod ways;
