//! Publishers that delimit what is no picture: a marker on every NAL unit, parameter sets under another time.

use super::*;
use crate::media::codec::{h264, h265};
use crate::media::frame::Nals;
use crate::media::{VideoCodec, VideoTrack};
use proptest::prelude::*;

const H264: [&[u8]; 2] = [
    &[
        0x67, 0x64, 0, 0x1f, 0xac, 0xd9, 0x40, 0x50, 5, 0xbb, 1, 0x10, 0, 0, 3, 0, 0x10, 0, 0, 3, 3, 0xc0,
        0xf1, 0x83, 0x19, 0x60,
    ],
    &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0],
];
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

fn sets(codec: VideoCodec) -> &'static [&'static [u8]] {
    if codec == VideoCodec::H265 { &H265 } else { &H264 }
}

fn track(codec: VideoCodec) -> VideoTrack {
    let sets: Vec<Bytes> = sets(codec).iter().map(|set| Bytes::from_static(set)).collect();
    if codec == VideoCodec::H265 { h265::track_of(&sets).unwrap() } else { h264::track_of(&sets).unwrap() }
}

fn slice(codec: VideoCodec, number: u8, key: bool, first: bool) -> Vec<u8> {
    match (codec, key) {
        (VideoCodec::H265, _) => {
            vec![if key { 0x26 } else { 0x02 }, 1, if first { 0xac } else { 0x2c }, number]
        }
        _ => vec![if key { 0x65 } else { 0x41 }, if first { 0x88 } else { 0x44 }, 0x80, number],
    }
}

#[derive(Clone, Copy, Debug)]
struct Habit {
    codec: VideoCodec,
    described: bool,
    /// Sets in the stream, under their picture's time or another.
    sets: Option<bool>,
    slices: u8,
    /// A marker on every unit, not only on the last.
    markers: bool,
    datagrams: bool,
}

/// The packets of `count` frames, every fifth a keyframe: payload, time, marker.
fn sent(habit: Habit, count: u8) -> Vec<Bytes> {
    let mut out = Vec::new();
    let mut put = |unit: &[u8], timestamp: u32, marker: bool| {
        let mut packet = BytesMut::new();
        let header = Header { marker, payload_type: 96, sequence: out.len() as u16, timestamp, ssrc: 7 };
        header.write(&mut packet);
        packet.extend_from_slice(unit);
        out.push(packet.freeze());
    };
    for number in 0..count {
        let time = u32::from(number) * 3600;
        let key = number % 5 == 0;
        if let (true, Some(elsewhere)) = (key, habit.sets) {
            let time = if elsewhere { time.wrapping_sub(90) } else { time };
            sets(habit.codec).iter().for_each(|set| put(set, time, habit.markers));
        }
        for at in 0..habit.slices {
            let last = at + 1 == habit.slices;
            put(&slice(habit.codec, number, key, at == 0), time, habit.markers || last);
        }
    }
    out
}

fn frames(habit: Habit, packets: &[Bytes]) -> Vec<Frame> {
    let format = Format::Video(habit.codec, habit.described.then(|| track(habit.codec)));
    let described = [Described { control: String::new(), payload_type: 96, clock: 90_000, format }];
    let counters = Counters::default();
    let (mut ingest, mut steps) = (
        Ingest::new(&described, |_| true, if habit.datagrams { Way::Datagrams } else { Way::Stream }),
        Vec::new(),
    );
    ingest.begin(&mut steps);
    for (number, packet) in packets.iter().enumerate() {
        let arrival = Duration::from_millis(number as u64 * 100);
        ingest.rtp(0, packet, arrival, &counters, &mut steps);
    }
    ingest.finish(&mut steps);
    assert_eq!(ingest.due(), None);
    let headers = steps.iter().filter(|step| matches!(step, IngestStep::Headers(_))).count();
    assert_eq!(headers, 1, "{habit:?}: the track once");
    steps
        .into_iter()
        .filter_map(|step| if let IngestStep::Frame(frame) = step { Some(frame) } else { None })
        .collect()
}

