//! What an ffmpeg prints about itself: any text is a capability or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::ffmpeg::capability::{Capability, Need, parse_version};

fuzz_target!(|text: &str| {
    let _ = parse_version(text);
    let capability =
        Capability::read(["ffmpeg version 5.1.9", text, text, text, text]).expect("a version is enough");
    assert!(capability.lacks(Need::Encode).len() >= capability.lacks(Need::Copy).len());
});
