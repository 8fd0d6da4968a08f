//! What decoders need before the first frame: the configuration records of containers, read and written.

pub mod aac;
pub mod av1;
pub mod bits;
pub mod framing;
pub mod h264;
pub mod h265;
pub mod latm;
pub mod nal;
pub mod opus;
pub mod sets;
pub mod vp9;

use super::track::{VideoCodec, VideoTrack};
use bytes::Bytes;

/// Why a decoder configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It ends too early.
    #[error("the {0} configuration is cut short")]
    Short(&'static str),
    /// A value that the standard reserves.
    #[error("the {0} configuration has a reserved value in {1}")]
    Reserved(&'static str, &'static str),
    /// There is no parameter set in it.
    #[error("the {0} configuration has no {1}")]
    Missing(&'static str, &'static str),
    /// A parameter set that cannot be read.
    #[error("the {0} of {1} cannot be read: {2}")]
    Unreadable(&'static str, &'static str, String),
}

/// See [`VideoTrack::from_config`].
pub(super) fn video_track(codec: VideoCodec, config: Bytes) -> Result<VideoTrack, ConfigError> {
    match codec {
        VideoCodec::H264 => h264::track(config),
        VideoCodec::H265 => h265::track(config),
        VideoCodec::Av1 => av1::track(config),
        VideoCodec::Vp9 => vp9::track(config),
    }
}

/// See [`VideoTrack::parameter_sets`].
pub(super) fn parameter_sets(codec: VideoCodec, config: &Bytes) -> Vec<Bytes> {
    match codec {
        VideoCodec::H264 => h264::parameter_sets(config),
        VideoCodec::H265 => h265::parameter_sets(config),
        VideoCodec::Av1 | VideoCodec::Vp9 => Vec::new(),
    }
}
