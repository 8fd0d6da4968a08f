//! H.264: the AVCDecoderConfigurationRecord (ISO 14496-15, 5.3.3.1) and what its SPS says.

use super::ConfigError;
use crate::media::track::{VideoCodec, VideoTrack};
use bytes::{BufMut, Bytes, BytesMut};
use h264_reader::nal::sps::{PicOrderCntType, SeqParameterSet};
use h264_reader::nal::{Nal, RefNal};

const NAME: &str = "H.264";
/// More parameter sets than these are not kept: the standard allows 32 SPS and 256 PPS, encoders send one of each.
const MOST_SETS: usize = 32;

/// NAL unit types (H.264, table 7-1).
pub mod nal {
    /// Coded slice of an IDR picture.
    pub const IDR: u8 = 5;
    /// Sequence parameter set.
    pub const SPS: u8 = 7;
    /// Picture parameter set.
    pub const PPS: u8 = 8;
    /// Access unit delimiter.
    pub const AUD: u8 = 9;
    /// The type of a NAL unit; 0 for an empty one.
    pub fn kind(nal: &[u8]) -> u8 {
        nal.first().map_or(0, |b| b & 0x1f)
    }
}

/// The length of NAL lengths in a record's frames: 1, 2 or 4 bytes.
///
/// # Errors
/// A record that is cut short, or the reserved 3.
pub fn length_size(record: &[u8]) -> Result<usize, ConfigError> {
    match record.get(4).map(|b| b & 3) {
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
    let sps = sets
        .iter()
        .find(|set| nal::kind(set) == nal::SPS)
        .ok_or(ConfigError::Missing(NAME, "sequence parameter set"))?;
    if !sets.iter().any(|set| nal::kind(set) == nal::PPS) {
        return Err(ConfigError::Missing(NAME, "picture parameter set"));
    }
    let mut track = describe(sps)?;
    track.config = with_length_size_4(record);
    Ok(track)
}

/// A track from parameter sets (as SDP and RTP carry them).
///
/// # Errors
/// An SPS that cannot be read.
pub fn track_of_sets(sps: &[u8], pps: &[u8]) -> Result<VideoTrack, ConfigError> {
    track_of(&[Bytes::copy_from_slice(sps), Bytes::copy_from_slice(pps)])
}

/// A track from all its parameter sets; the first SPS describes it.
///
/// # Errors
/// No SPS or no PPS, or an SPS that cannot be read.
pub fn track_of(sets: &[Bytes]) -> Result<VideoTrack, ConfigError> {
    track(record(sets)?)
}

/// The record of these sets.
fn record(sets: &[Bytes]) -> Result<Bytes, ConfigError> {
    let of = |kind| sets.iter().filter(move |set| nal::kind(set) == kind);
    let first = of(nal::SPS).next().ok_or(ConfigError::Missing(NAME, "sequence parameter set"))?;
    let [_, profile, compatible, level, ..] = first[..] else { return Err(ConfigError::Short(NAME)) };
    let mut out = BytesMut::new();
    out.put_slice(&[1, profile, compatible, level, 0xff]);
    put_sets(&mut out, 0xe0, of(nal::SPS).take(31))?;
    put_sets(&mut out, 0, of(nal::PPS).take(255))?;
    // High profiles say their chroma format and depth (5.3.3.1.2); 4:2:0 with 8 bits is what goes unsaid elsewhere.
    if matches!(profile, 100 | 110 | 122 | 144) {
        let (chroma, luma_depth, chroma_depth) = depths(first);
        out.put_slice(&[0xfc | (chroma & 3), 0xf8 | (luma_depth & 7), 0xf8 | (chroma_depth & 7), 0]);
    }
    Ok(out.freeze())
}

/// A count, with `bits` above it, and as many sets behind their lengths.
fn put_sets<'a>(
    out: &mut BytesMut,
    bits: u8,
    sets: impl Iterator<Item = &'a Bytes> + Clone,
) -> Result<(), ConfigError> {
    out.put_u8(bits | u8::try_from(sets.clone().count()).unwrap_or(u8::MAX));
    for set in sets {
        let length = u16::try_from(set.len()).map_err(|_| ConfigError::Reserved(NAME, "a set's length"))?;
        out.put_u16(length);
        out.put_slice(set);
    }
    Ok(())
}

/// chroma_format_idc and the two bit depths less 8 of an SPS with one of the high profiles.
fn depths(sps: &[u8]) -> (u8, u8, u8) {
    let bytes = super::bits::unescaped(sps, 64);
    let mut bits = super::bits::Bits::new(&bytes);
    let mut read = || {
        bits.skip(32)?;
        bits.unsigned()?;
        let chroma = bits.unsigned()?;
        if chroma == 3 {
            bits.bit()?;
        }
        Some((chroma, bits.unsigned()?, bits.unsigned()?))
    };
    let (chroma, luma, of_chroma) = read().unwrap_or((1, 0, 0));
    let small = |v: u32| u8::try_from(v).unwrap_or(0);
    (small(chroma), small(luma), small(of_chroma))
}

/// All parameter sets of a record, SPS first. Ends where the record lies about a length.
pub fn parameter_sets(record: &Bytes) -> Vec<Bytes> {
    let mut sets = Vec::new();
    let mut at = 6_usize;
    let count = record.get(5).map_or(0, |b| b & 0x1f);
    read_sets(record, &mut at, count, &mut sets);
    let count = record.get(at).copied().unwrap_or(0);
    at = at.saturating_add(1);
    read_sets(record, &mut at, count, &mut sets);
    sets
}

