//! The stream key: one safe path segment, or refused with a suggestion that is a key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::model::{StreamKey, stream_key};

fuzz_target!(|text: &str| {
    if let Ok(key) = text.parse::<StreamKey>() {
        assert_eq!(key.as_str(), text);
        assert!(key.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
        assert!((1..=64).contains(&key.as_str().len()));
    }
    if let Some(near) = stream_key::suggestion(text) {
        assert!(near.as_str().parse::<StreamKey>().is_ok());
    }
});
