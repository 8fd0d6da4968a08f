//! FLV tags: the bodies of RTMP's messages of sound and pictures, plain (Adobe's FLV 10.1, annex E) and enhanced
//! (Enhanced RTMP v2: codecs by FourCC). Reading gives tracks and frames, writing makes tags of them.

use super::codec::{ConfigError, h264, h265};
use super::frame::{Frame, TrackKind};
use super::time::MediaTime;
use super::track::{AudioCodec, AudioTrack, VideoCodec, VideoTrack};
use bytes::{BufMut, Bytes, BytesMut};

/// What a tag holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Tag {
    /// What a decoder of pictures needs first.
    Video(VideoTrack),
    /// What a decoder of sound needs first. Sound that needs nothing gives this with its first frame, in front of it.
    Audio(AudioTrack, Option<Coded>),
    /// A coded picture or packet of sound.
    Frame(Coded),
    /// The pictures have ended, says the publisher.
    End(TrackKind),
    /// Nothing that is played: an empty tag, an information frame, a frame before its decoder's configuration.
    Nothing,
}

/// A picture or a packet of sound out of a tag.
#[derive(Clone, Debug, PartialEq)]
pub struct Coded {
    /// Its track.
    pub track: TrackKind,
    /// As [`Frame::keyframe`].
    pub keyframe: bool,
    /// How much later than the tag's time it is shown.
    pub composition: MediaTime,
    /// How much later than the tag's time it stands, below a millisecond (ModEx).
    pub offset: MediaTime,
    /// As [`Frame::payload`].
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
    /// Several tracks of a kind in one stream.
    #[error("enhanced RTMP's multitrack is not carried; send one track of pictures and one of sound")]
    Multitrack,
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
    /// Pictures whose composition time is 0.
    pub const CODED_FRAMES_X: u8 = 3;
    pub const METADATA: u8 = 4;
    pub const MPEG2TS_SEQUENCE_START: u8 = 5;
    pub const MULTITRACK_VIDEO: u8 = 6;
    pub const MOD_EX: u8 = 7;
    pub const MULTICHANNEL_CONFIG: u8 = 4;
    pub const MULTITRACK_AUDIO: u8 = 5;
}

/// The most ModEx parts before one packet; the specification knows one kind.
const MOST_MOD_EX: usize = 8;
/// The longest decoder configuration; real ones have less than 1 KB.
const LONGEST_CONFIG: usize = 64 << 10;

/// Reads the tags of one stream in order. It remembers what the configurations said about the frames.
#[derive(Clone, Debug, Default)]
pub struct TagReader {
    /// Codec of the pictures, and the length of their NAL lengths.
    video: Option<(VideoCodec, usize)>,
    audio: Option<AudioCodec>,
}

impl TagReader {
    /// Reads the body of a video message.
    ///
    /// # Errors
    /// [`TagError`]: what is sent cannot be carried. [`TagError::Short`] says it of this tag only.
    pub fn video(&mut self, body: &Bytes) -> Result<Tag, TagError> {
        let Some(first) = body.first().copied() else { return Ok(Tag::Nothing) };
        if first & 0x80 != 0 {
            return self.enhanced_video(body, first);
        }
        let frame_type = first >> 4;
        if frame_type == 5 {
            return Ok(Tag::Nothing);
        }
        let codec = match first & 0x0f {
            7 => VideoCodec::H264,
            // Never in any specification, but what H.265 over RTMP looked like before 2023.
            12 => VideoCodec::H265,
            2 => return Err(TagError::Codec("Sorenson H.263")),
            3 | 6 => return Err(TagError::Codec("Screen video")),
            4 | 5 => return Err(TagError::Codec("On2 VP6")),
            other => return Err(TagError::Number("video", other)),
        };
        let Some([packet, c0, c1, c2]) = body.get(1..).and_then(|b| b.first_chunk::<4>()) else {
            return Ok(Tag::Nothing);
        };
        let rest = body.slice(5..);
        match packet {
            0 => self.video_config(codec, rest),
            1 => Ok(self.picture(codec, frame_type, signed([*c0, *c1, *c2]), MediaTime::ZERO, rest)),
            2 => Ok(Tag::End(TrackKind::Video)),
            _ => Ok(Tag::Nothing),
        }
    }

