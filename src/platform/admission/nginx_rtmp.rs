//! nginx-rtmp's notifications: `on_publish`, `on_play`, `on_publish_done`, `on_play_done`, all to one address; `call` tells them apart.
//! The body is byte for byte that of version 1.2.2, but for the time of a file that players of live streams do not have.

use super::answer::{Allowed, HttpAnswer, HttpRequest, Method, Verdict};
use super::ask::Ask;
use super::target::Target;
use crate::auth::Protocol;
use std::fmt::Write;

/// Bytes of `flashVer` that nginx-rtmp keeps.
const FLASH_VERSION: usize = 31;
/// Bytes of the other texts of a connection that it keeps.
const TEXT: usize = 127;

pub(super) fn question(ask: &Ask, to: &Target) -> HttpRequest {
    let name = escaped(ask.name.reveal());
    let call = if ask.publishes() {
        format!("call=publish&name={name}&type=live")
    } else {
        // "From the live edge" as players say it: -2 seconds, without sign.
        format!("call=play&name={name}&start=4294965296&duration=0&reset=0")
    };
    request(ask, &call, to)
}

pub(super) fn ended(ask: &Ask, to: &Target) -> HttpRequest {
    let word = if ask.publishes() { "publish_done" } else { "play_done" };
    request(ask, &format!("call={word}&name={}", escaped(ask.name.reveal())), to)
}

fn request(ask: &Ask, call: &str, to: &Target) -> HttpRequest {
    let caller = &ask.caller;
    let url = match ask.protocol {
        Protocol::Rtmp => caller.url.reveal().to_string(),
        _ => format!("{}/{}", ask.origin(), ask.application),
    };
    let mut body = format!(
        "app={}&flashver={}&swfurl={}&tcurl={}&pageurl={}&addr={}&clientid={}&{call}",
        escaped(&ask.application),
        escaped(cut(&caller.agent, FLASH_VERSION)),
        escaped(cut(&caller.player, TEXT)),
        escaped(cut(&url, TEXT)),
        escaped(cut(&caller.page, TEXT)),
        ask.address,
        ask.number,
    );
    let arguments = ask.query.reveal();
    if !arguments.is_empty() {
        body.push('&');
        body.push_str(arguments);
    }
    HttpRequest {
        method: Method::Post,
        url: to.url.reveal(),
        headers: vec![("content-type", "application/x-www-form-urlencoded".into())],
        body,
    }
}

/// The first so many bytes of a text, or one less where a letter would be cut.
fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// As nginx escapes arguments.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let coded = !byte.is_ascii_graphic() || b"\"#%&+;<>?\\^`{|}".contains(&byte);
        if coded {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        } else {
            out.push(char::from(byte));
        }
    }
    out
}

/// 2xx allows; 3xx does, and a plain name in `Location` renames the stream.
pub(super) fn verdict(answer: &HttpAnswer) -> Verdict {
    match answer.status {
        200..=299 => Verdict::plain(),
        300..=399 => {
            let name = answer.location.as_deref().and_then(new_name);
            Verdict::Allowed(Box::new(Allowed::default().named(name)))
        }
        _ => Verdict::Refused(None),
    }
}

/// The name in a `Location`: as it stands, or the last part of a path or of an http address, which frameworks make of it.
/// `rtmp://` would be a relay, which keeps the name.
fn new_name(location: &str) -> Option<&str> {
    let location = location.trim();
    if location.starts_with("rtmp://") || location.starts_with("rtmps://") {
        return None;
    }
    location.split(['?', '#']).next()?.rsplit('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Action;
    use crate::config::admission::Form;
    use crate::platform::admission::target::tests::{answer, ask, target};

    fn to() -> Target {
        target(Form::NginxRtmp, "http://127.0.0.1:28101/p")
    }

    #[test]
    fn questions_are_those_that_were_recorded() {
        let request = question(&ask(Action::Publish), &to());
        assert_eq!(request.url, "http://127.0.0.1:28101/p");
        assert_eq!(
            request.body,
            "app=live&flashver=FMLE/3.0%20(compatible%3B%20Lavf59.27&swfurl=&tcurl=rtmp://127.0.0.1:28102/live\
             &pageurl=&addr=127.0.0.1&clientid=1&call=publish&name=key1&type=live&token=a%20b&x=1"
        );
        let mut reads = ask(Action::Read);
        reads.caller.agent = "LNX 9,0,124,2".into();
        reads.query = crate::base::secret::Secret::new("t=2");
        reads.number = 3;
        let head = "app=live&flashver=LNX%209,0,124,2&swfurl=&tcurl=rtmp://127.0.0.1:28102/live&pageurl=&addr=127.0.0.1";
        assert_eq!(
            question(&reads, &to()).body,
            format!("{head}&clientid=3&call=play&name=key1&start=4294965296&duration=0&reset=0&t=2")
        );
        assert_eq!(ended(&reads, &to()).body, format!("{head}&clientid=3&call=play_done&name=key1&t=2"));
        let over = ended(&ask(Action::Publish), &to()).body;
        assert!(over.ends_with("&clientid=1&call=publish_done&name=key1&token=a%20b&x=1"), "{over}");
    }

    #[test]
    fn only_the_first_digit_counts_and_a_plain_name_renames() {
        assert_eq!(verdict(&answer(200, "no")), Verdict::plain());
        assert_eq!(verdict(&answer(204, "")), Verdict::plain());
        for status in [0, 100, 400, 403, 404, 500] {
            assert_eq!(verdict(&answer(status, "")), Verdict::Refused(None));
        }
        for (location, name) in [
            (Some("film"), Some("film")),
            (Some(" film?token=1 "), Some("film")),
            (Some("/film"), Some("film")),
            (Some("http://10.0.0.1:3000/on/film"), Some("film")),
            (Some("rtmp://elsewhere/live/film"), None),
            (Some("http://10.0.0.1/"), None),
            (Some("no name"), None),
            (Some(""), None),
            (None, None),
        ] {
            let told = HttpAnswer { location: location.map(str::to_string), ..answer(302, "") };
            let Verdict::Allowed(allowed) = verdict(&told) else { panic!("{location:?}") };
            assert_eq!(allowed.name.as_deref(), name, "{location:?}");
        }
    }

    #[test]
    fn texts_are_cut_and_escaped_as_nginx_does() {
        assert_eq!(escaped("a b;c&d=e/f:g(h)%\u{e9}~_"), "a%20b%3Bc%26d=e/f:g(h)%25%C3%A9~_");
        assert_eq!((cut("abc", 2), cut("\u{e9}\u{e9}", 3), cut("", 9)), ("ab", "\u{e9}", ""));
    }
}
