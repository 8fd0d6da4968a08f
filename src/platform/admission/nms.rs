//! `notify.url` of node-media-server 4. There the stream begins while the back end is asked; here its answer is waited for.

use super::answer::{HttpAnswer, HttpRequest, Method, Verdict};
use super::ask::Ask;
use super::json::Object;
use super::target::{Happened, Target};
use crate::base::percent::decoded;
use std::net::{IpAddr, SocketAddr};

pub(super) fn question(ask: &Ask, to: &Target) -> HttpRequest {
    request(ask, if ask.publishes() { "prePublish" } else { "prePlay" }, (0, 0, 0), to)
}

pub(super) fn notice(ask: &Ask, happened: Happened, to: &Target) -> Option<HttpRequest> {
    Some(match (happened, ask.publishes()) {
        (Happened::Began, true) => request(ask, "postPublish", (0, 0, 0), to),
        (Happened::Began, false) => request(ask, "postPlay", (0, 0, 0), to),
        (Happened::Ended { at_ms, bytes_in, bytes_out }, publishes) => {
            let action = if publishes { "donePublish" } else { "donePlay" };
            request(ask, action, (at_ms, bytes_in, bytes_out), to)
        }
    })
}

fn request(
    ask: &Ask,
    action: &str,
    (end_ms, bytes_in, bytes_out): (i64, u64, u64),
    to: &Target,
) -> HttpRequest {
    let body = Object::new()
        .with("id", &id(ask))
        .with("ip", &address(ask))
        .with("app", &ask.application)
        .with("name", ask.name.reveal())
        .raw("query", &arguments(ask.query.reveal()))
        .with("protocol", ask.protocol_word())
        .with("createtime", &ask.at_ms)
        .with("endtime", &end_ms)
        .with("inbytes", &bytes_in)
        .with("outbytes", &bytes_out)
        .with("filePath", "")
        .with("action", action);
    HttpRequest {
        method: Method::Post,
        url: to.url.reveal(),
        headers: vec![("content-type", "text/plain;charset=UTF-8".into())],
        body: body.text(),
    }
}

/// Sixteen letters and digits, of which the first eight say when.
fn id(ask: &Ask) -> String {
    const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let digit = |n: u64| DIGITS.get(usize::try_from(n % 36).unwrap_or(0)).map_or('0', |b| char::from(*b));
    let mut time = ask.at_ms.unsigned_abs();
    let mut letters: Vec<char> = Vec::new();
    while time > 0 {
        letters.insert(0, digit(time));
        time /= 36;
    }
    letters.extend(ask.id.as_bytes().iter().take(8).map(|byte| digit(u64::from(*byte))));
    letters.into_iter().collect()
}

/// `1.2.3.4:41548`.
fn address(ask: &Ask) -> String {
    match ask.address {
        IpAddr::V4(v4) => format!("{v4}:{}", ask.caller.port),
        v6 => SocketAddr::new(v6, ask.caller.port).to_string(),
    }
}

/// The query as an object; of a key that stands in it twice, the last value.
fn arguments(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()).take(64) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (decoded(&key.replace('+', " ")), decoded(&value.replace('+', " ")));
        match pairs.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => pairs.push((key, value)),
        }
    }
    pairs.iter().fold(Object::new(), |object, (key, value)| object.with(key, value)).text()
}

/// 200 and nothing else.
pub(super) fn verdict(answer: &HttpAnswer) -> Verdict {
    Verdict::either(answer.status == 200)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Action;
    use crate::config::admission::Form;
    use crate::platform::admission::target::tests::{answer, ask, target};

    #[test]
    fn notifications_have_the_form() {
        let to = target(Form::Nms, "http://127.0.0.1:3000/nms");
        let publishes = ask(Action::Publish);
        let head = format!(
            r#"{{"id":"{}","ip":"127.0.0.1:41548","app":"live","name":"key1","query":{{"token":"a b","x":"1"}},"protocol":"rtmp","createtime":1700000000123,"#,
            id(&publishes)
        );
        assert_eq!(id(&publishes).len(), 16);
        assert_eq!(
            question(&publishes, &to).body,
            format!(r#"{head}"endtime":0,"inbytes":0,"outbytes":0,"filePath":"","action":"prePublish"}}"#)
        );
        let over = Happened::Ended { at_ms: 1_700_000_001_000, bytes_in: 7, bytes_out: 8 };
        assert_eq!(
            notice(&publishes, over, &to).unwrap().body,
            format!(
                r#"{head}"endtime":1700000001000,"inbytes":7,"outbytes":8,"filePath":"","action":"donePublish"}}"#
            )
        );
        let reads = ask(Action::Read);
        assert!(question(&reads, &to).body.ends_with(r#""action":"prePlay"}"#));
        assert!(notice(&reads, Happened::Began, &to).unwrap().body.ends_with(r#""action":"postPlay"}"#));
        assert_eq!(arguments("a=1&a=2&b&=c&%22=+"), r#"{"a":"2","b":"","":"c","\"":" "}"#);
    }

    #[test]
    fn nothing_but_200_allows() {
        for status in [201, 204, 301, 401, 404, 500] {
            assert_eq!(verdict(&answer(status, "")), Verdict::Refused(None));
        }
        assert_eq!(verdict(&answer(200, "whatever")), Verdict::plain());
    }
}
