//! What a client sends: its frames as messages, within a bound, and strictly. A client that breaks the rules of the wire is
//! told which by the code that its socket is closed with.

use super::frame::{CONTROL_BYTES, CloseCode, kind};

/// Something whole that a client has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A message of text.
    Text(String),
    /// A message of anything else.
    Binary,
    /// It asks whether somebody is there.
    Ping(Vec<u8>),
    /// It is there.
    Pong,
    /// It leaves.
    Close,
}

/// Against the rules of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// No frame, or not here.
    Frame,
    /// A message that is longer than is taken.
    TooLong,
    /// Text that is no UTF-8.
    NotText,
}

impl Wrong {
    /// What the socket is closed with.
    pub fn code(self) -> CloseCode {
        match self {
            Wrong::Frame => CloseCode::Protocol,
            Wrong::TooLong => CloseCode::TooLong,
            Wrong::NotText => CloseCode::NotText,
        }
    }
}

/// Takes bytes as they come and gives messages. While nothing is half there it holds no memory.
#[derive(Debug)]
pub struct Reader {
    most: usize,
    bytes: Vec<u8>,
    /// The message that has begun: its kind, and what is there of it.
    begun: Option<(u8, Vec<u8>)>,
}

/// The beginning of a frame (5.2).
struct Head {
    last: bool,
    kind: u8,
    mask: [u8; 4],
    /// Of the beginning itself.
    size: usize,
    length: usize,
}

impl Reader {
    /// Messages have `most` bytes at most.
    pub const fn new(most: usize) -> Reader {
        Reader { most, bytes: Vec::new(), begun: None }
    }

    /// Takes what was read. Everything whole is to be taken out before more is read.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes that are held.
    pub fn held(&self) -> usize {
        self.bytes.len().saturating_add(self.begun.as_ref().map_or(0, |(_, begun)| begun.len()))
    }

    /// The next whole thing, if it is there.
    ///
    /// # Errors
    /// The client cannot go on.
    pub fn take(&mut self) -> Result<Option<Incoming>, Wrong> {
        while let Some(head) = self.head()? {
            let end = head.size.saturating_add(head.length);
            let Some(payload) = self.bytes.get(head.size..end) else { return Ok(None) };
            let payload: Vec<u8> =
                payload.iter().zip(head.mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
            self.bytes.drain(..end);
            if self.bytes.is_empty() {
                self.bytes = Vec::new();
            }
            match head.kind {
                kind::CLOSE => return closed(&payload).map(Some),
                kind::PING => return Ok(Some(Incoming::Ping(payload))),
                kind::PONG => return Ok(Some(Incoming::Pong)),
                _ => {
                    if let Some(whole) = self.join(&head, payload)? {
                        return Ok(Some(whole));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The beginning of the next frame, if it is whole. Whatever is wrong shows as early as it can.
    fn head(&self) -> Result<Option<Head>, Wrong> {
        let [first, second, rest @ ..] = &*self.bytes else { return Ok(None) };
        let (last, kind) = (first & 0x80 != 0, first & 0x0f);
        let (masked, short) = (second & 0x80 != 0, second & 0x7f);
        let known = kind <= kind::BINARY || (kind::CLOSE..=kind::PONG).contains(&kind);
        // No extension was agreed upon, and clients mask (5.1).
        if first & 0x70 != 0 || !known || !masked {
            return Err(Wrong::Frame);
        }
        if kind >= kind::CLOSE {
            if !last || usize::from(short) > CONTROL_BYTES {
                return Err(Wrong::Frame);
            }
        } else if (kind == kind::CONTINUED) != self.begun.is_some() {
            return Err(Wrong::Frame);
        }
        let (length, rest) = match short {
            126 => match rest.split_first_chunk::<2>() {
                None => return Ok(None),
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
            },
            127 => match rest.split_first_chunk::<8>() {
                None => return Ok(None),
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            },
            _ => (u64::from(short), rest),
        };
        // In as few bytes as can be (5.2).
        if (short == 126 && length < 126) || (short == 127 && !(1 << 16..1 << 63).contains(&length)) {
            return Err(Wrong::Frame);
        }
        let begun = self.begun.as_ref().map_or(0, |(_, begun)| begun.len());
        let length = usize::try_from(length).map_err(|_| Wrong::TooLong)?;
        if kind < kind::CLOSE && length > self.most.saturating_sub(begun) {
            return Err(Wrong::TooLong);
        }
        let Some((mask, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let size = self.bytes.len().saturating_sub(rest.len());
        Ok(Some(Head { last, kind, mask: *mask, size, length }))
    }

    /// One more piece of a message; the message, if it is the last.
    fn join(&mut self, head: &Head, mut payload: Vec<u8>) -> Result<Option<Incoming>, Wrong> {
        let (kind, whole) = match self.begun.take() {
            None => (head.kind, payload),
            Some((kind, mut begun)) => {
                begun.append(&mut payload);
                (kind, begun)
            }
        };
        if !head.last {
            self.begun = Some((kind, whole));
            return Ok(None);
        }
        if kind != kind::TEXT {
            return Ok(Some(Incoming::Binary));
        }
        String::from_utf8(whole).map(|text| Some(Incoming::Text(text))).map_err(|_| Wrong::NotText)
    }
}

/// What is said with it: nothing, or a code of those that may be sent and text (7.4).
fn closed(payload: &[u8]) -> Result<Incoming, Wrong> {
    match payload.split_first_chunk::<2>() {
        None if payload.is_empty() => Ok(Incoming::Close),
        None => Err(Wrong::Frame),
        Some((code, reason)) => {
            let code = u16::from_be_bytes(*code);
            let fit = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            let text = std::str::from_utf8(reason).map_err(|_| Wrong::NotText);
            if fit { text.map(|_| Incoming::Close) } else { Err(Wrong::Frame) }
        }
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
