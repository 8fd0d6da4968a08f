//! Tracks out of the configurations of their codecs, and what these say of them.

use super::codec::{self, ConfigError};
use super::track::{AudioCodec, AudioTrack, Coding, VideoCodec, VideoTrack};
use bytes::Bytes;

impl VideoTrack {
    /// What a decoder is set up for.
    pub fn coding(&self) -> Coding {
        Coding::Video(self.codec)
    }

    /// From the decoder configuration record of ISO 14496-15 (or the codec's own).
    ///
    /// # Errors
    /// A record that is cut short or has no parameter sets.
    pub fn from_config(codec: VideoCodec, config: Bytes) -> Result<VideoTrack, ConfigError> {
        codec::video_track(codec, config)
    }

    /// The parameter sets in the order in which a decoder wants them: SPS, PPS (H.264); VPS, SPS, PPS (H.265).
    pub fn parameter_sets(&self) -> Vec<Bytes> {
        codec::parameter_sets(self.codec, &self.config)
    }
}

impl AudioTrack {
    /// What a decoder is set up for.
    pub fn coding(&self) -> Coding {
        let AudioTrack { codec, sample_rate, channels, profile, .. } = *self;
        match codec {
            AudioCodec::Aac => {
                let samples = codec::aac::samples_per_packet(&self.config);
                Coding::Aac { sample_rate, channels, profile, samples }
            }
            AudioCodec::G711A | AudioCodec::G711U => Coding::Telephone { codec, sample_rate, channels },
            AudioCodec::Opus | AudioCodec::Mp3 => Coding::Audio(codec),
        }
    }

    /// From an AudioSpecificConfig (ISO 14496-3, 1.6.2.1).
    ///
    /// # Errors
    /// A configuration that is cut short or names a reserved rate.
    pub fn aac(config: Bytes) -> Result<AudioTrack, ConfigError> {
        codec::aac::track(config)
    }

    /// From an OpusHead (RFC 7845, 5.1).
    ///
    /// # Errors
    /// A head that is cut short.
    pub fn opus(head: Bytes) -> Result<AudioTrack, ConfigError> {
        codec::opus::track(head)
    }

    /// Audio whose frames say everything themselves (MP3, G.711).
    pub fn plain(codec: AudioCodec, sample_rate: u32, channels: u8) -> AudioTrack {
        AudioTrack { codec, config: Bytes::new(), sample_rate, channels, profile: "" }
    }

    /// Samples that one packet holds, where the codec fixes it: 1024 for AAC (960 for its short form), 1152 for MP3.
    pub fn samples_per_packet(&self) -> Option<u32> {
        match self.codec {
            AudioCodec::Aac => Some(codec::aac::samples_per_packet(&self.config)),
            AudioCodec::Mp3 => Some(if self.sample_rate < 32_000 { 576 } else { 1152 }),
            AudioCodec::Opus | AudioCodec::G711A | AudioCodec::G711U => None,
        }
    }
}
