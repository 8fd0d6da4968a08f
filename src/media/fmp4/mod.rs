//! Fragmented MP4 (ISO 14496-12, CMAF): initialisation segments and fragments of H.264, H.265, AV1, VP9, AAC, Opus and
//! MP3, and the names that browsers and playlists have for these codecs. HLS and recording share it.

mod codec_name;
mod fragment;
mod init;

pub use codec_name::{audio_codec_name, video_codec_name};
pub use fragment::{Run, Sample, fragment};
pub use init::{InitError, init_segment};

/// Ticks a second of a video track.
pub const VIDEO_TIMESCALE: u32 = 90_000;
/// The id of the video track; there is at most one.
pub const VIDEO_TRACK: u32 = 1;
/// The id of the audio track; there is at most one.
pub const AUDIO_TRACK: u32 = 2;

use super::track::{AudioCodec, AudioTrack};

/// Whether fragmented MP4 carries this audio in a way that players know. G.711 has no such form.
pub fn carries_audio(track: &AudioTrack) -> bool {
    match track.codec {
        AudioCodec::Aac | AudioCodec::Opus | AudioCodec::Mp3 => true,
        AudioCodec::G711A | AudioCodec::G711U => false,
    }
}
