//! What clients send, by another implementation and byte by byte.

use super::*;
use proptest::prelude::*;
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

const MOST: usize = 4096;

/// A masked frame, as other programs write it or not at all.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x12, 0x34, 0x56, 0x78];
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    bytes
}

/// Everything in `bytes`, in pieces, and how it ended.
fn all(bytes: &[u8], piece: usize) -> (Vec<Incoming>, Option<Wrong>) {
    let mut reader = Reader::new(MOST);
    let mut out = Vec::new();
    for some in bytes.chunks(piece.max(1)) {
        reader.feed(some);
        loop {
            match reader.take() {
                Ok(Some(one)) => out.push(one),
                Ok(None) => break,
                Err(wrong) => return (out, Some(wrong)),
            }
        }
        assert!(reader.held() <= 2 * MOST + 14);
    }
    (out, None)
}

#[test]
fn what_others_send_is_read() {
    let mut client = WebSocket::from_raw_socket(std::io::Cursor::new(Vec::new()), Role::Client, None);
    let long = "ж".repeat(2048);
    for message in [
        Message::text("hi"),
        Message::text(""),
        Message::text("a".repeat(126)),
        Message::text(&long),
        Message::binary(vec![1, 2]),
        Message::Ping(vec![1, 2, 3].into()),
        Message::Pong(vec![9; 125].into()),
        Message::Close(None),
    ] {
        client.send(message).unwrap();
    }
    let bytes = client.get_ref().get_ref().clone();
    let texts = ["hi".into(), String::new(), "a".repeat(126), long].map(Incoming::Text);
    let rest = [Incoming::Binary, Incoming::Ping(vec![1, 2, 3]), Incoming::Pong, Incoming::Close];
    let expected: Vec<_> = texts.into_iter().chain(rest).collect();
    for piece in [1, 7, 1024, usize::MAX] {
        assert_eq!(all(&bytes, piece), (expected.clone(), None), "{piece}");
    }
}

#[test]
fn a_message_in_parts_is_one_and_control_frames_may_stand_between() {
    let mut bytes = frame(0x01, "жа".as_bytes().split_at(1).0);
    bytes.extend(frame(0x89, b"?"));
    bytes.extend(frame(0x00, b""));
    bytes.extend(frame(0x80, "жа".as_bytes().split_at(1).1));
    bytes.extend(frame(0x81, b"next"));
    let expected =
        vec![Incoming::Ping(b"?".to_vec()), Incoming::Text("жа".into()), Incoming::Text("next".into())];
    assert_eq!(all(&bytes, usize::MAX), (expected, None));
}

#[test]
fn what_breaks_the_rules_ends_it() {
    let parts = |length: usize| {
        let mut bytes = frame(0x01, &vec![b'a'; length]);
        bytes.extend(frame(0x80, &vec![b'a'; length]));
        bytes
    };
    for (bytes, wrong) in [
        (b"\x81\x02hi".to_vec(), Wrong::Frame),
        (frame(0xc1, b"x"), Wrong::Frame),
        (frame(0x83, b"x"), Wrong::Frame),
        (frame(0x8b, b"x"), Wrong::Frame),
        (frame(0x80, b"x"), Wrong::Frame),
        ([frame(0x01, b"x"), frame(0x81, b"x")].concat(), Wrong::Frame),
        (frame(0x09, b"x"), Wrong::Frame),
        (frame(0x89, &[0; 126]), Wrong::Frame),
        (b"\x81\xfe\x00\x05\0\0\0\0hello".to_vec(), Wrong::Frame),
        (b"\x81\xff\0\0\0\0\0\0\0\x05\0\0\0\0hello".to_vec(), Wrong::Frame),
        (b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(), Wrong::Frame),
        (b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff".to_vec(), Wrong::TooLong),
        (frame(0x88, b"\x03"), Wrong::Frame),
        (frame(0x88, b"\x03\xed"), Wrong::Frame),
        (frame(0x88, b"\x03\xe8\xff"), Wrong::NotText),
        // By its head alone.
        (b"\x81\xfe\x10\x01".to_vec(), Wrong::TooLong),
        (parts(2049), Wrong::TooLong),
        (frame(0x81, b"\xff\xfe"), Wrong::NotText),
    ] {
        for piece in [1, usize::MAX] {
            let (before, ended) = all(&bytes, piece);
            assert_eq!((before.len(), ended), (0, Some(wrong)), "{bytes:x?}");
        }
    }
    assert_eq!(all(&parts(2048), usize::MAX), (vec![Incoming::Text("a".repeat(4096))], None));
    assert_eq!(Wrong::TooLong.code() as u16, 1009);
}

#[test]
fn nothing_is_held_between_messages() {
    let mut reader = Reader::new(MOST);
    reader.feed(&frame(0x81, &[b'a'; 4096]));
    assert!(reader.take().unwrap().is_some());
    assert_eq!((reader.held(), reader.bytes.capacity()), (0, 0));
}

proptest! {
    #[test]
    fn pieces_make_no_difference(bytes in prop::collection::vec(any::<u8>(), 0..600), piece in 1..50_usize) {
        prop_assert_eq!(all(&bytes, piece), all(&bytes, usize::MAX));
    }

    #[test]
    fn frames_come_as_they_were_sent(
        parts in prop::collection::vec("[a-zж]{0,40}", 1..6), more in prop::collection::vec(any::<u8>(), 0..20), piece in 1..50_usize,
    ) {
        let mut bytes = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            let last = if at + 1 == parts.len() { 0x80 } else { 0 };
            bytes.extend(frame(last | u8::from(at == 0), part.as_bytes()));
        }
        bytes.extend(&more);
        let (read, _) = all(&bytes, piece);
        prop_assert_eq!(read.first(), Some(&Incoming::Text(parts.concat())));
    }
}
