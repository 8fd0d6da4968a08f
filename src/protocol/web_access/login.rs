//! What a viewer shows to be let in, and how it goes on showing it: players ask for many URLs, and the query of the first
//! is in none of those that a playlist names unless it is written there.

use crate::auth::Shown;
use crate::base::percent::{argument, coded, decoded};
use crate::base::secret::Secret;

/// What stands in a query, in the order in which it is written behind other URLs.
const ARGUMENTS: [&str; 3] = ["user", "pass", "token"];

/// What was shown: in the field `Authorization` (Basic or Bearer), else in the query, as `user` and `pass` or as `token`.
pub fn shown(authorization: Option<&str>, query: &str) -> Shown {
    let in_field = authorization.and_then(|field| Shown::basic(field).or_else(|| Shown::bearer(field)));
    in_field.or_else(|| in_query(query)).unwrap_or(Shown::Nothing)
}

fn in_query(query: &str) -> Option<Shown> {
    let [user, password, token] = ARGUMENTS.map(|key| argument(query, key));
    match (user, password) {
        (Some(user), Some(password)) => Some(Shown::Password { user, password: Secret::new(password) }),
        _ => Some(Shown::Token(Secret::new(token?))),
    }
}

/// What a query shows, as it stands behind other URLs: with its `?`, or empty.
pub fn carried(query: &str) -> String {
    let mut text = String::new();
    for key in ARGUMENTS {
        if let Some(value) = argument(query, key) {
            text.push(if text.is_empty() { '?' } else { '&' });
            text.push_str(&format!("{key}={}", coded(&value)));
        }
    }
    text
}

/// The longest query that is carried whole, in bytes.
const LONGEST: usize = 1024;

/// As [`carried`] where anything in a query may be what opens the stream: all of it, but for what only playlists are asked.
pub fn carried_whole(query: &str) -> String {
    let mut text = String::new();
    let pairs = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("_HLS_"));
    for pair in pairs.filter(|_| query.len() <= LONGEST) {
        text.push(if text.is_empty() { '?' } else { '&' });
        match pair.split_once('=') {
            Some((key, value)) => {
                text.push_str(&format!("{}={}", coded(&decoded(key)), coded(&decoded(value))))
            }
            None => text.push_str(&coded(&decoded(pair))),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn password(user: &str, password: &str) -> Shown {
        Shown::Password { user: user.into(), password: Secret::new(password) }
    }

    #[test]
    fn the_field_counts_before_the_query() {
        let token = |token| Shown::Token(Secret::new(token));
        // eye:pw
        assert_eq!(shown(Some("Basic ZXllOnB3"), "token=a"), password("eye", "pw"));
        assert_eq!(shown(Some("Bearer b"), "token=a"), token("b"));
        assert_eq!(shown(Some("Digest x"), "token=a%20b"), token("a b"));
        assert_eq!(shown(None, "x=1&user=eye&pass=p%26w&token=a"), password("eye", "p&w"));
        assert_eq!(shown(None, "user=eye&token=a"), token("a"));
        assert_eq!(shown(None, "user=eye"), Shown::Nothing);
        assert_eq!(shown(None, ""), Shown::Nothing);
    }

    #[test]
    fn only_what_is_shown_is_carried() {
        assert_eq!(carried("_HLS_msn=1&token=a%22%0A/b&x=y"), "?token=a%22%0A%2Fb");
        assert_eq!(carried("pass=p+w&user=%C3%B6"), "?user=%C3%B6&pass=p%2Bw");
        assert_eq!(carried("x=1"), "");
        assert_eq!(carried_whole("_HLS_msn=1&sign=a%22-b&x&&t=a+b"), "?sign=a%22-b&x&t=a%2Bb");
        assert_eq!(carried_whole(&"x".repeat(2000)), "");
    }

    proptest! {
        #[test]
        fn whatever_is_carried_is_one_plain_word(query in ".{0,60}", token in any::<String>()) {
            for query in [query, format!("token={}&user=a", coded(&token))] {
                let carried = carried(&query);
                prop_assert!(carried.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%?&=".contains(&b)), "{}", carried);
                prop_assert_eq!(shown(None, carried.trim_start_matches('?')), shown(None, &query));
            }
        }
    }
}
