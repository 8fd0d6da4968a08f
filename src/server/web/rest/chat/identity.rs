//! Who a viewer is to chat: whoever has the same random token, which a browser keeps as a cookie that no script can read.

use crate::platform::chat::PersonId;
use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

const DAYS: u32 = 180;

/// Somebody, by his token.
pub struct Identity {
    /// Who.
    pub id: PersonId,
    /// What he is to keep, if he is new.
    pub cookie: Option<HeaderValue>,
}

/// The name of the cookie. Over TLS no other host and no page without TLS can set it (RFC 6265bis, 4.1.3.2).
const fn name(secure: bool) -> &'static str {
    if secure { "__Host-msconv_chat" } else { "msconv_chat" }
}

impl Identity {
    /// Who has sent these fields; somebody new if they name nobody.
    pub fn of(headers: &HeaderMap, secure: bool) -> Identity {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
        let pairs = cookies.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let token =
            pairs.filter(|(key, _)| *key == name(secure)).map(|(_, token)| token).find(|t| is_token(t));
        match token {
            Some(token) => Identity { id: PersonId::of(token), cookie: None },
            None => Identity::new(secure),
        }
    }

    fn new(secure: bool) -> Identity {
        let token = uuid::Uuid::new_v4().simple().to_string();
        let (age, name) = (DAYS.saturating_mul(86_400), name(secure));
        let flags = if secure { "; Secure" } else { "" };
        let cookie = format!("{name}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{flags}");
        Identity { id: PersonId::of(&token), cookie: HeaderValue::from_str(&cookie).ok() }
    }
}

fn is_token(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_and_known_again() {
        for secure in [false, true] {
            let new = Identity::of(&HeaderMap::new(), secure);
            let cookie = new.cookie.unwrap().to_str().unwrap().to_string();
            assert_eq!(cookie.starts_with("__Host-") && cookie.ends_with("; Secure"), secure, "{cookie}");
            assert!(cookie.contains("; Path=/; Max-Age=15552000; HttpOnly; SameSite=Lax"), "{cookie}");
            let sent = format!("a=b; {}", cookie.split(';').next().unwrap());
            let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(&sent).unwrap())]);
            let again = Identity::of(&headers, secure);
            assert!(again.id == new.id && again.cookie.is_none());
            assert_ne!(Identity::of(&headers, !secure).id, new.id);
        }
        let wrong =
            HeaderMap::from_iter([(COOKIE, HeaderValue::from_static("msconv_chat=short; msconv_chat"))]);
        assert!(Identity::of(&wrong, false).cookie.is_some());
    }
}
