//! The parameter sets of a stream of H.264 or H.265, wherever they came from: a container's record, a description, the
//! frames. Later ones replace earlier ones of the same kind and number.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::nal::{self, Role, SetKind};
use super::{ConfigError, h264, h265};
use crate::media::track::{VideoCodec, VideoTrack};
use bytes::Bytes;

/// Longest set that is kept, in bytes; real ones have less than 300. What is longer still travels in its frame.
const LONGEST_SET: usize = 2048;
/// Sets that are kept of each kind, newest last: with [`LONGEST_SET`] a record of all stays below 64 KB, which every
/// container takes.
const MOST_OF_A_KIND: usize = 8;

#[derive(Clone, Debug)]
struct Set {
    kind: SetKind,
    number: u32,
    bytes: Bytes,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct ParameterSets {
    codec: VideoCodec,
    sets: Vec<Set>,
}

impl ParameterSets {
    /// None yet. Other codecs than H.264 and H.265 have none.
    pub fn new(codec: VideoCodec) -> ParameterSets {
        ParameterSets { codec, sets: Vec::new() }
    }

    /// Those of a track.
    pub fn of(track: &VideoTrack) -> ParameterSets {
        let mut sets = ParameterSets::new(track.codec);
        track.parameter_sets().iter().for_each(|set| {
            sets.keep(set);
        });
        sets
    }

    /// Takes a unit if it is a readable set. Whether it is another than was known.
    pub fn keep(&mut self, unit: &[u8]) -> bool {
        let Role::Set(kind) = nal::role(self.codec, unit) else { return false };
        let unit = bare(unit);
        let Some(number) = nal::set_number(self.codec, kind, unit).filter(|_| unit.len() <= LONGEST_SET)
        else {
            return false;
        };
        match self.sets.iter_mut().find(|set| (set.kind, set.number) == (kind, number)) {
            Some(set) if set.bytes == unit => return false,
            Some(set) => set.bytes = Bytes::copy_from_slice(unit),
            None => {
                let of_kind = |set: &Set| set.kind == kind;
                if self.sets.iter().filter(|set| of_kind(set)).count() >= MOST_OF_A_KIND
                    && let Some(oldest) = self.sets.iter().position(of_kind)
                {
                    self.sets.remove(oldest);
                }
                self.sets.push(Set { kind, number, bytes: Bytes::copy_from_slice(unit) });
            }
        }
        true
    }

    /// Whether there is a set of each kind that the codec has.
    pub fn is_complete(&self) -> bool {
        let has = |kind| self.sets.iter().any(|set| set.kind == kind);
        has(SetKind::Sps) && has(SetKind::Pps) && (has(SetKind::Vps) || self.codec != VideoCodec::H265)
    }

    /// All of them as a decoder wants them: VPS, SPS, PPS; of the sequence sets the one first that `slice` uses.
    pub fn in_order(&self, slice: Option<&[u8]>) -> Vec<Bytes> {
        let active = slice.and_then(|slice| self.active(slice));
        let mut sets: Vec<&Set> = self.sets.iter().collect();
        sets.sort_by_key(|set| (set.kind, set.kind == SetKind::Sps && Some(set.number) != active));
        sets.into_iter().map(|set| set.bytes.clone()).collect()
    }

    /// The number of the sequence set that a slice uses.
    fn active(&self, slice: &[u8]) -> Option<u32> {
        let number = nal::pps_of_slice(self.codec, slice)?;
        let pps = self.sets.iter().find(|set| (set.kind, set.number) == (SetKind::Pps, number))?;
        nal::sps_of_pps(self.codec, &pps.bytes)
    }

    /// The track that they describe at a picture of which `slice` is a part.
    ///
    /// # Errors
    /// One is missing, or the sequence set cannot be read.
    pub fn track(&self, slice: Option<&[u8]>) -> Result<VideoTrack, ConfigError> {
        let sets = self.in_order(slice);
        match self.codec {
            VideoCodec::H265 => h265::track_of(&sets),
            _ => h264::track_of(&sets),
        }
    }

