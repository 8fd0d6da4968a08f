//! What ffprobe found out about a source, in the words of this project.

use super::frame_rate::{Rate, Timing};
use crate::base::printable::bounded;

/// A source as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The demuxer's names: `mov,mp4,m4a,3gp,3g2,mj2`, `mpegts`, `flv`.
    pub format: String,
    /// Length in seconds; `None` for live sources and where it cannot be told.
    pub duration: Option<f64>,
    /// Bits per second of everything together.
    pub bit_rate_bps: Option<u64>,
    /// The picture to use. Cover art is no picture.
    pub video: Option<VideoTrack>,
    /// The audio to use: the default track, else the first that can be used.
    pub audio: Option<AudioTrack>,
    /// How many video tracks there are to choose from.
    pub video_tracks: usize,
    /// How many audio there are to choose from.
    pub audio_tracks: usize,
    /// The metadata speak of a picture, whether or not one was found.
    pub picture_promised: bool,
    /// One picture without a time: a PNG, a JPEG.
    pub still: bool,
    /// A track that was left out because no frame of it can be decoded.
    pub undecodable: Option<TrackKind>,
}

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackKind {
    /// Video.
    Video,
    /// Audio.
    Audio,
}

impl TrackKind {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            TrackKind::Video => "video",
            TrackKind::Audio => "audio",
        }
    }
}

/// How light is coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transfer {
    /// Ordinary, or not said.
    #[default]
    Sdr,
    /// SMPTE 2084, HDR10 and Dolby Vision.
    Pq,
    /// ARIB B67, broadcast HDR and phones.
    Hlg,
}

/// A picture track.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VideoTrack {
    /// Its number within the source, over all kinds of tracks.
    pub index: u32,
    /// `h264`, `hevc`, `rawvideo`.
    pub codec: String,
    /// `High`, `Main 10`; empty if not said.
    pub profile: String,
    /// Width as shown: after sample aspect ratio and rotation; at least 1.
    pub width: u32,
    /// Height as shown; at least 1.
    pub height: u32,
    /// Width as stored, before rotation.
    pub coded_width: u32,
    /// Height as stored, before rotation.
    pub coded_height: u32,
    /// Whether samples are square.
    pub square: bool,
    /// Degrees that a player turns it by: 0, 90, 180 or 270.
    pub rotation: u32,
    /// Frame rates.
    pub timing: Timing,
    /// Two fields to a picture.
    pub interlaced: bool,
    /// `yuv420p`, `yuv422p10le`; empty if not said.
    pub pix_fmt: String,
    /// Bits to a sample, 8 if not said.
    pub bit_depth: u8,
    /// Full-range samples (0 to 255).
    pub full_range: bool,
    /// How light is coded.
    pub transfer: Transfer,
    /// B-frames that a decoder must be ready for.
    pub b_frames: u32,
    /// Time of the first picture in seconds.
    pub start: Option<f64>,
    /// Length in seconds.
    pub duration: Option<f64>,
    /// Bits per second.
    pub bit_rate_bps: Option<u64>,
}

/// Audio track.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AudioTrack {
    /// Its number within the source, over all kinds of tracks.
    pub index: u32,
    /// `aac`, `mp3`, `pcm_s16le`.
    pub codec: String,
    /// `LC`, `HE-AAC`; empty if not said.
    pub profile: String,
    /// Samples a second, 0 if not said.
    pub sample_rate_hz: u32,
    /// Channels, 0 if not said.
    pub channels: u32,
    /// Time of the first sample in seconds.
    pub start: Option<f64>,
    /// Length in seconds.
    pub duration: Option<f64>,
    /// Bits per second.
    pub bit_rate_bps: Option<u64>,
}

impl Report {
    /// One line for people: `h264 1920x1080 30 fps, aac`.
    pub fn summary(&self) -> String {
        let video = self.video.as_ref().map(VideoTrack::words);
        let audio = self.audio.as_ref().map(AudioTrack::words);
        let parts: Vec<String> = video.into_iter().chain(audio).collect();
        match parts.as_slice() {
            [] => "nothing to see or hear".to_string(),
            parts => parts.join(", "),
        }
    }

    /// How ffmpeg is told which picture: `v:0` or a track number. FLV has one of each kind, and a live one names them in
    /// the order in which they come, which is another one each time (a reader that joins between two keyframes hears
    /// before it sees), so there the kind decides.
    pub fn video_specifier(&self, track: &VideoTrack) -> String {
        if self.is_format(&["flv", "live_flv"]) { "v:0".into() } else { track.index.to_string() }
    }

    /// As [`Report::video_specifier`], for the audio.
    pub fn audio_specifier(&self, track: &AudioTrack) -> String {
        if self.is_format(&["flv", "live_flv"]) { "a:0".into() } else { track.index.to_string() }
    }

    /// Whether it is a playlist that names one film in several sizes.
    pub fn in_several_sizes(&self) -> bool {
        self.is_format(&["hls", "applehttp", "dash"])
    }

    /// Whether the name of the demuxer is one of `names`.
    pub fn is_format(&self, names: &[&str]) -> bool {
        self.format.split(',').any(|format| names.contains(&format))
    }
}

impl VideoTrack {
    /// Whether the picture is higher than wide.
    pub fn portrait(&self) -> bool {
        self.height > self.width
    }

    fn words(&self) -> String {
        let codec = bounded(if self.codec.is_empty() { "unknown codec" } else { &self.codec }, 40);
        let size = format!("{codec} {}x{}", self.width, self.height);
        match self.timing.constant() {
            Some(rate) => format!("{size} {} fps", short(rate)),
            None => size,
        }
    }
}

impl AudioTrack {
    fn words(&self) -> String {
        bounded(if self.codec.is_empty() { "unknown codec" } else { &self.codec }, 40)
    }
}

/// A frame rate with at most two decimals, `23.98` for the one with three.
fn short(rate: Rate) -> String {
    let text = format!("{:.2}", rate.value());
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}
