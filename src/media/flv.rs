//! FLV tags: the bodies of RTMP's messages of audio and video, plain (Adobe's FLV 10.1, annex E) and enhanced
//! (Enhanced RTMP v2: codecs by FourCC). Messages of several tracks are taken apart ([`multitrack`]), tags are read ([`TagReader`]), video is made of them ([`VideoInput`]), and
//! frames are written as tags ([`Prefix`], [`header`]).
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod multitrack;
mod reading;
mod video;
mod writing;

pub use reading::TagReader;
pub use video::{Oddity, VideoInput};
pub use writing::{Prefix, header};

use super::codec::ConfigError;
use super::time::MediaTime;
use super::track::{AudioTrack, VideoCodec};
use super::tracks::TrackKind;
use bytes::Bytes;

/// What a tag holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Tag {
    /// What a decoder of video needs first, as it came: empty ones are left out, broken ones are not.
    Configuration(VideoCodec, Bytes),
    /// Coded video, as it came.
    Video(VideoCodec, Coded),
    /// What a decoder of audio needs first. Audio that says it with its frames gives this in front of the first.
    Audio(AudioTrack),
    /// Packets of audio.
    Packets(Packets),
    /// Audio before its decoder's configuration.
    Early,
    /// A track has ended, says the publisher.
    End(TrackKind),
    /// Nothing that is played: an empty tag, an information frame.
    Nothing,
}

/// Packets of audio out of one tag.
#[derive(Clone, Debug, PartialEq)]
pub struct Packets {
    /// The track, where these packets say that it is another than before.
    pub track: Option<AudioTrack>,
    /// The first.
    pub first: Coded,
    /// More: only with ADTS, which has borders of its own.
    pub more: Vec<Coded>,
    /// Whether ADTS headers were taken off.
    pub adts: bool,
}

/// A picture or a packet of audio out of a tag.
#[derive(Clone, Debug, PartialEq)]
pub struct Coded {
    /// As [`super::Frame::keyframe`]; of video, what the tag says.
    pub keyframe: bool,
    /// How much later than the tag's time it is shown.
    pub composition: MediaTime,
    /// How much later than the tag's time it stands: below a millisecond (ModEx), or behind other packets.
    pub offset: MediaTime,
    /// Audio as [`super::Frame::payload`], video as it came.
    pub payload: Bytes,
}

/// Why a tag cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// A codec of FLV's early days, or one that no player of ours decodes.
    #[error("{0} is not carried; send H.264, H.265, AV1 or VP9 with AAC, Opus, MP3 or G.711")]
    Codec(&'static str),
    /// An unknown number of a codec.
    #[error("the {0} codec with the number {1} is not known")]
    Number(&'static str, u8),
    /// An unknown FourCC.
    #[error("the codec with the FourCC '{0}' is not carried")]
    FourCc(String),
    /// A decoder configuration that cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It ends inside its header.
    #[error("a tag is cut short")]
    Short,
}

/// FourCCs that are carried.
pub mod four_cc {
    /// H.264.
    pub const AVC: [u8; 4] = *b"avc1";
    /// H.265.
    pub const HEVC: [u8; 4] = *b"hvc1";
    /// AV1.
    pub const AV1: [u8; 4] = *b"av01";
    /// VP9.
    pub const VP9: [u8; 4] = *b"vp09";
    /// AAC.
    pub const AAC: [u8; 4] = *b"mp4a";
    /// Opus.
    pub const OPUS: [u8; 4] = *b"Opus";
    /// MP3.
    pub const MP3: [u8; 4] = *b".mp3";
    /// All, as the answer to `connect` lists them.
    pub const ALL: [[u8; 4]; 7] = [AVC, HEVC, AV1, VP9, AAC, OPUS, MP3];
}

/// Packet types of enhanced tags.
mod packet {
    pub const SEQUENCE_START: u8 = 0;
    pub const CODED_FRAMES: u8 = 1;
    pub const SEQUENCE_END: u8 = 2;
    /// Frames whose composition time is 0.
    pub const CODED_FRAMES_X: u8 = 3;
    pub const METADATA: u8 = 4;
    pub const MPEG2TS_SEQUENCE_START: u8 = 5;
    pub const MULTITRACK_VIDEO: u8 = 6;
    pub const MOD_EX: u8 = 7;
    pub const MULTICHANNEL_CONFIG: u8 = 4;
    pub const MULTITRACK_AUDIO: u8 = 5;
}

/// The longest decoder configuration; real ones have less than 1 KB.
const LONGEST_CONFIG: usize = 64 << 10;

#[cfg(test)]
#[path = "flv_tests.rs"]
mod tests;
