//! Any description: tracks or a refusal; what was read and can be described is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::media::Tracks;
use msconv::protocol::rtsp::wire::sdp_read::{Format, read};
use msconv::protocol::rtsp::wire::sdp_write::describe;

fuzz_target!(|bytes: &[u8]| {
    let Ok(described) = read(bytes) else { return };
    let mut tracks = Tracks::default();
    for one in &described {
        match &one.format {
            Format::Video(_, video) => tracks.video = video.clone(),
            Format::Aac(audio, _) | Format::Plain(audio) => tracks.audio = Some(audio.clone()),
            Format::Mpeg | Format::Ignored => {}
        }
    }
    if tracks.is_empty() {
        return;
    }
    let again = read(&describe("x", &tracks, "::1".parse().expect("an address"), 1)).expect("our own description");
    for one in again {
        match one.format {
            Format::Video(_, video) => assert_eq!(video, tracks.video),
            Format::Aac(audio, _) | Format::Plain(audio) => assert_eq!(Some(audio), tracks.audio),
            Format::Mpeg | Format::Ignored => {}
        }
    }
});
