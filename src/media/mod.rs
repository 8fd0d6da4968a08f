//! Coded media as the hub carries it: tracks, frames, times, and the ways they are packed. Pure: bytes in, values out.

pub mod access_units;
pub mod codec;
pub mod feed;
pub mod flv;
pub mod frame;
pub mod joining;
pub mod nut;
pub mod rtp;
pub mod time;
pub mod track;

pub use frame::{Frame, TrackKind};
pub use time::MediaTime;
pub use track::{AudioCodec, AudioTrack, Coding, Tracks, VideoCodec, VideoTrack};
