//! The decoder of a track, whichever codec it has.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::aac_decoding::AacDecoding;
use super::g711::{self, Law};
use super::{Planes, Refused, aac_configuration};
use crate::media::{AudioCodec, AudioTrack};

/// The rates of AAC (ISO 14496-3, table 1.18). Others could have any ratio to 48 kHz.
const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

enum Codec {
    Aac(Box<AacDecoding>),
    G711(Law),
}

/// See the first line.
pub(super) struct Decoding {
    codec: Codec,
    pub(super) rate: u32,
    /// 1 or 2.
    pub(super) channels: u8,
}

impl Decoding {
    pub(super) fn new(track: &AudioTrack) -> Result<Decoding, Refused> {
        let (law, rate, channels) = match track.codec {
            AudioCodec::Aac => {
                let (rate, channels) = aac_configuration::read(&track.config)?;
                (None, rate, channels)
            }
            AudioCodec::G711A => (Some(Law::A), track.sample_rate, track.channels),
            AudioCodec::G711U => (Some(Law::U), track.sample_rate, track.channels),
            other @ (AudioCodec::Opus | AudioCodec::Mp3) => return Err(Refused::Codec(other)),
        };
        if !(1..=2).contains(&channels) {
            return Err(Refused::Channels(channels));
        }
        if !RATES.contains(&rate) {
            return Err(Refused::Rate(rate));
        }
        let codec = law.map_or_else(|| Codec::Aac(Box::new(AacDecoding::new(rate))), Codec::G711);
        Ok(Decoding { codec, rate, channels })
    }

    /// What comes next does not follow upon what came before.
    pub(super) fn reset(&mut self) {
        if let Codec::Aac(aac) = &mut self.codec {
            aac.reset();
        }
    }

    /// Appends what `payload` holds to `out`, silence if it is broken. At most a second.
    pub(super) fn decode(&mut self, payload: &[u8], out: &mut Planes) {
        match &mut self.codec {
            Codec::G711(law) => {
                let most = usize::try_from(self.rate).unwrap_or(usize::MAX);
                g711::decode(*law, payload, most, out);
            }
            Codec::Aac(aac) => {
                if aac.decode(payload, out).is_none() {
                    out.append_silence(AacDecoding::samples());
                }
            }
        }
    }
}
