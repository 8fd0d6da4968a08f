//! Tags taken apart: which codec, what kind of packet, and when.

use super::{Coded, LONGEST_CONFIG, Packets, Tag, TagError, four_cc, packet};
use crate::media::codec::{aac, opus};
use crate::media::rtp::mpeg_audio;
use crate::media::time::MediaTime;
use crate::media::track::{AudioCodec, AudioTrack, VideoCodec};
use crate::media::tracks::TrackKind;
use bytes::Bytes;

/// The most ModEx parts before one packet; the specification knows one kind.
const MOST_MOD_EX: usize = 8;

/// Reads the tags of one track in order; messages of several are taken apart before ([`super::multitrack`]). Of audio it remembers the configuration; video it leaves to
/// [`super::VideoInput`].
#[derive(Clone, Debug, Default)]
pub struct TagReader {
    audio: Option<AudioCodec>,
    /// The configuration that ADTS headers gave; none once one came by itself.
    adts: Option<Bytes>,
}

impl TagReader {
    /// Reads the body of a video message.
    ///
    /// # Errors
    /// [`TagError`]: what is sent cannot be carried. [`TagError::Short`] says it of this tag only.
    pub fn video(&self, body: &Bytes) -> Result<Tag, TagError> {
        let Some(first) = body.first().copied() else { return Ok(Tag::Nothing) };
        if first & 0x80 != 0 {
            return enhanced_video(body, first);
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
        Ok(match packet {
            0 => configuration(codec, rest),
            1 => picture(codec, frame_type, signed([*c0, *c1, *c2]), MediaTime::ZERO, rest),
            2 => Tag::End(TrackKind::Video),
            _ => Tag::Nothing,
        })
    }

    /// Reads the body of an audio message.
    ///
    /// # Errors
    /// As [`TagReader::video`]; [`TagError::Config`] says it of a configuration, not of the stream.
    pub fn audio(&mut self, body: &Bytes) -> Result<Tag, TagError> {
        let Some(first) = body.first().copied() else { return Ok(Tag::Nothing) };
        let codec = match first >> 4 {
            9 => return self.enhanced_audio(body, first),
            10 => AudioCodec::Aac,
            2 | 14 => AudioCodec::Mp3,
            7 => AudioCodec::G711A,
            8 => AudioCodec::G711U,
            0 | 3 => return Err(TagError::Codec("uncompressed audio (PCM)")),
            1 => return Err(TagError::Codec("ADPCM")),
            4..=6 => return Err(TagError::Codec("Nellymoser")),
            11 => return Err(TagError::Codec("Speex")),
            other => return Err(TagError::Number("audio", other)),
        };
        if codec == AudioCodec::Aac {
            let rest = if body.len() > 2 { body.slice(2..) } else { return Ok(Tag::Nothing) };
            return match body.get(1) {
                Some(0) => self.configuration(codec, &rest),
                Some(1) => Ok(self.aac(MediaTime::ZERO, rest)),
                _ => Ok(Tag::Nothing),
            };
        }
        let channels = if first & 1 == 1 { 2 } else { 1 };
        Ok(self.described_by_itself(codec, channels, MediaTime::ZERO, body.slice(1..)))
    }

    fn enhanced_audio(&mut self, body: &Bytes, first: u8) -> Result<Tag, TagError> {
        let Extended { packet, offset, rest } = mod_ex(body, first & 0x0f)?;
        let (codec, rest) = four_cc(&rest)?;
        let codec = match codec {
            four_cc::AAC => AudioCodec::Aac,
            four_cc::OPUS => AudioCodec::Opus,
            four_cc::MP3 => AudioCodec::Mp3,
            other => return Err(TagError::FourCc(printable(other))),
        };
        match (packet, codec) {
            (packet::SEQUENCE_START, AudioCodec::Mp3) => Ok(Tag::Nothing),
            (packet::SEQUENCE_START, _) => self.configuration(codec, &rest),
            (packet::CODED_FRAMES, AudioCodec::Aac) => Ok(self.aac(offset, rest)),
            (packet::CODED_FRAMES, _) => Ok(self.described_by_itself(codec, 2, offset, rest)),
            (packet::SEQUENCE_END, _) => Ok(Tag::End(TrackKind::Audio)),
            // The order of channels, which the codecs' own configurations say as well.
            (packet::MULTICHANNEL_CONFIG, _) => Ok(Tag::Nothing),
            _ => Ok(Tag::Nothing),
        }
    }

    fn configuration(&mut self, codec: AudioCodec, config: &Bytes) -> Result<Tag, TagError> {
        if config.is_empty() || config.len() > LONGEST_CONFIG {
            return Ok(Tag::Nothing);
        }
        let config = Bytes::copy_from_slice(config);
        let track = match codec {
            AudioCodec::Opus => AudioTrack::opus(config)?,
            _ => AudioTrack::aac(config)?,
        };
        self.audio = Some(codec);
        self.adts = None;
        Ok(Tag::Audio(track))
    }

    /// AAC: one raw packet, or ADTS in its place.
    fn aac(&mut self, offset: MediaTime, payload: Bytes) -> Tag {
        if payload.is_empty() {
            return Tag::Nothing;
        }
        if let Some(adts) = aac::adts(&payload) {
            return self.adts(offset, adts);
        }
        if self.audio == Some(AudioCodec::Aac) { packets(None, packet(offset, payload)) } else { Tag::Early }
    }

    fn adts(&mut self, offset: MediaTime, adts: aac::Adts) -> Tag {
        let mut track = None;
        let configured = self.audio == Some(AudioCodec::Aac) && self.adts.is_none();
        if !configured && self.adts.as_ref() != Some(&adts.config) {
            let Ok(other) = AudioTrack::aac(adts.config.clone()) else { return Tag::Nothing };
            track = Some(other);
            self.audio = Some(AudioCodec::Aac);
            self.adts = Some(adts.config.clone());
        }
        let samples = i64::from(aac::samples_per_packet(&adts.config));
        let mut packets = adts.packets.into_iter().zip(0_i64..).map(|(payload, number)| {
            let later = MediaTime::from_clock(samples.saturating_mul(number), adts.sample_rate);
            packet(offset + later, payload)
        });
        match packets.next() {
            Some(first) => Tag::Packets(Packets { track, first, more: packets.collect(), adts: true }),
            None => Tag::Nothing,
        }
    }

    /// Audio whose packets say what it is.
    fn described_by_itself(
        &mut self,
        codec: AudioCodec,
        channels: u8,
        offset: MediaTime,
        payload: Bytes,
    ) -> Tag {
        if payload.is_empty() {
            return Tag::Nothing;
        }
        let mut track = None;
        if self.audio != Some(codec) {
            track = match codec {
                AudioCodec::Mp3 => mpeg_audio::head(&payload)
                    .map(|head| AudioTrack::plain(codec, head.sample_rate, head.channels)),
                // The third bit of a packet says whether it is stereo (RFC 6716, 3.1).
                AudioCodec::Opus => {
                    let stereo = payload.first().is_some_and(|toc| toc & 4 != 0);
                    AudioTrack::opus(opus::head(if stereo { 2 } else { 1 })).ok()
                }
                // FLV's G.711 is always that of telephones.
                _ => Some(AudioTrack::plain(codec, 8_000, channels)),
            };
            if track.is_none() {
                return Tag::Nothing;
            }
            self.audio = Some(codec);
            self.adts = None;
        }
        packets(track, packet(offset, payload))
    }
}

fn packets(track: Option<AudioTrack>, first: Coded) -> Tag {
    Tag::Packets(Packets { track, first, more: Vec::new(), adts: false })
}

fn packet(offset: MediaTime, payload: Bytes) -> Coded {
    Coded { keyframe: true, composition: MediaTime::ZERO, offset, payload }
}

fn enhanced_video(body: &Bytes, first: u8) -> Result<Tag, TagError> {
    let frame_type = (first >> 4) & 7;
    let Extended { packet, offset, rest } = mod_ex(body, first & 0x0f)?;
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
    Ok(match packet {
        packet::SEQUENCE_START => configuration(codec, rest),
        packet::CODED_FRAMES if has_composition => {
            let time = *rest.first_chunk::<3>().ok_or(TagError::Short)?;
            picture(codec, frame_type, signed(time), offset, rest.slice(3..))
        }
        packet::CODED_FRAMES | packet::CODED_FRAMES_X => picture(codec, frame_type, 0, offset, rest),
        packet::SEQUENCE_END => Tag::End(TrackKind::Video),
        packet::MPEG2TS_SEQUENCE_START => return Err(TagError::Codec("AV1 with an MPEG-2 TS descriptor")),
        // Colour information for HDR; players take it from the bit stream.
        _ => Tag::Nothing,
    })
}

fn configuration(codec: VideoCodec, config: Bytes) -> Tag {
    // Some programs send an empty one when a stream ends or before it is known.
    if config.is_empty() { Tag::Nothing } else { Tag::Configuration(codec, config) }
}

fn picture(codec: VideoCodec, frame_type: u8, millis: i32, offset: MediaTime, payload: Bytes) -> Tag {
    if payload.is_empty() {
        return Tag::Nothing;
    }
    // 4 is a keyframe that a server made up; nothing makes it different for us.
    let keyframe = matches!(frame_type, 1 | 4);
    let composition = MediaTime::from_millis(millis.into());
    Tag::Video(codec, Coded { keyframe, composition, offset, payload })
}

/// An enhanced tag's packet type, behind any ModEx in front of it.
pub(super) struct Extended {
    pub packet: u8,
    pub offset: MediaTime,
    pub rest: Bytes,
}

/// Passes over the ModEx parts of a tag. One kind is known: nanoseconds to add to the tag's time.
pub(super) fn mod_ex(body: &Bytes, packet: u8) -> Result<Extended, TagError> {
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

pub(super) fn four_cc(bytes: &Bytes) -> Result<([u8; 4], Bytes), TagError> {
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
