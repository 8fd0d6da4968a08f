//! Frames of a server. Nothing in them is of one client alone (5.1: they are not masked), so the same bytes serve all.

use bytes::Bytes;
use std::ops::Deref;

/// The bit of a frame that ends its message.
const WHOLE: u8 = 0x80;
/// The most bytes of what a control frame carries (5.5).
pub(super) const CONTROL_BYTES: usize = 125;

/// What a frame is (5.2).
pub(super) mod kind {
    pub const CONTINUED: u8 = 0;
    pub const TEXT: u8 = 1;
    pub const BINARY: u8 = 2;
    pub const CLOSE: u8 = 8;
    pub const PING: u8 = 9;
    pub const PONG: u8 = 10;
}

/// Why a socket is closed (7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    /// All is said.
    Normal = 1000,
    /// The server or what it serves ends.
    Away = 1001,
    /// These are no frames.
    Protocol = 1002,
    /// Frames of this type are not taken.
    Unsupported = 1003,
    /// Text that is none.
    NotText = 1007,
    /// Against the rules of who serves.
    Policy = 1008,
    /// Longer than is taken.
    TooLong = 1009,
}

/// A message of text in one frame, ready to be sent. Cloning shares the bytes; it reads as its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFrame {
    bytes: Bytes,
    head: usize,
}

impl TextFrame {
    /// As it goes over the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl<T: AsRef<str>> From<T> for TextFrame {
    fn from(text: T) -> TextFrame {
        let text = text.as_ref().as_bytes();
        let bytes = frame(kind::TEXT, text);
        TextFrame { head: bytes.len().saturating_sub(text.len()), bytes: bytes.into() }
    }
}

impl Deref for TextFrame {
    type Target = str;

    fn deref(&self) -> &str {
        self.bytes.get(self.head..).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

/// A question whether the client is there.
pub fn ping() -> &'static [u8] {
    &[WHOLE | kind::PING, 0]
}

/// The answer to a client's question, which carried this.
pub fn pong(carried: &[u8]) -> Vec<u8> {
    frame(kind::PONG, carried.get(..CONTROL_BYTES).unwrap_or(carried))
}

/// The last frame.
pub fn close(code: CloseCode, reason: &str) -> Vec<u8> {
    let mut payload = (code as u16).to_be_bytes().to_vec();
    let room = CONTROL_BYTES.saturating_sub(payload.len());
    payload.extend(&reason.as_bytes()[..reason.floor_char_boundary(room)]);
    frame(kind::CLOSE, &payload)
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let mut bytes = Vec::with_capacity(length.saturating_add(10));
    bytes.push(WHOLE | kind);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(small @ 0..=125), _) => bytes.push(small),
        (_, Ok(medium)) => {
            bytes.push(126);
            bytes.extend(medium.to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use tungstenite::protocol::Role;
    use tungstenite::{Message, WebSocket};

    /// What another implementation reads.
    fn read(bytes: &[u8]) -> Message {
        let stream = std::io::Cursor::new(bytes.to_vec());
        WebSocket::from_raw_socket(stream, Role::Client, None).read().unwrap()
    }

    #[test]
    fn others_read_what_is_sent() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 100_000] {
            let text = "ж".repeat(length / 2) + &"a".repeat(length % 2);
            let frame = TextFrame::from(&text);
            assert_eq!(read(frame.bytes()), Message::text(&text), "{length}");
            assert_eq!(*frame, *text);
            let (head, short) = (frame.bytes().len() - length, length.min(125));
            assert_eq!(
                head,
                if length < 126 {
                    2
                } else if length < 65_536 {
                    4
                } else {
                    10
                }
            );
            let carried = vec![7; length];
            assert_eq!(read(&pong(&carried)), Message::Pong(vec![7; short].into()));
        }
        assert_eq!(read(ping()), Message::Ping(Vec::new().into()));
        let Message::Close(Some(read)) = read(&close(CloseCode::Away, &"ж".repeat(100))) else { panic!() };
        assert_eq!((u16::from(read.code), &*read.reason), (1001, &*"ж".repeat(61)));
    }
}
