//! Redaction: credentials of a URL never survive, and a clean line is left as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::base::secret::{Redactor, redact_urls};

fuzz_target!(|text: &str| {
    let once = redact_urls(text);
    assert_eq!(redact_urls(&once), once);
    let mut redactor = Redactor::new();
    redactor.learn("s3cret-key");
    let cleaned = redactor.clean(&format!("{text} s3cret-key {text}"));
    assert!(!cleaned.contains("s3cret-key"));
});
