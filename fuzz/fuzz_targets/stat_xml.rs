//! nginx-rtmp's `/stat`: any bytes are a snapshot or a refusal.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = msconv::status::nginx_stat::parse(bytes);
});
