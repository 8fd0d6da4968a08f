//! AAC: the AudioSpecificConfig (ISO 14496-3, 1.6.2.1).

use super::ConfigError;
use super::bits::Bits;
use crate::media::track::{AudioCodec, AudioTrack};
use bytes::Bytes;

const NAME: &str = "AAC";
const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
/// Channels by channelConfiguration.
const CHANNELS: [u8; 8] = [0, 1, 2, 3, 4, 5, 6, 8];

fn read_object_type(bits: &mut Bits<'_>) -> Option<u32> {
    match bits.bits(5)? {
        31 => bits.bits(6)?.checked_add(32),
        kind => Some(kind),
    }
}

fn rate(bits: &mut Bits<'_>) -> Option<Option<u32>> {
    match bits.bits(4)? {
        15 => Some(Some(bits.bits(24)?)),
        index => Some(RATES.get(index as usize).copied()),
    }
}

/// A track from its AudioSpecificConfig.
pub fn track(config: Bytes) -> Result<AudioTrack, ConfigError> {
    let short = || ConfigError::Short(NAME);
    let mut bits = Bits::new(&config);
    let kind = read_object_type(&mut bits).ok_or_else(short)?;
    let sample_rate = rate(&mut bits)
        .ok_or_else(short)?
        .filter(|rate| (1_000..=192_000).contains(rate))
        .ok_or(ConfigError::Reserved(NAME, "samplingFrequency"))?;
    let channels = bits.bits(4).ok_or_else(short)?;
    // 0 means that the stream itself lists its channels; two is what such streams have in practice.
    let channels = match channels {
        0 => 2,
        index => *CHANNELS.get(index as usize).ok_or(ConfigError::Reserved(NAME, "channelConfiguration"))?,
    };
    let profile = match kind {
        1 => "Main",
        2 => "LC",
        3 => "SSR",
        4 => "LTP",
        5 => "HE",
        29 => "HEv2",
        _ => "",
    };
    Ok(AudioTrack { codec: AudioCodec::Aac, config, sample_rate, channels, profile })
}

/// Reads through an AudioSpecificConfig whose length is said nowhere (as in LATM), up to its end. `None` if it is cut
/// short, and for what is no AAC: object types without a GASpecificConfig (4.4.1).
pub(super) fn pass(bits: &mut Bits<'_>) -> Option<()> {
    let begin = bits.position();
    let mut kind = read_object_type(bits)?;
    rate(bits)??;
    let channels = bits.bits(4)?;
    if kind == 5 || kind == 29 {
        rate(bits)??;
        kind = read_object_type(bits)?;
    }
    let error_resilient = match kind {
        1..=4 | 6 | 7 => false,
        17 | 19..=23 => true,
        _ => return None,
    };
    bits.bit()?;
    if bits.bit()? {
        bits.skip(14)?;
    }
    let extension = bits.bit()?;
    if channels == 0 {
        pass_channels(bits, begin)?;
    }
    if kind == 6 || kind == 20 {
        bits.skip(3)?;
    }
    if extension {
        match kind {
            22 => bits.skip(16)?,
            17 | 19 | 20 | 23 => bits.skip(3)?,
            _ => {}
        }
        bits.skip(1)?;
    }
    // Error protection of its own is nothing that a container carries.
    if error_resilient && bits.bits(2)? > 1 {
        return None;
    }
    Some(())
}

/// Reads through the signalling of SBR and PS behind an AudioSpecificConfig (1.6.2.1, syncExtensionType), if it is there.
pub(super) fn pass_extension(bits: &mut Bits<'_>) -> Option<()> {
    let mut ahead = bits.clone();
    if ahead.bits(11)? != 0x2b7 {
        return None;
    }
    if read_object_type(&mut ahead)? == 5 && ahead.bit()? {
        rate(&mut ahead)?;
        let mut further = ahead.clone();
        if further.bits(11) == Some(0x548) && further.bit().is_some() {
            ahead = further;
        }
    }
    *bits = ahead;
    Some(())
}

