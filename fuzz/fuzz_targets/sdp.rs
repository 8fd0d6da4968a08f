//! Any description: tracks or a refusal; each that is carried has an id of its own; what was read and can be described
//! is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::media::Tracks;
use msconv::protocol::rtp::sdp_read::{Described, Format, ids, left_out, list, read};
use msconv::protocol::rtsp::wire::sdp_write::describe;

fn tracks(described: &[Described]) -> Tracks {
    let mut tracks = Tracks::default();
    for (one, id) in described.iter().zip(ids(described)) {
        assert_eq!(id.is_some(), !matches!(one.format, Format::LeftOut(_)));
        let Some(id) = id else { continue };
        assert!(!tracks.has(id));
        match &one.format {
            Format::Video(_, Some(video)) => tracks.set_video(id, video.clone()),
            Format::Aac(audio, _) | Format::Plain(audio) => tracks.set_audio(id, audio.clone()),
            Format::Latm(latm) => {
                assert!(latm.in_band || latm.track().is_some());
                latm.track().into_iter().for_each(|audio| tracks.set_audio(id, audio));
            }
            Format::Video(_, None) | Format::Mpeg | Format::LeftOut(_) => {}
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
    if tracks.is_empty() {
        return;
    }
    let again =
        read(&describe("x", &tracks, "::1".parse().expect("an address"), 1)).expect("our own description");
    // What was not known has no place in it.
    let again = self::tracks(&again);
    assert!(again.videos().map(|(_, video)| video).eq(tracks.videos().map(|(_, video)| video)));
    assert!(again.audios().map(|(_, audio)| audio).eq(tracks.audios().map(|(_, audio)| audio)));
});
