//! What may stand in a message: plain text. It is never HTML on its way, so nothing in it is escaped or taken for a tag;
//! only characters that act on the text around them are taken out.

/// The text without control characters and without those that turn the direction of what follows; line breaks and tabs
/// become spaces. Trimmed.
pub fn cleaned(text: &str) -> String {
    let kept = text.chars().filter_map(|c| match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
        c if c.is_control() || turns(c) => None,
        c => Some(c),
    });
    let kept: String = kept.collect();
    kept.trim().to_string()
}

/// Whether a character turns the direction of what follows (Unicode Standard Annex 9), or cannot be seen and is no joiner.
pub fn turns(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_stays_as_it_was_typed() {
        let html = "<b>\"bold\" & 'more'</b>";
        assert_eq!(cleaned(html), html);
        assert_eq!(cleaned("a\nb\tc\0d\u{7}e\u{202e}f"), "a b cdef");
        assert_eq!(cleaned("  👩\u{200d}🚀 ё\u{301} "), "👩\u{200d}🚀 ё\u{301}");
        assert_eq!(cleaned("\u{1b}[31m\u{85}\u{9b}"), "[31m");
    }

    proptest! {
        #[test]
        fn nothing_that_acts_is_left(text in any::<String>()) {
            let clean = cleaned(&text);
            prop_assert!(!clean.chars().any(|c| c.is_control() || turns(c)));
            prop_assert_eq!(cleaned(&clean), clean);
        }
    }
}