    fn enhanced_video(&mut self, body: &Bytes, first: u8) -> Result<Tag, TagError> {
        let frame_type = (first >> 4) & 7;
        let Extended { packet, offset, rest } = mod_ex(body, first & 0x0f)?;
        if packet == packet::MULTITRACK_VIDEO {
            return Err(TagError::Multitrack);
        }
        // A command frame (seek hints of Flash) has no FourCC.
        if frame_type == 5 && packet != packet::METADATA {
            return Ok(Tag::Nothing);
        }
        let (codec, rest) = four_cc(&rest)?;
        let codec = match codec {
            four_cc::AVC => VideoCodec::H264,
            four_cc::HEVC => VideoCodec::H265,
            four_cc::AV1 => VideoCodec::Av1,
            four_cc::VP9 => VideoCodec::Vp9,
            other => return Err(TagError::FourCc(printable(other))),
        };
        let has_composition = matches!(codec, VideoCodec::H264 | VideoCodec::H265);
        match packet {
            packet::SEQUENCE_START => self.video_config(codec, rest),
            packet::CODED_FRAMES if has_composition => {
                let time = *rest.first_chunk::<3>().ok_or(TagError::Short)?;
                Ok(self.picture(codec, frame_type, signed(time), offset, rest.slice(3..)))
            }
            packet::CODED_FRAMES | packet::CODED_FRAMES_X => {
                Ok(self.picture(codec, frame_type, 0, offset, rest))
            }
            packet::SEQUENCE_END => Ok(Tag::End(TrackKind::Video)),
            packet::MPEG2TS_SEQUENCE_START => Err(TagError::Codec("AV1 with an MPEG-2 TS descriptor")),
            // Colour information for HDR; players take it from the bit stream.
            _ => Ok(Tag::Nothing),
        }
    }

    fn video_config(&mut self, codec: VideoCodec, config: Bytes) -> Result<Tag, TagError> {
        // Some programs send an empty one when a stream ends or before it is known.
        if config.is_empty() || config.len() > LONGEST_CONFIG {
            return Ok(Tag::Nothing);
        }
        let length = match codec {
            VideoCodec::H264 => h264::length_size(&config)?,
            VideoCodec::H265 => h265::length_size(&config)?,
            VideoCodec::Av1 | VideoCodec::Vp9 => 4,
        };
        // Kept on its own: the message may be a part of something larger.
        let track = VideoTrack::from_config(codec, Bytes::copy_from_slice(&config))?;
        self.video = Some((codec, length));
        Ok(Tag::Video(track))
    }

    fn picture(&self, codec: VideoCodec, frame_type: u8, millis: i32, offset: MediaTime, body: Bytes) -> Tag {
        let length = match self.video {
            Some((known, length)) if known == codec => length,
            _ => return Tag::Nothing,
        };
        let payload = if length == 4 { body } else { with_long_lengths(&body, length) };
        if payload.is_empty() {
            return Tag::Nothing;
        }
        Tag::Frame(Coded {
            track: TrackKind::Video,
            // 4 is a keyframe that a server made up; nothing makes it different for us.
            keyframe: matches!(frame_type, 1 | 4),
            composition: MediaTime::from_millis(millis.into()),
            offset,
            payload,
        })
    }

