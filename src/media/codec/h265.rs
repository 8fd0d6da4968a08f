//! H.265: the HEVCDecoderConfigurationRecord (ISO 14496-15, 8.3.3.1) and what its SPS says (ITU-T H.265, 7.3.2.2).

use super::ConfigError;
use super::bits::{Bits, unescaped};
use crate::media::track::{VideoCodec, VideoTrack};
use bytes::{BufMut, Bytes, BytesMut};

const NAME: &str = "H.265";
/// Parameter sets kept of one record.
const MOST_SETS: usize = 32;
/// How much of an SPS is looked at: sizes and profile stand in its first bytes, reorder depth right behind.
const SPS_HEAD: usize = 256;

/// NAL unit types (H.265, table 7-1).
pub mod nal {
    /// Video parameter set.
    pub const VPS: u8 = 32;
    /// Sequence parameter set.
    pub const SPS: u8 = 33;
    /// Picture parameter set.
    pub const PPS: u8 = 34;
    /// Access unit delimiter.
    pub const AUD: u8 = 35;
    /// The type of a NAL unit; 63 (unspecified) for an empty one.
    pub fn kind(nal: &[u8]) -> u8 {
        nal.first().map_or(63, |b| (b >> 1) & 0x3f)
    }
    /// The layer that a unit belongs to; 0 is the one that every decoder shows.
    pub fn layer(nal: &[u8]) -> u8 {
        match nal {
            [first, second, ..] => ((first & 1) << 5) | (second >> 3),
            _ => 0,
        }
    }
    /// Whether decoding can begin at a unit of this type (IRAP: 16 to 23).
    pub fn is_irap(kind: u8) -> bool {
        (16..=23).contains(&kind)
    }
}

/// The length of NAL lengths in a record's frames: 1, 2 or 4 bytes.
///
/// # Errors
/// A record that is cut short, or the reserved 3.
pub fn length_size(record: &[u8]) -> Result<usize, ConfigError> {
    match record.get(21).map(|b| b & 3) {
        Some(0) => Ok(1),
        Some(1) => Ok(2),
        Some(3) => Ok(4),
        Some(_) => Err(ConfigError::Reserved(NAME, "lengthSizeMinusOne")),
        None => Err(ConfigError::Short(NAME)),
    }
}

/// A track from its record. The record is kept, with NAL lengths of 4 bytes.
pub fn track(record: Bytes) -> Result<VideoTrack, ConfigError> {
    length_size(&record)?;
    let sets = parameter_sets(&record);
    let of = |kind| sets.iter().find(|set| nal::kind(set) == kind);
    let sps = of(nal::SPS).ok_or(ConfigError::Missing(NAME, "sequence parameter set"))?;
    of(nal::PPS).ok_or(ConfigError::Missing(NAME, "picture parameter set"))?;
    of(nal::VPS).ok_or(ConfigError::Missing(NAME, "video parameter set"))?;
    let said = describe(sps).ok_or_else(|| {
        ConfigError::Unreadable("sequence parameter set", NAME, "it is cut short or out of range".into())
    })?;
    let mut config = record;
    if config.get(21).is_some_and(|b| b & 3 != 3) {
        let mut copy = BytesMut::from(&config[..]);
        if let Some(byte) = copy.get_mut(21) {
            *byte |= 3;
        }
        config = copy.freeze();
    }
    Ok(VideoTrack {
        codec: VideoCodec::H265,
        config,
        width: said.width,
        height: said.height,
        profile: match said.profile {
            1 => "Main",
            2 => "Main 10",
            3 => "Main Still Picture",
            4 => "Range Extensions",
            _ => "",
        },
        level: format!("{}.{}", said.level / 30, said.level % 30 / 3),
        frame_rate: None,
        reorder: said.reorder,
    })
}

/// A track from parameter sets (as SDP and RTP carry them).
///
/// # Errors
/// An SPS that cannot be read.
pub fn track_of_sets(vps: &[u8], sps: &[u8], pps: &[u8]) -> Result<VideoTrack, ConfigError> {
    track_of(&[vps, sps, pps].map(Bytes::copy_from_slice))
}

/// A track from all its parameter sets; the first SPS describes it.
///
/// # Errors
/// A kind that is missing, or an SPS that cannot be read.
pub fn track_of(sets: &[Bytes]) -> Result<VideoTrack, ConfigError> {
    let of = |kind| sets.iter().filter(move |set| nal::kind(set) == kind);
    let first = of(nal::SPS).next().ok_or(ConfigError::Missing(NAME, "sequence parameter set"))?;
    let said = describe(first).ok_or_else(|| {
        ConfigError::Unreadable("sequence parameter set", NAME, "it is cut short or out of range".into())
    })?;
    let mut out = BytesMut::new();
    out.put_u8(1);
    // General profile, tier and level: 12 bytes of the SPS as they stand there.
    out.put_slice(&said.profile_tier_level);
    out.put_slice(&[
        0xf0,
        0x00,
        0xfc,
        0xfc | (said.chroma & 3),
        0xf8 | said.luma_depth,
        0xf8 | said.chroma_depth,
    ]);
    out.put_u16(0);
    // One temporal layer, NAL lengths of 4 bytes, three arrays.
    out.put_slice(&[0x0f, 3]);
    for kind in [nal::VPS, nal::SPS, nal::PPS] {
        out.put_slice(&[0x80 | kind]);
        out.put_u16(u16::try_from(of(kind).count()).unwrap_or(u16::MAX));
        for set in of(kind) {
            let length = u16::try_from(set.len())
                .map_err(|_| ConfigError::Reserved(NAME, "a parameter set's length"))?;
            out.put_u16(length);
            out.put_slice(set);
        }
    }
    track(out.freeze())
}

