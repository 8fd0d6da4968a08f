//! What the NAL units of H.264 and H.265 are to the access unit that they stand in: slices of its picture, parameter
//! sets, and what stands before or behind them (H.264, 7.4.1.2.3; H.265, 7.4.2.4.4).
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::bits::{Bits, unescaped};
use super::{h264, h265};
use crate::media::track::VideoCodec;

/// How much of a set is looked at for the numbers at its beginning, in bytes.
const SET_HEAD: usize = 128;
/// How much of a slice is.
const SLICE_HEAD: usize = 16;
/// The most macroblocks that a picture has (H.264, level 6.2, table A-1): a larger number is no address.
const MOST_MACROBLOCKS: u32 = 139_264;

/// A kind of parameter set, in the order in which a decoder wants them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetKind {
    /// Video parameter set (H.265).
    Vps,
    /// Sequence parameter set.
    Sps,
    /// Picture parameter set.
    Pps,
}

/// What a unit is to its access unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A slice of the picture.
    Slice,
    /// A parameter set.
    Set(SetKind),
    /// An access unit delimiter: it says nothing that the borders of frames do not say.
    Delimiter,
    /// Stands before the slices: messages, reserved types.
    Before,
    /// Stands behind the slices: messages, ends, filler, further layers.
    Behind,
}

/// What `unit` is. An empty one stands behind everything.
pub fn role(codec: VideoCodec, unit: &[u8]) -> Role {
    match codec {
        VideoCodec::H265 => match h265::nal::kind(unit) {
            // Frames and sets of further layers (MV-HEVC) belong to the picture of the base layer before them.
            0..=31 if h265::nal::layer(unit) > 0 => Role::Behind,
            0..=31 => Role::Slice,
            h265::nal::VPS..=h265::nal::PPS if h265::nal::layer(unit) > 0 => Role::Before,
            h265::nal::VPS => Role::Set(SetKind::Vps),
            h265::nal::SPS => Role::Set(SetKind::Sps),
            h265::nal::PPS => Role::Set(SetKind::Pps),
            h265::nal::AUD => Role::Delimiter,
            39 | 41..=44 | 48..=55 => Role::Before,
            _ => Role::Behind,
        },
        _ => match h264::nal::kind(unit) {
            1..=h264::nal::IDR => Role::Slice,
            h264::nal::SPS => Role::Set(SetKind::Sps),
            h264::nal::PPS => Role::Set(SetKind::Pps),
            h264::nal::AUD => Role::Delimiter,
            6 | 13..=18 => Role::Before,
            _ => Role::Behind,
        },
    }
}

/// Whether decoding can begin at this slice: IDR (H.264), IRAP (H.265).
pub fn is_key(codec: VideoCodec, slice: &[u8]) -> bool {
    match codec {
        VideoCodec::H265 => h265::nal::is_irap(h265::nal::kind(slice)),
        _ => h264::nal::kind(slice) == h264::nal::IDR,
    }
}

/// Whether this slice is the first of its picture (`first_mb_in_slice`, `first_slice_segment_in_pic_flag`); `None`
/// where it does not say.
pub fn begins_picture(codec: VideoCodec, slice: &[u8]) -> Option<bool> {
    match codec {
        VideoCodec::H265 => slice.get(2).map(|byte| byte & 0x80 != 0),
        // Partitions B and C of a slice have a number of the slice there.
        _ if matches!(h264::nal::kind(slice), 3 | 4) => None,
        _ => {
            let head = unescaped(slice, SLICE_HEAD);
            let mut bits = Bits::new(&head);
            bits.skip(8)?;
            bits.unsigned().filter(|address| *address <= MOST_MACROBLOCKS).map(|address| address == 0)
        }
    }
}

/// The number of the picture parameter set that a slice refers to.
pub fn pps_of_slice(codec: VideoCodec, slice: &[u8]) -> Option<u32> {
    let head = unescaped(slice, SLICE_HEAD);
    let mut bits = Bits::new(&head);
    match codec {
        VideoCodec::H265 => {
            bits.skip(16 + 1)?;
            // IRAP pictures say here whether frames before them are still shown.
            bits.skip(usize::from(is_key(codec, slice)))?;
            bits.unsigned()
        }
        _ => {
            bits.skip(8)?;
            bits.unsigned()?;
            bits.unsigned()?;
            bits.unsigned()
        }
    }
}

/// The number of the sequence parameter set that a picture parameter set refers to.
pub fn sps_of_pps(codec: VideoCodec, pps: &[u8]) -> Option<u32> {
    let head = unescaped(pps, SET_HEAD);
    let mut bits = Bits::new(&head);
    bits.skip(if codec == VideoCodec::H265 { 16 } else { 8 })?;
    bits.unsigned()?;
    bits.unsigned()
}