    /// Whether a reader of `track` knows them all, and which of the sequence sets counts at `slice`. Containers write
    /// the same sets in more than one way; what counts is the sets.
    pub fn are_of(&self, track: &VideoTrack, slice: Option<&[u8]>) -> bool {
        let (ours, theirs) = (self.in_order(slice), track.parameter_sets());
        let theirs: Vec<&[u8]> = theirs.iter().map(|set| bare(set)).collect();
        let ours: Vec<&[u8]> = ours.iter().map(|set| &set[..]).collect();
        let is_sps = |set: &&&[u8]| nal::role(self.codec, set) == Role::Set(SetKind::Sps);
        let same_sps = ours.iter().find(is_sps) == theirs.iter().find(is_sps);
        track.codec == self.codec && same_sps && ours.iter().all(|set| theirs.contains(set))
    }
}

/// A unit without the zeros that annex B, and some records, put behind it.
fn bare(unit: &[u8]) -> &[u8] {
    let end = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
    unit.get(..end).unwrap_or(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// SPS of x264 at 1280x720, and of x264 at 320x240, both with number 0; PPS 0 of each.
    const SPS: &[u8] = &[
        0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
        0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60,
    ];
    const SMALL: &[u8] = &[
        0x67, 0x42, 0xc0, 0x0d, 0xda, 0x05, 0x07, 0xe8, 0x40, 0, 0, 3, 0, 0x40, 0, 0, 0x0c, 0x83, 0xc5, 0x0a,
        0xa8,
    ];
    const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];
    /// PPS 1 of SPS 0.
    const SECOND: &[u8] = &[0x68, 0b0101_1011, 0xe3];

    fn sets(all: &[&[u8]]) -> ParameterSets {
        let mut sets = ParameterSets::new(VideoCodec::H264);
        all.iter().for_each(|set| {
            sets.keep(set);
        });
        sets
    }

    #[test]
    fn sets_come_one_by_one_and_replace_each_other() {
        let mut some = sets(&[PPS]);
        assert!(!some.is_complete());
        assert_eq!(some.track(None), Err(ConfigError::Missing("H.264", "sequence parameter set")));
        assert!(some.keep(SPS) && some.is_complete());
        assert!(!some.keep(SPS) && !some.keep(&[SPS, &[0, 0]].concat()), "padding is no change");
        let track = some.track(None).unwrap();
        assert_eq!((track.width, track.height), (1280, 720));
        assert!(some.are_of(&track, None));
        // Some records have padding as well.
        let padded = h264::track_of_sets(&[SPS, &[0]].concat(), PPS).unwrap();
        assert!(some.are_of(&padded, None) && ParameterSets::of(&padded).are_of(&padded, None));
        assert!(some.keep(SMALL), "another with the same number");
        assert!(!some.are_of(&track, None));
        assert_eq!(some.track(None).unwrap().width, 320);
        assert_eq!(some.in_order(None), [SMALL, PPS]);
    }

    #[test]
    fn further_picture_sets_are_kept() {
        let mut some = sets(&[SPS, PPS]);
        let before = some.track(None).unwrap();
        assert!(some.keep(SECOND));
        assert!(
            !some.are_of(&before, None),
            "who begins with the first two cannot decode what uses the third"
        );
        let after = some.track(None).unwrap();
        assert_eq!(after.parameter_sets(), [SPS, PPS, SECOND]);
        assert!(some.are_of(&after, None));
        assert!(sets(&[SPS, PPS]).are_of(&after, None), "fewer are no change");
        assert!(ParameterSets::of(&after).are_of(&after, None));
    }

    #[test]
    fn the_slice_says_which_sequence_set_counts() {
        // SMALL with number 1 (010 in place of the first bit behind the level); PPS 1 of SPS 1.
        let tail = super::super::bits::unescaped(&SMALL[4..], 99);
        let bits = tail.iter().flat_map(|byte| (0..8).rev().map(move |i| byte >> i & 1)).skip(1);
        let bits: Vec<u8> = [0, 1, 0].into_iter().chain(bits).collect();
        let mut other = SMALL[..4].to_vec();
        for byte in bits.chunks(8) {
            let byte = byte.iter().enumerate().fold(0, |all, (at, bit)| all | bit << (7 - at));
            if byte <= 3 && other.ends_with(&[0, 0]) {
                other.push(3);
            }
            other.push(byte);
        }
        let some = sets(&[SPS, PPS, &other, &[0x68, 0b0100_1011, 0xe3]]);
        let slice = |pps: u8| [0x65, 0b1000_1000, pps];
        assert_eq!(some.track(Some(&slice(0x80))).unwrap().width, 1280);
        assert_eq!(some.track(Some(&slice(0b0100_0000))).unwrap().width, 320);
        assert_eq!(some.track(None).unwrap().width, 1280);
    }

    #[test]
    fn what_is_no_set_or_too_long_is_left_alone() {
        let mut some = sets(&[]);
        assert!(!some.keep(&[0x65, 0x88]) && !some.keep(&[0x67, 1]) && !some.keep(&[]));
        assert!(!some.keep(&[PPS, &[1; LONGEST_SET]].concat()));
        for number in 0..100_u8 {
            // ue(v) with 13 bits.
            some.keep(&[0x68, 0x02, number, 0xff]);
        }
        assert_eq!(some.in_order(None).len(), MOST_OF_A_KIND);
    }

    proptest! {
        #[test]
        fn any_units_are_borne(units in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..30), h265: bool) {
            let mut sets = ParameterSets::new(if h265 { VideoCodec::H265 } else { VideoCodec::H264 });
            for unit in &units {
                sets.keep(unit);
                prop_assert!(!sets.keep(unit), "twice is no change");
            }
            if let Ok(track) = sets.track(units.last().map(|u| &u[..])) {
                prop_assert!(sets.is_complete());
                prop_assert!(sets.are_of(&track, units.last().map(|u| &u[..])));
            }
        }
    }
}
