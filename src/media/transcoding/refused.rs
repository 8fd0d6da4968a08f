//! Why audio cannot be made into Opus here.

use crate::media::AudioCodec;

/// Audio that is not decoded in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// SBR or PS is signalled.
    #[error("the audio is HE-AAC, of which only the lower half could be decoded here")]
    HeAac,
    /// Neither mono nor stereo.
    #[error("the audio has {0} channels, and more than two are not mixed down here")]
    Channels(u8),
    /// Packets of 960 samples.
    #[error("the audio is AAC in packets of 960 samples, which are not decoded here")]
    ShortPackets,
    /// An object type that is not LC.
    #[error("the audio is AAC of object type {0}, and only LC (2) is decoded here")]
    ObjectType(u32),
    /// A rate that no table of AAC has.
    #[error("the audio has {0} samples a second, a rate that is not converted here")]
    Rate(u32),
    /// A configuration that is cut short, holds reserved values, or leaves the channels to the stream.
    #[error("the configuration of the audio cannot be read")]
    Unreadable,
    /// A codec that is not decoded here, or Opus, which needs nothing.
    #[error("audio of the codec {} is not decoded here", .0.name())]
    Codec(AudioCodec),
}
