//! Decoder configurations of containers, parameter sets of SDP and RTP, frames that say what they are.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use msconv::media::codec::{aac, av1, h264, h265, opus, vp9};
use msconv::media::{AudioTrack, VideoCodec, VideoTrack};

fuzz_target!(|input: (u8, Vec<u8>, Vec<u8>, Vec<u8>)| {
    let (kind, a, b, c) = input;
    let bytes = Bytes::from(a.clone());
    let video = match kind % 11 {
        0 => VideoTrack::from_config(VideoCodec::H264, bytes).ok(),
        1 => VideoTrack::from_config(VideoCodec::H265, bytes).ok(),
        2 => h264::track_of_sets(&a, &b).ok(),
        3 => h265::track_of_sets(&a, &b, &c).ok(),
        4 => VideoTrack::from_config(VideoCodec::Av1, bytes).ok(),
        5 => {
            let _ = (opus::samples(&a), aac::samples_per_packet(&a));
            return;
        }
        6 => {
            if let Ok(track) = AudioTrack::aac(bytes) {
                assert_eq!(AudioTrack::aac(track.config.clone()), Ok(track));
            }
            return;
        }
        7 => av1::track_of(&a).ok(),
        8 => {
            let _ = (av1::is_loose(&a), av1::sequence_header(&a));
            vp9::keyframe(&a).map(|keyframe| VideoTrack {
                width: 0,
                height: 0,
                ..vp9::track_of(&keyframe, None)
            })
        }
        9 => {
            if let Some(adts) = aac::adts(&bytes) {
                let inside: usize = adts.packets.iter().map(Bytes::len).sum();
                assert!(inside > 0 && inside + 7 * adts.packets.len() <= a.len());
            }
            return;
        }
        _ => {
            let _ = AudioTrack::opus(bytes);
            return;
        }
    };
    // What was taken once is taken again, with the same meaning.
    if let Some(track) = video {
        let _ = track.parameter_sets();
        assert_eq!(VideoTrack::from_config(track.codec, track.config.clone()), Ok(track));
    }
});