fn read_sets(record: &Bytes, at: &mut usize, count: u8, sets: &mut Vec<Bytes>) {
    for _ in 0..count {
        let Some([high, low]) =
            record.get(*at..at.saturating_add(2)).and_then(|b| <[u8; 2]>::try_from(b).ok())
        else {
            return;
        };
        let begin = at.saturating_add(2);
        let end = begin.saturating_add(usize::from(u16::from_be_bytes([high, low])));
        if end > record.len() {
            return;
        }
        *at = end;
        if end > begin && sets.len() < MOST_SETS {
            sets.push(record.slice(begin..end));
        }
    }
}

fn with_length_size_4(record: Bytes) -> Bytes {
    match record.get(4) {
        Some(byte) if byte & 3 != 3 => {
            let mut copy = BytesMut::from(&record[..]);
            if let Some(byte) = copy.get_mut(4) {
                *byte |= 3;
            }
            copy.freeze()
        }
        _ => record,
    }
}

/// What an SPS says; `config` stays empty.
fn describe(sps: &[u8]) -> Result<VideoTrack, ConfigError> {
    let unreadable = |why: String| ConfigError::Unreadable("sequence parameter set", NAME, why);
    let [_, profile_idc, constraints, level_idc, ..] = *sps else { return Err(ConfigError::Short(NAME)) };
    let nal = RefNal::new(sps, &[], true);
    let parsed = SeqParameterSet::from_bits(nal.rbsp_bits()).map_err(|e| unreadable(format!("{e:?}")))?;
    let (width, height) = parsed.pixel_dimensions().map_err(|e| unreadable(format!("{e:?}")))?;
    let restriction = parsed.vui_parameters.as_ref().and_then(|vui| vui.bitstream_restrictions.as_ref());
    let reorder = match (restriction, &parsed.pic_order_cnt) {
        (_, PicOrderCntType::TypeTwo) => 0,
        (Some(restriction), _) => restriction.max_num_reorder_frames.min(16),
        // Baseline has no B-frames (A.2.1); otherwise two are the usual depth where nothing is said.
        (None, _) if profile_idc == 66 => 0,
        (None, _) => parsed.max_num_ref_frames.min(2),
    };
    Ok(VideoTrack {
        codec: VideoCodec::H264,
        config: Bytes::new(),
        width,
        height,
        profile: profile_name(profile_idc, constraints),
        level: level_name(level_idc, constraints, profile_idc),
        frame_rate: parsed.fps().filter(|fps| fps.is_finite() && (1.0..=1000.0).contains(fps)),
        reorder: u8::try_from(reorder).unwrap_or(16),
    })
}

fn profile_name(idc: u8, constraints: u8) -> &'static str {
    match idc {
        66 if constraints & 0x40 != 0 => "Constrained Baseline",
        66 => "Baseline",
        77 => "Main",
        88 => "Extended",
        100 => "High",
        110 => "High 10",
        122 => "High 4:2:2",
        244 => "High 4:4:4 Predictive",
        _ => "",
    }
}

fn level_name(idc: u8, constraints: u8, profile: u8) -> String {
    if idc == 9 || (idc == 11 && constraints & 0x10 != 0 && matches!(profile, 66 | 77 | 88)) {
        return "1b".into();
    }
    format!("{}.{}", idc / 10, idc % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SPS and PPS of x264, 1280x720, High, level 3.1, with B-frames.
    const SPS: &[u8] = &[
        0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
        0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60,
    ];
    const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];

    fn sets() -> [Bytes; 2] {
        [Bytes::from_static(SPS), Bytes::from_static(PPS)]
    }

    #[test]
    fn reads_what_x264_writes() {
        let track = track_of_sets(SPS, PPS).unwrap();
        assert_eq!((track.width, track.height), (1280, 720));
        assert_eq!((track.profile, track.level.as_str()), ("High", "3.1"));
        assert_eq!(track.frame_rate, Some(30.0));
        assert_eq!(track.reorder, 2);
        assert_eq!(track.parameter_sets(), [Bytes::from_static(SPS), Bytes::from_static(PPS)]);
        assert_eq!(track.config.get(4), Some(&0xff));
        let again = super::track(track.config.clone()).unwrap();
        assert_eq!(again, track);
    }

    #[test]
    fn short_lengths_become_long_ones() {
        let mut record = BytesMut::from(&record(&sets()).unwrap()[..]);
        record[4] = 0xfd;
        assert_eq!(length_size(&record), Ok(2));
        assert_eq!(length_size(&track(record.freeze()).unwrap().config), Ok(4));
        assert_eq!(length_size(&[1, 2, 3, 4, 0xfe]), Err(ConfigError::Reserved(NAME, "lengthSizeMinusOne")));
    }

    #[test]
    fn broken_records_are_refused() {
        let whole = record(&sets()).unwrap();
        for end in 0..whole.len().saturating_sub(4) {
            assert!(track(whole.slice(..end)).is_err(), "{end} bytes");
        }
        assert!(track_of_sets(&[0x67, 0x64], PPS).is_err());
        assert!(track_of_sets(&[], &[]).is_err());
    }
}
