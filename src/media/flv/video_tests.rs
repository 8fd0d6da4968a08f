//! Video of publishers that say in front what they send, late, wrongly, or not at all.

use super::*;
use crate::media::frame::Nals;
use bytes::{BufMut, BytesMut};

const SPS: &[u8] = &[
    0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
    0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60,
];
const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];
const IDR: &[u8] = &[0x65, 0x88, 0x80, 0x40];
const H265: [&[u8]; 4] = [
    &[
        0x40, 0x01, 0x0c, 0x01, 0xff, 0xff, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00,
        0x00, 0x03, 0x00, 0x3c, 0x95, 0x94, 0x09,
    ],
    &[
        0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, 0x00,
        0x3c, 0xa0, 0x0a, 0x08, 0x0c, 0x1f, 0x3e, 0x59, 0x59, 0x52, 0x93, 0x0b, 0xc0, 0x5a, 0x02, 0x00, 0x00,
        0x03, 0x00, 0x02, 0x00, 0x00, 0x03, 0x00, 0x32, 0x10,
    ],
    &[0x44, 0x01, 0xc0, 0x73, 0xc1, 0x89],
    &[0x26, 0x01, 0xac, 0x74],
];
/// SVT-AV1's record, and its keyframe's header, which is another; libvpx's keyframe.
const AV1: &[u8] =
    &[0x81, 0x00, 0x0c, 0x00, 0x0a, 0x0b, 0x02, 0x00, 0x00, 0x05, 0x21, 0xe7, 0xf6, 0x60, 0x17, 0xc0, 0x02];
const AV1_KEY: &[u8] =
    &[0x12, 0, 0x0a, 0x0b, 0x02, 0, 0, 0x05, 0x21, 0xe7, 0xf6, 0x62, 0x57, 0xc8, 0x02, 0x32, 2, 0x10, 0];
const VP9_KEY: &[u8] = &[0x82, 0x49, 0x83, 0x42, 0x00, 0x13, 0xf0, 0x0b, 0x36, 0x06];

fn framed(size: usize, units: &[&[u8]]) -> Vec<u8> {
    let mut out = BytesMut::new();
    for unit in units {
        out.put_uint(unit.len() as u64, size);
        out.put_slice(unit);
    }
    out.to_vec()
}

fn coded(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&[0, 0, 0, 1], *unit].concat()).collect()
}

struct Bench(VideoInput<()>, Vec<Found<()>>);

impl Bench {
    fn new(codec: VideoCodec) -> Bench {
        Bench(VideoInput::new(codec), Vec::new())
    }

    fn take(&mut self, keyframe: bool, payload: &[u8]) -> Option<Oddity> {
        let payload = Bytes::copy_from_slice(payload);
        self.0.take(Picture { timestamp: 0, keyframe, payload, about: () }, &mut self.1)
    }

    fn configure(&mut self, record: &[u8]) -> Result<(), ConfigError> {
        self.0.configure(&Bytes::copy_from_slice(record), &mut self.1)
    }

    /// Sizes of tracks and lengths of frames, in order.
    fn said(&mut self) -> Vec<String> {
        self.0.finish(&mut self.1);
        let word = |found| match found {
            Found::Track(track) => format!("{}x{}", track.width, track.height),
            Found::Picture(picture) => picture.payload.len().to_string(),
        };
        self.1.drain(..).map(word).collect()
    }
}

#[test]
fn units_are_found_behind_lengths_of_any_size_and_start_codes() {
    let h264: [&[u8]; 3] = [SPS, PPS, IDR];
    for (codec, units, size) in
        [(VideoCodec::H264, &h264[..], "1280x720"), (VideoCodec::H265, &H265[..], "320x180")]
    {
        let whole = framed(4, units);
        for (payload, odd) in [
            (whole.clone(), None),
            (framed(2, units), None),
            (framed(1, units), None),
            (coded(units), Some(Oddity::StartCodes)),
        ] {
            let mut bench = Bench::new(codec);
            assert_eq!(bench.take(true, &payload), odd);
            assert_eq!(bench.take(true, &payload), None, "said once");
            assert_eq!(bench.said(), [size.to_string(), whole.len().to_string(), whole.len().to_string()]);
        }
    }
    let mut bench = Bench::new(VideoCodec::H264);
    assert_eq!(bench.take(true, &[0xff; 20]), Some(Oddity::NoUnits));
    assert_eq!(bench.0.trouble().map(|t| t.0), Some(1));
}

