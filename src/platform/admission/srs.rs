//! SRS's HTTP hooks: `on_publish`, `on_unpublish`, `on_play`, `on_stop`, in the form of version 5 and later.

use super::answer::{HttpAnswer, HttpRequest, Method, Verdict};
use super::ask::Ask;
use super::json::Object;
use super::target::Target;
use crate::auth::Protocol;
use serde_json::Value;

pub(super) fn question(ask: &Ask, to: &Target) -> HttpRequest {
    request(ask, if ask.publishes() { "on_publish" } else { "on_play" }, to)
}

pub(super) fn ended(ask: &Ask, to: &Target) -> HttpRequest {
    request(ask, if ask.publishes() { "on_unpublish" } else { "on_stop" }, to)
}

fn request(ask: &Ask, action: &str, to: &Target) -> HttpRequest {
    let id = ask.id.simple().to_string();
    let part = |from: usize, to: usize| id.get(from..to).unwrap_or_default().to_string();
    let query = ask.query.reveal();
    let param = if query.is_empty() { String::new() } else { format!("?{query}") };
    let url = match ask.protocol {
        Protocol::Rtmp => ask.caller.url.reveal().to_string(),
        _ => format!("{}/{}", ask.origin(), ask.application),
    };
    let body = Object::new()
        .with("server_id", "vid-msconv1")
        .with("service_id", "msconv01")
        .with("action", action)
        .with("client_id", &part(0, 8))
        .with("ip", &ask.address.to_string())
        .with("vhost", "__defaultVhost__")
        .with("app", &ask.application)
        .with("tcUrl", &url)
        .with("stream", ask.name.reveal())
        .with("param", &param);
    let body = if action == "on_play" { body.with("pageUrl", &ask.caller.page) } else { body };
    let body = body
        .with("stream_url", &format!("/{}/{}", ask.application, ask.name.reveal()))
        .with("stream_id", &format!("vid-{}", part(8, 15)));
    HttpRequest {
        method: Method::Post,
        url: to.url.reveal(),
        headers: vec![("content-type", "application/json".into())],
        body: body.text(),
    }
}

/// 200 or 201, and the body is `0` or an object whose `code` is 0.
pub(super) fn verdict(answer: &HttpAnswer) -> Verdict {
    if !matches!(answer.status, 200 | 201) {
        return Verdict::Refused(None);
    }
    let zero = |value: &Value| match value {
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text == "0",
        _ => false,
    };
    match serde_json::from_slice::<Value>(&answer.body) {
        Ok(Value::Object(told)) => match told.get("code") {
            Some(code) if zero(code) => Verdict::plain(),
            _ => Verdict::Refused(told.get("msg").and_then(Value::as_str).map(str::to_string)),
        },
        Ok(code) => Verdict::either(zero(&code)),
        Err(_) => Verdict::Refused(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Action;
    use crate::config::admission::Form;
    use crate::platform::admission::target::tests::{answer, ask, target};

    #[test]
    fn hooks_have_the_fields_in_their_order() {
        let to = target(Form::Srs, "http://127.0.0.1:8085/api/v1/streams");
        let head = r#"{"server_id":"vid-msconv1","service_id":"msconv01","action":"#;
        let who = r#""client_id":"9def6040","ip":"127.0.0.1","vhost":"__defaultVhost__","app":"live","tcUrl":"rtmp://127.0.0.1:28102/live","stream":"key1","param":"?token=a%20b&x=1","#;
        let tail = r#""stream_url":"/live/key1","stream_id":"vid-d7cc42e"}"#;
        let publishes = ask(Action::Publish);
        assert_eq!(question(&publishes, &to).body, format!("{head}\"on_publish\",{who}{tail}"));
        assert_eq!(ended(&publishes, &to).body, format!("{head}\"on_unpublish\",{who}{tail}"));
        let mut reads = ask(Action::Read);
        reads.caller.page = "http://a/".into();
        assert_eq!(
            question(&reads, &to).body,
            format!("{head}\"on_play\",{who}\"pageUrl\":\"http://a/\",{tail}")
        );
        assert_eq!(ended(&reads, &to).body, format!("{head}\"on_stop\",{who}{tail}"));
        reads.query = crate::base::secret::Secret::default();
        assert!(question(&reads, &to).body.contains(r#""param":"","#));
    }

    #[test]
    fn nothing_but_zero_allows() {
        for (status, body, allowed) in [
            (200, "0", true),
            (201, "0\n", true),
            (200, r#"{"code":0,"msg":"OK"}"#, true),
            (200, r#"{"code":0}"#, true),
            (200, r#"{"code":1}"#, false),
            (200, "{}", false),
            (200, "1", false),
            (200, "", false),
            (200, "OK", false),
            (200, r#"{"code":0"#, false),
            (204, "0", false),
            (302, "0", false),
            (404, "0", false),
        ] {
            let verdict = verdict(&answer(status, body));
            assert_eq!(verdict == Verdict::plain(), allowed, "{status} {body}");
        }
        let told = verdict(&answer(200, r#"{"code":403,"msg":"pay first"}"#));
        assert_eq!(told, Verdict::Refused(Some("pay first".into())));
    }
}
