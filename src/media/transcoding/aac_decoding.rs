//! Decodes AAC LC, mono and stereo. Units come from outside: one that is broken costs itself alone.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::Planes;
use crate::media::codec::bits::Bits;
use symphonia_codec_aac::AacDecoder;
use symphonia_core::audio::layouts::{CHANNEL_LAYOUT_MONO, CHANNEL_LAYOUT_STEREO};
use symphonia_core::audio::{Audio, GenericAudioBufferRef};
use symphonia_core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

/// Samples of a unit.
const SAMPLES: usize = 1024;
/// A unit has 6144 bits a channel at most (ISO 14496-3, 4.5.3.1); encoders keep to it only on average.
const LARGEST: usize = 8192;

/// A decoder for units of one track.
pub(super) struct AacDecoding {
    rate: u32,
    /// For units of one channel and of two: which of them comes is said by the unit, not by the configuration.
    decoders: [Option<AacDecoder>; 2],
    /// Channels of the unit before, 0 if there is none to go on from.
    last: usize,
}

impl AacDecoding {
    pub(super) fn new(rate: u32) -> AacDecoding {
        AacDecoding { rate, decoders: [None, None], last: 0 }
    }

    /// What comes next does not follow upon what came before.
    pub(super) fn reset(&mut self) {
        self.last = 0;
    }

    /// Appends the samples of a unit to `out`; `None`, and nothing appended, if it is broken.
    pub(super) fn decode(&mut self, unit: &[u8], out: &mut Planes) -> Option<()> {
        let channels = channels(unit).filter(|_| unit.len() <= LARGEST)?;
        let fresh = std::mem::replace(&mut self.last, 0) != channels;
        let slot = self.decoders.get_mut(channels.checked_sub(1)?)?;
        let decoder = match slot {
            Some(decoder) => decoder,
            None => slot.insert(decoder(self.rate, channels)?),
        };
        if fresh {
            decoder.reset();
        }
        let packet = PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, unit);
        let Ok(GenericAudioBufferRef::F32(decoded)) = decoder.decode_ref(&packet) else { return None };
        let first = decoded.plane(0).filter(|plane| plane.len() == SAMPLES)?;
        let second = decoded.plane(1).unwrap_or(first);
        match out.0.as_mut_slice() {
            [mono] => mono.extend(first.iter().zip(second).map(|(l, r)| bounded((l + r) / 2.0))),
            [left, right] => {
                left.extend(first.iter().copied().map(bounded));
                right.extend(second.iter().copied().map(bounded));
            }
            _ => return None,
        }
        self.last = channels;
        Some(())
    }

    /// How long every unit is.
    pub(super) const fn samples() -> usize {
        SAMPLES
    }
}

fn decoder(rate: u32, channels: usize) -> Option<AacDecoder> {
    let layout = if channels == 1 { CHANNEL_LAYOUT_MONO } else { CHANNEL_LAYOUT_STEREO };
    // Without the configuration's bytes, it is LC in units of 1024 samples: what has been read of them already.
    let mut parameters = AudioCodecParameters::new();
    parameters.for_codec(CODEC_ID_AAC).with_sample_rate(rate).with_channels(layout);
    AacDecoder::try_new(&parameters, &AudioDecoderOptions::default()).ok()
}

/// A broken unit may decode to any number, and to none.
fn bounded(sample: f32) -> f32 {
    if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) }
}

/// How many channels a unit codes: what its first element of audio says (ISO 14496-3, 4.4.2.1).
fn channels(unit: &[u8]) -> Option<usize> {
    let mut bits = Bits::new(unit);
    loop {
        let element = bits.bits(3)?;
        match element {
            0 => return Some(1),
            1 => return Some(2),
            // Data, which may begin at a whole byte.
            4 => {
                bits.bits(4)?;
                let aligned = bits.bit()?;
                let mut count = bits.bits(8)?;
                if count == 255 {
                    count = count.checked_add(bits.bits(8)?)?;
                }
                if aligned {
                    bits.skip(bits.left() % 8)?;
                }
                bits.skip(usize::try_from(count).ok()?.checked_mul(8)?)?;
            }
            // Filling.
            6 => {
                let mut count = bits.bits(4)?;
                if count == 15 {
                    count = count.checked_add(bits.bits(8)?)?.checked_sub(1)?;
                }
                bits.skip(usize::try_from(count).ok()?.checked_mul(8)?)?;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_element_says_the_channels() {
        assert_eq!(channels(&[0x00, 0x00, 0x00, 0x07]), Some(1));
        assert_eq!(channels(&[0x21, 0x00, 0x00, 0x00, 0x00, 0x1c]), Some(2));
        // Filling of two bytes, then a pair: 110 0010 and 16 bits, 001.
        assert_eq!(channels(&[0b1100_0100, 0, 0, 0b0100_0000]), Some(2));
        // Data of one byte at a whole byte: 100 0000 1 and a length of 1, then one channel.
        assert_eq!(channels(&[0b1000_0001, 1, 0xff, 0]), Some(1));
        // The end, a coupling channel, nothing.
        for none in [&[0xe0][..], &[0x40, 0], &[0b1101_1110], &[]] {
            assert_eq!(channels(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_unit_without_coefficients_is_silence_in_any_number_of_channels() {
        let mut decoding = AacDecoding::new(48_000);
        for channels in [1, 2] {
            let mut out = Planes::new(channels);
            assert_eq!(decoding.decode(&[0x00, 0x00, 0x00, 0x07], &mut out), Some(()));
            assert_eq!(decoding.decode(&[0x21, 0x00, 0x00, 0x00, 0x00, 0x1c], &mut out), Some(()));
            let mut silence = Planes::new(channels);
            silence.append_silence(2048);
            assert_eq!(out, silence);
            assert_eq!(decoding.decode(&[0x21, 0xff], &mut out), None);
            assert_eq!(out, silence);
        }
    }
}
