//! A fragment: one `moof` and its `mdat` (ISO 14496-12, 8.8). It is written on the hot path, once for each part of each
//! rendition, and its layout is fixed, so it is written byte by byte.

use bytes::{BufMut, Bytes, BytesMut};

/// One frame as a fragment holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Ticks of its track until the next one is decoded.
    pub duration: u32,
    /// Ticks from its decode time to its presentation time.
    pub composition: i32,
    /// Whether decoding can begin here.
    pub sync: bool,
    /// The frame.
    pub data: Bytes,
}

/// The samples of one track in a fragment.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The track's id.
    pub track: u32,
    /// Decode time of the first sample, ticks.
    pub base_time: u64,
    /// The samples; a run without any is left out.
    pub samples: &'a [Sample],
}

/// `sample_depends_on` = 2: no other sample is needed (8.8.3.1).
const SYNC: u32 = 0x0200_0000;
/// `sample_depends_on` = 1 and `sample_is_non_sync_sample`.
const NOT_SYNC: u32 = 0x0101_0000;
/// Data offset, and for each sample its duration, size, flags and composition offset (8.8.8.1).
const TRUN_FLAGS: u32 = 0x00_0f01;
/// Offsets count from the `moof` (8.8.7.1).
const BASE_IS_MOOF: u32 = 0x02_0000;

/// Bytes of a `traf` without its samples' entries: traf 8, tfhd 16, tfdt 20, trun 20.
const TRAF: usize = 64;
/// Bytes of a sample's entry in a `trun`.
const ENTRY: usize = 16;
/// Bytes of a `moof` without its `traf`s: moof 8, mfhd 16.
const MOOF: usize = 24;

/// The fragment with this number. Numbers only have to grow within a file (8.8.5.1).
pub fn fragment(sequence: u32, runs: &[Run<'_>]) -> Bytes {
    let runs = runs.iter().filter(|run| !run.samples.is_empty());
    let head = runs.clone().fold(MOOF, |size, run| size + TRAF + run.samples.len() * ENTRY);
    let media: usize = runs.clone().flat_map(|run| run.samples).map(|sample| sample.data.len()).sum();
    let mut out = BytesMut::with_capacity(head + 8 + media);
    open(&mut out, head, b"moof");
    open(&mut out, 16, b"mfhd");
    out.put_u32(0);
    out.put_u32(sequence);
    let mut offset = head + 8;
    for run in runs.clone() {
        traf(&mut out, run, offset);
        offset += run.samples.iter().map(|sample| sample.data.len()).sum::<usize>();
    }
    open(&mut out, 8 + media, b"mdat");
    for sample in runs.flat_map(|run| run.samples) {
        out.put_slice(&sample.data);
    }
    out.freeze()
}

fn traf(out: &mut BytesMut, run: &Run<'_>, offset: usize) {
    open(out, TRAF + run.samples.len() * ENTRY, b"traf");
    open(out, 16, b"tfhd");
    out.put_u32(BASE_IS_MOOF);
    out.put_u32(run.track);
    open(out, 20, b"tfdt");
    out.put_u32(1 << 24);
    out.put_u64(run.base_time);
    open(out, 20 + run.samples.len() * ENTRY, b"trun");
    // Version 1: composition offsets have a sign.
    out.put_u32(1 << 24 | TRUN_FLAGS);
    out.put_u32(short(run.samples.len()));
    out.put_u32(short(offset));
    for sample in run.samples {
        out.put_u32(sample.duration);
        out.put_u32(short(sample.data.len()));
        out.put_u32(if sample.sync { SYNC } else { NOT_SYNC });
        out.put_i32(sample.composition);
    }
}

fn open(out: &mut BytesMut, size: usize, kind: &[u8; 4]) {
    out.put_u32(short(size));
    out.put_slice(kind);
}

/// A size as boxes hold it. Frames are bounded to megabytes where they come in, so nothing is ever cut.
fn short(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mp4_atom::{Atom, Decode, Mdat, Moof};
    use proptest::prelude::*;

    fn samples() -> impl Strategy<Value = Vec<Sample>> {
        let sample =
            (1u32..100_000, -90_000i32..90_000, any::<bool>(), proptest::collection::vec(any::<u8>(), 0..50));
        let sample = sample.prop_map(|(duration, composition, sync, data)| Sample {
            duration,
            composition,
            sync,
            data: data.into(),
        });
        proptest::collection::vec(sample, 0..6)
    }

    proptest! {
        #[test]
        fn another_reader_finds_what_was_written(
            sequence: u32, base in any::<[u64; 2]>(), video in samples(), audio in samples(),
        ) {
            let runs = [Run { track: 1, base_time: base[0], samples: &video }, Run { track: 2, base_time: base[1], samples: &audio }];
            let bytes = fragment(sequence, &runs);
            let mut rest = bytes.as_ref();
            let moof = Moof::decode(&mut rest).unwrap();
            let head = bytes.len() - rest.len();
            let media = Mdat::decode(&mut rest).unwrap();
            prop_assert!(rest.is_empty());
            prop_assert_eq!(moof.mfhd.sequence_number, sequence);
            let runs: Vec<_> = runs.into_iter().filter(|run| !run.samples.is_empty()).collect();
            prop_assert_eq!(moof.traf.len(), runs.len());
            let mut at = head + 8;
            for (traf, run) in moof.traf.iter().zip(&runs) {
                prop_assert_eq!(traf.tfhd.track_id, run.track);
                prop_assert_eq!(traf.tfdt.as_ref().unwrap().base_media_decode_time, run.base_time);
                let trun = &traf.trun[0];
                prop_assert_eq!(usize::try_from(trun.data_offset.unwrap()).unwrap(), at);
                prop_assert_eq!(trun.samples.len(), run.samples.len());
                for (entry, sample) in trun.samples.iter().zip(run.samples) {
                    prop_assert_eq!(entry.duration, Some(sample.duration));
                    prop_assert_eq!(entry.cts, Some(i64::from(sample.composition)));
                    prop_assert_eq!(entry.flags.unwrap() & 0x1_0000 == 0, sample.sync);
                    let size = entry.size.unwrap() as usize;
                    prop_assert_eq!(&bytes[at..at + size], sample.data.as_ref());
                    at += size;
                }
            }
            prop_assert_eq!(at, bytes.len());
            prop_assert_eq!(media.data.len(), at - head - 8);
            let _ = Moof::KIND;
        }
    }
}
