//! One track of a stream, of video or of audio, with what its decoder needs first.

use bytes::Bytes;
use std::fmt;

/// How video is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// AVC.
    H264,
    /// HEVC.
    H265,
    /// AV1.
    Av1,
    /// VP9.
    Vp9,
}

/// How audio is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AudioCodec {
    /// MPEG-4 AAC.
    Aac,
    /// Opus.
    Opus,
    /// MPEG-1/2 layer III.
    Mp3,
    /// G.711 A-law, 8 kHz.
    G711A,
    /// G.711 µ-law, 8 kHz.
    G711U,
}

impl VideoCodec {
    /// The name in nginx-rtmp's `/stat` (`H264`), extended for what nginx-rtmp does not know.
    pub const fn name(self) -> &'static str {
        match self {
            VideoCodec::H264 => "H264",
            VideoCodec::H265 => "H265",
            VideoCodec::Av1 => "AV1",
            VideoCodec::Vp9 => "VP9",
        }
    }
}

impl AudioCodec {
    /// The name in nginx-rtmp's `/stat` (`AAC`), extended for what nginx-rtmp does not know.
    pub const fn name(self) -> &'static str {
        match self {
            AudioCodec::Aac => "AAC",
            AudioCodec::Opus => "Opus",
            AudioCodec::Mp3 => "MP3",
            AudioCodec::G711A => "G711A",
            AudioCodec::G711U => "G711U",
        }
    }
}

/// The video of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoTrack {
    /// Codec.
    pub codec: VideoCodec,
    /// What a decoder needs first, as containers hold it (avcC, hvcC, av1C, vpcC), with NAL lengths of 4 bytes.
    pub config: Bytes,
    /// Pixels, 0 if the configuration does not tell.
    pub width: u32,
    /// Pixels, 0 if the configuration does not tell.
    pub height: u32,
    /// The profile's name (`High`), empty if unknown.
    pub profile: &'static str,
    /// The level as written (`3.1`), empty if unknown.
    pub level: String,
    /// Frames a second if the configuration tells.
    pub frame_rate: Option<f64>,
    /// How many frames may stand before one that is shown earlier: 0 means that pts equals dts.
    pub reorder: u8,
}

/// What a decoder is set up for once and is not told again among the frames. A reader that was given it beforehand
/// (RTSP's description) can go on only with a track of the same coding; what else changes (parameter sets, sizes,
/// bitrates) stands in the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// Video: parameter sets come in band.
    Video(VideoCodec),
    /// AAC: its AudioSpecificConfig does not come in band.
    Aac {
        /// Samples a second, which is also what its times are counted in.
        sample_rate: u32,
        /// Channels.
        channels: u8,
        /// The object type's name (`LC`), empty if unknown.
        profile: &'static str,
        /// Samples in one frame.
        samples: u32,
    },
    /// Samples of G.711, which say nothing themselves.
    Telephone {
        /// A-law or µ-law.
        codec: AudioCodec,
        /// Samples a second.
        sample_rate: u32,
        /// Channels.
        channels: u8,
    },
    /// Audio whose packets say their rate and channels themselves (Opus, MP3).
    Audio(AudioCodec),
}

impl Coding {
    /// Whether a decoder that was set up for this can go on with `now`. AAC's may find mono where stereo was said, and
    /// the other way round, and SBR or none: libavcodec, which is what nearly all players have, goes by the frames there.
    /// Other channels it refuses, and another rate plays at a wrong speed (measured with ffmpeg, mpv and GStreamer).
    pub fn goes_on_as(&self, now: &Coding) -> bool {
        let narrow = |channels: u8| if channels == 1 { 2 } else { channels };
        let plain = |profile| if matches!(profile, "HE" | "HEv2") { "LC" } else { profile };
        let essence = |coding: &Coding| match *coding {
            Coding::Aac { sample_rate, channels, profile, samples } => {
                Coding::Aac { sample_rate, channels: narrow(channels), profile: plain(profile), samples }
            }
            other => other,
        };
        essence(self) == essence(now)
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Coding::Video(codec) => f.write_str(codec.name()),
            Coding::Audio(codec) => f.write_str(codec.name()),
            Coding::Aac { sample_rate, channels, profile, samples } => {
                let blank = if profile.is_empty() { "" } else { " " };
                write!(f, "AAC{blank}{profile} of {sample_rate} Hz, {}", spoken(*channels))?;
                if *samples == 1024 { Ok(()) } else { write!(f, ", {samples} samples a frame") }
            }
            Coding::Telephone { codec, sample_rate, channels } => {
                write!(f, "{} of {sample_rate} Hz, {}", codec.name(), spoken(*channels))
            }
        }
    }
}

fn spoken(channels: u8) -> String {
    match channels {
        1 => "mono".into(),
        2 => "stereo".into(),
        many => format!("{many} channels"),
    }
}

/// The audio of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioTrack {
    /// Codec.
    pub codec: AudioCodec,
    /// What a decoder needs first: AudioSpecificConfig (AAC), OpusHead (Opus); empty for the others.
    pub config: Bytes,
    /// Samples a second.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u8,
    /// The profile's name (`LC`), empty if unknown.
    pub profile: &'static str,
}
