//! RTP (RFC 3550) and the payload formats of the codecs that msconv carries, both ways: frames become packets
//! ([`pack`]), packets become frames ([`unpack`]). Bytes in, values out; deliberately absent: sockets, sessions, and the
//! way from RTP time to the stream's own line of time across tracks, which needs arrival times ([`mod@line`] is told them).

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

pub mod audio_clock;
pub mod decode_times;
pub mod header;
pub mod in_order;
pub mod line;
pub mod mpeg_audio;
pub mod nal_pack;
pub mod pack;
pub mod packets;
pub mod reception;
pub mod rtcp;
pub mod unpack;

pub use header::Header;
pub use pack::Packer;
pub use packets::{Packets, RtpStream};
pub use unpack::{Unit, Unpacker};

/// Ticks a second of the RTP clock of video (RFC 6184, RFC 7798), and of MPEG audio (RFC 2250).
pub const CLOCK_90K: u32 = 90_000;
