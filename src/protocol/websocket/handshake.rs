//! How a client asks for a WebSocket, and what it is answered (RFC 6455, 4.2).

use aws_lc_rs::digest;
use axum::http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// What every server puts behind the client's key (1.3).
const BEHIND: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A request for a WebSocket.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    accept: HeaderValue,
    protocol: Option<&'static str>,
}

/// Why it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It asks for something else.
    Request,
    /// It does not speak what is spoken here.
    Protocol,
}

impl Asked {
    /// What a request asks for; `protocol` is what is spoken. A client that names none takes it.
    ///
    /// # Errors
    /// It is for something else.
    pub fn read(head: &Parts, protocol: &'static str) -> Result<Asked, Unfit> {
        let fields = &head.headers;
        let key = fields.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
        let fits = head.method == Method::GET
            && names(fields, &CONNECTION).any(|name| name.eq_ignore_ascii_case(b"upgrade"))
            && names(fields, &UPGRADE).any(|name| name.eq_ignore_ascii_case(b"websocket"))
            && fields.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13")
            && BASE64_STANDARD.decode(key).is_ok_and(|key| key.len() == 16);
        if !fits {
            return Err(Unfit::Request);
        }
        let named = names(fields, &SEC_WEBSOCKET_PROTOCOL).any(|name| name == protocol.as_bytes());
        if !named && fields.contains_key(SEC_WEBSOCKET_PROTOCOL) {
            return Err(Unfit::Protocol);
        }
        let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        hash.update(key);
        hash.update(BEHIND);
        let accept =
            HeaderValue::try_from(BASE64_STANDARD.encode(hash.finish())).map_err(|_| Unfit::Request)?;
        Ok(Asked { accept, protocol: named.then_some(protocol) })
    }

    /// The fields of the answer, whose status is 101.
    pub fn answer(self, fields: &mut HeaderMap) {
        fields.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
        fields.insert(SEC_WEBSOCKET_ACCEPT, self.accept);
        if let Some(protocol) = self.protocol {
            fields.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        }
    }
}

/// What a field lists, however many times it stands there.
fn names<'a>(fields: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    fields
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn read(changed: &[(&str, &str)]) -> Result<Asked, Unfit> {
        let usual = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let mut request = Request::builder().uri("/");
        for (name, value) in
            usual.iter().filter(|(name, _)| changed.iter().all(|(other, _)| other != name)).chain(changed)
        {
            request = request.header(*name, *value);
        }
        Asked::read(&request.body(()).unwrap().into_parts().0, "chat.v1")
    }

    #[test]
    fn the_answer_is_that_of_the_standard() {
        let mut fields = HeaderMap::new();
        read(&[("sec-websocket-protocol", "other"), ("sec-websocket-protocol", "x, chat.v1")])
            .unwrap()
            .answer(&mut fields);
        assert_eq!(fields[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(fields[SEC_WEBSOCKET_PROTOCOL], "chat.v1");
        assert_eq!(
            (fields[CONNECTION].as_bytes(), fields[UPGRADE].as_bytes()),
            (&b"upgrade"[..], &b"websocket"[..])
        );
        let mut fields = HeaderMap::new();
        read(&[]).unwrap().answer(&mut fields);
        assert!(!fields.contains_key(SEC_WEBSOCKET_PROTOCOL));
    }

    #[test]
    fn what_asks_for_something_else_is_refused() {
        for changed in [
            ("connection", "close"),
            ("upgrade", "h2c"),
            ("sec-websocket-version", "8"),
            ("sec-websocket-key", "dGhl"),
            ("sec-websocket-key", "no base64 at all!!!!!!!!"),
        ] {
            assert_eq!(read(&[changed]), Err(Unfit::Request), "{changed:?}");
        }
        assert_eq!(read(&[("sec-websocket-protocol", "other")]), Err(Unfit::Protocol));
    }
}
