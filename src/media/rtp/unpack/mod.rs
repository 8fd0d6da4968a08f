//! RTP packets of one track into coded units with RTP time, by codec.

pub mod audio;
pub mod latm;
pub mod nal;

use super::header::Header;
use crate::media::track::{AudioTrack, VideoCodec};
use audio::{Aac, AuHeaders, Mpeg};
use bytes::Bytes;
use latm::Latm;
use nal::Frames;

/// A packet whose payload breaks its format. Its unit is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload of an RTP packet breaks its format")]
pub struct Unreadable;

/// One picture or audio packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// RTP time of the packet that it came in.
    pub timestamp: u32,
    /// Samples of other units before it in that packet.
    pub samples_before: u32,
    /// Whether decoding can begin here.
    pub keyframe: bool,
    /// Whether something was lost between the unit before and this one. Of video only.
    pub after_loss: bool,
    /// As [`crate::media::Frame::payload`].
    pub payload: Bytes,
}

impl Unit {
    /// A packet of audio.
    pub fn audio(timestamp: u32, samples_before: u32, payload: Bytes) -> Unit {
        Unit { timestamp, samples_before, keyframe: true, after_loss: false, payload }
    }
}

/// Puts the units of one track together.
#[derive(Debug)]
pub enum Unpacker {
    /// H.264 and H.265.
    Frames(Frames),
    /// AAC.
    Aac(Aac),
    /// AAC in LATM.
    Latm(Box<Latm>),
    /// MPEG audio.
    Mpeg(Mpeg),
    /// Opus and G.711: one packet is one unit.
    Plain,
}

impl Unpacker {
    /// For video; `None` for a codec without a payload format here.
    pub fn video(codec: VideoCodec) -> Option<Unpacker> {
        matches!(codec, VideoCodec::H264 | VideoCodec::H265).then(|| Unpacker::Frames(Frames::new(codec)))
    }

    /// For AAC with units of `samples` samples.
    pub fn aac(headers: AuHeaders, samples: u32) -> Unpacker {
        Unpacker::Aac(Aac::new(headers, samples))
    }

    /// For AAC in LATM.
    pub fn latm(described: &latm::Described) -> Unpacker {
        Unpacker::Latm(Box::new(Latm::new(described)))
    }

    /// The audio track, if the packets have said since the last time that it is another.
    pub fn fresh_audio(&mut self) -> Option<AudioTrack> {
        match self {
            Unpacker::Latm(latm) => latm.fresh(),
            _ => None,
        }
    }

    /// Takes the next packet of the track in order; `missing` if some were lost right before it.
    ///
    /// # Errors
    /// A payload that breaks its format. The next packet may be read again.
    pub fn push(
        &mut self,
        header: &Header,
        payload: Bytes,
        missing: bool,
        out: &mut Vec<Unit>,
    ) -> Result<(), Unreadable> {
        // Encoders and hole punches send empty packets; they say nothing.
        if payload.is_empty() {
            return Ok(());
        }
        match self {
            Unpacker::Frames(frames) => frames.push(header, &payload, missing, out),
            Unpacker::Aac(aac) => aac.push(header, &payload, missing, out),
            Unpacker::Latm(latm) => latm.push(header, &payload, missing, out),
            Unpacker::Mpeg(mpeg) => mpeg.push(header, &payload, missing, out),
            Unpacker::Plain => {
                // A copy: the frame outlives what it came in by seconds.
                let payload = Bytes::copy_from_slice(&payload);
                out.push(Unit::audio(header.timestamp, 0, payload));
                Ok(())
            }
        }
    }
}
