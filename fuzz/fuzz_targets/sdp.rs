//! Any description: tracks or a refusal; at most one of video and one of audio is carried; what was read and can be
//! described is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::media::Tracks;
use msconv::protocol::rtsp::wire::sdp_read::{Described, Format, left_out, list, read};
use msconv::protocol::rtsp::wire::sdp_write::describe;

fn tracks(described: &[Described]) -> Tracks {
    let mut tracks = Tracks::default();
    for one in described {
        match &one.format {
            Format::Video(_, video) => {
                assert!(tracks.video.is_none());
                tracks.video = video.clone();
            }
            Format::Aac(audio, _) | Format::Plain(audio) => {
                assert!(tracks.audio.is_none());
                tracks.audio = Some(audio.clone());
            }
            Format::Latm(latm) => {
                assert!(tracks.audio.is_none() && (latm.in_band || latm.track().is_some()));
                tracks.audio = latm.track();
            }
            Format::Mpeg | Format::LeftOut(_) => {}
        }
    }
    tracks
}

fuzz_target!(|bytes: &[u8]| {
    let described = match read(bytes) {
        Ok(described) => described,
        Err(refused) => {
            assert!(!refused.to_string().is_empty());
            return;
        }
    };
    assert!(described.len() <= 16 && list(&left_out(&described)).len() < 16 * 400);
    let tracks = tracks(&described);
    if tracks.video.is_none() && tracks.audio.is_none() {
        return;
    }
    let again = read(&describe("x", &tracks, "::1".parse().expect("an address"), 1)).expect("our own description");
    assert_eq!(self::tracks(&again), tracks);
});
