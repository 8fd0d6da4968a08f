//! Tests of FLV tags: read as real programs write them, written so that they read the same.

use super::*;
use crate::media::codec::{h264, opus};
use crate::media::frame::Frame;
use crate::media::track::{AudioCodec, VideoTrack};
use crate::media::tracks::TrackId;
use proptest::prelude::*;

/// x264, 1280x720, High, with B-frames.
const SPS: &[u8] = &[
    0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
    0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60,
];
const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];

fn avc() -> VideoTrack {
    h264::track_of_sets(SPS, PPS).unwrap()
}

fn bytes(parts: &[&[u8]]) -> Bytes {
    Bytes::from(parts.concat())
}

fn video(body: &[&[u8]]) -> Result<Tag, TagError> {
    TagReader::default().video(&bytes(body))
}

fn coded(tag: Result<Tag, TagError>) -> Coded {
    match tag {
        Ok(Tag::Video(_, coded)) => coded,
        Ok(Tag::Packets(packets)) => packets.first,
        other => panic!("no frame: {other:?}"),
    }
}

#[test]
fn plain_h264() {
    let header = header::video(&avc());
    assert_eq!(video(&[&header]), Ok(Tag::Configuration(VideoCodec::H264, avc().config)));
    let nal = [0, 0, 0, 2, 0x65, 1];
    let key = coded(video(&[&[0x17, 1, 0, 0, 80], &nal]));
    assert!(key.keyframe);
    assert_eq!((key.composition, &key.payload[..]), (MediaTime::from_millis(80), &nal[..]));
    let late = coded(video(&[&[0x27, 1, 0xff, 0xff, 0xd8], &nal]));
    assert!(!late.keyframe);
    assert_eq!(late.composition, MediaTime::from_millis(-40));
    assert_eq!(video(&[&[0x17, 2, 0, 0, 0]]), Ok(Tag::End(TrackKind::Video)));
    for nothing in [
        &[][..],
        &[0x17],
        &[0x17, 1, 0],
        &[0x57, 0],
        &[0x17, 0, 0, 0, 0],
        &[0x17, 1, 0, 0, 0],
        &[0x17, 9, 0, 0, 0, 1],
    ] {
        assert_eq!(video(&[nothing]), Ok(Tag::Nothing), "{nothing:?}");
    }
}

#[test]
fn enhanced_video() {
    let config = avc().config;
    assert_eq!(video(&[&[0x90], b"avc1", &config]), Ok(Tag::Configuration(VideoCodec::H264, config.clone())));
    let frame = coded(video(&[&[0x91], b"avc1", &[0, 0, 33], &[0, 0, 0, 1, 0x65]]));
    assert_eq!((frame.composition, frame.keyframe), (MediaTime::from_millis(33), true));
    let frame = coded(video(&[&[0xa3], b"avc1", &[0, 0, 0, 1, 0x41]]));
    assert_eq!((frame.composition, frame.keyframe, frame.payload.len()), (MediaTime::ZERO, false, 5));
    assert_eq!(video(&[&[0x92], b"avc1"]), Ok(Tag::End(TrackKind::Video)));
    assert_eq!(video(&[&[0x94], b"avc1", &[2, 0, 9]]), Ok(Tag::Nothing));
    // libaom's first one is empty. A command frame has no FourCC.
    assert_eq!(video(&[&[0x90], b"av01"]), Ok(Tag::Nothing));
    assert_eq!(video(&[&[0xd1, 0]]), Ok(Tag::Nothing));
    assert_eq!(video(&[&[0x91], b"vp08", &[0]]), Err(TagError::FourCc("vp08".into())));
    assert_eq!(video(&[&[0x91], &[0x1b, 1, 2, 3]]), Err(TagError::FourCc("????".into())));
    assert_eq!(video(&[&[0x91], b"av"]), Err(TagError::Short));
    // AV1 and VP9 have no composition time.
    assert_eq!(&coded(video(&[&[0x91], b"av01", &[1, 2, 3, 4]])).payload[..], [1, 2, 3, 4]);
}

#[test]
fn mod_ex_adds_nanoseconds() {
    let nal = [0, 0, 0, 1, 0x65];
    // Three bytes of data (size less one first), then kind 0 and the packet type that follows.
    let frame = coded(video(&[&[0x97, 2, 0x01, 0x86, 0xa0, 0x03], b"avc1", &nal]));
    assert_eq!((frame.offset, &frame.payload[..]), (MediaTime::from_nanos(100_000), &nal[..]));
    // A long one of an unknown kind, and one behind it.
    let long = [0u8; 300];
    let frame = coded(video(&[&[0x97, 255, 0x01, 0x2b], &long, &[0x57, 2, 0, 0, 1, 0x03], b"avc1", &nal]));
    assert_eq!(frame.offset, MediaTime::from_nanos(1));
    let endless: Vec<u8> = [&[0x97][..], &[0, 0, 0x17].repeat(50)].concat();
    assert_eq!(video(&[&endless]), Err(TagError::Short));
    for cut in 1..6 {
        assert_eq!(video(&[&[0x97, 2, 0x01, 0x86, 0xa0, 0x03][..cut]]), Err(TagError::Short), "{cut}");
    }
}

