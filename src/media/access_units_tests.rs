//! Access units of publishers of many habits: whatever they delimit, readers see each picture once, with what it needs.

use super::*;
use proptest::prelude::*;

/// x264: 1280x720 and 320x240, both with number 0.
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
const SEI: &[u8] = &[6, 5, 1, 9];
const AUD: &[u8] = &[9, 0xf0];
const FILLER: &[u8] = &[12, 0xff, 0x80];

/// x265: 640x360.
const H265: [&[u8]; 3] = [
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
];

/// The slice number `at` of picture `number`.
fn slice(codec: VideoCodec, number: u8, key: bool, at: u8) -> Vec<u8> {
    match codec {
        VideoCodec::H265 => {
            vec![if key { 0x26 } else { 0x02 }, 1, if at == 0 { 0xac } else { 0x2c }, number, at | 0x80]
        }
        // Addresses 0 (1), 1 (010), 3 (00100).
        _ => {
            let address = [0b1000_1000, 0b0100_0100, 0b0010_0001].get(usize::from(at)).copied().unwrap();
            vec![if key { 0x65 } else { 0x41 }, address, 0x80, number, at | 0x80]
        }
    }
}

fn idr(number: u8) -> Vec<u8> {
    slice(VideoCodec::H264, number, true, 0)
}

fn p(number: u8) -> Vec<u8> {
    slice(VideoCodec::H264, number, false, 0)
}

struct Bench {
    units: AccessUnits<()>,
    found: Vec<Found<()>>,
}

impl Bench {
    fn new() -> Bench {
        Bench { units: AccessUnits::new(VideoCodec::H264), found: Vec::new() }
    }

    /// A part that says no more of itself than its units do.
    fn part(&mut self, timestamp: u32, units: &[&[u8]]) -> &mut Bench {
        let payload = framing::joined(units.iter().copied());
        let part = Picture { timestamp, keyframe: false, payload, about: () };
        self.units.take(part, false, &mut self.found);
        self
    }

    fn configure(&mut self, track: &VideoTrack) -> &mut Bench {
        self.units.configure(&track.config, &mut self.found).unwrap();
        self
    }

    /// What has come out: `[width]` for a track, the units of a picture, a `K` before those of keyframes.
    fn said(&mut self) -> Vec<String> {
        self.units.finish(&mut self.found);
        let unit = |unit: &[u8]| match unit {
            _ if unit == SPS => "sps".to_string(),
            _ if unit == SMALL => "small".to_string(),
            _ if unit == PPS => "pps".to_string(),
            _ if unit == SECOND => "second".to_string(),
            _ if unit == SEI => "sei".to_string(),
            [9, ..] => "aud".to_string(),
            [_, _, _, number, _] => number.to_string(),
            other => format!("{other:?}"),
        };
        let word = |found: Found<()>| match found {
            Found::Track(track) => format!("[{}]", track.width),
            Found::Picture(picture) => {
                let units: Vec<_> = Nals::of(&picture.payload).map(unit).collect();
                format!("{}{}", if picture.keyframe { "K " } else { "" }, units.join(" "))
            }
        };
        self.found.drain(..).map(word).collect()
    }
}