/// Reads through a program_config_element (4.4.1.1); its bytes are aligned to the `begin` of what holds it.
fn pass_channels(bits: &mut Bits<'_>, begin: usize) -> Option<()> {
    bits.skip(10)?;
    let mut five_bits = 0_u32;
    for _ in 0..3 {
        five_bits = five_bits.checked_add(bits.bits(4)?)?;
    }
    let (low, associated, coupled) = (bits.bits(2)?, bits.bits(3)?, bits.bits(4)?);
    for more in [4, 4, 3] {
        if bits.bit()? {
            bits.skip(more)?;
        }
    }
    let five_bits = five_bits.checked_add(coupled)?.checked_mul(5)?;
    let four_bits = low.checked_add(associated)?.checked_mul(4)?;
    bits.skip(usize::try_from(five_bits.checked_add(four_bits)?).ok()?)?;
    let over = bits.position().checked_sub(begin)? % 8;
    bits.skip(if over == 0 { 0 } else { 8 - over })?;
    let comment = usize::try_from(bits.bits(8)?).ok()?;
    bits.skip(comment.checked_mul(8)?)
}

/// The audio object type (ISO 14496-3, table 1.17): 2 for LC, 5 for HE. `None` for a configuration that is cut short.
pub fn object_type(config: &[u8]) -> Option<u32> {
    read_object_type(&mut Bits::new(config))
}

/// Samples in one packet: 1024, or 960 where frameLengthFlag is set (4.5.1.1).
pub fn samples_per_packet(config: &[u8]) -> u32 {
    let mut bits = Bits::new(config);
    let mut read = || {
        let kind = read_object_type(&mut bits)?;
        rate(&mut bits)?;
        bits.bits(4)?;
        if kind == 5 || kind == 29 {
            rate(&mut bits)?;
            read_object_type(&mut bits)?;
        }
        bits.bit()
    };
    if read() == Some(true) { 960 } else { 1024 }
}

/// The AudioSpecificConfig of AAC LC.
///
/// # Errors
/// A rate that AAC has no index for, or more than 8 channels.
pub fn lc(sample_rate: u32, channels: u8) -> Result<Bytes, ConfigError> {
    let rate = RATES
        .iter()
        .position(|r| *r == sample_rate)
        .ok_or(ConfigError::Reserved(NAME, "samplingFrequency"))?;
    let channels = CHANNELS
        .iter()
        .position(|c| *c == channels && channels > 0)
        .ok_or(ConfigError::Reserved(NAME, "channelConfiguration"))?;
    let word = (2_u16 << 11) | ((rate as u16) << 7) | ((channels as u16) << 3);
    Ok(Bytes::copy_from_slice(&word.to_be_bytes()))
}

/// Packets behind ADTS headers (ISO 14496-3, 1.A.2.2), and what the headers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adts {
    /// The AudioSpecificConfig that the first header stands for.
    pub config: Bytes,
    /// Samples a second.
    pub sample_rate: u32,
    /// The packets without headers.
    pub packets: Vec<Bytes>,
}

