//! Makes text from outside safe to show: one line, no terminal escape codes, no direction tricks, bounded.

/// Longest piece of foreign text shown in one place, in characters.
pub const LONGEST: usize = 600;

/// `text` with control and bidirectional-override characters replaced and its length bounded to [`LONGEST`].
pub fn printable(text: &str) -> String {
    bounded(text, LONGEST)
}

/// As [`printable`], with a bound of its own in characters.
pub fn bounded(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most * 4));
    for (count, letter) in text.trim_end_matches(['\n', '\r']).chars().enumerate() {
        if count >= most {
            shown.push('…');
            break;
        }
        shown.push(match letter {
            '\n' | '\r' | '\t' => ' ',
            c if hidden(c) => '\u{fffd}',
            c => c,
        });
    }
    shown
}

/// Whether a character could move the cursor, hide itself or turn the reading direction.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_what_could_act_on_a_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\u{7}"), "a\u{fffd}[31mb\u{fffd}");
        assert_eq!(printable("x\u{202e}y"), "x\u{fffd}y");
        assert_eq!(printable("two\nlines\n"), "two lines");
        assert_eq!(printable("поток"), "поток");
    }

    #[test]
    fn is_bounded() {
        assert_eq!(bounded(&"x".repeat(5000), 10).chars().count(), 11);
    }
}
