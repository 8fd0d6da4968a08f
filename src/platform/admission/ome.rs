//! Admission webhooks of OvenMediaEngine.

use super::answer::{Allowed, HttpAnswer, HttpRequest, Method, Verdict};
use super::ask::Ask;
use super::json::{Object, object, text_of};
use super::target::Target;
use crate::auth::Protocol;
use crate::base::clock::log_stamp;
use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::time::Duration;

pub(super) fn question(ask: &Ask, to: &Target) -> HttpRequest {
    request(ask, "opening", ask.at_ms, to)
}

pub(super) fn ended(ask: &Ask, at_ms: i64, to: &Target) -> HttpRequest {
    request(ask, "closing", at_ms, to)
}

fn request(ask: &Ask, status: &str, at_ms: i64, to: &Target) -> HttpRequest {
    let address = ask.address.to_string();
    let client = Object::new()
        .with("address", &address)
        .with("port", &ask.caller.port)
        .with("real_ip", &address)
        .with_some("user_agent", &ask.caller.agent);
    let query = ask.query.reveal();
    let mark = if query.is_empty() { "" } else { "?" };
    let url = format!("{}/{}/{}{mark}{query}", ask.origin(), ask.application, ask.name.reveal());
    let request = Object::new()
        .with("direction", if ask.publishes() { "incoming" } else { "outgoing" })
        .with("protocol", if ask.protocol == Protocol::Hls { "llhls" } else { ask.protocol_word() })
        .with("status", status)
        .with("url", &url)
        .with("time", &log_stamp(at_ms));
    let body = Object::new().raw("client", &client.text()).raw("request", &request.text()).text();
    let mut headers =
        vec![("content-type", "application/json".to_string()), ("accept", "application/json".to_string())];
    if let Some(secret) = &to.secret {
        let key = Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.reveal().as_bytes());
        headers.push(("x-ome-signature", URL_SAFE_NO_PAD.encode(sign(&key, body.as_bytes()))));
    }
    HttpRequest { method: Method::Post, url: to.url.reveal(), headers, body }
}

/// 200 with `allowed: true`; a name in `new_url`, and a lifetime in milliseconds.
pub(super) fn verdict(answer: &HttpAnswer) -> Verdict {
    let told = object(&answer.body).filter(|_| answer.status == 200).unwrap_or_default();
    if told.get("allowed") != Some(&Value::Bool(true)) {
        return Verdict::Refused(text_of(&told, &["reason"]).map(str::to_string));
    }
    let path = text_of(&told, &["new_url"]).and_then(|url| url.split(['?', '#']).next());
    let name = path.filter(|url| url.contains("://")).and_then(|url| url.rsplit('/').next());
    let lifetime = told.get("lifetime").and_then(Value::as_u64).filter(|ms| *ms > 0);
    Verdict::Allowed(Box::new(Allowed {
        lifetime: lifetime.map(Duration::from_millis),
        ..Allowed::default().named(name)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Action;
    use crate::base::secret::Secret;
    use crate::config::admission::Form;
    use crate::platform::admission::target::tests::{answer, ask, target};

    #[test]
    fn questions_have_the_form_and_are_signed() {
        let mut to = target(Form::Ome, "https://a.example/ome");
        let plain = question(&ask(Action::Publish), &to);
        assert_eq!(
            plain.body,
            r#"{"client":{"address":"127.0.0.1","port":41548,"real_ip":"127.0.0.1","user_agent":"FMLE/3.0 (compatible; Lavf59.27.100)"},"request":{"direction":"incoming","protocol":"rtmp","status":"opening","url":"rtmp://127.0.0.1:28102/live/key1?token=a%20b&x=1","time":"2023-11-14T22:13:20.123Z"}}"#
        );
        assert!(plain.headers.iter().all(|(name, _)| *name != "x-ome-signature"));
        to.secret = Some(Secret::new("1234"));
        let over = ended(&ask(Action::Read), 1_700_000_001_000, &to);
        assert!(over.body.contains(r#""direction":"outgoing","protocol":"rtmp","status":"closing""#));
        let (_, signature) = over.headers.iter().find(|(name, _)| *name == "x-ome-signature").unwrap();
        // As `printf BODY | openssl dgst -sha1 -hmac 1234 -binary | basenc --base64url` says, without its padding.
        assert_eq!(signature.len(), 27, "{signature}");
    }

    #[test]
    fn it_has_to_be_allowed_in_so_many_words() {
        for (status, body, allowed) in [
            (200, r#"{"allowed":true}"#, true),
            (200, r#"{"allowed":false,"reason":"x"}"#, false),
            (200, r#"{"allowed":"true"}"#, false),
            (200, "{}", false),
            (200, "", false),
            (200, r#"{"allowed":tr"#, false),
            (201, r#"{"allowed":true}"#, false),
            (403, r#"{"allowed":true}"#, false),
        ] {
            let verdict = verdict(&answer(status, body));
            assert_eq!(matches!(verdict, Verdict::Allowed(_)), allowed, "{status} {body}");
        }
        let told = verdict(&answer(200, r#"{"allowed":false,"reason":"no seats"}"#));
        assert_eq!(told, Verdict::Refused(Some("no seats".into())));
        let body =
            r#"{"allowed":true,"new_url":"rtmp://a:1935/live/film?x=1","lifetime":60000,"reason":"y"}"#;
        let Verdict::Allowed(allowed) = verdict(&answer(200, body)) else { panic!() };
        assert_eq!(
            (allowed.name.as_deref(), allowed.lifetime),
            (Some("film"), Some(Duration::from_secs(60)))
        );
        let Verdict::Allowed(allowed) = verdict(&answer(200, r#"{"allowed":true,"lifetime":0}"#)) else {
            panic!()
        };
        assert_eq!(*allowed, Allowed::default());
    }
}
