//! `--variants`: what is accepted keeps every limit and reads back the same; what is refused points into the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::model::Ladder;

fuzz_target!(|text: &str| {
    match text.parse::<Ladder>() {
        Ok(ladder) => {
            let again: Ladder = ladder.to_string().parse().expect("what is written is read");
            assert_eq!(again, ladder);
        }
        Err(error) => {
            assert!(error.caret().lines().count() <= 2);
        }
    }
});
