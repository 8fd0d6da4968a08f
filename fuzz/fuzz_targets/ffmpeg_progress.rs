//! `-progress` of ffmpeg.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::ffmpeg::progress::Parser;

fuzz_target!(|text: &str| {
    let mut parser = Parser::default();
    for line in text.lines() {
        let _ = parser.push_line(line);
    }
});
