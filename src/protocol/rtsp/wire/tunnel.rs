//! RTSP through HTTP, as QuickTime invented it and cameras and recorders still speak it where only HTTP passes ("Tunnelling
//! RTSP and RTP through HTTP", Apple): the answer to a GET carries what the server says, the body of a POST what the client
//! says, in base64. Both have the same `x-sessioncookie`.

use super::message::Http;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::{Bytes, BytesMut};

/// Longest cookie, in bytes. QuickTime's has 22, others 32 and 36.
const LONGEST_COOKIE: usize = 128;

/// Which side of a tunnel a connection is, with the cookie of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tunnel {
    /// GET: what the server says goes down it.
    Down(String),
    /// POST: what the client says comes up it.
    Up(String),
}

/// Which half of a tunnel a request is; none if it is none.
pub fn half(http: &Http) -> Option<Tunnel> {
    let cookie = http.headers.get("x-sessioncookie")?;
    let plain = cookie.len() <= LONGEST_COOKIE && cookie.bytes().all(|b| b.is_ascii_graphic());
    let cookie = cookie.to_string();
    match http.method.as_str() {
        "GET" if plain => Some(Tunnel::Down(cookie)),
        "POST" if plain => Some(Tunnel::Up(cookie)),
        _ => None,
    }
}

/// The answer to a GET. Everything the server says follows as its body.
pub fn granted() -> Bytes {
    Bytes::from_static(
        b"HTTP/1.0 200 OK\r\nServer: msconv\r\nConnection: close\r\nCache-Control: no-store\r\nPragma: no-cache\r\n\
          Content-Type: application/x-rtsp-tunnelled\r\n\r\n",
    )
}

/// The answer to a GET whose cookie is another one's.
pub fn taken() -> Bytes {
    Bytes::from_static(
        b"HTTP/1.0 409 Conflict\r\nServer: msconv\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n\
          another GET with this x-sessioncookie is open here\n",
    )
}

/// The answer to a POST to which no GET belongs. One that is used gets no answer.
pub fn nobody() -> Bytes {
    Bytes::from_static(
        b"HTTP/1.0 404 Not Found\r\nServer: msconv\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n\
          no GET with this x-sessioncookie waits here\n",
    )
}

/// What comes up a tunnel is no base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what comes through the tunnel is no base64")]
pub struct NoBase64;

/// Base64 in pieces. Each message may be padded by itself, and lines may be broken anywhere.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Letters that are no whole group yet, at most three between two pieces.
    letters: BytesMut,
}

impl Decoder {
    /// The bytes that are complete with this piece.
    ///
    /// # Errors
    /// Letters that are not of the alphabet. There is nothing to read behind that.
    pub fn take(&mut self, piece: &[u8]) -> Result<Bytes, NoBase64> {
        const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
            .with_decode_allow_trailing_bits(true);
        let engine = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
        self.letters.extend(piece.iter().filter(|b| !b.is_ascii_whitespace()));
        let mut out = Vec::with_capacity(self.letters.len());
        loop {
            let whole = self.letters.len().saturating_sub(self.letters.len() % 4);
            // Padding ends a run.
            let padding = self.letters.iter().take(whole).position(|b| *b == b'=');
            let run = padding.map_or(whole, |at| (at / 4).saturating_add(1).saturating_mul(4).min(whole));
            if run == 0 {
                return Ok(out.into());
            }
            engine.decode_vec(self.letters.split_to(run), &mut out).map_err(|_| NoBase64)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Incoming, Input};
    use super::*;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    fn of(text: &str) -> Option<Tunnel> {
        let mut input = Input::default();
        input.buffer.extend_from_slice(text.as_bytes());
        match input.take() {
            Ok(Some(Incoming::Http(http))) => half(&http),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_clients_open_tunnels_with() {
        let down = "GET /live/cam HTTP/1.0\r\nUser-Agent: QuickTime\r\nx-sessioncookie: PPwTZ\r\n\
            Accept: application/x-rtsp-tunnelled\r\n\r\n";
        assert_eq!(of(down), Some(Tunnel::Down("PPwTZ".into())));
        let up = "POST /live/cam HTTP/1.1\nX-SessionCookie:PPwTZ\nContent-Length: 32767\n\nT1BUSU9OUw==";
        assert_eq!(of(up), Some(Tunnel::Up("PPwTZ".into())));
        assert_eq!(of("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), None);
        assert_eq!(of("PUT / HTTP/1.1\r\nx-sessioncookie: a\r\n\r\n"), None);
        assert_eq!(of(&format!("GET / HTTP/1.1\r\nx-sessioncookie: {}\r\n\r\n", "a".repeat(129))), None);
        assert_eq!(of("GET / HTTP/1.1\r\nx-sessioncookie: a b\r\n\r\n"), None);
    }

    #[test]
    fn what_is_no_base64_ends_it() {
        for bad in ["T1B!", "T1BU\u{e9}\u{e9}", "=AAA", "A===", "AA=A"] {
            assert_eq!(Decoder::default().take(bad.as_bytes()), Err(NoBase64), "{bad}");
        }
        assert_eq!(Decoder::default().take(b"T1B"), Ok(Bytes::new()));
    }

    proptest! {
        #[test]
        fn messages_come_out_in_any_pieces(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..6),
            piece in 1usize..30, lines in any::<bool>(),
        ) {
            let end = if lines { "\r\n" } else { "" };
            let text: String = messages.iter().map(|m| STANDARD.encode(m) + end).collect();
            let mut decoder = Decoder::default();
            let mut out = Vec::new();
            for some in text.as_bytes().chunks(piece) {
                out.extend_from_slice(&decoder.take(some).unwrap());
            }
            prop_assert_eq!(out, messages.concat());
        }

        #[test]
        fn any_bytes_are_borne(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..10)) {
            let mut decoder = Decoder::default();
            for piece in pieces {
                if decoder.take(&piece).is_err() {
                    break;
                }
                prop_assert!(decoder.letters.len() < 4);
            }
        }
    }
}
