//! The name under which a stream is published.
//!
//! The rule is narrow on purpose: a key is at once a file name, an RTMP name, a URL segment, XML text and a shell
//! word. On nginx-rtmp `a b`, `a?b=c` and `a live=1` all publish as `a`, and non-ASCII letters show as blanks
//! (measured on 1.2.2), so none of them may be part of a key.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Longest key in bytes; with the longest suffix it stays under nginx-rtmp's 256.
pub const LONGEST: usize = 64;

/// `[A-Za-z0-9][A-Za-z0-9_-]{0,63}`, and not a device name of other systems.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamKey(String);

/// Why a text is no stream key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing was given.
    #[error("a stream key cannot be empty")]
    Empty,
    /// Over [`LONGEST`] bytes.
    #[error("a stream key has at most {LONGEST} characters, this one has {0}")]
    TooLong(usize),
    /// Begins with `-` or `_`.
    #[error("a stream key begins with a letter or a digit, not with '{0}'")]
    BadStart(char),
    /// Holds a character outside the rule.
    #[error("a stream key may hold only A-Z a-z 0-9 _ and -, not '{}'", .0.escape_debug())]
    BadCharacter(char),
    /// A name that some file systems reserve (`CON`, `NUL`, `COM1`, ...).
    #[error("'{0}' is a reserved name")]
    Reserved(String),
}

impl StreamKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StreamKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<StreamKey, Error> {
        let first = text.chars().next().ok_or(Error::Empty)?;
        if let Some(bad) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))) {
            return Err(Error::BadCharacter(bad));
        }
        if !first.is_ascii_alphanumeric() {
            return Err(Error::BadStart(first));
        }
        if text.len() > LONGEST {
            return Err(Error::TooLong(text.len()));
        }
        if reserved(text) {
            return Err(Error::Reserved(text.to_string()));
        }
        Ok(StreamKey(text.to_string()))
    }
}

impl TryFrom<String> for StreamKey {
    type Error = Error;
    fn try_from(text: String) -> Result<StreamKey, Error> {
        text.parse()
    }
}