/// A set's own number: a later one of its kind with the same number replaces it.
pub fn set_number(codec: VideoCodec, kind: SetKind, set: &[u8]) -> Option<u32> {
    let head = unescaped(set, SET_HEAD);
    let mut bits = Bits::new(&head);
    match (codec, kind) {
        (VideoCodec::H265, SetKind::Vps) => {
            bits.skip(16)?;
            bits.bits(4)
        }
        (VideoCodec::H265, SetKind::Sps) => {
            h265::pass_profile_tier_level(&mut bits)?;
            bits.unsigned()
        }
        (VideoCodec::H265, SetKind::Pps) => {
            bits.skip(16)?;
            bits.unsigned()
        }
        (_, SetKind::Sps) => {
            bits.skip(32)?;
            bits.unsigned()
        }
        _ => {
            bits.skip(8)?;
            bits.unsigned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const H264: VideoCodec = VideoCodec::H264;
    const H265: VideoCodec = VideoCodec::H265;

    #[test]
    fn units_have_their_places() {
        let h264 = |kind: u8| role(H264, &[kind, 0]);
        assert!((1..=5).all(|kind| h264(kind) == Role::Slice));
        assert_eq!([h264(0x67), h264(0x68)], [Role::Set(SetKind::Sps), Role::Set(SetKind::Pps)]);
        assert_eq!(
            [h264(6), h264(9), h264(12), h264(20)],
            [Role::Before, Role::Delimiter, Role::Behind, Role::Behind]
        );
        let h265 = |kind: u8| role(H265, &[kind << 1, 1]);
        assert!((0..=31).all(|kind| h265(kind) == Role::Slice));
        let sets = [SetKind::Vps, SetKind::Sps, SetKind::Pps].map(Role::Set);
        assert_eq!([h265(32), h265(33), h265(34)], sets);
        assert_eq!([h265(35), h265(39), h265(40)], [Role::Delimiter, Role::Before, Role::Behind]);
        // The second view of MV-HEVC.
        assert_eq!([role(H265, &[2, 0x09]), role(H265, &[0x42, 0x09])], [Role::Behind, Role::Before]);
        assert_eq!([role(H264, &[]), role(H265, &[])], [Role::Behind; 2]);
    }

    #[test]
    fn slices_say_whether_they_are_the_first() {
        // first_mb_in_slice 0, 1, 40; one that is no address; none at all.
        assert_eq!(begins_picture(H264, &[0x65, 0x88]), Some(true));
        assert_eq!(begins_picture(H264, &[0x41, 0b0100_0000]), Some(false));
        assert_eq!(begins_picture(H264, &[0x41, 0b0000_0101, 0b0010_0000]), Some(false));
        assert_eq!(begins_picture(H264, &[0x41, 0, 0, 1, 1]), None);
        assert_eq!(begins_picture(H264, &[0x65]), None);
        assert_eq!(begins_picture(H264, &[3, 0x88]), None);
        assert_eq!(begins_picture(H265, &[0x28, 1, 0xac]), Some(true));
        assert_eq!(begins_picture(H265, &[2, 1, 0x40]), Some(false));
        assert_eq!(begins_picture(H265, &[2, 1]), None);
    }

    #[test]
    fn slices_and_sets_refer_to_sets_by_number() {
        // Slice: address 0, type 7 (0001000), set 2 (011). PPS 2 (011) of SPS 1 (010).
        assert_eq!(pps_of_slice(H264, &[0x65, 0b1000_1000, 0b0110_0000]), Some(2));
        assert_eq!(sps_of_pps(H264, &[0x68, 0b0110_1000]), Some(1));
        assert_eq!(set_number(H264, SetKind::Pps, &[0x68, 0b0110_1000]), Some(2));
        // As x265 writes them, all with number 0.
        let vps = [0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0];
        let sps = [
            0x42, 0x01, 0x01, 0x01, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x3c, 0xa0, 0x0a, 0x08, 0x0c,
        ];
        assert_eq!(set_number(H265, SetKind::Vps, &vps), Some(0));
        assert_eq!(set_number(H265, SetKind::Sps, &sps), Some(0));
        assert_eq!(set_number(H265, SetKind::Pps, &[0x44, 0x01, 0xc0, 0x73]), Some(0));
        assert_eq!(pps_of_slice(H265, &[0x28, 0x01, 0xac, 0x74]), Some(0));
        for kind in [SetKind::Vps, SetKind::Sps, SetKind::Pps] {
            assert_eq!((set_number(H264, kind, &[]), set_number(H265, kind, &[0x42, 1])), (None, None));
        }
    }
}
