//! Parts of frames, delimited in any way, with losses and configurations between them: each frame has a slice and whole
//! units, what waits is bounded, and in the end nothing waits.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use msconv::media::access_units::{AccessUnits, Found};
use msconv::media::codec::framing::{joined, to_lengths};
use msconv::media::codec::nal::{Role, role};
use msconv::media::frame::Nals;
use msconv::media::joining::Picture;
use msconv::media::{VideoCodec, VideoTrack};

fuzz_target!(|input: (bool, Vec<(u8, u8, Vec<Vec<u8>>)>)| {
    let (h265, parts) = input;
    let codec = if h265 { VideoCodec::H265 } else { VideoCodec::H264 };
    let mut units: AccessUnits<()> = AccessUnits::new(codec);
    let mut found = Vec::new();
    for (what, time, pieces) in parts {
        let payload = joined(pieces.iter().map(|unit| &unit[..]).filter(|unit| !unit.is_empty()));
        match what % 8 {
            0 => {
                let record = Bytes::from(pieces.concat());
                let _ = units.configure(&record, &mut found);
                let _ = to_lengths(&record, None);
            }
            1 => units.finish(&mut found),
            how => {
                let picture = Picture { timestamp: time.into(), keyframe: how & 1 != 0, payload, about: () };
                units.take(picture, how > 5, &mut found);
            }
        }
        check(codec, &units, &mut found);
    }
    units.finish(&mut found);
    check(codec, &units, &mut found);
    assert!(units.waiting().is_none());
});

fn check(codec: VideoCodec, units: &AccessUnits<()>, found: &mut Vec<Found<()>>) {
    for one in found.drain(..) {
        match one {
            Found::Track(track) => {
                assert!(VideoTrack::from_config(codec, track.config).is_ok());
            }
            Found::Picture(picture) => {
                assert!(units.known().is_some());
                let whole: usize = Nals::of(&picture.payload).map(|unit| unit.len() + 4).sum();
                assert_eq!(whole, picture.payload.len());
                assert!(Nals::of(&picture.payload).any(|unit| role(codec, unit) == Role::Slice));
            }
        }
    }
}