#[test]
fn a_record_says_how_long_lengths_are() {
    let track = crate::media::codec::h264::track_of_sets(SPS, PPS).unwrap();
    for size in [1, 2, 4] {
        let mut record = track.config.to_vec();
        record[4] = 0xfc | (size - 1);
        let mut bench = Bench::new(VideoCodec::H264);
        bench.configure(&record).unwrap();
        // Short units, which would also read as other lengths.
        bench.take(true, &framed(size.into(), &[&[0x41, 1], &[0x41, 2]]));
        assert_eq!(bench.said(), ["1280x720", "12"], "{size}");
        let Some(known) = bench.0.known() else { panic!("no track") };
        assert_eq!(known, &track, "the track says 4");
    }
    // The reserved 3: its sets count all the same.
    let mut record = track.config.to_vec();
    record[4] = 0xfe;
    let mut bench = Bench::new(VideoCodec::H264);
    assert_eq!((bench.configure(&record), bench.said()), (Ok(()), vec!["1280x720".to_string()]));
    let mut bench = Bench::new(VideoCodec::H264);
    assert!(bench.configure(&record[..9]).is_err() && bench.configure(&[0; 70_000]).is_err());
    bench.take(true, &framed(4, &[SPS, PPS, IDR]));
    assert_eq!(bench.said(), ["1280x720", "48"]);
}

#[test]
fn av1_says_its_size_in_its_sequence_header() {
    let mut bench = Bench::new(VideoCodec::Av1);
    bench.take(false, &[0x12, 0, 0x32, 2, 0x30, 1]);
    assert!(bench.0.trouble().is_some() && bench.said().is_empty());
    bench.take(true, AV1_KEY);
    bench.take(true, AV1_KEY);
    assert_eq!(bench.said(), ["320x180", "19", "19"]);
    assert_eq!(bench.0.trouble(), None);
    // Of record and frames the frames count; the record once more is no news.
    let mut bench = Bench::new(VideoCodec::Av1);
    for _ in 0..3 {
        bench.configure(AV1).unwrap();
        bench.take(true, AV1_KEY);
    }
    assert_eq!(bench.said(), ["320x180", "320x180", "19", "19", "19"]);
    // Headers alone go with the next frame.
    let (headers, frame) = AV1_KEY.split_at(15);
    let mut bench = Bench::new(VideoCodec::Av1);
    bench.take(true, headers);
    bench.take(true, frame);
    assert_eq!(bench.said(), ["320x180", "19"]);
    let big = [&[0x2a, 0xe0, 0x5d][..], &[0; 12_000]].concat();
    (0..100).for_each(|_| assert_eq!(bench.take(false, &big), None));
    bench.take(true, frame);
    let Some(Found::Picture(picture)) = bench.1.last() else { panic!("no frame") };
    assert!(picture.payload.len() <= MOST_LOOSE + frame.len());
}

#[test]
fn vp9_says_its_size_in_its_keyframes() {
    let mut bench = Bench::new(VideoCodec::Vp9);
    bench.take(false, &[0x86, 0, 0x40, 0x92]);
    assert!(bench.0.trouble().is_some() && bench.said().is_empty());
    bench.take(true, VP9_KEY);
    bench.take(false, &[0x86, 0, 0x40, 0x92]);
    let small = [&VP9_KEY[..5], &[0x09, 0xf0, 0x05, 0x96]].concat();
    bench.take(true, &small);
    assert_eq!(bench.said(), ["320x180", "10", "4", "160x90", "9"]);
    // A record waits for the keyframe, and is kept.
    let mut bench = Bench::new(VideoCodec::Vp9);
    let record = [1, 0, 0, 0, 0, 40, 0x82, 2, 2, 2, 0, 0];
    bench.configure(&record).unwrap();
    bench.take(true, VP9_KEY);
    bench.configure(&record).unwrap();
    assert_eq!(bench.said(), ["320x180", "10"]);
    assert_eq!(bench.0.known().map(|track| &track.config[..]), Some(&record[..]));
    // A keyframe in a form that is not known: the record's word.
    let mut bench = Bench::new(VideoCodec::Vp9);
    bench.configure(&record).unwrap();
    bench.take(true, &[0x80, 1, 2, 3]);
    assert_eq!(bench.said(), ["0x0", "4"]);
}

#[test]
fn rebuilt_frames_are_whole_units() {
    let mut bench = Bench::new(VideoCodec::H264);
    bench.take(true, &coded(&[SPS]));
    bench.take(true, &coded(&[PPS]));
    bench.take(true, &coded(&[&[9, 0x10], IDR]));
    bench.0.finish(&mut bench.1);
    let Some(Found::Picture(picture)) = bench.1.last() else { panic!("no frame") };
    assert_eq!(Nals::of(&picture.payload).collect::<Vec<_>>(), [SPS, PPS, IDR]);
}
