//! Tags of audio and video in any order: tracks and frames, or an error; what was read is written so that it reads the
//! same, and what goes on has whole units.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use msconv::media::access_units::Found;
use msconv::media::flv::multitrack::parts;
use msconv::media::flv::{Coded, Packets, Prefix, Tag, TagReader, VideoInput, header};
use msconv::media::joining::{LONGEST_PICTURE, Picture};
use msconv::media::{AudioTrack, Frame, MediaTime, TrackId, TrackKind, VideoCodec, VideoTrack};

/// What may stand in front of a frame beside its own units: sets, and units that came alone.
const AROUND: usize = 256 << 10;

fuzz_target!(|tags: Vec<(bool, u8, Vec<u8>)>| {
    let mut reader = TagReader::default();
    let mut copy = TagReader::default();
    let mut video: Option<VideoInput<()>> = None;
    let mut track = None;
    let mut found = Vec::new();
    for (picture, time, body) in tags {
        let body = Bytes::from(body);
        let kind = if picture { TrackKind::Video } else { TrackKind::Audio };
        let bodies: Vec<Bytes> = match parts(kind, &body) {
            Ok(None) => vec![body],
            Ok(Some(parts)) => parts.into_iter().map(|part| part.tag).collect(),
            Err(_) => Vec::new(),
        };
        for body in bodies {
            let tag = if picture { reader.video(&body) } else { reader.audio(&body) };
            match tag {
                Ok(Tag::Configuration(codec, record)) => {
                    let _ = input(&mut video, codec).configure(&record, &mut found);
                }
                Ok(Tag::Video(codec, coded)) => {
                    let Coded { keyframe, payload, .. } = coded;
                    let picture = Picture { timestamp: time.into(), keyframe, payload, about: () };
                    let _ = input(&mut video, codec).take(picture, &mut found);
                }
                Ok(Tag::Audio(other)) => audio_track(&mut copy, &mut track, other),
                Ok(Tag::Packets(packets)) => audio(&mut copy, &mut track, packets),
                Ok(Tag::Early | Tag::End(_) | Tag::Nothing) | Err(_) => {}
            }
        }
        check(video.as_ref(), &mut found);
    }
    if let Some(video) = &mut video {
        video.finish(&mut found);
    }
    check(video.as_ref(), &mut found);
});

fn input(video: &mut Option<VideoInput<()>>, codec: VideoCodec) -> &mut VideoInput<()> {
    if video.as_ref().is_some_and(|video| video.codec() != codec) {
        *video = None;
    }
    video.get_or_insert_with(|| VideoInput::new(codec))
}

fn audio_track(copy: &mut TagReader, track: &mut Option<AudioTrack>, other: AudioTrack) {
    let written = header::audio(&other);
    if !written.is_empty() {
        assert_eq!(copy.audio(&written.into()), Ok(Tag::Audio(other.clone())));
    }
    *track = Some(other);
}

fn audio(copy: &mut TagReader, track: &mut Option<AudioTrack>, packets: Packets) {
    if let Some(other) = packets.track {
        audio_track(copy, track, other);
    }
    let track = track.as_ref().expect("packets have a track");
    for coded in std::iter::once(packets.first).chain(packets.more) {
        assert!(!coded.payload.is_empty());
        let tag = [Prefix::of_audio(track).bytes(), &coded.payload].concat();
        match copy.audio(&tag.into()) {
            Ok(Tag::Packets(again)) if !again.adts && !packets.adts => {
                assert_eq!(again.first, Coded { offset: MediaTime::ZERO, ..coded });
            }
            Ok(Tag::Packets(_)) => {}
            other => panic!("written, and not read: {other:?}"),
        }
    }
}

fn check(video: Option<&VideoInput<()>>, found: &mut Vec<Found<()>>) {
    for one in found.drain(..) {
        let video = video.expect("something came out of it");
        match one {
            Found::Track(track) => {
                assert_eq!(track.codec, video.codec());
                let again =
                    VideoTrack::from_config(track.codec, track.config.clone()).expect("a record of ours");
                assert_eq!(again.parameter_sets(), track.parameter_sets());
                let written = TagReader::default().video(&header::video(&track).into());
                assert_eq!(written, Ok(Tag::Configuration(track.codec, track.config)));
            }
            Found::Picture(picture) => {
                let codec = video.codec();
                assert!(video.known().is_some(), "a frame has a track");
                assert!(!picture.payload.is_empty() && picture.payload.len() <= LONGEST_PICTURE + AROUND);
                let (keyframe, payload) = (picture.keyframe, picture.payload);
                let frame = Frame {
                    track: TrackId::VIDEO,
                    dts: MediaTime::ZERO,
                    pts: MediaTime::ZERO,
                    keyframe,
                    payload: payload.clone(),
                };
                if matches!(codec, VideoCodec::H264 | VideoCodec::H265) {
                    let whole: usize = frame.nals().map(|unit| unit.len() + 4).sum();
                    assert!(whole > 0 && (payload.len() - whole).is_multiple_of(4), "no unit is cut");
                }
                let tag = [Prefix::of_video(codec, &frame).bytes(), &payload].concat();
                let wanted =
                    Coded { keyframe, composition: MediaTime::ZERO, offset: MediaTime::ZERO, payload };
                assert_eq!(TagReader::default().video(&tag.into()), Ok(Tag::Video(codec, wanted)));
            }
        }
    }
}
