//! VP9: what the header of a keyframe says (VP9 bitstream specification, 6.2), and the VPCodecConfigurationRecord (VP
//! codecs in ISOBMFF).
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::ConfigError;
use super::bits::Bits;
use crate::media::track::{VideoCodec, VideoTrack};
use bytes::Bytes;

const NAME: &str = "VP9";
const SYNC: u32 = 0x0049_8342;
/// The most pixels of each level (annex A), and its number in the record.
const LEVELS: [(u32, u8); 9] = [
    (36_864, 10),
    (73_728, 11),
    (122_880, 20),
    (245_760, 21),
    (552_960, 30),
    (983_040, 31),
    (2_228_224, 40),
    (8_912_896, 50),
    (35_651_584, 60),
];

/// What a keyframe says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyframe {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    profile: u8,
    depth: u8,
    /// As the record has it: 1 is 4:2:0, 2 4:2:2, 3 4:4:4.
    chroma: u8,
    full_range: u8,
}

/// Reads the header of a frame; `None` for one that is no keyframe or cannot be read.
pub fn keyframe(frame: &[u8]) -> Option<Keyframe> {
    let mut bits = Bits::new(frame);
    if bits.bits(2)? != 2 {
        return None;
    }
    let profile = bits.bits(1)? | (bits.bits(1)? << 1);
    bits.skip(usize::from(profile == 3))?;
    let (shows_another, inter) = (bits.bit()?, bits.bit()?);
    if shows_another || inter {
        return None;
    }
    bits.skip(2)?;
    if bits.bits(24)? != SYNC {
        return None;
    }
    let depth = match profile {
        0 | 1 => 8,
        _ if bits.bit()? => 12,
        _ => 10,
    };
    let odd = profile == 1 || profile == 3;
    let (chroma, full_range) = if bits.bits(3)? == 7 {
        bits.skip(usize::from(odd))?;
        (3, 1)
    } else {
        let full = u8::from(bits.bit()?);
        let chroma = match if odd { bits.bits(3)? } else { 0b110 } >> 1 {
            0b11 => 1,
            0b10 => 2,
            _ => 3,
        };
        (chroma, full)
    };
    let (width, height) = (bits.bits(16)?.checked_add(1)?, bits.bits(16)?.checked_add(1)?);
    Some(Keyframe { width, height, profile: u8::try_from(profile).ok()?, depth, chroma, full_range })
}

/// A track from its record, which says no size.
pub fn track(record: Bytes) -> Result<VideoTrack, ConfigError> {
    if record.is_empty() {
        return Err(ConfigError::Short(NAME));
    }
    Ok(VideoTrack {
        codec: VideoCodec::Vp9,
        config: record,
        width: 0,
        height: 0,
        profile: "",
        level: String::new(),
        frame_rate: None,
        reorder: 0,
    })
}

/// A track from a keyframe, with the record that came before it or one made of it.
pub fn track_of(keyframe: &Keyframe, record: Option<Bytes>) -> VideoTrack {
    let Keyframe { width, height, profile, depth, chroma, full_range } = *keyframe;
    let pixels = width.saturating_mul(height);
    let level = LEVELS.iter().find(|(most, _)| pixels <= *most).map_or(62, |(_, level)| *level);
    // Version 1, no flags; the colours unspecified (2); no further data.
    let made = || {
        Bytes::from(vec![
            1,
            0,
            0,
            0,
            profile,
            level,
            (depth << 4) | (chroma << 1) | full_range,
            2,
            2,
            2,
            0,
            0,
        ])
    };
    VideoTrack {
        codec: VideoCodec::Vp9,
        config: record.unwrap_or_else(made),
        width,
        height,
        profile: "",
        level: String::new(),
        frame_rate: None,
        reorder: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The beginning of libvpx's keyframe at 320x180, and its record as ffmpeg writes it.
    const KEY: &[u8] = &[0x82, 0x49, 0x83, 0x42, 0x00, 0x13, 0xf0, 0x0b, 0x36, 0x06];
    const RECORD: &[u8] = &[1, 0, 0, 0, 0, 0x0b, 0x82, 2, 2, 2, 0, 0];

    #[test]
    fn a_keyframe_says_its_size_and_makes_the_record() {
        let found = keyframe(KEY).unwrap();
        assert_eq!((found.width, found.height), (320, 180));
        assert_eq!(track_of(&found, None).config, RECORD);
        let kept = track_of(&found, Some(Bytes::from_static(b"x")));
        assert_eq!((&kept.config[..], kept.width), (&b"x"[..], 320));
        // A picture that refers to others, one that shows another, another codec, cut ones.
        for none in [&[0x86, 0, 0x40, 0x92][..], &[0x8a, 0], &[0x12, 0], &KEY[..8], &[]] {
            assert_eq!(keyframe(none), None, "{none:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(profile in 0..4_u8, bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            let head = 0x80 | ((profile & 1) << 5) | ((profile >> 1) << 4) | 2;
            let frame = [&[head, 0x49, 0x83, 0x42], &bytes[..]].concat();
            if let Some(found) = keyframe(&frame) {
                prop_assert!(track(track_of(&found, None).config).is_ok());
            }
        }
    }
}
