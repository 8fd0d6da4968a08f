//! Bytes as AMF0: values or an error, and what was read is written and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::protocol::rtmp::wire::amf0::{decode, encode};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(values) = decode(bytes) {
        let written = encode(&values);
        // Text with replacement characters grows, up to past the limits; what is still read is the same.
        if let Ok(again) = decode(&written) {
            assert_eq!(encode(&again), written);
        }
    }
});
