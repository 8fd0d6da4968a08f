//! The PID file: whatever it holds, only a plausible process number comes out.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(pid) = msconv::process::pid_file::parse(bytes) {
        assert!((2..=4_194_304).contains(&pid));
        assert!(bytes.len() <= 32);
    }
});
