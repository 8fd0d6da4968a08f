//! Audio for viewers who take Opus alone, as browsers do over WebRTC: AAC LC and G.711 are decoded, brought to 48 kHz and
//! encoded again. Pure: frames in, frames out.

mod aac_configuration;
mod aac_decoding;
mod decoding;
mod g711;
mod opus_encoding;
mod refused;
mod resampling;
mod stretching;
mod timeline;
mod transcoder;

#[cfg(test)]
mod tests;

pub use refused::Refused;

use super::{AudioTrack, Frame};
use std::ops::RangeInclusive;

/// Samples a second of all that is encoded as Opus.
const OPUS_RATE: u32 = 48_000;
/// Samples of a packet: 20 ms.
const PACKET_SAMPLES: usize = 960;

/// What may be asked for, in bits a second.
pub const BITRATES: RangeInclusive<u32> = 16_000..=256_000;
/// What stereo gets if nothing is asked for, in bits a second.
pub const STEREO_BITRATE: u32 = 96_000;
/// What mono gets if nothing is asked for, in bits a second.
pub const MONO_BITRATE: u32 = 64_000;

/// Makes Opus of one audio track. Packets have 20 ms, and their times go on in steps of 20 ms: samples are counted, and held
/// against the times of the frames. What is missing (up to 200 ms) becomes silence, what comes twice (up to 1 s) is left
/// out, a clock that drifts is followed inaudibly; only where times leap farther do those of the packets leap as well. What
/// the encoder holds back is taken off them, so the audio stands where it stood, to within 20 ms at all times and 5 ms as
/// a rule.
pub trait ToOpus: Send {
    /// The track that comes out: Opus, 48 kHz, with as many channels as went in.
    fn track(&self) -> &AudioTrack;

    /// Takes a frame of the track and appends the packets that are now complete to `out`, under the same track id.
    /// A frame that cannot be decoded becomes silence of its length. One frame gives 62 packets at most.
    fn push(&mut self, frame: &Frame, out: &mut Vec<Frame>);
}

/// What makes Opus of frames of this track. `bitrate` in bits a second is brought into [`BITRATES`]; without one it is
/// [`STEREO_BITRATE`] or [`MONO_BITRATE`].
///
/// # Errors
/// Audio that cannot be decoded here.
pub fn to_opus(track: &AudioTrack, bitrate: Option<u32>) -> Result<Box<dyn ToOpus>, Refused> {
    Ok(Box::new(transcoder::Transcoder::new(track, bitrate)?))
}

/// Samples of each channel, all of one length, full scale at 1.
#[derive(Clone, Debug, Default, PartialEq)]
struct Planes(Vec<Vec<f32>>);

impl Planes {
    fn new(channels: usize) -> Planes {
        Planes(vec![Vec::new(); channels])
    }

    fn len(&self) -> usize {
        self.0.first().map_or(0, Vec::len)
    }

    fn clear(&mut self) {
        self.0.iter_mut().for_each(Vec::clear);
    }

    /// So many samples of silence at the end.
    fn append_silence(&mut self, samples: usize) {
        for plane in &mut self.0 {
            plane.resize(plane.len().saturating_add(samples), 0.0);
        }
    }

    /// So many samples of silence before the first.
    fn prepend_silence(&mut self, samples: usize) {
        for plane in &mut self.0 {
            plane.splice(..0, std::iter::repeat_n(0.0, samples));
        }
    }

    /// Takes off so many of the first samples, or all that there are.
    fn skip(&mut self, samples: usize) {
        for plane in &mut self.0 {
            plane.drain(..samples.min(plane.len()));
        }
    }
}
