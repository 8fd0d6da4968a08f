//! A configuration file: read, or refused with the file and a line that exists.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::config::layers;
use std::path::Path;

fuzz_target!(|text: &str| {
    if let Err(failure) = layers::parse(Path::new("c.toml"), text) {
        let rest = failure.what().strip_prefix("c.toml:").expect("the file is named");
        let line: usize = rest.split(':').next().and_then(|n| n.parse().ok()).expect("and the line");
        assert!((1..=text.lines().count().max(1) + 1).contains(&line));
        assert_eq!(failure.kind().exit_code(), 2);
    }
});
