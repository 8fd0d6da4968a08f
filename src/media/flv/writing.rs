//! Frames and configurations as tags.

use super::{four_cc, packet};
use crate::media::frame::Frame;
use crate::media::track::{AudioCodec, AudioTrack, VideoCodec};

/// Tags that hold a decoder's configuration. Empty where the audio needs none.
pub mod header {
    use super::{AudioCodec, AudioTrack, VideoCodec, four_cc, packet};
    use crate::media::track::VideoTrack;

    /// The tag in front of the first picture.
    pub fn video(track: &VideoTrack) -> Vec<u8> {
        let mut tag = match track.codec {
            VideoCodec::H264 => vec![0x17, 0, 0, 0, 0],
            codec => {
                let mut tag = vec![0x90 | packet::SEQUENCE_START];
                tag.extend_from_slice(&super::video_four_cc(codec));
                tag
            }
        };
        tag.extend_from_slice(&track.config);
        tag
    }

    /// The tag in front of the first audio packet.
    pub fn audio(track: &AudioTrack) -> Vec<u8> {
        let mut tag = match track.codec {
            AudioCodec::Aac => vec![super::AAC_FIRST, 0],
            AudioCodec::Opus => {
                let mut tag = vec![0x90 | packet::SEQUENCE_START];
                tag.extend_from_slice(&four_cc::OPUS);
                tag
            }
            AudioCodec::Mp3 | AudioCodec::G711A | AudioCodec::G711U => return Vec::new(),
        };
        tag.extend_from_slice(&track.config);
        tag
    }
}

/// AAC, and values for rate, depth and channels that the specification fixes whatever they really are.
const AAC_FIRST: u8 = 0xaf;

fn video_four_cc(codec: VideoCodec) -> [u8; 4] {
    match codec {
        VideoCodec::H264 => four_cc::AVC,
        VideoCodec::H265 => four_cc::HEVC,
        VideoCodec::Av1 => four_cc::AV1,
        VideoCodec::Vp9 => four_cc::VP9,
    }
}

/// What stands before a frame's payload in its tag: at most 8 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefix {
    bytes: [u8; 8],
    length: usize,
}

impl Prefix {
    fn new(parts: &[&[u8]]) -> Prefix {
        let mut prefix = Prefix::default();
        for byte in parts.iter().flat_map(|part| part.iter()) {
            if let Some(slot) = prefix.bytes.get_mut(prefix.length) {
                *slot = *byte;
                prefix.length = prefix.length.saturating_add(1);
            }
        }
        prefix
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Of a picture.
    pub fn of_video(codec: VideoCodec, frame: &Frame) -> Prefix {
        let kind: u8 = if frame.keyframe { 0x10 } else { 0x20 };
        let millis = frame.pts.millis().saturating_sub(frame.dts.millis());
        let millis = i32::try_from(millis.clamp(-0x0080_0000, 0x007f_ffff)).unwrap_or(0);
        let [_, c0, c1, c2] = millis.to_be_bytes();
        match codec {
            VideoCodec::H264 => Prefix::new(&[&[kind | 7, 1, c0, c1, c2]]),
            VideoCodec::H265 if millis != 0 => {
                Prefix::new(&[&[0x80 | kind | packet::CODED_FRAMES], &four_cc::HEVC, &[c0, c1, c2]])
            }
            VideoCodec::H265 => Prefix::new(&[&[0x80 | kind | packet::CODED_FRAMES_X], &four_cc::HEVC]),
            VideoCodec::Av1 | VideoCodec::Vp9 => {
                Prefix::new(&[&[0x80 | kind | packet::CODED_FRAMES], &video_four_cc(codec)])
            }
        }
    }

    /// Of audio packet.
    pub fn of_audio(track: &AudioTrack) -> Prefix {
        let stereo = u8::from(track.channels > 1);
        let rate: u8 = match track.sample_rate {
            0..=8_000 => 0,
            8_001..=11_025 => 1,
            11_026..=24_000 => 2,
            _ => 3,
        };
        match track.codec {
            AudioCodec::Aac => Prefix::new(&[&[AAC_FIRST, 1]]),
            AudioCodec::Opus => Prefix::new(&[&[0x90 | packet::CODED_FRAMES], &four_cc::OPUS]),
            // MP3 with 8 kHz has a number of its own, since the two bits of the rate do not know it.
            AudioCodec::Mp3 if track.sample_rate == 8_000 => Prefix::new(&[&[0xe2 | stereo]]),
            AudioCodec::Mp3 => Prefix::new(&[&[0x22 | (rate << 2) | stereo]]),
            AudioCodec::G711A => Prefix::new(&[&[0x72 | stereo]]),
            AudioCodec::G711U => Prefix::new(&[&[0x82 | stereo]]),
        }
    }
}
