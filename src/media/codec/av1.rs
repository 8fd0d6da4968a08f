//! AV1: its open bitstream units (AV1 specification, 5.3), what a sequence header says (5.5), and the
//! AV1CodecConfigurationRecord (AV1 in ISOBMFF, 2.3.3).
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::ConfigError;
use super::bits::Bits;
use crate::media::track::{VideoCodec, VideoTrack};
use bytes::{BufMut, Bytes, BytesMut};

const NAME: &str = "AV1";
/// Most units of one frame that are looked at.
const MOST_UNITS: usize = 256;
/// Bytes of the record before its units.
const RECORD_HEAD: usize = 4;

/// Types of units.
pub mod obu {
    /// Sequence header.
    pub const SEQUENCE: u8 = 1;
    /// The border between two moments.
    pub const DELIMITER: u8 = 2;
    /// Metadata.
    pub const METADATA: u8 = 5;
    /// Nothing.
    pub const PADDING: u8 = 15;
}

/// One unit: its type and what stands behind its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit<'a> {
    /// See [`obu`].
    pub kind: u8,
    /// Its layers, where the header says them.
    pub extension: Option<u8>,
    /// Without header and size.
    pub body: &'a [u8],
}

/// The units of a frame as containers hold it. Ends at one that does not fit.
pub fn units(mut bytes: &[u8]) -> impl Iterator<Item = Unit<'_>> {
    std::iter::from_fn(move || {
        let (first, mut rest) = bytes.split_first()?;
        if first & 0x80 != 0 {
            return None;
        }
        let mut extension = None;
        if first & 4 != 0 {
            let (layers, behind) = rest.split_first()?;
            (extension, rest) = (Some(*layers), behind);
        }
        let size = if first & 2 != 0 { leb128(&mut rest)? } else { rest.len() };
        let (body, behind) = rest.split_at_checked(size)?;
        bytes = behind;
        Some(Unit { kind: (first >> 3) & 0x0f, extension, body })
    })
    .take(MOST_UNITS)
}

/// A number in up to 8 bytes, the lowest 7 bits first (4.10.5).
fn leb128(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0_u64;
    for shift in (0..56).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return usize::try_from(value).ok();
        }
    }
    None
}

/// The body of a frame's sequence header, if it has one.
pub fn sequence_header(frame: &[u8]) -> Option<&[u8]> {
    units(frame).find(|unit| unit.kind == obu::SEQUENCE).map(|unit| unit.body)
}

/// Whether what should be a frame is none: headers, delimiters, metadata and nothing else.
pub fn is_loose(frame: &[u8]) -> bool {
    let around = [obu::SEQUENCE, obu::DELIMITER, obu::METADATA, obu::PADDING];
    let mut units = units(frame).peekable();
    units.peek().is_some() && units.all(|unit| around.contains(&unit.kind))
}

/// A track from its record. One without units, or whose units cannot be read, says no size.
pub fn track(record: Bytes) -> Result<VideoTrack, ConfigError> {
    if record.is_empty() {
        return Err(ConfigError::Short(NAME));
    }
    let said = record.get(RECORD_HEAD..).and_then(sequence_header).and_then(read).unwrap_or_default();
    Ok(VideoTrack {
        codec: VideoCodec::Av1,
        config: record,
        width: said.width,
        height: said.height,
        profile: "",
        level: String::new(),
        frame_rate: said.frame_rate,
        reorder: 0,
    })
}

