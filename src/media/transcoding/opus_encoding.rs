//! Encodes 48 kHz as Opus, in packets of 20 ms.

use super::{BITRATES, MONO_BITRATE, OPUS_RATE, PACKET_SAMPLES, Planes, Refused, STEREO_BITRATE};
use bytes::Bytes;
use ropus::{Application, Bitrate, Channels, Encoder};

/// Effort, 0 to 10.
const COMPLEXITY: u8 = 5;
/// The largest packet: with RTP, SRTP, UDP and IP around it, it is a datagram that every network carries.
const LARGEST: usize = 1150;

/// See the first line.
pub(super) struct OpusEncoding {
    encoder: Encoder,
    channels: usize,
    /// Samples for the next packet, the channels in turn.
    waiting: Vec<i16>,
}

impl OpusEncoding {
    /// For one or two channels.
    pub(super) fn new(channels: u8, bitrate: Option<u32>) -> Result<OpusEncoding, Refused> {
        let (layout, usual) = match channels {
            1 => (Channels::Mono, MONO_BITRATE),
            2 => (Channels::Stereo, STEREO_BITRATE),
            other => return Err(Refused::Channels(other)),
        };
        let bitrate = bitrate.unwrap_or(usual).clamp(*BITRATES.start(), *BITRATES.end());
        // The mode with the least delay is also the only one that music at these bitrates would be encoded in.
        let encoder = Encoder::builder(OPUS_RATE, layout, Application::RestrictedLowDelay)
            .bitrate(Bitrate::Bits(bitrate))
            .complexity(COMPLEXITY)
            .build()
            .map_err(|_| Refused::Channels(channels))?;
        let channels = usize::from(channels);
        Ok(OpusEncoding { encoder, channels, waiting: Vec::with_capacity(2 * PACKET_SAMPLES * channels) })
    }

    /// By how many samples a decoder gives audio back later than it was put in here.
    pub(super) fn delay(&self) -> u32 {
        self.encoder.lookahead()
    }

    /// Takes samples and hands every packet that is complete to `packet`.
    pub(super) fn push(&mut self, samples: &Planes, mut packet: impl FnMut(Bytes)) {
        match samples.0.as_slice() {
            [mono] => self.waiting.extend(mono.iter().copied().map(sixteen_bits)),
            [left, right] => {
                let both = left.iter().zip(right).flat_map(|(l, r)| [sixteen_bits(*l), sixteen_bits(*r)]);
                self.waiting.extend(both);
            }
            _ => return,
        }
        let whole = PACKET_SAMPLES * self.channels;
        let mut rest = self.waiting.as_slice();
        let mut room = [0; LARGEST];
        while let Some((samples, after)) = rest.split_at_checked(whole) {
            rest = after;
            // It is told nothing that it could refuse. If it did, a packet with nothing in it keeps the steps of time.
            let size = self.encoder.encode(samples, &mut room).unwrap_or(0);
            packet(room.get(..size).filter(|p| !p.is_empty()).map_or(NOTHING, Bytes::copy_from_slice));
        }
        let taken = self.waiting.len() - rest.len();
        self.waiting.drain(..taken);
    }

    /// Fills the packet that has begun with silence, and hands it over.
    pub(super) fn finish(&mut self, packet: impl FnMut(Bytes)) {
        let begun = self.waiting.len() / self.channels;
        if begun > 0 {
            let mut silence = Planes::new(self.channels);
            silence.append_silence(PACKET_SAMPLES.saturating_sub(begun));
            self.push(&silence, packet);
        }
    }
}

/// A packet of 20 ms whose frame is empty (RFC 6716, 3.2.1): the decoder fills it in.
const NOTHING: Bytes = Bytes::from_static(&[0xf8]);

/// The nearest of 16 bits.
fn sixteen_bits(sample: f32) -> i16 {
    (sample * 32_768.0).round_ties_even() as i16
}