impl From<StreamKey> for String {
    fn from(key: StreamKey) -> String {
        key.0
    }
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn reserved(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let numbered = |stem: &str| {
        upper.strip_prefix(stem).is_some_and(|n| n.len() == 1 && n.chars().all(|c| ('1'..='9').contains(&c)))
    };
    matches!(upper.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

/// A valid key near to `text`: letters transliterated (`стрим1` becomes `strim1`), everything else replaced by `-`.
/// `None` if nothing is left to build on.
pub fn suggestion(text: &str) -> Option<StreamKey> {
    let mut near = String::new();
    for letter in text.chars().take(4 * LONGEST) {
        match letter {
            c if c.is_ascii_alphanumeric() || c == '_' => near.push(c),
            c => match latin(c) {
                Some(latin) => near.push_str(latin),
                None if near.ends_with('-') => {}
                None => near.push('-'),
            },
        }
    }
    let near = near.trim_matches(['-', '_']);
    let mut near: String = near.chars().take(LONGEST).collect();
    while near.ends_with(['-', '_']) {
        near.pop();
    }
    if reserved(&near) {
        near.push_str("-stream");
    }
    near.parse().ok()
}

/// Latin letters for one Cyrillic or accented letter.
fn latin(letter: char) -> Option<&'static str> {
    let upper = letter.is_uppercase();
    let lower = letter.to_lowercase().next()?;
    let pair = match lower {
        'а' => ("a", "A"),
        'б' => ("b", "B"),
        'в' => ("v", "V"),
        'г' | 'ґ' => ("g", "G"),
        'д' => ("d", "D"),
        'е' | 'э' | 'ё' => ("e", "E"),
        'є' => ("ye", "Ye"),
        'ж' => ("zh", "Zh"),
        'з' => ("z", "Z"),
        'и' | 'і' => ("i", "I"),
        'ї' => ("yi", "Yi"),
        'й' | 'ы' => ("y", "Y"),
        'к' => ("k", "K"),
        'л' => ("l", "L"),
        'м' => ("m", "M"),
        'н' => ("n", "N"),
        'о' => ("o", "O"),
        'п' => ("p", "P"),
        'р' => ("r", "R"),
        'с' => ("s", "S"),
        'т' => ("t", "T"),
        'у' => ("u", "U"),
        'ф' => ("f", "F"),
        'х' => ("kh", "Kh"),
        'ц' => ("ts", "Ts"),
        'ч' => ("ch", "Ch"),
        'ш' => ("sh", "Sh"),
        'щ' => ("shch", "Shch"),
        'ъ' | 'ь' => ("", ""),
        'ю' => ("yu", "Yu"),
        'я' => ("ya", "Ya"),
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ą' => ("a", "A"),
        'ä' | 'æ' => ("ae", "Ae"),
        'ç' | 'ć' | 'č' => ("c", "C"),
        'è' | 'é' | 'ê' | 'ë' | 'ę' | 'ě' => ("e", "E"),
        'ì' | 'í' | 'î' | 'ï' => ("i", "I"),
        'ł' => ("l", "L"),
        'ñ' | 'ń' => ("n", "N"),
        'ò' | 'ó' | 'ô' | 'õ' | 'ø' => ("o", "O"),
        'ö' => ("oe", "Oe"),
        'ř' => ("r", "R"),
        'ś' | 'š' => ("s", "S"),
        'ß' => ("ss", "SS"),
        'ù' | 'ú' | 'û' | 'ů' => ("u", "U"),
        'ü' => ("ue", "Ue"),
        'ý' => ("y", "Y"),
        'ź' | 'ż' | 'ž' => ("z", "Z"),
        _ => return None,
    };
    Some(if upper { pair.1 } else { pair.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_error_per_way_to_be_wrong() {
        assert_eq!("".parse::<StreamKey>(), Err(Error::Empty));
        assert_eq!("-a".parse::<StreamKey>(), Err(Error::BadStart('-')));
        assert_eq!("a b".parse::<StreamKey>(), Err(Error::BadCharacter(' ')));
        assert_eq!("../x".parse::<StreamKey>(), Err(Error::BadCharacter('.')));
        assert_eq!("стрим".parse::<StreamKey>(), Err(Error::BadCharacter('с')));
        assert_eq!("a".repeat(65).parse::<StreamKey>(), Err(Error::TooLong(65)));
        assert_eq!("con".parse::<StreamKey>(), Err(Error::Reserved("con".into())));
        assert!("a".repeat(64).parse::<StreamKey>().is_ok());
        assert!("relayCam_2-x".parse::<StreamKey>().is_ok());
    }

    #[test]
    fn suggests_a_key_near_by() {
        assert_eq!(suggestion("стрим1").unwrap().as_str(), "strim1");
        assert_eq!(suggestion("my stream!").unwrap().as_str(), "my-stream");
        assert_eq!(suggestion("../../etc/passwd").unwrap().as_str(), "etc-passwd");
        assert_eq!(suggestion("Щука").unwrap().as_str(), "Shchuka");
        assert_eq!(suggestion("nul").unwrap().as_str(), "nul-stream");
        assert_eq!(suggestion("???"), None);
    }

    proptest! {
        #[test]
        fn every_key_is_one_safe_path_segment(text in "\\PC{0,80}") {
            if let Ok(key) = text.parse::<StreamKey>() {
                let path = std::path::Path::new("pids").join(format!("{key}.pid"));
                prop_assert_eq!(path.parent(), Some(std::path::Path::new("pids")));
                prop_assert!(!key.as_str().starts_with(['.', '-']));
                prop_assert_eq!(key.as_str(), text);
            }
        }

        #[test]
        fn every_suggestion_is_a_key(text in "\\PC{0,200}") {
            if let Some(key) = suggestion(&text) {
                prop_assert!(key.as_str().parse::<StreamKey>().is_ok());
            }
        }
    }
}
