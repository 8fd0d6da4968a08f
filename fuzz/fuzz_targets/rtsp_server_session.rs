//! The server's dialog with any client and any answers of the server: bounded, and silent after its end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::media::codec::{aac, opus};
use msconv::media::{AudioTrack, TrackId, TrackKind, Tracks};
use msconv::protocol::rtsp::session::server::{Answer, Ask, Dialog, Step, Surroundings};
use msconv::protocol::rtsp::wire::Status;
use msconv::protocol::rtsp::wire::tunnel::Tunnel;

fn tracks(which: u8) -> Tracks {
    let audio = |which| match which % 3 {
        0 => AudioTrack::aac(aac::lc(48_000, 2).expect("AAC")).ok(),
        1 => AudioTrack::opus(opus::head(2)).ok(),
        _ => None,
    };
    let mut tracks = Tracks::of(None, audio(which));
    let second = TrackId::new(TrackKind::Audio, 1).expect("a second one");
    audio(which / 3).into_iter().for_each(|audio| tracks.set_audio(second, audio));
    tracks
}

fuzz_target!(|input: (u8, bool, &[u8], &[u8])| {
    let (piece, datagrams, answers, bytes) = input;
    let mut dialog = Dialog::new(Surroundings {
        local: "127.0.0.1".parse().expect("an address"),
        ports: datagrams.then_some((8000, 8001)),
        nonce: "n".into(),
        basic_only: false,
        session: "s".into(),
        applications: vec!["live".to_string()].into(),
    });
    let mut answers = answers.iter().copied().cycle();
    for some in bytes.chunks(usize::from(piece).max(1)) {
        dialog.buffer().extend_from_slice(some);
        while let Some(step) = dialog.step() {
            match step {
                Step::Say(bytes) => assert!(bytes.starts_with(b"RTSP/1.0 ")),
                Step::Ask(ask) => {
                    assert!(dialog.step().is_none(), "nothing goes on before the answer");
                    let which = answers.next().unwrap_or(0);
                    dialog.answer(match (which, *ask) {
                        (200..=220, _) => Answer::Refused(Status::UNAUTHORIZED, "no".into()),
                        (221..=240, _) => Answer::Refused(Status::NOT_FOUND, "no".into()),
                        (241.., _) => Answer::Dismissed(Status::FORBIDDEN, "no".into()),
                        (_, Ask::Read(..)) => Answer::Tracks(tracks(which), "public".into()),
                        (_, Ask::Play(..)) => Answer::Playing(vec![(TrackId::AUDIO, 1, 2)]),
                        _ => Answer::Done,
                    });
                }
                Step::Packet(..) | Step::Stray | Step::Refused { .. } | Step::Tunnel(Tunnel::Down(_)) => {}
                Step::Tunnel(Tunnel::Up(_)) => {
                    assert!(dialog.step().is_none(), "what follows is no message");
                    return;
                }
                Step::Close(_) => {
                    assert!(dialog.step().is_none());
                    dialog.buffer().extend_from_slice(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n");
                    assert!(dialog.step().is_none());
                    return;
                }
            }
        }
    }
});
