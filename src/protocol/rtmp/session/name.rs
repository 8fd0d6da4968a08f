//! Names and URLs as RTMP carries them: `name?arguments`, and the application in front of it.

use crate::base::percent::decoded;
use crate::model::stream_name::is_name;

/// A name that is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a stream name has 1 to 128 letters, digits, '.', '_', '~' and '-', and begins with a letter or digit"
)]
pub struct BadName;

/// `text` without its `?arguments`, and these.
pub fn cut(text: &str) -> (&str, &str) {
    text.split_once('?').unwrap_or((text, ""))
}

/// Whether a name follows the rule ([`is_name`]).
///
/// # Errors
/// It does not.
pub fn check(name: &str) -> Result<(), BadName> {
    if is_name(name) { Ok(()) } else { Err(BadName) }
}

/// The value of `key` among `a=b&c=d` arguments, as it stands there.
pub fn raw_argument<'a>(arguments: &'a str, key: &str) -> Option<&'a str> {
    arguments
        .split(['&', '?'])
        .find_map(|pair| pair.split_once('=').filter(|(k, _)| *k == key))
        .map(|(_, v)| v)
}

/// As [`raw_argument`], with `%41` decoded to `A`.
pub fn argument(arguments: &str, key: &str) -> Option<String> {
    raw_argument(arguments, key).map(decoded)
}

/// The user and password of `?user=..&pass=..`.
pub fn credentials(arguments: &str) -> Option<(String, String)> {
    Some((argument(arguments, "user")?, argument(arguments, "pass")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        for good in ["a", "film_720p", "0.~-_", "A-b.c", &"x".repeat(128)] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            ".hidden",
            "-rf",
            "_a",
            "a/b",
            "../x",
            "a b",
            "a?b",
            "a%2fb",
            "поток",
            "a\0",
            "a\n",
            "a&b",
            "<a>",
            &"x".repeat(129),
        ] {
            assert_eq!(check(bad), Err(BadName), "{bad}");
        }
    }

    #[test]
    fn arguments_are_cut_and_read() {
        assert_eq!(cut("film?user=a&pass=b"), ("film", "user=a&pass=b"));
        assert_eq!(cut("film"), ("film", ""));
        assert_eq!(cut("film?a?b"), ("film", "a?b"));
        let some = |u: &str, p: &str| Some((u.to_string(), p.to_string()));
        assert_eq!(credentials("user=a&pass=b"), some("a", "b"));
        assert_eq!(credentials("x=1&pass=p%26%3D%20&user=b%6fb"), some("bob", "p&= "));
        assert_eq!(credentials("pass=&user="), some("", ""));
        assert_eq!(credentials("user=a"), None);
        assert_eq!(credentials("xuser=a&pass=b"), None);
        assert_eq!(argument("a=%zz%4", "a").as_deref(), Some("%zz%4"));
        assert_eq!(raw_argument("response=ab+/==&x=1", "response"), Some("ab+/=="));
    }
}
