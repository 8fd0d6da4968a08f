//! Datagrams of strangers, over UDP and inside a TCP connection: what is ours in reading them.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use msconv::protocol::webrtc::datagram::Carries;
use msconv::protocol::webrtc::{framing, ufrag};

fuzz_target!(|data: &[u8]| {
    let _ = Carries::of(data);
    if let Some(name) = ufrag::ours(data) {
        assert!(name.len() < data.len());
    }
    let mut came = BytesMut::from(data);
    let mut whole = 0;
    while let Ok(Some(datagram)) = framing::next(&mut came) {
        assert!((1..=framing::LONGEST).contains(&datagram.len()));
        whole += datagram.len() + 2;
    }
    assert_eq!(whole + came.len(), data.len());
});
