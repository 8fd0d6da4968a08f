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
#[path = "tunnel_tests.rs"]
mod tests;
