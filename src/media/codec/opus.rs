//! Opus: the OpusHead (RFC 7845, 5.1). RTP and the hub always count it in 48 kHz.

use super::ConfigError;
use crate::media::track::{AudioCodec, AudioTrack};
use bytes::{BufMut, Bytes, BytesMut};

/// A track from its OpusHead.
pub fn track(head: Bytes) -> Result<AudioTrack, ConfigError> {
    if !head.starts_with(b"OpusHead") || head.len() < 19 {
        return Err(ConfigError::Short("Opus"));
    }
    let channels =
        head.get(9).copied().filter(|c| *c > 0).ok_or(ConfigError::Reserved("Opus", "channels"))?;
    Ok(AudioTrack { codec: AudioCodec::Opus, config: head, sample_rate: 48_000, channels, profile: "" })
}

/// The OpusHead of mono or stereo audio, as a publisher over RTP means it.
pub fn head(channels: u8) -> Bytes {
    let mut out = BytesMut::with_capacity(19);
    out.put_slice(b"OpusHead");
    out.put_u8(1);
    out.put_u8(channels);
    out.put_u16_le(0);
    out.put_u32_le(48_000);
    out.put_slice(&[0, 0, 0]);
    out.freeze()
}

/// What an OpusHead says beside its channels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Samples of 48 kHz to throw away at the beginning.
    pub pre_skip: u16,
    /// The rate before encoding, samples a second; 0 if unknown.
    pub input_sample_rate: u32,
    /// Gain of the output, 1/256 dB.
    pub output_gain: i16,
    /// How streams become channels, of another family than mono and stereo.
    pub mapping: Option<Mapping>,
}

/// The channel mapping table of an OpusHead (RFC 7845, 5.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The family, never 0.
    pub family: u8,
    /// Opus streams in a packet.
    pub streams: u8,
    /// How many of them are stereo.
    pub coupled: u8,
    /// The decoded channel of each output channel.
    pub channels: Vec<u8>,
}

impl Head {
    /// The head of an Opus track. What it leaves out or breaks off is taken as nothing.
    pub fn of(track: &AudioTrack) -> Head {
        let head = track.config.as_ref();
        let array = |at: usize| head.get(at..).and_then(|rest| rest.first_chunk::<2>()).copied();
        let rate = head.get(12..).and_then(|rest| rest.first_chunk::<4>()).copied();
        let mapping = || {
            let family = *head.get(18).filter(|family| **family != 0)?;
            let channels = head.get(21..21_usize.saturating_add(usize::from(track.channels)))?.to_vec();
            Some(Mapping { family, streams: *head.get(19)?, coupled: *head.get(20)?, channels })
        };
        Head {
            pre_skip: array(10).map_or(0, u16::from_le_bytes),
            input_sample_rate: rate.map_or(0, u32::from_le_bytes),
            output_gain: array(16).map_or(0, i16::from_le_bytes),
            mapping: mapping(),
        }
    }
}

/// How many samples of 48 kHz a packet holds (RFC 6716, 3.1); `None` for one that breaks the rules.
pub fn samples(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let config = toc >> 3;
    let one: u32 = match config {
        0..=11 => *[480, 960, 1920, 2880].get(usize::from(config & 3))?,
        12..=15 => *[480, 960].get(usize::from(config & 1))?,
        _ => *[120, 240, 480, 960].get(usize::from(config & 3))?,
    };
    let count = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    // At most 120 ms in a packet.
    one.checked_mul(count).filter(|samples| (1..=5760).contains(samples))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_and_packets() {
        let track = track(head(2)).unwrap();
        assert_eq!((track.sample_rate, track.channels), (48_000, 2));
        assert!(super::track(head(0)).is_err());
        assert!(super::track(Bytes::from_static(b"OpusHead")).is_err());
        // CELT full band 20 ms, one frame.
        assert_eq!(samples(&[0xfc]), Some(960));
        assert_eq!(samples(&[0xfd]), Some(1920));
        assert_eq!(samples(&[0xff, 3]), Some(2880));
        assert_eq!(samples(&[0xff, 63]), None);
        assert_eq!(samples(&[0xff]), None);
        assert_eq!(samples(&[]), None);
    }
}
