//! The argument of ffmpeg's `tee` muxer: which tracks go where, written so that every level of its grammar reads back
//! what was meant.
//!
//! Three readers stand behind each other, and each takes away one level of quoting: the list of slaves (parted by
//! `|`), a slave's options (`[key=value:key=value]`, parted by `:`), and the options within the option
//! `fifo_options`. All three use the same token rule: a backslash takes the next character as it is, quotes take
//! everything between them, blanks at both ends are dropped.

use std::borrow::Cow;

/// One output of the tee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slave {
    /// Options in order, `select` and `f` among them.
    pub options: Vec<(&'static str, String)>,
    /// Where it goes; anything.
    pub url: String,
}

/// The argument for `-f tee`.
pub fn argument(slaves: &[Slave]) -> String {
    slaves.iter().map(|slave| token(&slave.text(), "|").into_owned()).collect::<Vec<_>>().join("|")
}

/// Options within an option: `a=1:b=2`.
pub fn options(pairs: &[(&str, String)]) -> String {
    let pair = |(key, value): &(&str, String)| format!("{key}={}", token(value, ":"));
    pairs.iter().map(pair).collect::<Vec<_>>().join(":")
}

impl Slave {
    fn text(&self) -> String {
        let pair = |(key, value): &(&str, String)| format!("{key}={}", token(value, ":]"));
        let options = self.options.iter().map(pair).collect::<Vec<_>>().join(":");
        format!("[{options}]{}", self.url)
    }
}

/// `text` so that a token reader that stops at `ends` gives it back.
fn token<'a>(text: &'a str, ends: &str) -> Cow<'a, str> {
    let special = |c: char| matches!(c, '\\' | '\'') || c.is_ascii_whitespace() || ends.contains(c);
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if special(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    Cow::Owned(out)
}

#[cfg(test)]
#[path = "tee_tests.rs"]
mod tests;