fn habits() -> impl Strategy<Value = Habit> {
    let codec = prop_oneof![Just(VideoCodec::H264), Just(VideoCodec::H265)];
    let sets = prop_oneof![Just(None), Just(Some(false)), Just(Some(true))];
    (codec, any::<bool>(), sets, 1..=3_u8, any::<bool>(), any::<bool>()).prop_map(
        |(codec, described, sets, slices, markers, datagrams)| {
            let described = described || sets.is_none();
            // Who shows no sign of it before the first picture has that in two pieces, once.
            let slices = if sets.is_none() && markers { 1 } else { slices };
            Habit { codec, described, sets, slices, markers, datagrams }
        },
    )
}

proptest! {
    #[test]
    fn readers_see_each_picture_once(habit in habits(), overtakes: bool) {
        let mut packets = sent(habit, 12);
        if habit.datagrams && overtakes {
            // Every third packet comes before the one before it; the first stays, it says where counting begins.
            packets[1..].chunks_mut(3).filter(|three| three.len() == 3).for_each(|three| three.swap(1, 2));
        }
        let all = frames(habit, &packets);
        prop_assert_eq!(all.len(), 12);
        for (number, frame) in all.iter().enumerate() {
            prop_assert_eq!(frame.keyframe, number % 5 == 0);
            let units: Vec<&[u8]> = Nals::of(&frame.payload).collect();
            let own: Vec<Vec<u8>> =
                (0..habit.slices).map(|at| slice(habit.codec, number as u8, number % 5 == 0, at == 0)).collect();
            let brought = if habit.sets.is_some() && number % 5 == 0 { sets(habit.codec).len() } else { 0 };
            prop_assert_eq!(units.len(), brought + own.len());
            prop_assert_eq!(&units[brought..], &own.iter().map(|s| &s[..]).collect::<Vec<_>>()[..]);
        }
        let steps: Vec<i64> = all.windows(2).map(|w| (w[1].pts - w[0].pts).in_clock(1000)).collect();
        prop_assert_eq!(steps, [40; 11], "the times are the frames', not the sets'");
    }

    #[test]
    fn what_is_lost_costs_no_more_than_its_picture(habit in habits(), lost in 0..200_usize) {
        let mut packets = sent(habit, 12);
        // Behind the last picture nothing comes that would show the loss.
        let lost = lost % (packets.len() - usize::from(habit.slices));
        packets.remove(lost);
        // The first picture and its sets are needed where nothing else says them.
        prop_assume!(habit.described || lost > 5);
        let all = frames(habit, &packets);
        // What was lost may be the end of the picture before as well as the begin of the next: two are in doubt.
        prop_assert!((10..=12).contains(&all.len()), "{} of {:?}", all.len(), habit);
        // Of the first nobody knows what came before it.
        for frame in &all[usize::from(lost < 6)..] {
            let slices = Nals::of(&frame.payload).filter(|unit| !sets(habit.codec).contains(unit)).count();
            prop_assert_eq!(slices, usize::from(habit.slices), "a picture with a hole");
        }
    }
}

#[test]
fn a_picture_waits_for_its_slices_no_longer_than_it_must() {
    let described = [Described {
        control: String::new(),
        payload_type: 96,
        clock: 90_000,
        format: Format::Video(VideoCodec::H264, None),
    }];
    let counters = Counters::default();
    let (mut ingest, mut steps) = (Ingest::new(&described, |_| true, Way::Stream), Vec::new());
    let habit = Habit {
        codec: VideoCodec::H264,
        described: false,
        sets: Some(false),
        slices: 1,
        markers: true,
        datagrams: false,
    };
    let packets = sent(habit, 3);
    for packet in &packets[..3] {
        ingest.rtp(0, packet, Duration::from_millis(100), &counters, &mut steps);
    }
    assert_eq!(
        (steps.len(), ingest.due()),
        (0, Some(Duration::from_millis(300))),
        "sets with a marker: doubt"
    );
    ingest.finish(&mut steps);
    assert!(
        matches!(&steps[..], [IngestStep::Headers(_), IngestStep::Ready, IngestStep::Frame(_)]),
        "{steps:?}"
    );
    steps.clear();
    // It was whole, and so are the others: nothing waits any more.
    for packet in &packets[3..] {
        ingest.rtp(0, packet, Duration::from_millis(400), &counters, &mut steps);
        assert_eq!((steps.len(), ingest.due()), (1, None));
        steps.clear();
    }
}
