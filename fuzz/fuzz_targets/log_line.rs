//! A line of a log: bounded, one line, nothing that a terminal would obey.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::manager::logs::line::{LONGEST, Line};

fuzz_target!(|bytes: &[u8]| {
    let line = Line::new(0, bytes);
    assert!(!line.text.contains(|c: char| c.is_control()));
    assert!(line.text.chars().count() <= LONGEST + 1);
});