/// All parameter sets of a record: VPS, SPS, PPS. Ends where the record lies about a length.
pub fn parameter_sets(record: &Bytes) -> Vec<Bytes> {
    let mut sets: Vec<Bytes> = Vec::new();
    let mut at = 23_usize;
    'arrays: for _ in 0..record.get(22).copied().unwrap_or(0) {
        let Some([_, high, low]) = word::<3>(record, at) else { break };
        at = at.saturating_add(3);
        for _ in 0..u16::from_be_bytes([high, low]) {
            let Some(length) = word::<2>(record, at) else { break 'arrays };
            let begin = at.saturating_add(2);
            let end = begin.saturating_add(usize::from(u16::from_be_bytes(length)));
            if end > record.len() || sets.len() >= MOST_SETS {
                break 'arrays;
            }
            if end > begin {
                sets.push(record.slice(begin..end));
            }
            at = end;
        }
    }
    sets.retain(|set| matches!(nal::kind(set), nal::VPS | nal::SPS | nal::PPS));
    sets.sort_by_key(|set| nal::kind(set));
    sets
}

fn word<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

struct Said {
    profile_tier_level: [u8; 12],
    profile: u8,
    level: u8,
    width: u32,
    height: u32,
    chroma: u8,
    luma_depth: u8,
    chroma_depth: u8,
    reorder: u8,
}

/// Reads an SPS up to its reorder depth.
fn describe(sps: &[u8]) -> Option<Said> {
    let bytes = unescaped(sps, SPS_HEAD);
    let mut bits = Bits::new(&bytes);
    let profile_tier_level: [u8; 12] = word(&bytes, 3)?;
    let sub_layers = pass_profile_tier_level(&mut bits)?;
    bits.unsigned()?;
    let chroma = bits.unsigned().filter(|c| *c <= 3)?;
    if chroma == 3 {
        bits.bit()?;
    }
    let (mut width, mut height) = (bits.unsigned()?, bits.unsigned()?);
    if bits.bit()? {
        let (across, down) = match chroma {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        let [left, right, top, bottom] =
            [bits.unsigned()?, bits.unsigned()?, bits.unsigned()?, bits.unsigned()?];
        width = width.checked_sub(left.checked_add(right)?.checked_mul(across)?)?;
        height = height.checked_sub(top.checked_add(bottom)?.checked_mul(down)?)?;
    }
    let (luma_depth, chroma_depth) =
        (bits.unsigned().filter(|d| *d <= 7)?, bits.unsigned().filter(|d| *d <= 7)?);
    bits.unsigned()?;
    let all = bits.bit()?;
    let mut reorder = 0;
    for _ in if all { 0 } else { sub_layers }..=sub_layers {
        bits.unsigned()?;
        reorder = bits.unsigned()?;
        bits.unsigned()?;
    }
    let small = |v: u32| u8::try_from(v).unwrap_or(0);
    Some(Said {
        profile_tier_level,
        profile: profile_tier_level.first().map_or(0, |b| b & 0x1f),
        level: profile_tier_level.last().copied().unwrap_or(0),
        width: Some(width).filter(|w| (1..=65_535).contains(w))?,
        height: Some(height).filter(|h| (1..=65_535).contains(h))?,
        chroma: small(chroma),
        luma_depth: small(luma_depth),
        chroma_depth: small(chroma_depth),
        reorder: u8::try_from(reorder.min(16)).unwrap_or(16),
    })
}

/// Passes over an SPS up to its own number; how many temporal sub-layers it has beside the first.
pub(super) fn pass_profile_tier_level(bits: &mut Bits<'_>) -> Option<u32> {
    bits.skip(16 + 4)?;
    let sub_layers = bits.bits(3)?;
    bits.skip(1 + 96)?;
    sub_layer_levels(bits, sub_layers)?;
    Some(sub_layers)
}

/// Passes over the sub-layers' part of profile_tier_level (7.3.3).
fn sub_layer_levels(bits: &mut Bits<'_>, sub_layers: u32) -> Option<()> {
    let mut present = Vec::new();
    for _ in 0..sub_layers {
        present.push((bits.bit()?, bits.bit()?));
    }
    if sub_layers > 0 {
        bits.skip(usize::try_from(8_u32.checked_sub(sub_layers)?.checked_mul(2)?).ok()?)?;
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 })?;
        bits.skip(if level { 8 } else { 0 })?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x265, 640x360, Main, as ffmpeg writes them.
    const VPS: &[u8] = &[
        0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00,
        0x00, 0x03, 0x00, 0x3f, 0x95, 0x98, 0x09,
    ];
    const PPS: &[u8] = &[0x44, 0x01, 0xc1, 0x72, 0xb4, 0x62, 0x40];

    #[test]
    fn broken_sets_are_refused() {
        assert!(track_of_sets(VPS, &[0x42, 0x01], PPS).is_err());
        assert!(track_of_sets(&[], &[], &[]).is_err());
        assert!(track(Bytes::from_static(&[1; 30])).is_err());
        assert_eq!(length_size(&[0; 21]), Err(ConfigError::Short(NAME)));
    }
}
