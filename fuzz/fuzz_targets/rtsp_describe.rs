//! An RTSP server that answers anything, in any pieces: a verdict or a wait for more, and never a request without end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::status::rtsp_describe::{Exchange, LARGEST, DescribeStep};

fuzz_target!(|input: (u8, bool, &[u8])| {
    let (piece, credentials, bytes) = input;
    let (mut exchange, first) = Exchange::open("rtsp://h:8554/a", credentials.then_some("user:password"));
    assert!(first.ends_with(b"\r\n\r\n"));
    let mut sent = 1;
    let mut fed = 0;
    for chunk in bytes.chunks(usize::from(piece).max(1)) {
        fed += chunk.len();
        match exchange.feed(chunk) {
            DescribeStep::Send(request) => {
                assert!(request.ends_with(b"\r\n\r\n"));
                sent += 1;
                assert!(sent <= 3, "OPTIONS, DESCRIBE, DESCRIBE with a password");
            }
            DescribeStep::More => assert!(fed <= LARGEST * 4),
            DescribeStep::Done(_) => return,
        }
    }
});