    /// Reads the body of an audio message.
    ///
    /// # Errors
    /// As [`TagReader::video`].
    pub fn audio(&mut self, body: &Bytes) -> Result<Tag, TagError> {
        let Some(first) = body.first().copied() else { return Ok(Tag::Nothing) };
        let codec = match first >> 4 {
            9 => return self.enhanced_audio(body, first),
            10 => AudioCodec::Aac,
            2 | 14 => AudioCodec::Mp3,
            7 => AudioCodec::G711A,
            8 => AudioCodec::G711U,
            0 | 3 => return Err(TagError::Codec("uncompressed sound (PCM)")),
            1 => return Err(TagError::Codec("ADPCM")),
            4..=6 => return Err(TagError::Codec("Nellymoser")),
            11 => return Err(TagError::Codec("Speex")),
            other => return Err(TagError::Number("audio", other)),
        };
        if codec == AudioCodec::Aac {
            let rest = if body.len() > 2 { body.slice(2..) } else { return Ok(Tag::Nothing) };
            return match body.get(1) {
                Some(0) => self.audio_config(codec, &rest),
                Some(1) => Ok(self.sound(codec, MediaTime::ZERO, rest)),
                _ => Ok(Tag::Nothing),
            };
        }
        let channels = if first & 1 == 1 { 2 } else { 1 };
        self.plain_sound(codec, channels, MediaTime::ZERO, body.slice(1..))
    }

    fn enhanced_audio(&mut self, body: &Bytes, first: u8) -> Result<Tag, TagError> {
        let Extended { packet, offset, rest } = mod_ex(body, first & 0x0f)?;
        if packet == packet::MULTITRACK_AUDIO {
            return Err(TagError::Multitrack);
        }
        let (codec, rest) = four_cc(&rest)?;
        let codec = match codec {
            four_cc::AAC => AudioCodec::Aac,
            four_cc::OPUS => AudioCodec::Opus,
            four_cc::MP3 => AudioCodec::Mp3,
            other => return Err(TagError::FourCc(printable(other))),
        };
        match packet {
            packet::SEQUENCE_START if codec == AudioCodec::Mp3 => Ok(Tag::Nothing),
            packet::SEQUENCE_START => self.audio_config(codec, &rest),
            packet::CODED_FRAMES if codec == AudioCodec::Mp3 => self.plain_sound(codec, 2, offset, rest),
            packet::CODED_FRAMES => Ok(self.sound(codec, offset, rest)),
            packet::SEQUENCE_END => Ok(Tag::End(TrackKind::Audio)),
            // The order of channels, which the codecs' own configurations say as well.
            packet::MULTICHANNEL_CONFIG => Ok(Tag::Nothing),
            _ => Ok(Tag::Nothing),
        }
    }

    fn audio_config(&mut self, codec: AudioCodec, config: &Bytes) -> Result<Tag, TagError> {
        if config.is_empty() || config.len() > LONGEST_CONFIG {
            return Ok(Tag::Nothing);
        }
        let config = Bytes::copy_from_slice(config);
        let track = match codec {
            AudioCodec::Opus => AudioTrack::opus(config)?,
            _ => AudioTrack::aac(config)?,
        };
        self.audio = Some(codec);
        Ok(Tag::Audio(track, None))
    }

    fn sound(&self, codec: AudioCodec, offset: MediaTime, payload: Bytes) -> Tag {
        if self.audio != Some(codec) || payload.is_empty() {
            return Tag::Nothing;
        }
        Tag::Frame(Coded {
            track: TrackKind::Audio,
            keyframe: true,
            composition: MediaTime::ZERO,
            offset,
            payload,
        })
    }

    /// Sound without a configuration: its first frame says what it is.
    fn plain_sound(
        &mut self,
        codec: AudioCodec,
        channels: u8,
        offset: MediaTime,
        payload: Bytes,
    ) -> Result<Tag, TagError> {
        if self.audio == Some(codec) {
            return Ok(self.sound(codec, offset, payload));
        }
        let (sample_rate, channels) = match codec {
            AudioCodec::Mp3 => match mp3_header(&payload) {
                Some(said) => said,
                None => return Ok(Tag::Nothing),
            },
            _ if payload.is_empty() => return Ok(Tag::Nothing),
            // FLV's G.711 is always that of telephones.
            _ => (8_000, channels),
        };
        self.audio = Some(codec);
        let track = AudioTrack::plain(codec, sample_rate, channels);
        Ok(match self.sound(codec, offset, payload) {
            Tag::Frame(coded) => Tag::Audio(track, Some(coded)),
            _ => Tag::Audio(track, None),
        })
    }
}

