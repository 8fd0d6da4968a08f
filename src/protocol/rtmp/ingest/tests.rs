//! Publishers of many kinds: what they send, and what the hub and the log are told.

use super::*;
use crate::media::VideoTrack;
use crate::media::codec::h264;
use crate::media::flv::header;
use crate::protocol::rtmp::wire::amf0::{self, Value};
use proptest::prelude::*;

fn video_track() -> VideoTrack {
    h264::track_of_sets(
        &[
            0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00,
            0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60,
        ],
        &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0],
    )
    .unwrap()
}

fn audio_track() -> AudioTrack {
    AudioTrack::aac(Bytes::from_static(&[0x12, 0x10])).unwrap()
}

fn message(kind: u8, timestamp: u32, payload: impl Into<Bytes>) -> Message {
    Message { kind, stream: 1, timestamp, payload: payload.into() }
}

fn meta(video: bool, audio: bool) -> Message {
    let mut properties = vec![("width".to_string(), Value::Number(640.0))];
    for (yes, key) in [(video, "videocodecid"), (audio, "audiocodecid")] {
        if yes {
            properties.push((key.to_string(), Value::Number(7.0)));
        }
    }
    let values = [Value::text("@setDataFrame"), Value::text("onMetaData"), Value::EcmaArray(properties)];
    message(kind::DATA, 0, amf0::encode(&values))
}

fn picture(timestamp: u32) -> Message {
    message(kind::VIDEO, timestamp, &[0x17, 1, 0, 0, 40, 0, 0, 0, 1, 0x65][..])
}

fn audio(timestamp: u32) -> Message {
    message(kind::AUDIO, timestamp, &[0xaf, 1, 9][..])
}

fn video_header() -> Message {
    message(kind::VIDEO, 0, header::video(&video_track()))
}

fn audio_header() -> Message {
    message(kind::AUDIO, 0, header::audio(&audio_track()))
}

/// What a step is, in a word, with the time of a frame.
fn words(messages: Vec<Message>) -> Vec<String> {
    let mut ingest = Ingest::default();
    let mut steps = Vec::new();
    for message in messages {
        ingest.take(message, Duration::ZERO, &mut steps).unwrap();
    }
    ingest.finish(&mut steps);
    let word = |step: &IngestStep| match step {
        IngestStep::Headers(tracks) => {
            format!("headers {} {}", tracks.video().is_some(), tracks.audio().is_some())
        }
        IngestStep::Metadata(_) => "metadata".into(),
        IngestStep::Ready => "ready".into(),
        IngestStep::Frame(frame) => {
            let number = match frame.track.index() {
                0 => String::new(),
                index => index.to_string(),
            };
            format!("{:?}{number} {}", frame.track.kind(), frame.dts.millis())
        }
        IngestStep::Note(note) => note.to_string(),
    };
    steps.iter().map(word).collect()
}

#[test]
fn both_headers_make_it_ready() {
    let sent = vec![
        meta(true, true),
        video_header(),
        audio_header(),
        picture(0),
        audio(5),
        video_header(),
        picture(40),
    ];
    assert_eq!(words(sent), ["metadata", "headers true true", "ready", "Video 0", "Audio 5", "Video 40"]);
    // The second header comes behind frames: they wait for it.
    let sent = vec![video_header(), picture(0), picture(40), audio_header(), audio(20)];
    assert_eq!(words(sent), ["headers true true", "ready", "Video 0", "Video 40", "Audio 20"]);
}

/// This tag of one track as a message of [`multitrack`], as this track's.
fn of_track(track: u8, tag: Message) -> Message {
    let kind = if tag.kind == kind::VIDEO { 0x96 } else { 0x95 };
    let first = tag.payload[0];
    let head = [(first & 0xf0) | (kind & 0x0f), first & 0x0f];
    Message { payload: [&head[..], &tag.payload[1..5], &[track], &tag.payload[5..]].concat().into(), ..tag }
}

/// Tags of enhanced RTMP.
fn enhanced(kind: u8, timestamp: u32, packet: u8, codec: &[u8; 4], data: &[u8]) -> Message {
    message(kind, timestamp, [&[packet][..], codec, data].concat())
}

