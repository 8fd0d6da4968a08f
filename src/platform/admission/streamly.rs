//! Streamly's stream service: whether it knows a key. It decides about publishing alone; everybody may read there.

use super::answer::{Allowed, HttpAnswer, HttpRequest, Method, Verdict};
use super::ask::Ask;
use super::json::{object, text_of, time_of};
use super::target::Target;
use crate::base::percent::coded;
use serde_json::Value;

pub(super) fn question(ask: &Ask, to: &Target) -> Option<HttpRequest> {
    let path = format!("/api/streams/{}", coded(ask.name.reveal()));
    ask.publishes().then(|| HttpRequest {
        method: Method::Get,
        url: to.url.join(&path),
        headers: vec![("accept", "application/json".into())],
        body: String::new(),
    })
}

/// Success, unless the body says that the key is of no use any more. What the body is otherwise, if anything, does not matter.
pub(super) fn verdict(answer: &HttpAnswer, now_ms: i64) -> Verdict {
    if !answer.is_success() {
        return Verdict::Refused(None);
    }
    let Some(told) = object(&answer.body) else { return Verdict::plain() };
    let is_off = |key: &str| told.get(key) == Some(&Value::Bool(false));
    if ["active", "isActive", "valid"].into_iter().any(is_off) {
        return Verdict::Refused(Some("this stream key is not active".into()));
    }
    let allowed = Allowed {
        user: text_of(&told, &["user_id", "userId"]).unwrap_or_default().to_string(),
        ladder: text_of(&told, &["ladder"]).map(str::to_string),
        ..Allowed::default()
    };
    let named = ["public_id", "publicId", "name"].into_iter().find_map(|key| {
        let found = allowed.clone().named(text_of(&told, &[key]));
        found.name.is_some().then_some(found)
    });
    match named.unwrap_or(allowed).until(time_of(&told, &["expires_at", "expiresAt"]), now_ms) {
        Some(allowed) => Verdict::Allowed(Box::new(allowed)),
        None => Verdict::Refused(Some("this stream key has expired".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Action;
    use crate::config::admission::Form;
    use crate::platform::admission::target::tests::{answer, ask, target};
    use std::time::Duration;

    #[test]
    fn a_key_is_looked_up() {
        let mut asked = ask(Action::Publish);
        asked.name = crate::base::secret::Secret::new("a/b c");
        let request = question(&asked, &target(Form::Streamly, "http://127.0.0.1:3000/v2/?x=1")).unwrap();
        assert_eq!(request.url, "http://127.0.0.1:3000/v2/api/streams/a%2Fb%20c?x=1");
        assert_eq!((request.method, request.body.as_str()), (Method::Get, ""));
        assert_eq!(question(&ask(Action::Read), &target(Form::Streamly, "http://a")), None);
    }

    #[test]
    fn what_the_service_says_counts() {
        for (status, body, allowed) in [
            (200, "", true),
            (200, "OK", true),
            (204, "", true),
            (200, r#"{"isActive":true,"is_active":false}"#, true),
            (200, r#"{"active":false}"#, false),
            (200, r#"{"isActive":false}"#, false),
            (200, r#"{"data":{"valid":false}}"#, false),
            (200, r#"{"expires_at":"1999-01-01T00:00:00Z"}"#, false),
            (200, r#"{"expiresAt":1000}"#, false),
            (200, r#"{"expires_at":"2100-01-01T00:00:00Z"}"#, true),
            (200, r#"{"active":"#, true),
            (404, r#"{"active":true}"#, false),
            (401, "", false),
            (410, "", false),
            (302, "", false),
            (500, "", false),
        ] {
            let verdict = verdict(&answer(status, body), 1_700_000_000_000);
            assert_eq!(matches!(verdict, Verdict::Allowed(_)), allowed, "{status} {body}: {verdict:?}");
        }
    }

    #[test]
    fn what_it_knows_of_the_stream_is_taken() {
        let body = r#"{"stream":{"name":"My show","public_id":"film-1","user_id":"u7","ladder":"auto","expires_at":1700000060}}"#;
        let Verdict::Allowed(allowed) = verdict(&answer(200, body), 1_700_000_000_000) else { panic!() };
        let wanted = Allowed {
            name: Some("film-1".into()),
            user: "u7".into(),
            lifetime: Some(Duration::from_secs(60)),
            ladder: Some("auto".into()),
            record: None,
        };
        assert_eq!(*allowed, wanted);
        let Verdict::Allowed(allowed) = verdict(&answer(200, r#"{"name":"film"}"#), 0) else { panic!() };
        assert_eq!(allowed.name.as_deref(), Some("film"));
    }
}
