//! ffprobe's list of packets, and what ffmpeg says of its own speed: anything is read, nothing is believed beyond reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::ffmpeg::{cost, packet_times, packets};

fuzz_target!(|bytes: &[u8]| {
    if let Some(found) = packets::parse(bytes, 0) {
        assert!(found.count > 0 && found.longest_gap >= 0.0 && !found.longest_gap.is_nan());
    }
    let _ = packet_times::parse(bytes, Some(0), Some(1));
    if let Some(slowness) = cost::slowness(&String::from_utf8_lossy(bytes)) {
        assert!((0.05..=50.0).contains(&slowness));
    }
});