fn track(sets: &[&'static [u8]]) -> VideoTrack {
    let sets: Vec<Bytes> = sets.iter().map(|set| Bytes::from_static(set)).collect();
    crate::media::codec::h264::track_of(&sets).unwrap()
}

#[test]
fn sets_are_learned_from_the_frames() {
    let said = Bench::new().part(1, &[&p(1)]).part(2, &[SPS, PPS, &idr(2)]).part(3, &[&p(3)]).said();
    assert_eq!(said, ["[1280]", "K sps pps 2", "3"]);
    // The same again is no news; others are, with the next keyframe.
    let mut bench = Bench::new();
    bench.part(1, &[SPS, PPS, &idr(1)]).part(2, &[SPS, PPS, &idr(2)]).part(3, &[SMALL, PPS, &idr(3)]);
    assert_eq!(bench.said(), ["[1280]", "K sps pps 1", "K sps pps 2", "[320]", "K small pps 3"]);
    assert_eq!(bench.units.undecodable(), 0);
}

#[test]
fn sets_alone_are_no_frame_and_go_with_the_next_keyframe() {
    let mut bench = Bench::new();
    bench.part(7, &[SPS]).part(8, &[PPS]).part(9, &[&idr(1)]).part(10, &[&p(2)]);
    assert_eq!(bench.said(), ["[1280]", "K sps pps 1", "2"]);
    // Once more in mid-stream, in front of a picture that is none.
    bench.part(11, &[SPS, PPS]).part(12, &[&p(3)]).part(13, &[&idr(4)]).part(14, &[&idr(5)]);
    assert_eq!(bench.said(), ["3", "K sps pps 4", "K 5"]);
    // Another size: the frames in between are still of the old one.
    bench.part(15, &[SMALL]).part(16, &[&p(6)]).part(17, &[&idr(7)]);
    assert_eq!(bench.said(), ["6", "[320]", "K small pps 7"]);
    // A new picture set goes with the next picture of any kind.
    bench.part(18, &[SECOND]).part(19, &[&p(8)]).part(20, &[&idr(9)]);
    assert_eq!(bench.said(), ["second 8", "[320]", "K small pps second 9"]);
}

#[test]
fn messages_and_delimiters_alone_are_no_frame() {
    let mut bench = Bench::new();
    bench.part(1, &[AUD]).part(1, &[SPS, PPS]).part(1, &[SEI]).part(1, &[&idr(1)]);
    bench.part(2, &[AUD]).part(2, &[&p(2)]).part(3, &[SEI]).part(3, &[AUD, &p(3)]).part(4, &[FILLER]);
    bench.part(5, &[AUD, &p(5)]);
    assert_eq!(bench.said(), ["[1280]", "K sps pps sei 1", "2", "sei 3", "aud 5"]);
}

#[test]
fn a_keyframe_with_a_part_of_the_sets_gets_all() {
    let mut bench = Bench::new();
    bench.part(1, &[SPS, PPS, &idr(1)]).part(2, &[SPS, &idr(2)]).part(3, &[PPS, SEI, &idr(3)]);
    assert_eq!(bench.said(), ["[1280]", "K sps pps 1", "K sps pps 2", "K sps pps sei 3"]);
}

#[test]
fn sets_between_slices_are_in_front_of_all_of_them_or_gone() {
    let second = |number, key| slice(VideoCodec::H264, number, key, 1);
    let mut bench = Bench::new();
    // As GStreamer repeats them: the readers see one picture.
    bench.part(1, &[SPS, PPS, &idr(1), SPS, PPS, &second(1, true)]);
    bench.part(2, &[&p(2), SPS, PPS, &second(2, false)]).part(3, &[&idr(3)]).part(4, &[&idr(4)]);
    assert_eq!(bench.said(), ["[1280]", "K sps pps 1 1", "2 2", "K sps pps 3", "K 4"]);
}

#[test]
fn a_configuration_that_comes_late_still_serves() {
    let mut bench = Bench::new();
    bench.part(1, &[&p(1)]).part(2, &[&idr(2)]).part(3, &[&p(3)]).part(4, &[&idr(4)]).part(5, &[&p(5)]);
    assert_eq!((bench.said().len(), bench.units.undecodable()), (0, 5));
    bench.configure(&track(&[SPS, PPS])).part(6, &[&p(6)]);
    assert_eq!(bench.said(), ["[1280]", "K 4", "5", "6"]);
    // Sets that come behind their keyframe.
    let said = Bench::new().part(1, &[&idr(1)]).part(2, &[SPS, PPS]).part(3, &[&p(2)]).said();
    assert_eq!(said, ["[1280]", "K 1", "pps 2"]);
}

#[test]
fn frames_know_better_than_a_configuration() {
    let mut bench = Bench::new();
    bench.configure(&track(&[SPS, PPS])).part(1, &[SMALL, PPS, &idr(1)]).part(2, &[&p(2)]);
    assert_eq!(bench.said(), ["[1280]", "[320]", "K small pps 1", "2"]);
    // The configuration again and again is no news while frames bring their own.
    bench.configure(&track(&[SPS, PPS])).part(3, &[SMALL, PPS, &idr(3)]);
    assert_eq!(bench.said(), ["K small pps 3"]);
    // Once they do not, it counts.
    bench.configure(&track(&[SPS, PPS])).part(4, &[&p(4)]).part(5, &[&idr(5)]);
    assert_eq!(bench.said(), ["4", "[1280]", "K 5"]);
    bench.part(6, &[&idr(6)]).configure(&track(&[SMALL, PPS])).part(7, &[&idr(7)]);
    assert_eq!(bench.said(), ["K 6", "[320]", "K 7"]);
}

#[test]
fn broken_configurations_change_nothing_and_may_still_help() {
    let whole = track(&[SPS, PPS]).config;
    let mut bench = Bench::new();
    bench.units.configure(&whole, &mut bench.found).unwrap();
    for end in 0..whole.len() - 5 {
        assert!(bench.units.configure(&whole.slice(..end), &mut bench.found).is_err(), "{end}");
    }
    bench.part(1, &[&idr(1)]);
    assert_eq!(bench.said(), ["[1280]", "K 1"]);
    // The first set of a record whose second is cut off, and the second from a frame.
    let mut bench = Bench::new();
    assert!(bench.units.configure(&whole.slice(..whole.len() - 8), &mut bench.found).is_err());
    bench.part(1, &[PPS, &idr(1)]);
    assert_eq!(bench.said(), ["[1280]", "K sps pps 1"]);
    // Sets behind start codes where a record should be.
    let mut bench = Bench::new();
    let coded = [&[0, 0, 0, 1], SPS, &[0, 0, 1], PPS].concat();
    bench.units.configure(&coded.into(), &mut bench.found).unwrap();
    assert_eq!(bench.said(), ["[1280]"]);
}

#[test]
fn what_waits_is_bounded() {
    let mut bench = Bench::new();
    for timestamp in 0..10_000 {
        bench.part(timestamp, &[&[6, 5, 200, timestamp as u8], SPS, PPS]);
    }
    assert!(bench.units.loose.len() <= MOST_LOOSE);
    let big = [&idr(1)[..], &vec![1; 1 << 20]].concat();
    let mut early = Bench::new();
    for timestamp in 0..100 {
        early.part(timestamp, &[if timestamp == 0 { &big } else { &big[..big.len() / 2] }]);
        let held: usize = early.units.early.iter().map(|p| p.payload.len()).sum();
        assert!(held <= MOST_EARLY_BYTES && early.units.early.len() <= MOST_EARLY);
    }
}

/// How a publisher delimits.
#[derive(Clone, Copy, Debug)]
struct Habit {
    /// Every unit is a part of its own.
    alone: bool,
    /// Sets have another time than their picture.
    elsewhere: bool,
    delimiters: bool,
    messages: bool,
    slices: u8,
}

fn habit() -> impl Strategy<Value = Habit> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), 1..=3_u8).prop_map(
        |(alone, elsewhere, delimiters, messages, slices)| Habit {
            alone,
            elsewhere,
            delimiters,
            messages,
            slices,
        },
    )
}

