//! ffmpeg's log lines and its end: any words have a meaning or none, and what is quoted is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::ffmpeg::diagnosis;

fuzz_target!(|input: (u8, &str)| {
    let (code, text) = input;
    let lines: Vec<String> = text.lines().map(str::to_string).collect();
    for line in &lines {
        let _ = diagnosis::is_harmless(line);
        if let Some(finding) = diagnosis::diagnose_line(line) {
            assert!(!finding.to_string().is_empty());
        }
    }
    let _ = diagnosis::exit_verdict(Some(code.into()), None, code % 2 == 0, &lines);
    let _ = diagnosis::exit_verdict(None, Some((code % 64).into()), code % 2 == 0, &lines);
    assert!(diagnosis::last_words(&lines, 5).len() <= 5);
});
