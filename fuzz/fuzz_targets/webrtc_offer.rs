//! Offers of strangers: read, and every question asked of what was read. Nothing panics, and a codec that is chosen is one
//! that was offered.

#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::media::{VideoCodec, VideoTrack};
use msconv::protocol::webrtc::offer::{LONGEST, Offer};
use msconv::protocol::webrtc::publishing::taken;
use msconv::protocol::webrtc::route::Route;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let _ = Route::of(&text, &["live".to_string(), "tv/one".to_string()]);
    let Ok(offer) = Offer::read(&text) else { return };
    assert!(text.len() <= LONGEST);
    for line in [&offer.video, &offer.audio].into_iter().flatten() {
        for (codec, profile) in [
            (VideoCodec::H264, 66),
            (VideoCodec::H264, 100),
            (VideoCodec::H265, 1),
            (VideoCodec::Vp9, 0),
            (VideoCodec::Av1, 0),
        ] {
            let track = VideoTrack {
                codec,
                config: vec![1, profile, 0, 31].into(),
                width: 0,
                height: 0,
                profile: "",
                level: String::new(),
                frame_rate: None,
                reorder: 0,
            };
            if let Some(found) = line.fits(&track) {
                assert!(line.codecs.contains(found) && found.payload_type < 128);
            }
        }
        if let Some(opus) = line.opus() {
            assert!(line.codecs.contains(opus));
        }
        let _ = line.names();
    }
    if let Ok(taken) = taken(&offer) {
        assert!(taken.video.is_some() || taken.audio.is_some() || offer.video.is_none());
    }
});
