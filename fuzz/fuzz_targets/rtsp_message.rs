//! Any bytes in any pieces: messages and packets as if they had come at once, or the same end; and what was read can be
//! written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::protocol::rtsp::wire::message::Draft;
use msconv::protocol::rtsp::wire::{Incoming, Input, StreamPath, transport, tunnel};

fn all(bytes: &[u8], piece: usize) -> (Vec<Incoming>, bool) {
    let mut input = Input::default();
    let mut out = Vec::new();
    for some in bytes.chunks(piece.max(1)) {
        input.buffer.extend_from_slice(some);
        loop {
            match input.take() {
                Ok(Some(one)) => out.push(one),
                Ok(None) => break,
                Err(_) => return (out, true),
            }
        }
        assert!(input.buffer.len() <= 4096 + 65 * 8194 + (64 << 10) + 65_540);
    }
    (out, false)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, bytes) = input;
    // The same as it would come up a tunnel: decoded, or the end.
    let mut decoder = tunnel::Decoder::default();
    let mut decoded = 0;
    for some in bytes.chunks(usize::from(piece).max(1)) {
        match decoder.take(some) {
            Ok(some) => decoded += some.len(),
            Err(_) => break,
        }
    }
    assert!(decoded <= bytes.len());
    let (whole, broken) = all(bytes, usize::MAX);
    let (pieces, also) = all(bytes, usize::from(piece));
    assert_eq!(broken, also);
    assert_eq!(whole, pieces);
    let applications = ["live".to_string()];
    for one in whole {
        let Incoming::Request(request) = one else { continue };
        if let Ok((place, _)) = StreamPath::of(&request.uri, &applications) {
            assert!(place.inside(&request.uri).is_some(), "{}", request.uri);
            assert!(StreamPath::of(&place.base, &applications).is_ok());
        }
        if let Some(header) = request.headers.get("transport") {
            assert_ne!(transport::offers(header).is_empty(), transport::why_none(header).is_empty());
            for offer in transport::offers(header) {
                let answer = transport::answer(offer.transport, Some((2, 3)), offer.record, offer.feedback);
                assert_eq!(transport::offers(&answer).len(), 1);
            }
        }
        let written =
            Draft::request(&request.method, &request.uri, request.cseq).body("a/b", request.body.clone());
        let (again, broken) = all(&written.bytes(), usize::MAX);
        assert!(!broken);
        assert!(
            matches!(&again[..], [Incoming::Request(r)] if r.uri == request.uri && r.body == request.body)
        );
    }
});
