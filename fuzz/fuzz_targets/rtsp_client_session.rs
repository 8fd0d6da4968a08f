//! Our client with any server: it ends or waits, and asks no more than it needs to.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::auth::Credentials;
use msconv::media::codec::aac;
use msconv::media::{AudioTrack, Tracks};
use msconv::protocol::rtsp::session::client::{Caller, Event, Way, Intent};

fuzz_target!(|input: (u8, bool, bool, bool, &[u8])| {
    let (piece, publish, datagrams, login, bytes) = input;
    let audio = AudioTrack::aac(aac::lc(48_000, 2).expect("AAC")).ok();
    let wanted = if publish { Intent::Publish(Box::new(Tracks::of(None, audio))) } else { Intent::Read };
    let way = if datagrams { Way::Datagrams(vec![(5000, 5001), (5002, 5003)]) } else { Way::Interleaved };
    let credentials = login.then(|| Credentials::new("u", "p"));
    let mut caller = Caller::new("rtsp://h/live/x", credentials, wanted, way);
    let mut said = 0;
    for some in bytes.chunks(usize::from(piece).max(1)) {
        caller.buffer().extend_from_slice(some);
        while let Some(event) = caller.event() {
            match event {
                Event::Say(_) => {
                    said += 1;
                    assert!(
                        said <= 2 * (2 + 16),
                        "each request twice at most, with a password the second time"
                    );
                }
                Event::Refused(..) | Event::Unreadable(_) => {
                    assert!(caller.event().is_none());
                    return;
                }
                _ => {}
            }
        }
    }
});
