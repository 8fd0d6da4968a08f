//! Tags of sound and pictures in any order: tracks and frames, or an error; what was read is written so that it reads
//! the same.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use msconv::media::flv::{Coded, Prefix, Tag, TagReader, header};
use msconv::media::{Frame, MediaTime, TrackKind, Tracks};

fuzz_target!(|tags: Vec<(bool, Vec<u8>)>| {
    let mut reader = TagReader::default();
    let mut copy = TagReader::default();
    let mut tracks = Tracks::default();
    for (picture, body) in tags {
        let body = Bytes::from(body);
        let tag = if picture { reader.video(&body) } else { reader.audio(&body) };
        let coded = match tag {
            Ok(Tag::Video(track)) => {
                assert_eq!(copy.video(&header::video(&track).into()), Ok(Tag::Video(track.clone())));
                tracks.video = Some(track);
                None
            }
            Ok(Tag::Audio(track, first)) => {
                let written = header::audio(&track);
                if !written.is_empty() {
                    assert_eq!(copy.audio(&written.into()), Ok(Tag::Audio(track.clone(), None)));
                }
                tracks.audio = Some(track);
                first
            }
            Ok(Tag::Frame(coded)) => Some(coded),
            _ => None,
        };
        if let Some(coded) = coded {
            check(&mut copy, &tracks, coded);
        }
    }
});

fn check(copy: &mut TagReader, tracks: &Tracks, coded: Coded) {
    assert!(!coded.payload.is_empty());
    let frame = Frame {
        track: coded.track,
        dts: MediaTime::ZERO,
        pts: coded.composition,
        keyframe: coded.keyframe,
        payload: coded.payload.clone(),
    };
    let _ = frame.nals().count();
    let again = match coded.track {
        TrackKind::Video => {
            let codec = tracks.video.as_ref().expect("a frame has a track").codec;
            copy.video(&[Prefix::of_video(codec, &frame).bytes(), &frame.payload].concat().into())
        }
        _ => {
            let track = tracks.audio.as_ref().expect("a frame has a track");
            copy.audio(&[Prefix::of_audio(track).bytes(), &frame.payload].concat().into())
        }
    };
    let again = match again {
        Ok(Tag::Frame(again) | Tag::Audio(_, Some(again))) => again,
        other => panic!("written, and not read: {other:?}"),
    };
    assert_eq!(again, Coded { offset: MediaTime::ZERO, ..coded });
}
