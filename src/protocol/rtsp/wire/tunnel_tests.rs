//! Tests of `tunnel`.

use super::super::{Incoming, Input};
use super::*;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

fn of(text: &str) -> Option<Tunnel> {
    let mut input = Input::default();
    input.buffer.extend_from_slice(text.as_bytes());
    match input.take() {
        Ok(Some(Incoming::Http(http))) => half(&http),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_clients_open_tunnels_with() {
    let down = "GET /live/cam HTTP/1.0\r\nUser-Agent: QuickTime\r\nx-sessioncookie: PPwTZ\r\n\
        Accept: application/x-rtsp-tunnelled\r\n\r\n";
    assert_eq!(of(down), Some(Tunnel::Down("PPwTZ".into())));
    let up = "POST /live/cam HTTP/1.1\nX-SessionCookie:PPwTZ\nContent-Length: 32767\n\nT1BUSU9OUw==";
    assert_eq!(of(up), Some(Tunnel::Up("PPwTZ".into())));
    assert_eq!(of("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), None);
    assert_eq!(of("PUT / HTTP/1.1\r\nx-sessioncookie: a\r\n\r\n"), None);
    assert_eq!(of(&format!("GET / HTTP/1.1\r\nx-sessioncookie: {}\r\n\r\n", "a".repeat(129))), None);
    assert_eq!(of("GET / HTTP/1.1\r\nx-sessioncookie: a b\r\n\r\n"), None);
}

#[test]
fn what_is_no_base64_ends_it() {
    for bad in ["T1B!", "T1BU\u{e9}\u{e9}", "=AAA", "A===", "AA=A"] {
        assert_eq!(Decoder::default().take(bad.as_bytes()), Err(NoBase64), "{bad}");
    }
    assert_eq!(Decoder::default().take(b"T1B"), Ok(Bytes::new()));
}

proptest! {
    #[test]
    fn messages_come_out_in_any_pieces(
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..6),
        piece in 1usize..30, lines in any::<bool>(),
    ) {
        let end = if lines { "\r\n" } else { "" };
        let text: String = messages.iter().map(|m| STANDARD.encode(m) + end).collect();
        let mut decoder = Decoder::default();
        let mut out = Vec::new();
        for some in text.as_bytes().chunks(piece) {
            out.extend_from_slice(&decoder.take(some).unwrap());
        }
        prop_assert_eq!(out, messages.concat());
    }

    #[test]
    fn any_bytes_are_borne(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..10)) {
        let mut decoder = Decoder::default();
        for piece in pieces {
            if decoder.take(&piece).is_err() {
                break;
            }
            prop_assert!(decoder.letters.len() < 4);
        }
    }
}