/// Takes ADTS headers off. `None` for what is not whole frames behind such headers; a raw packet never looks like that,
/// since it would begin with its end.
pub fn adts(bytes: &Bytes) -> Option<Adts> {
    let (mut config, mut sample_rate, mut packets) = (None, 0, Vec::new());
    let mut at = 0_usize;
    while at < bytes.len() {
        let [sync, kind, form, length, middle, end, _] = *bytes.get(at..)?.first_chunk::<7>()?;
        // Twelve bits of sync, one of the version, two of the layer; frames of several packets are not made by anybody.
        if sync != 0xff || kind & 0xf6 != 0xf0 || bytes.get(at.checked_add(6)?)? & 3 != 0 {
            return None;
        }
        let head = if kind & 1 == 1 { 7 } else { 9 };
        let whole = (usize::from(length & 3) << 11) | (usize::from(middle) << 3) | usize::from(end >> 5);
        let (from, to) = (at.checked_add(head)?, at.checked_add(whole)?);
        if from >= to || to > bytes.len() {
            return None;
        }
        let object = u16::from(form >> 6).checked_add(1)?;
        let rate = usize::from((form >> 2) & 15);
        let channels = (u16::from(form & 1) << 2) | u16::from(length >> 6);
        sample_rate = *RATES.get(rate)?;
        let word = (object << 11) | (u16::try_from(rate).ok()? << 7) | (channels << 3);
        config.get_or_insert_with(|| Bytes::copy_from_slice(&word.to_be_bytes()));
        packets.push(bytes.slice(from..to));
        at = to;
    }
    Some(Adts { config: config?, sample_rate, packets })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ADTS frame, LC.
    fn frame(rate: u8, channels: u8, checked: bool, packet: &[u8]) -> Vec<u8> {
        let head = if checked { 9 } else { 7 };
        let length = packet.len() + head;
        let mut out = vec![
            0xff,
            if checked { 0xf0 } else { 0xf1 },
            (1 << 6) | (rate << 2) | (channels >> 2),
            (channels << 6) | (length >> 11) as u8,
            (length >> 3) as u8,
            (length << 5) as u8 | 0x1f,
            0xfc,
        ];
        out.resize(head, 0);
        [&out, packet].concat()
    }

    #[test]
    fn adts_headers_come_off() {
        let one = adts(&frame(4, 2, false, &[0x21, 5]).into()).unwrap();
        assert_eq!((one.config, one.sample_rate), (lc(44_100, 2).unwrap(), 44_100));
        assert_eq!(one.packets, [Bytes::from_static(&[0x21, 5])]);
        let two = [frame(3, 1, true, &[1; 700]), frame(3, 1, false, &[2; 8000])].concat();
        let two = adts(&two.into()).unwrap();
        assert_eq!(two.config, lc(48_000, 1).unwrap());
        assert_eq!(two.packets.iter().map(Bytes::len).collect::<Vec<_>>(), [700, 8000]);
        let whole = frame(4, 2, false, &[0x21, 5]);
        for end in 0..whole.len() {
            assert_eq!(adts(&Bytes::copy_from_slice(&whole[..end])), None, "{end}");
        }
        let more = [&whole[..], &[0]].concat();
        assert_eq!(adts(&more.into()), None);
        assert_eq!(adts(&frame(13, 2, false, &[1]).into()), None, "a reserved rate");
        assert_eq!(adts(&Bytes::from_static(&[0x21, 0x10, 4, 0x60, 0x8c, 0x1c, 0, 0])), None, "a raw packet");
    }

    #[test]
    fn what_is_written_is_read() {
        for (rate, channels) in [(44_100, 1), (48_000, 2), (8_000, 6), (96_000, 8)] {
            let track = track(lc(rate, channels).unwrap()).unwrap();
            assert_eq!((track.sample_rate, track.channels, track.profile), (rate, channels, "LC"));
        }
        assert!(lc(44_101, 2).is_err() && lc(44_100, 0).is_err() && lc(44_100, 7).is_err());
    }

    #[test]
    fn reads_odd_forms() {
        // ffmpeg's mono 44.1 kHz with SBR signalling.
        let he = track(Bytes::from_static(&[0x12, 0x08, 0x56, 0xe5, 0x00])).unwrap();
        assert_eq!((he.sample_rate, he.channels), (44_100, 1));
        // An explicit rate of 12,345 Hz.
        let explicit = track(Bytes::from_static(&[0x17, 0x80, 0x18, 0x1c, 0x90])).unwrap();
        assert_eq!(explicit.sample_rate, 12_345);
        assert_eq!(samples_per_packet(&[0x12, 0x0c]), 960);
        assert_eq!(samples_per_packet(&[0x12, 0x08]), 1024);
        assert_eq!(samples_per_packet(&[]), 1024);
        for broken in [&[][..], &[0x12], &[0x17, 0x00, 0x00]] {
            assert!(track(Bytes::copy_from_slice(broken)).is_err(), "{broken:?}");
        }
        assert!(track(Bytes::from_static(&[0x16, 0x88])).is_err(), "rate index 13 is reserved");
    }
}