#[test]
fn audio() {
    let mut reader = TagReader::default();
    let aac = AudioTrack::aac(Bytes::from_static(&[0x12, 0x10])).unwrap();
    assert_eq!(reader.audio(&bytes(&[&[0xaf, 1, 1, 2]])), Ok(Tag::Early));
    assert_eq!(reader.audio(&bytes(&[&header::audio(&aac)])), Ok(Tag::Audio(aac)));
    assert_eq!(&coded(reader.audio(&bytes(&[&[0xaf, 1, 1, 2]]))).payload[..], [1, 2]);
    for nothing in [&[][..], &[0xaf], &[0xaf, 0], &[0xaf, 1], &[0xaf, 7, 1]] {
        assert_eq!(reader.audio(&bytes(&[nothing])), Ok(Tag::Nothing), "{nothing:?}");
    }
    assert!(matches!(reader.audio(&bytes(&[&[0xaf, 0, 0x16, 0x88]])), Err(TagError::Config(_))));
    let opus = AudioTrack::opus(opus::head(2)).unwrap();
    assert_eq!(reader.audio(&bytes(&[&header::audio(&opus)])), Ok(Tag::Audio(opus)));
    assert_eq!(&coded(reader.audio(&bytes(&[&[0x91], b"Opus", &[0xfc, 5]]))).payload[..], [0xfc, 5]);
    assert_eq!(reader.audio(&bytes(&[&[0x92], b"Opus"])), Ok(Tag::End(TrackKind::Audio)));
    assert_eq!(reader.audio(&bytes(&[&[0x94], b"Opus", &[1, 2]])), Ok(Tag::Nothing));
    assert_eq!(reader.audio(&bytes(&[&[0x91], b"fLaC", &[1]])), Err(TagError::FourCc("fLaC".into())));
}

/// The track that a tag's packets describe.
fn described(tag: Result<Tag, TagError>) -> Option<AudioTrack> {
    match tag {
        Ok(Tag::Packets(packets)) => packets.track,
        other => panic!("no packets: {other:?}"),
    }
}

#[test]
fn audio_without_configuration_announces_itself() {
    let mut reader = TagReader::default();
    // MPEG-1 layer III, 48 kHz, joint stereo.
    let mp3 = [0xff, 0xfb, 0x94, 0x44, 9];
    let track = described(reader.audio(&bytes(&[&[0x2f], &mp3])));
    assert_eq!(track, Some(AudioTrack::plain(AudioCodec::Mp3, 48_000, 2)));
    assert_eq!(described(reader.audio(&bytes(&[&[0x2f], &mp3]))), None, "once");
    for (first, codec, channels) in [(0x72, AudioCodec::G711A, 1), (0x83, AudioCodec::G711U, 2)] {
        let track = described(reader.audio(&bytes(&[&[first], &[1; 160]])));
        assert_eq!(track, Some(AudioTrack::plain(codec, 8_000, channels)));
    }
    // Opus says in each packet whether it is stereo.
    for (toc, channels) in [(0xfc, 2), (0xf8, 1)] {
        let track = described(TagReader::default().audio(&bytes(&[&[0x91], b"Opus", &[toc, 5]])));
        assert_eq!(track, Some(AudioTrack::opus(opus::head(channels)).unwrap()));
    }
    assert_eq!(TagReader::default().audio(&bytes(&[&[0x2f], &[1, 2, 3, 4]])), Ok(Tag::Nothing));
    assert_eq!(TagReader::default().audio(&bytes(&[&[0x2f], &[0xff, 0xfb, 0x9c, 0x44]])), Ok(Tag::Nothing));
    let track = described(TagReader::default().audio(&bytes(&[&[0xe2], &[0xff, 0xe3, 0x18, 0xc4]])));
    assert_eq!(track, Some(AudioTrack::plain(AudioCodec::Mp3, 8_000, 1)), "MPEG-2.5");
}

