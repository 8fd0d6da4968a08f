//! Bytes of requests behind each other, however they are cut: the same borders, and a body in chunks is too much exactly
//! when it says so.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::server::endpoint::http::borders::{Borders, Follows};

const MOST: u64 = 1000;

/// Where heads end, and whether a body became too much, for bytes that come in pieces of `cut`.
fn followed(bytes: &[u8], cut: usize, what: u8) -> (Vec<usize>, bool) {
    let mut borders = Borders::new(MOST);
    let (mut heads, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let end = bytes.len().min(at + cut);
        let taken = borders.take(&bytes[at..end]);
        assert!(taken > 0 && taken <= end - at);
        at += taken;
        if borders.is_behind_head() {
            heads.push(at);
            borders.follows(match (what >> (heads.len() % 4 * 2)) & 3 {
                0 => Follows::Nothing,
                1 => Follows::Bytes(u64::from(what)),
                _ => Follows::Chunks,
            });
        }
    }
    (heads, borders.is_over())
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (cut, what, bytes) = input;
    assert_eq!(followed(bytes, usize::from(cut) + 1, what), followed(bytes, usize::MAX - bytes.len(), what));
});