/// A track from the body of a sequence header, as frames carry it.
///
/// # Errors
/// One that cannot be read.
pub fn track_of(sequence: &[u8]) -> Result<VideoTrack, ConfigError> {
    let said = read(sequence).ok_or_else(|| {
        ConfigError::Unreadable("sequence header", NAME, "it is cut short or out of range".into())
    })?;
    let mut out = BytesMut::new();
    out.put_slice(&[0x81, (said.profile << 5) | said.level, said.colours, 0]);
    // The unit itself, with a size.
    out.put_u8((obu::SEQUENCE << 3) | 2);
    let mut size = sequence.len();
    while size > 0x7f {
        out.put_u8(0x80 | (size & 0x7f) as u8);
        size >>= 7;
    }
    out.put_u8(size as u8);
    out.put_slice(sequence);
    track(out.freeze())
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Said {
    profile: u8,
    level: u8,
    /// The third byte of the record: tier, depth, subsampling.
    colours: u8,
    width: u32,
    height: u32,
    frame_rate: Option<f64>,
}

/// Reads a sequence header up to its colours.
fn read(body: &[u8]) -> Option<Said> {
    let mut bits = Bits::new(body);
    let profile = bits.bits(3).filter(|profile| *profile <= 2)?;
    bits.skip(1)?;
    let reduced = bits.bit()?;
    let operating = if reduced {
        Operating { level: bits.bits(5)?, tier: 0, frame_rate: None }
    } else {
        operating_points(&mut bits)?
    };
    let (across, down) = (bits.bits(4)?.checked_add(1)?, bits.bits(4)?.checked_add(1)?);
    let width = bits.bits(across)?.checked_add(1)?;
    let height = bits.bits(down)?.checked_add(1)?;
    if !reduced && bits.bit()? {
        bits.skip(4 + 3)?;
    }
    bits.skip(3)?;
    if !reduced {
        pass_tools(&mut bits)?;
    }
    bits.skip(3)?;
    let colours = colours(&mut bits, profile)?;
    Some(Said {
        profile: u8::try_from(profile).ok()?,
        level: u8::try_from(operating.level).ok()?,
        colours: u8::try_from((operating.tier << 7) | colours).ok()?,
        width,
        height,
        frame_rate: operating.frame_rate.filter(|rate| (1.0..=1000.0).contains(rate)),
    })
}

struct Operating {
    level: u32,
    tier: u32,
    frame_rate: Option<f64>,
}

/// Timing and operating points (5.5.1); level and tier are those of the first.
fn operating_points(bits: &mut Bits<'_>) -> Option<Operating> {
    let (mut frame_rate, mut delay) = (None, None);
    if bits.bit()? {
        let (units, scale) = (bits.bits(32)?, bits.bits(32)?);
        // AV1's variable-length numbers are Exp-Golomb codes (4.10.3).
        let ticks = if bits.bit()? { f64::from(bits.unsigned()?) + 1.0 } else { 1.0 };
        frame_rate = Some(f64::from(scale) / (f64::from(units) * ticks)).filter(|rate| rate.is_finite());
        if bits.bit()? {
            delay = Some(usize::try_from(bits.bits(5)?).ok()?.checked_add(1)?);
            bits.skip(32 + 5 + 5)?;
        }
    }
    let initial_delay = bits.bit()?;
    let more = bits.bits(5)?;
    let mut first = None;
    for _ in 0..=more {
        bits.skip(12)?;
        let level = bits.bits(5)?;
        let tier = if level > 7 { bits.bits(1)? } else { 0 };
        first.get_or_insert((level, tier));
        if let Some(delay) = delay
            && bits.bit()?
        {
            bits.skip(delay.checked_mul(2)?.checked_add(1)?)?;
        }
        if initial_delay && bits.bit()? {
            bits.skip(4)?;
        }
    }
    let (level, tier) = first?;
    Some(Operating { level, tier, frame_rate })
}

/// Passes over the coding tools (5.5.1).
fn pass_tools(bits: &mut Bits<'_>) -> Option<()> {
    bits.skip(4)?;
    let order_hint = bits.bit()?;
    bits.skip(if order_hint { 2 } else { 0 })?;
    // Screen content tools: chosen by each frame, or forced on or off.
    let screen_content = bits.bit()? || bits.bit()?;
    if screen_content && !bits.bit()? {
        bits.skip(1)?;
    }
    bits.skip(if order_hint { 3 } else { 0 })
}

/// Depth and subsampling (5.5.2), as the record's third byte has them.
fn colours(bits: &mut Bits<'_>, profile: u32) -> Option<u32> {
    let high = bits.bits(1)?;
    let twelve = if profile == 2 && high == 1 { bits.bits(1)? } else { 0 };
    let mono = if profile == 1 { 0 } else { bits.bits(1)? };
    let (primaries, transfer, matrix) =
        if bits.bit()? { (bits.bits(8)?, bits.bits(8)?, bits.bits(8)?) } else { (2, 2, 2) };
    let mut position = 0;
    let (across, down) = if mono == 1 {
        bits.skip(1)?;
        (1, 1)
    } else if (primaries, transfer, matrix) == (1, 13, 0) {
        (0, 0)
    } else {
        bits.skip(1)?;
        let subsampling = match (profile, twelve) {
            (0, _) => (1, 1),
            (1, _) => (0, 0),
            (_, 0) => (1, 0),
            _ => {
                let across = bits.bits(1)?;
                (across, if across == 1 { bits.bits(1)? } else { 0 })
            }
        };
        if subsampling == (1, 1) {
            position = bits.bits(2)?;
        }
        subsampling
    };
    Some((high << 6) | (twelve << 5) | (mono << 4) | (across << 3) | (down << 2) | position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Records of SVT-AV1 and libaom at 320x180, as ffmpeg writes them, and a keyframe's beginning.
    const SVT: &[u8] = &[
        0x81, 0x00, 0x0c, 0x00, 0x0a, 0x0b, 0x02, 0x00, 0x00, 0x05, 0x21, 0xe7, 0xf6, 0x60, 0x17, 0xc0, 0x02,
    ];
    const AOM: &[u8] = &[
        0x81, 0x00, 0x0c, 0x00, 0x0a, 0x0b, 0x00, 0x00, 0x00, 0x04, 0x3c, 0xfe, 0xcc, 0xda, 0xf9, 0x00, 0x40,
    ];

    #[test]
    fn records_say_the_size_and_are_made_of_frames() {
        for record in [SVT, AOM] {
            let said = track(Bytes::from_static(record)).unwrap();
            assert_eq!((said.width, said.height), (320, 180));
            let frame = [&[0x12, 0][..], &record[4..], &[0x32, 3, 0x10, 0, 0x87]].concat();
            assert!(!is_loose(&frame) && is_loose(&record[4..]) && is_loose(&[0x12, 0]));
            let made = track_of(sequence_header(&frame).unwrap()).unwrap();
            assert_eq!(made.config, record, "the same as the encoder's own");
        }
        // A frame that shows an earlier one is a header alone; what cannot be read is somebody's frame.
        assert!(!is_loose(&[0x12, 0, 0x1a, 1, 0xc8]) && !is_loose(&[]) && !is_loose(&[1, 2, 3]));
    }

    #[test]
    fn what_says_no_size_is_carried() {
        assert_eq!(track(Bytes::from_static(&[0x81, 0, 0, 0])).unwrap().width, 0);
        assert_eq!(track(Bytes::new()), Err(ConfigError::Short(NAME)));
        assert!(track_of(&[]).is_err() && track_of(&[0, 0, 0]).is_err());
    }

    #[test]
    fn units_end_where_sizes_lie() {
        let kinds = |bytes: &[u8]| units(bytes).map(|unit| (unit.kind, unit.body.len())).collect::<Vec<_>>();
        assert_eq!(kinds(&[0x12, 0, 0x0e, 0x10, 1, 9, 0x30, 1, 2]), [(2, 0), (1, 1), (6, 2)]);
        assert_eq!(kinds(&[0x12, 0, 0x32, 9, 1]), [(2, 0)]);
        assert_eq!(kinds(&[0x32, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]), []);
        assert_eq!(kinds(&[0x92, 0]), [], "the forbidden bit");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = (is_loose(&bytes), sequence_header(&bytes));
            if let Ok(track) = track_of(&bytes) {
                prop_assert!(track.width > 0 && track.height > 0);
                prop_assert_eq!(sequence_header(&track.config[RECORD_HEAD..]), Some(&bytes[..]));
            }
        }
    }
}
