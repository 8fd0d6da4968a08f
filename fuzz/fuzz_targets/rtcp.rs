//! Any RTCP compound, and any header of RTP.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::media::rtp::{Header, rtcp};

fuzz_target!(|bytes: &[u8]| {
    if let Some((_, payload)) = Header::read(bytes) {
        assert!(payload.start <= payload.end && payload.end <= bytes.len());
    }
    let Some(packets) = rtcp::read(bytes) else { return };
    for packet in packets {
        let mut out = bytes::BytesMut::new();
        match &packet {
            rtcp::Packet::Sender(report) => rtcp::write_sender(report, "name", &mut out),
            rtcp::Packet::Received(block) => rtcp::write_receiver(1, block, "name", &mut out),
            // Nothing of ours writes the whole packet again.
            rtcp::Packet::Goodbye(_) | rtcp::Packet::PictureLoss(_) => continue,
        }
        assert_eq!(rtcp::read(&out), Some(vec![packet]));
    }
});
