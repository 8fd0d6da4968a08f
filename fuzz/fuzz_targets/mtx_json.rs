//! MediaMTX's `/v3/paths/list`: any bytes are a page or a refusal.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(page) = msconv::status::mediamtx::parse_page(bytes) {
        assert!(page.paths.len() <= bytes.len());
    }
});