#[test]
fn several_tracks_begin_together_and_each_has_a_line_of_its_own() {
    let config = video_track().config;
    let sets = |track| of_track(track, enhanced(kind::VIDEO, 0, 0x90, b"avc1", &config));
    let frame = |track, ms| of_track(track, enhanced(kind::VIDEO, ms, 0x93, b"avc1", &[0, 0, 0, 1, 0x65]));
    let opus = |track, ms| of_track(track, enhanced(kind::AUDIO, ms, 0x91, b"Opus", &[0xfc, 5]));
    let mut ingest = Ingest::default();
    let mut steps = Vec::new();
    let sent = vec![
        meta(true, true),
        video_header(),
        audio_header(),
        // As ffmpeg and OBS do: the further tracks are described before the first frame.
        sets(1),
        of_track(1, enhanced(kind::AUDIO, 0, 0x90, b"mp4a", &[0x11, 0x90])),
        picture(40),
        frame(1, 40),
        audio(30),
        of_track(1, enhanced(kind::AUDIO, 20, 0x91, b"mp4a", &[9])),
        opus(2, 60),
    ];
    for message in sent {
        ingest.take(message, Duration::ZERO, &mut steps).unwrap();
    }
    let [IngestStep::Metadata(_), IngestStep::Headers(tracks), IngestStep::Ready, frames @ ..] = &steps[..]
    else {
        panic!("{steps:?}")
    };
    let ids: Vec<String> = tracks.ids().map(|id| id.to_string()).collect();
    assert_eq!(ids, ["video", "video 2", "audio", "audio 2"]);
    assert_eq!(tracks.audios().map(|(_, audio)| audio.sample_rate).collect::<Vec<_>>(), [44_100, 48_000]);
    let told: Vec<String> = frames
        .iter()
        .map(|step| match step {
            IngestStep::Frame(frame) => format!("{} {}", frame.track, frame.dts.millis()),
            IngestStep::Headers(tracks) => format!("{} tracks", tracks.ids().count()),
            IngestStep::Note(note) => note.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    let late = "its audio 3 comes late: the stream goes on with it";
    assert_eq!(told, ["video 40", "video 2 40", "audio 30", "audio 2 20", "5 tracks", late, "audio 3 60"]);
}

#[test]
fn further_tracks_that_cannot_be_carried_are_left_out_by_name() {
    let sent = vec![
        video_header(),
        audio_header(),
        of_track(1, enhanced(kind::AUDIO, 0, 0x91, b"ac-3", &[9])),
        of_track(9, enhanced(kind::AUDIO, 0, 0x91, b"Opus", &[0xfc, 5])),
        message(kind::AUDIO, 0, &[0x95, 0x31, 1, 2, 3][..]),
        picture(0),
    ];
    let left_out = "its audio 2 is left out: the codec with the FourCC 'ac-3' is not carried";
    let many = "it has more tracks of audio than 8: the others are left out";
    assert_eq!(words(sent), [left_out, many, "headers true true", "ready", "Video 0"]);
    let first = of_track(0, enhanced(kind::AUDIO, 0, 0x91, b"ac-3", &[9]));
    assert!(Ingest::default().take(first, Duration::ZERO, &mut Vec::new()).is_err(), "as without a number");
}

#[test]
fn metadata_say_that_there_is_only_one() {
    assert_eq!(
        words(vec![meta(true, false), video_header(), picture(0)]),
        ["metadata", "headers true false", "ready", "Video 0"]
    );
    assert_eq!(
        words(vec![meta(false, true), audio_header(), audio(0)]),
        ["metadata", "headers false true", "ready", "Audio 0"]
    );
    // They may be wrong.
    let sent = vec![meta(true, false), video_header(), picture(0), audio_header(), audio(5)];
    assert_eq!(
        words(sent),
        [
            "metadata",
            "headers true false",
            "ready",
            "Video 0",
            "headers true true",
            "its audio comes late: the stream goes on with it",
            "Audio 5"
        ]
    );
}

#[test]
fn a_second_without_the_other_is_enough() {
    let mut sent = vec![meta(true, true), audio_header()];
    sent.extend((0..=50).map(|i| audio(i * 20)));
    let said = words(sent.clone());
    let missing = "its metadata announce video that does not come: it begins without";
    assert_eq!(said[..5], ["metadata", missing, "headers false true", "ready", "Audio 0"]);
    sent.pop();
    assert_eq!(words(sent), ["metadata"]);
    // Times that stand still are no reason to hold for ever.
    let mut sent = vec![audio_header()];
    sent.extend((0..MOST_HELD).map(|_| audio(0)));
    assert_eq!(words(sent).len(), 2 + MOST_HELD);
}

#[test]
fn data_travels_and_orders_do_not() {
    let data = |name: &str| message(kind::DATA, 7, amf0::encode(&[Value::text(name), Value::Null]));
    let sent = vec![
        audio_header(),
        video_header(),
        data("onCuePoint"),
        data("@clearDataFrame"),
        message(kind::DATA, 7, &[][..]),
        picture(8),
    ];
    assert_eq!(words(sent), ["headers true true", "ready", "Data 7", "Video 8"]);
}

#[test]
fn codecs_that_are_not_carried_end_it() {
    let legacy = message(kind::VIDEO, 0, &[0x12, 0, 0, 0][..]);
    let error = Ingest::default().take(legacy, Duration::ZERO, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().starts_with("Sorenson H.263 is not carried"));
    let short = message(kind::VIDEO, 0, &[0x91, b'a'][..]);
    assert_eq!(Ingest::default().take(short, Duration::ZERO, &mut Vec::new()), Ok(()));
}

#[test]
fn composition_and_nanoseconds_are_kept() {
    let mut ingest = Ingest::default();
    let mut steps = Vec::new();
    for message in [
        meta(true, false),
        video_header(),
        message(
            kind::VIDEO,
            1000,
            [&[0xa7, 2, 0, 0, 9, 1][..], b"avc1", &[0, 0, 80, 0, 0, 0, 1, 0x41]].concat(),
        ),
    ] {
        ingest.take(message, Duration::ZERO, &mut steps).unwrap();
    }
    let Some(IngestStep::Frame(frame)) = steps.last() else { panic!("no frame") };
    assert_eq!((frame.dts.nanos(), frame.pts.nanos()), (1_000_000_009, 1_080_000_009));
    assert!(!frame.keyframe);
}

#[test]
fn metadata_that_cannot_be_read_are_left_out_and_the_stream_goes_on() {
    let name = amf0::encode(&[Value::text("onMetaData")]);
    for tail in [&[10, 0, 0, 0, 1].repeat(40)[..], &[0, 1], &[0xee], &[5], &[8; 100_000]] {
        let bad = message(kind::DATA, 0, [&name, tail].concat());
        let sent = vec![bad.clone(), video_header(), audio_header(), picture(0), bad, picture(40)];
        let said = words(sent);
        assert!(said[0].starts_with("a data message") && said[0].ends_with(": it is left out"), "{said:?}");
        assert_eq!(said[1..], ["headers true true", "ready", "Video 0", "Video 40"]);
    }
    // What was readable before counts still.
    let bad = message(kind::DATA, 0, [&name[..], &[0, 1]].concat());
    let said = words(vec![meta(true, false), bad, video_header(), picture(0)]);
    assert_eq!(said[2..], ["headers true false", "ready", "Video 0"]);
}

/// A picture of NAL units as they are to come.
fn coded(timestamp: u32, keyframe: bool, payload: &[u8]) -> Message {
    let tag = [&[if keyframe { 0x17 } else { 0x27 }, 1, 0, 0, 0][..], payload].concat();
    message(kind::VIDEO, timestamp, tag)
}

fn units(units: &[&[u8]]) -> Vec<u8> {
    crate::media::codec::framing::joined(units.iter().copied()).to_vec()
}

#[test]
fn sets_are_learned_from_keyframes() {
    let sets = video_track().parameter_sets();
    let key = units(&[&sets[0], &sets[1], &[0x65, 0x88, 0x80, 1]]);
    let codes =
        [&[0, 0, 0, 1], &sets[0][..], &[0, 0, 0, 1], &sets[1], &[0, 0, 1, 0x65, 0x88, 0x80, 1]].concat();
    for (payload, note) in [(key, None), (codes, Some("its video has start codes"))] {
        let sent = vec![meta(true, true), audio_header(), audio(0), coded(0, true, &payload), audio(20)];
        let mut said = words(sent);
        said.retain(|word| note.is_none_or(|note| !word.starts_with(note)));
        assert_eq!(said, ["metadata", "headers true true", "ready", "Audio 0", "Video 0", "Audio 20"]);
    }
    // A second of audio is not enough to give up video that comes: its group of pictures has to end first.
    let sets = video_track().parameter_sets();
    let key = units(&[&sets[0], &sets[1], &[0x65, 0x88, 0x80, 1]]);
    let mut sent = vec![audio_header()];
    for n in 0..100 {
        sent.push(audio(n * 40));
        sent.push(if n == 99 {
            coded(n * 40, true, &key)
        } else {
            coded(n * 40, false, &units(&[&[0x41, 0x9a, 1]]))
        });
    }
    let said = words(sent);
    assert_eq!(said[..2], ["headers true true", "ready"]);
    assert_eq!(said.iter().filter(|word| word.starts_with("Video")).count(), 1);
}

#[test]
fn sets_alone_are_no_frame_and_their_time_does_not_count() {
    let sets = video_track().parameter_sets();
    let mut sent = vec![meta(true, false)];
    for n in 0..3 {
        let at = 100_000 + n * 1000;
        // Their time is always zero.
        sent.extend([coded(0, true, &units(&[&sets[0]])), coded(0, true, &units(&[&sets[1]]))]);
        sent.push(coded(at, true, &units(&[&[0x65, 0x88, 0x80, 1]])));
        sent.push(coded(at + 40, false, &units(&[&[6, 5, 1]])));
        sent.push(coded(at + 40, false, &units(&[&[0x41, 0x9a, 1]])));
    }
    let said = words(sent);
    assert_eq!(said[..3], ["metadata", "headers true false", "ready"]);
    let times = ["100000", "100040", "101000", "101040", "102000", "102040"].map(|t| format!("Video {t}"));
    assert_eq!(said[3..], times);
}

#[test]
fn slices_in_messages_of_their_own_are_one_picture_from_the_first_on() {
    let sets = video_track().parameter_sets();
    let (mut ingest, mut steps) = (Ingest::default(), Vec::new());
    let mut send = |ingest: &mut Ingest, at: u32, unit: &[u8]| {
        let now = Duration::from_millis(at.into());
        ingest.take(coded(at, true, &units(&[unit])), now, &mut steps).unwrap();
        let frames = steps.drain(..).filter_map(|step| match step {
            IngestStep::Frame(frame) => Some(frame.nals().count()),
            _ => None,
        });
        frames.collect::<Vec<_>>()
    };
    ingest.take(meta(true, false), Duration::ZERO, &mut Vec::new()).unwrap();
    for set in &sets {
        assert_eq!(send(&mut ingest, 0, set), [0; 0]);
    }
    let slices: [&[u8]; 3] = [&[0x65, 0x88, 0x80, 1], &[0x65, 0x44, 0x80, 1], &[0x65, 0x21, 0x80, 1]];
    for (number, at) in [0, 40, 80].into_iter().enumerate() {
        for (slice, part) in slices.iter().zip(0..) {
            // The first slice of the next shows that the one before is whole; the first picture has its sets.
            let whole = if number == 1 { vec![5] } else { vec![3] };
            let wanted = if part == 0 && number > 0 { whole } else { vec![] };
            assert_eq!(send(&mut ingest, at, slice), wanted, "{number} {part}");
        }
        assert_eq!(ingest.due(), Some(Duration::from_millis(u64::from(at) + 200)));
    }
    let mut last = Vec::new();
    ingest.finish(&mut last);
    assert!(matches!(&last[..], [IngestStep::Frame(frame)] if frame.nals().count() == 3));
    assert_eq!(ingest.due(), None);
}

#[test]
fn what_nobody_can_decode_is_said_and_what_is_nothing_else_is_refused() {
    let idr = units(&[&[0x65, 0x88, 0x80, 1]]);
    // With audio the stream begins without.
    let mut sent = vec![meta(true, true), audio_header()];
    sent.extend((0..300).flat_map(|n| [audio(n * 21), coded(n * 21, n % 50 == 0, &idr)]));
    let said = words(sent);
    assert!(said[1].starts_with("its video cannot be decoded: neither a sequence header"), "{}", said[1]);
    assert_eq!(said[2..4], ["headers false true", "ready"]);
    assert!(!said.iter().any(|word| word.contains("does not come")), "it does come");
    // Without it is refused, in time or in number.
    for step in [0, 40] {
        let mut ingest = Ingest::default();
        let mut sent = (0..3000).map(|n| coded(n * step, true, &idr));
        let error = sent
            .find_map(|message| ingest.take(message, Duration::ZERO, &mut Vec::new()).err())
            .unwrap()
            .to_string();
        assert!(error.starts_with("its video cannot be decoded: neither a sequence header"), "{error}");
    }
    let mut ingest = Ingest::default();
    let error =
        (0..3000).find_map(|n| ingest.take(audio(n * 21), Duration::ZERO, &mut Vec::new()).err()).unwrap();
    assert_eq!(error.to_string(), "its audio cannot be decoded: its AAC comes without a sequence header");
    let mut ingest = Ingest::default();
    let error = (0..3000)
        .find_map(|n| ingest.take(coded(n, true, &[0xff; 30]), Duration::ZERO, &mut Vec::new()).err())
        .unwrap();
    assert!(error.to_string().contains("neither behind lengths nor behind start codes"), "{error}");
}

#[test]
fn broken_configurations_are_said_and_the_stream_goes_on() {
    let sets = video_track().parameter_sets();
    let key = units(&[&sets[0], &sets[1], &[0x65, 0x88, 0x80, 1]]);
    let broken = message(kind::VIDEO, 0, &[0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 200, 1][..]);
    let empty = message(kind::VIDEO, 0, &[0x17, 0, 0, 0, 0][..]);
    let said = words(vec![
        meta(true, false),
        empty,
        broken.clone(),
        coded(0, true, &key),
        broken,
        coded(40, true, &key),
    ]);
    assert!(said[1].starts_with("a configuration of its video cannot be used ("), "{said:?}");
    assert_eq!(said[2..], ["headers true false", "ready", "Video 0", "Video 40"]);
    let broken = message(kind::AUDIO, 0, &[0xaf, 0, 0x16, 0x88][..]);
    let said = words(vec![broken, video_header(), audio_header(), picture(0), audio(0)]);
    assert!(said[0].starts_with("a configuration of its audio cannot be used ("), "{said:?}");
    assert_eq!(said[1..], ["headers true true", "ready", "Video 0", "Audio 0"]);
}

#[test]
fn adts_is_taken_off() {
    let adts = [0xaf, 1, 0xff, 0xf1, 0x50, 0x80, 0x01, 0x3f, 0xfc, 0x21, 5];
    let said = words(vec![
        meta(false, true),
        message(kind::AUDIO, 0, adts.to_vec()),
        message(kind::AUDIO, 23, adts.to_vec()),
    ]);
    let note = "its AAC has ADTS headers: they are taken off";
    assert_eq!(said, ["metadata", note, "headers false true", "ready", "Audio 0", "Audio 23"]);
}

proptest! {
    #[test]
    fn any_messages_are_borne(all in prop::collection::vec(
        (prop_oneof![Just(kind::VIDEO), Just(kind::AUDIO), Just(kind::DATA)], 0..100_u32,
         prop_oneof![Just(0x17_u8), Just(0x27), Just(0x1c), Just(0x90), Just(0x91), Just(0xaf), Just(0x95), Just(0x96)], 0..3_u8,
         prop::collection::vec(any::<u8>(), 0..40)), 0..40,
    )) {
        let (mut ingest, mut steps) = (Ingest::default(), Vec::new());
        let mut last = std::collections::HashMap::new();
        for (kind, time, first, packet, rest) in all {
            let body = match first {
                0x90 | 0x91 => [&[first][..], b"av01", &rest].concat(),
                0x95 | 0x96 => [&[first, packet & 1][..], b"av01", &[packet], &rest].concat(),
                _ => [&[first, packet, 0, 0, 0][..], &rest].concat(),
            };
            let _ = ingest.take(message(kind, time, body), Duration::ZERO, &mut steps);
        }
        ingest.finish(&mut steps);
        for step in steps {
            if let IngestStep::Frame(frame) = step {
                let before = last.insert(frame.track, frame.dts);
                prop_assert!(before.is_none_or(|before| before <= frame.dts));
                prop_assert!(!frame.payload.is_empty());
            }
        }
    }
}
