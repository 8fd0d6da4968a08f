//! Coded media as the hub carries it: tracks, frames, times, and the ways they are packed. Pure: bytes in, values out.

pub mod access_units;
pub mod codec;
mod configured;
pub mod feed;
pub mod flv;
pub mod fmp4;
pub mod frame;
pub mod joining;
pub mod nut;
pub mod rtp;
pub mod time;
pub mod track;
pub mod tracks;
pub mod transcoding;

pub use frame::Frame;
pub use time::MediaTime;
pub use track::{AudioCodec, AudioTrack, Coding, VideoCodec, VideoTrack};
pub use tracks::{MOST_OF_A_KIND, MOST_TRACKS, TrackId, TrackKind, Tracks};
