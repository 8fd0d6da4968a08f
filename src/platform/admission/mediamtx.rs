//! MediaMTX's `authMethod: http`.

use super::answer::{HttpAnswer, HttpRequest, Method, Verdict};
use super::ask::Ask;
use super::json::Object;
use super::target::Target;
use crate::auth::Protocol;

pub(super) fn question(ask: &Ask, to: &Target) -> HttpRequest {
    // A bearer token with a colon is a user and a password.
    let (user, password, token) = match ask.token.reveal().split_once(':') {
        Some((user, password)) if !password.contains(':') => (user, password, ""),
        _ => (ask.user.as_str(), ask.password.reveal(), ask.token.reveal()),
    };
    let by_address = matches!(ask.protocol, Protocol::Rtmp | Protocol::Rtsp);
    let in_query = || {
        let found = ask.argument("token").or_else(|| ask.argument("jwt"));
        found.filter(|_| by_address).unwrap_or_default()
    };
    let token = match (token, password) {
        ("", "") => in_query(),
        ("", password) => password.to_string(),
        (token, _) => token.to_string(),
    };
    let id = ask.id.to_string();
    let body = Object::new()
        .with("ip", &ask.address.to_string())
        .with("user", user)
        .with("password", password)
        .with("token", &token)
        .with("action", if ask.publishes() { "publish" } else { "read" })
        .with("path", &format!("{}/{}", ask.application, ask.name.reveal()))
        .with("protocol", ask.protocol_word())
        .with("id", &(ask.protocol != Protocol::Hls).then_some(&id))
        .with("query", ask.query.reveal())
        .with("userAgent", &ask.caller.agent);
    HttpRequest {
        method: Method::Post,
        url: to.url.reveal(),
        headers: vec![("content-type", "application/json".into())],
        body: as_go_writes(&body.text()),
    }
}

/// Go's encoder keeps its JSON out of the way of HTML.
fn as_go_writes(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '&' | '<' | '>' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            _ => out.push(letter),
        }
    }
    out
}

/// 2xx allows. Whoever has shown nothing is asked for a user and a password, as MediaMTX does.
pub(super) fn verdict(answer: &HttpAnswer, shown: bool) -> Verdict {
    if answer.is_success() {
        Verdict::plain()
    } else if shown {
        Verdict::Refused(answer.reason())
    } else {
        Verdict::NeedsLogin
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Action;
    use crate::base::secret::Secret;
    use crate::config::admission::Form;
    use crate::platform::admission::target::tests::{answer, ask, target};

    fn body(ask: &Ask) -> String {
        question(ask, &target(Form::Mediamtx, "http://127.0.0.1:28101/auth")).body
    }

    #[test]
    fn questions_are_those_that_were_recorded() {
        let mut publishes = ask(Action::Publish);
        publishes.query = Secret::new("user=bob&pass=pw&x=1");
        (publishes.user, publishes.password) = ("bob".into(), Secret::new("pw"));
        assert_eq!(
            body(&publishes),
            r#"{"ip":"127.0.0.1","user":"bob","password":"pw","token":"pw","action":"publish","path":"live/key1","protocol":"rtmp","id":"9def6040-d7cc-42e1-91f7-239497a9c1ab","query":"user=bob\u0026pass=pw\u0026x=1","userAgent":"FMLE/3.0 (compatible; Lavf59.27.100)"}"#
        );
        let mut reads = ask(Action::Read);
        reads.protocol = Protocol::Rtsp;
        reads.query = Secret::new("token=1");
        reads.caller.agent = "Lavf59.27.100".into();
        assert_eq!(
            body(&reads),
            r#"{"ip":"127.0.0.1","user":"","password":"","token":"1","action":"read","path":"live/key1","protocol":"rtsp","id":"9def6040-d7cc-42e1-91f7-239497a9c1ab","query":"token=1","userAgent":"Lavf59.27.100"}"#
        );
        reads.protocol = Protocol::Hls;
        assert!(body(&reads).contains(r#""token":"","#) && body(&reads).contains(r#""id":null"#));
        reads.token = Secret::new("ann:pw");
        assert!(body(&reads).contains(r#""user":"ann","password":"pw","token":"pw""#), "{}", body(&reads));
    }

    #[test]
    fn whoever_shows_nothing_is_asked() {
        assert_eq!(verdict(&answer(204, ""), false), Verdict::plain());
        for status in [302, 400, 401, 403, 500] {
            assert_eq!(verdict(&answer(status, ""), false), Verdict::NeedsLogin);
            assert_eq!(verdict(&answer(status, ""), true), Verdict::Refused(None));
        }
        let why = verdict(&answer(403, "not today\n"), true);
        assert_eq!(why, Verdict::Refused(Some("not today".into())));
        assert_eq!(verdict(&answer(403, "<html>"), true), Verdict::Refused(None));
    }
}
