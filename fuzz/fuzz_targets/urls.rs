//! Every URL role: read back the same, and never shown with its secrets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::model::{HttpUrl, RtmpUrl, RtspUrl, SourceUrl};

fuzz_target!(|text: &str| {
    if let Ok(url) = text.parse::<RtmpUrl>() {
        let again: RtmpUrl = url.reveal().parse().expect("what is written is read");
        assert_eq!(again, url);
        assert!(!url.application().is_empty());
        let shown = url.to_string();
        assert!(shown.is_ascii() && !shown.contains(char::is_whitespace));
        if !url.has_secrets() {
            assert_eq!(shown, url.reveal());
        }
    }
    if let Ok(url) = text.parse::<RtspUrl>() {
        assert!(url.name_url("a").starts_with(url.scheme()));
    }
    if let Ok(url) = text.parse::<HttpUrl>() {
        assert!(url.port() > 0);
    }
    if let Ok(url) = text.parse::<SourceUrl>() {
        assert!(!url.host().is_empty());
    }
});
