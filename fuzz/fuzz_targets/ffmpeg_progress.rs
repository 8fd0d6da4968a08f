//! ffmpeg's `-progress`: any lines are blocks or nothing, and the rates made of them are finite.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::ffmpeg::progress::{Parser, Rates};
use std::time::Duration;

fuzz_target!(|text: &str| {
    let mut parser = Parser::default();
    let mut rates = Rates::default();
    let mut now = Duration::ZERO;
    for line in text.lines() {
        if let Some(block) = parser.push_line(line) {
            now += Duration::from_millis(line.len() as u64 * 100);
            if let Some(rate) = rates.push(now, &block) {
                assert!(rate.fps.is_none_or(f64::is_finite));
                assert!(rate.speed.is_none_or(f64::is_finite));
            }
        }
    }
});
