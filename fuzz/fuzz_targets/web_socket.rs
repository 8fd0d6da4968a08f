//! Any bytes in any pieces: the same messages as if they had come at once, or the same end, within the bound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::protocol::websocket::{Incoming, Reader, Wrong, pong};

const MOST: usize = 256;

fn all(bytes: &[u8], piece: usize) -> (Vec<Incoming>, Option<Wrong>) {
    let mut reader = Reader::new(MOST);
    let mut out = Vec::new();
    for some in bytes.chunks(piece) {
        reader.feed(some);
        loop {
            match reader.take() {
                Ok(Some(one)) => out.push(one),
                Ok(None) => break,
                Err(wrong) => return (out, Some(wrong)),
            }
        }
        // A message that has begun, and a frame that is not whole yet.
        assert!(reader.held() <= 2 * MOST + 14);
    }
    (out, None)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, bytes) = input;
    let whole = all(bytes, usize::MAX);
    assert_eq!(all(bytes, usize::from(piece).max(1)), whole);
    for one in whole.0 {
        match one {
            Incoming::Text(text) => assert!(text.len() <= MOST),
            Incoming::Ping(carried) => assert_eq!(pong(&carried).len(), carried.len() + 2),
            Incoming::Binary | Incoming::Pong | Incoming::Close => {}
        }
    }
});
