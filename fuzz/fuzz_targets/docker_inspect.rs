//! `docker inspect`: any bytes are containers or none, as many as are shown at most.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for container in msconv::backend::docker::container::parse(bytes).unwrap_or_default() {
        assert!(container.pid.is_none_or(|pid| pid > 0));
    }
});