proptest! {
    #[test]
    fn each_picture_is_one_frame_whatever_its_publisher_delimits(
        habit in habit(), h265: bool, keys in prop::collection::vec(any::<bool>(), 1..12),
    ) {
        let codec = if h265 { VideoCodec::H265 } else { VideoCodec::H264 };
        let mut units = AccessUnits::new(codec);
        let mut found = Vec::new();
        let (delimiter, message): (&[u8], &[u8]) = if h265 { (&[0x46, 1, 0x50], &[0x4e, 1, 5, 1]) } else { (AUD, SEI) };
        let sets: &[&[u8]] = if h265 { &H265 } else { &[SPS, PPS] };
        for (number, key) in keys.iter().enumerate() {
            let key = *key || number == 0;
            let time = 1000 + number as u32 * 40;
            let mut all: Vec<(u32, Vec<u8>)> = Vec::new();
            if habit.delimiters {
                all.push((time, delimiter.to_vec()));
            }
            if key {
                let time = if habit.elsewhere { time - 7 } else { time };
                all.extend(sets.iter().map(|set| (time, set.to_vec())));
            }
            if habit.messages {
                all.push((time, message.to_vec()));
            }
            all.extend((0..habit.slices).map(|at| (time, slice(codec, number as u8, key, at))));
            let together = |(a, _): &(u32, Vec<u8>), (b, _): &(u32, Vec<u8>)| !habit.alone && a == b;
            for part in all.chunk_by(together) {
                let payload = framing::joined(part.iter().map(|(_, unit)| &unit[..]));
                let part = Picture { timestamp: part[0].0, keyframe: false, payload, about: number };
                units.take(part, false, &mut found);
            }
        }
        units.finish(&mut found);
        prop_assert!(matches!(&found[0], Found::Track(track) if track.width > 0));
        prop_assert_eq!(found.len(), 1 + keys.len(), "the track once, each picture once");
        for (number, one) in found[1..].iter().enumerate() {
            let Found::Picture(picture) = one else { panic!("a track in mid-stream") };
            let key = keys[number] || number == 0;
            prop_assert_eq!((picture.about, picture.keyframe), (number, key));
            prop_assert_eq!(picture.timestamp, 1000 + number as u32 * 40);
            let inside: Vec<&[u8]> = Nals::of(&picture.payload).collect();
            let slices: Vec<Vec<u8>> = (0..habit.slices).map(|at| slice(codec, number as u8, key, at)).collect();
            prop_assert!(inside.ends_with(&slices.iter().map(|s| &s[..]).collect::<Vec<_>>()));
            let is_set = |unit: &&&[u8]| matches!(nal::role(codec, unit), Role::Set(_));
            let brought: Vec<&[u8]> = inside.iter().filter(is_set).copied().collect();
            prop_assert_eq!(brought, if key { sets.to_vec() } else { vec![] });
        }
    }

    #[test]
    fn any_parts_are_borne(parts in prop::collection::vec(
        (0..4_u32, any::<bool>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)), 0..40,
    )) {
        for codec in [VideoCodec::H264, VideoCodec::H265] {
            let (mut units, mut found) = (AccessUnits::new(codec), Vec::new());
            for (timestamp, keyframe, lost, bytes) in &parts {
                if *lost && *keyframe {
                    let _ = units.configure(&Bytes::copy_from_slice(bytes), &mut found);
                }
                let payload = framing::joined(bytes.chunks(5));
                units.take(Picture { timestamp: *timestamp, keyframe: *keyframe, payload, about: () }, *lost, &mut found);
            }
            units.finish(&mut found);
            for one in &found {
                if let Found::Picture(picture) = one {
                    prop_assert!(Nals::of(&picture.payload).any(|unit| nal::role(codec, unit) == Role::Slice));
                }
            }
        }
    }
}