/// An enhanced tag's packet type, behind any ModEx in front of it.
struct Extended {
    packet: u8,
    offset: MediaTime,
    rest: Bytes,
}

/// Passes over the ModEx parts of a tag. One kind is known: nanoseconds to add to the tag's time.
fn mod_ex(body: &Bytes, packet: u8) -> Result<Extended, TagError> {
    let (mut packet, mut offset, mut at) = (packet, MediaTime::ZERO, 1_usize);
    for _ in 0..=MOST_MOD_EX {
        if packet != packet::MOD_EX {
            let rest = body.slice(at.min(body.len())..);
            return Ok(Extended { packet, offset, rest });
        }
        let mut size = usize::from(*body.get(at).ok_or(TagError::Short)?).saturating_add(1);
        at = at.saturating_add(1);
        if size == 256 {
            let long = body.get(at..).and_then(|b| b.first_chunk::<2>()).ok_or(TagError::Short)?;
            size = usize::from(u16::from_be_bytes(*long)).saturating_add(1);
            at = at.saturating_add(2);
        }
        let data = body.get(at..at.saturating_add(size)).ok_or(TagError::Short)?;
        at = at.saturating_add(size);
        let next = *body.get(at).ok_or(TagError::Short)?;
        at = at.saturating_add(1);
        if let (0, Some([a, b, c])) = (next >> 4, data.first_chunk::<3>()) {
            let nanos = u32::from_be_bytes([0, *a, *b, *c]).min(999_999);
            offset = MediaTime::from_nanos(nanos.into());
        }
        packet = next & 0x0f;
    }
    Err(TagError::Short)
}

fn four_cc(bytes: &Bytes) -> Result<([u8; 4], Bytes), TagError> {
    let code = *bytes.first_chunk::<4>().ok_or(TagError::Short)?;
    Ok((code, bytes.slice(4..)))
}

fn printable(code: [u8; 4]) -> String {
    code.iter().map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '?' }).collect()
}

/// A signed number of 24 bits.
fn signed([a, b, c]: [u8; 3]) -> i32 {
    i32::from_be_bytes([a, b, c, 0]) >> 8
}

/// NAL units behind lengths of 4 bytes, from lengths of 1 or 2. Ends at a length that does not fit.
fn with_long_lengths(body: &[u8], length: usize) -> Bytes {
    let mut out = BytesMut::with_capacity(body.len().saturating_add(body.len() / 4));
    let mut rest = body;
    while let Some((head, behind)) = rest.split_at_checked(length) {
        let size = head.iter().fold(0_usize, |size, byte| (size << 8) | usize::from(*byte));
        let Some((nal, behind)) = behind.split_at_checked(size) else { break };
        out.put_u32(u32::try_from(size).unwrap_or(0));
        out.put_slice(nal);
        rest = behind;
    }
    out.freeze()
}

/// Samples a second and channels of an MP3 frame (ISO 11172-3, 2.4.2.3).
fn mp3_header(frame: &[u8]) -> Option<(u32, u8)> {
    let [sync, version, rate, channels] = *frame.first_chunk::<4>()?;
    if sync != 0xff || version & 0xe0 != 0xe0 {
        return None;
    }
    let rate = [44_100, 48_000, 32_000].get(usize::from((rate >> 2) & 3))?;
    let divisor = match (version >> 3) & 3 {
        3 => 1,
        2 => 2,
        0 => 4,
        _ => return None,
    };
    Some((rate / divisor, if channels >> 6 == 3 { 1 } else { 2 }))
}

/// Tags that hold a decoder's configuration. Empty where the sound needs none.
pub mod header {
    use super::{AudioCodec, AudioTrack, VideoCodec, VideoTrack, four_cc, packet};

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

    /// The tag in front of the first packet of sound.
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

    /// Of a packet of sound.
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

#[cfg(test)]
#[path = "flv_tests.rs"]
mod tests;