#[test]
fn adts_in_place_of_raw_aac() {
    // LC, 44.1 kHz, stereo, 9 bytes with the header; and 48 kHz.
    let frame = |rate: u8| [0xff, 0xf1, 0x40 | (rate << 2), 0x80, 0x01, 0x3f, 0xfc, 0x21, 5];
    let mut reader = TagReader::default();
    let sent = bytes(&[&[0xaf, 1], &frame(4), &frame(4)]);
    let Ok(Tag::Packets(packets)) = reader.audio(&sent) else { panic!("no packets") };
    assert_eq!(packets.track.map(|track| (track.sample_rate, track.channels)), Some((44_100, 2)));
    assert!(packets.adts);
    let more: Vec<_> =
        packets.more.iter().map(|coded| (coded.offset.millis(), coded.payload.len())).collect();
    assert_eq!((packets.first.payload.len(), more), (2, vec![(23, 2)]));
    assert_eq!(described(reader.audio(&sent)), None, "the same is no news");
    assert_eq!(described(reader.audio(&bytes(&[&[0xaf, 1], &frame(3)]))).unwrap().sample_rate, 48_000);
    // A configuration that came by itself knows better: HE-AAC does not fit into ADTS.
    let track = AudioTrack::aac(Bytes::from_static(&[0x12, 0x10])).unwrap();
    reader.audio(&bytes(&[&header::audio(&track)])).unwrap();
    assert_eq!(described(reader.audio(&bytes(&[&[0xaf, 1], &frame(3)]))), None);
}

#[test]
fn what_is_not_carried_is_refused_by_name() {
    let video =
        |first: u8| TagReader::default().video(&bytes(&[&[first, 0, 0, 0, 0, 0]])).unwrap_err().to_string();
    let audio = |first: u8| TagReader::default().audio(&bytes(&[&[first, 0, 0]])).unwrap_err().to_string();
    assert!(video(0x12).starts_with("Sorenson H.263"));
    assert!(video(0x14).starts_with("On2 VP6"));
    assert!(video(0x1f).contains("number 15"));
    assert!(audio(0x62).starts_with("Nellymoser"));
    assert!(audio(0xb2).starts_with("Speex"));
    assert!(audio(0xf0).contains("number 15"));
}

#[test]
fn the_old_dialect_of_h265_is_understood() {
    let frame = coded(video(&[&[0x1c, 1, 0, 0, 40], &[0, 0, 0, 1, 0x26]]));
    assert_eq!((frame.keyframe, frame.composition), (true, MediaTime::from_millis(40)));
    let record = Ok(Tag::Configuration(VideoCodec::H265, Bytes::from_static(&[1, 2])));
    assert_eq!(video(&[&[0x1c, 0, 0, 0, 0], &[1, 2]]), record);
}

fn frame(track: TrackId, dts: i64, composition: i64, keyframe: bool, payload: &[u8]) -> Frame {
    let dts = MediaTime::from_millis(dts);
    Frame {
        track,
        dts,
        pts: dts + MediaTime::from_millis(composition),
        keyframe,
        payload: Bytes::copy_from_slice(payload),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        codec in prop_oneof![Just(VideoCodec::H264), Just(VideoCodec::H265), Just(VideoCodec::Av1), Just(VideoCodec::Vp9)],
        composition in -8_388_608..8_388_608_i64,
        keyframe: bool,
        payload in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let reorders = matches!(codec, VideoCodec::H264 | VideoCodec::H265);
        let composition = if reorders { composition } else { 0 };
        let frame = frame(TrackId::VIDEO, 5000, composition, keyframe, &payload);
        let tag = bytes(&[Prefix::of_video(codec, &frame).bytes(), &payload]);
        let Ok(Tag::Video(of, read)) = TagReader::default().video(&tag) else { panic!("no frame") };
        prop_assert_eq!(of, codec);
        prop_assert_eq!(read.composition, MediaTime::from_millis(composition));
        prop_assert_eq!((read.keyframe, &read.payload[..]), (keyframe, &payload[..]));
    }

    #[test]
    fn any_bytes_are_a_tag_or_an_error(tags in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6)) {
        let mut reader = TagReader::default();
        for tag in tags {
            let _ = reader.video(&Bytes::from(tag.clone()));
            let _ = reader.audio(&Bytes::from(tag));
        }
    }
}

#[test]
fn audio_is_written_as_it_is_read() {
    for (codec, rate, channels, first) in [
        (AudioCodec::Aac, 48_000, 2, 0xaf),
        (AudioCodec::Mp3, 44_100, 2, 0x2f),
        (AudioCodec::Mp3, 8_000, 1, 0xe2),
        (AudioCodec::G711A, 8_000, 1, 0x72),
        (AudioCodec::G711U, 8_000, 2, 0x83),
    ] {
        let track = AudioTrack::plain(codec, rate, channels);
        assert_eq!(Prefix::of_audio(&track).bytes()[0], first, "{codec:?}");
    }
    let opus = AudioTrack::opus(opus::head(2)).unwrap();
    assert_eq!(Prefix::of_audio(&opus).bytes(), [&[0x91][..], b"Opus"].concat());
    assert!(header::audio(&AudioTrack::plain(AudioCodec::Mp3, 44_100, 2)).is_empty());
}
