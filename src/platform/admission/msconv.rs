//! Our own form: an event as webhooks have them, signed as Standard Webhooks demands.

use super::answer::{Allowed, HttpAnswer, HttpRequest, Method, Verdict};
use super::ask::Ask;
use super::json::{Object, object, text_of, time_of};
use super::target::Target;
use crate::base::clock::log_stamp;
use crate::base::secret::Secret;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use uuid::Uuid;

pub(super) fn question(ask: &Ask, to: &Target) -> HttpRequest {
    let kind = if ask.publishes() { "admission.publish" } else { "admission.read" };
    request(ask, kind, ask.at_ms, ask.id, to)
}

pub(super) fn ended(ask: &Ask, at_ms: i64, to: &Target) -> HttpRequest {
    let kind = if ask.publishes() { "admission.publish_ended" } else { "admission.read_ended" };
    request(ask, kind, at_ms, Uuid::new_v4(), to)
}

fn request(ask: &Ask, kind: &str, at_ms: i64, id: Uuid, to: &Target) -> HttpRequest {
    let data = Object::new()
        .with("id", &ask.id.to_string())
        .with("key", ask.name.reveal())
        .with("application", &ask.application)
        .with("ip", &ask.address.to_string())
        .with("protocol", ask.protocol_word())
        .with("user_agent", &ask.caller.agent)
        .with("query", ask.query.reveal())
        .with_some("user", &ask.user)
        .with_some("password", ask.password.reveal())
        .with_some("token", ask.token.reveal());
    let event = Object::new().with("type", kind).with("timestamp", &log_stamp(at_ms));
    let body = event.raw("data", &data.text()).text();
    let id = format!("msg_{}", id.simple());
    let seconds = (at_ms / 1000).to_string();
    let mut headers = vec![("content-type", "application/json".to_string())];
    if let Some(secret) = &to.secret {
        headers.push(("webhook-signature", signature(secret, &id, &seconds, &body)));
    }
    headers.extend([("webhook-id", id), ("webhook-timestamp", seconds)]);
    HttpRequest { method: Method::Post, url: to.url.reveal(), headers, body }
}

/// Standard Webhooks 1.0: HMAC-SHA256 over id, time and body, by the bytes behind `whsec_` or, without it, the text itself.
fn signature(secret: &Secret, id: &str, seconds: &str, body: &str) -> String {
    let text = secret.reveal().trim();
    let coded = text.strip_prefix("whsec_").and_then(|coded| STANDARD.decode(coded).ok());
    let key = coded.unwrap_or_else(|| text.as_bytes().to_vec());
    let tag = sign(&Key::new(HMAC_SHA256, &key), format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

/// 2xx with `allow: true`; otherwise no, for the `reason` that is given.
pub(super) fn verdict(answer: &HttpAnswer, now_ms: i64) -> Verdict {
    let told = object(&answer.body).unwrap_or_default();
    let reason = || text_of(&told, &["reason"]).map(str::to_string).or_else(|| answer.reason());
    if answer.status == 401 {
        return Verdict::NeedsLogin;
    }
    if !answer.is_success() || told.get("allow") != Some(&Value::Bool(true)) {
        return Verdict::Refused(reason());
    }
    let named = |key| Allowed::default().named(text_of(&told, &[key]));
    let named =
        Some(named("name")).filter(|named| named.name.is_some()).unwrap_or_else(|| named("public_id"));
    let allowed = Allowed {
        user: text_of(&told, &["user", "user_id"]).unwrap_or_default().to_string(),
        ladder: text_of(&told, &["ladder"]).map(str::to_string),
        record: told.get("record").and_then(Value::as_bool),
        ..named
    };
    match allowed.until(time_of(&told, &["expires_at"]), now_ms) {
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
    fn questions_are_signed_events() {
        let mut to = target(Form::Msconv, "http://127.0.0.1:3000/admission");
        to.secret = Some(Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        let request = question(&ask(Action::Publish), &to);
        assert_eq!(
            request.body,
            r#"{"type":"admission.publish","timestamp":"2023-11-14T22:13:20.123Z","data":{"id":"9def6040-d7cc-42e1-91f7-239497a9c1ab","key":"key1","application":"live","ip":"127.0.0.1","protocol":"rtmp","user_agent":"FMLE/3.0 (compatible; Lavf59.27.100)","query":"token=a%20b&x=1"}}"#
        );
        let field = |wanted: &str| {
            request.headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.clone()).unwrap()
        };
        assert_eq!(field("webhook-timestamp"), "1700000000");
        assert_eq!(field("webhook-id"), "msg_9def6040d7cc42e191f7239497a9c1ab");
        let signed =
            signature(to.secret.as_ref().unwrap(), &field("webhook-id"), "1700000000", &request.body);
        assert_eq!(field("webhook-signature"), signed);
        // The example of the specification.
        let example = signature(
            to.secret.as_ref().unwrap(),
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(example, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let over = ended(&ask(Action::Read), 1_700_000_001_000, &to);
        assert!(over.body.starts_with(r#"{"type":"admission.read_ended","#));
        assert!(!format!("{request:?}").contains("key1"));
    }

    #[test]
    fn it_has_to_be_allowed_in_so_many_words() {
        for (status, body) in [
            (200, ""),
            (200, "ok then"),
            (200, "{}"),
            (200, r#"{"allow":1}"#),
            (200, r#"{"allow":true,"expires_at":"2001-01-01T00:00:00Z"}"#),
            (403, r#"{"allow":true}"#),
            (302, r#"{"allow":true}"#),
        ] {
            let verdict = verdict(&answer(status, body), 1_700_000_000_000);
            assert!(matches!(verdict, Verdict::Refused(_)), "{status} {body}: {verdict:?}");
        }
        assert_eq!(verdict(&answer(401, ""), 0), Verdict::NeedsLogin);
        let told = verdict(&answer(403, r#"{"reason":"no seats"}"#), 0);
        assert_eq!(told, Verdict::Refused(Some("no seats".into())));
        let body = r#"{"allow":true,"public_id":"7Xk","name":"film","ladder":"off","record":true,"expires_at":"2023-11-14T22:13:30Z"}"#;
        let Verdict::Allowed(allowed) = verdict(&answer(200, body), 1_700_000_000_000) else { panic!() };
        assert_eq!(allowed.name.as_deref(), Some("film"));
        assert_eq!((allowed.lifetime, allowed.record), (Some(Duration::from_secs(10)), Some(true)));
    }
}
