//! Messages: their types, and the bodies of those that steer the connection (RTMP 1.0, sections 5.4, 6 and 7).

use bytes::Bytes;

/// Message types.
pub mod kind {
    /// The sender's chunks get another size.
    pub const SET_CHUNK_SIZE: u8 = 1;
    /// A half-sent message is given up.
    pub const ABORT: u8 = 2;
    /// So many bytes have been received.
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// A user control event.
    pub const USER_CONTROL: u8 = 4;
    /// After how many bytes the peer is to acknowledge.
    pub const WINDOW_SIZE: u8 = 5;
    /// How many unacknowledged bytes the peer may send.
    pub const PEER_BANDWIDTH: u8 = 6;
    /// Audio.
    pub const AUDIO: u8 = 8;
    /// Video.
    pub const VIDEO: u8 = 9;
    /// Data in AMF3.
    pub const DATA_AMF3: u8 = 15;
    /// A shared object in AMF3.
    pub const SHARED_OBJECT_AMF3: u8 = 16;
    /// A command in AMF3.
    pub const COMMAND_AMF3: u8 = 17;
    /// Data in AMF0.
    pub const DATA: u8 = 18;
    /// A shared object in AMF0.
    pub const SHARED_OBJECT: u8 = 19;
    /// A command in AMF0.
    pub const COMMAND: u8 = 20;
    /// Several messages of audio, video and data in one.
    pub const AGGREGATE: u8 = 22;
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its type, of [`kind`] or unknown.
    pub kind: u8,
    /// The message stream; 0 is the connection itself.
    pub stream: u32,
    /// Milliseconds; wraps at 2^32.
    pub timestamp: u32,
    /// The body.
    pub payload: Bytes,
}

/// The longest body that is taken: media 8 MB, commands and what steers the connection 64 KB, everything else 1 MB. It
/// is kept only as far as it has come.
pub const fn longest(kind: u8) -> usize {
    match kind {
        kind::AUDIO | kind::VIDEO | kind::AGGREGATE => 8 << 20,
        kind::COMMAND | kind::COMMAND_AMF3 | kind::SET_CHUNK_SIZE..=kind::PEER_BANDWIDTH => 64 << 10,
        _ => 1 << 20,
    }
}

/// User control events (section 7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserControl {
    /// A stream has become usable.
    StreamBegin(u32),
    /// A stream's data has ended.
    StreamEof(u32),
    /// The client's buffer for a stream, in milliseconds.
    BufferLength(u32, u32),
    /// Are you there?
    PingRequest(u32),
    /// Yes.
    PingResponse(u32),
    /// Any other: its number.
    Other(u16),
}

impl UserControl {
    /// Reads the body of a user control message; `None` if it is cut short.
    pub fn read(body: &[u8]) -> Option<UserControl> {
        let (event, rest) = body.split_first_chunk::<2>()?;
        let event = u16::from_be_bytes(*event);
        let word = |at: usize| {
            let bytes = rest.get(at..)?.first_chunk::<4>()?;
            Some(u32::from_be_bytes(*bytes))
        };
        Some(match event {
            0 => UserControl::StreamBegin(word(0)?),
            1 => UserControl::StreamEof(word(0)?),
            3 => UserControl::BufferLength(word(0)?, word(4)?),
            6 => UserControl::PingRequest(word(0)?),
            7 => UserControl::PingResponse(word(0)?),
            other => UserControl::Other(other),
        })
    }

    /// The body of the message.
    pub fn body(self) -> Vec<u8> {
        let (event, words): (u16, &[u32]) = match self {
            UserControl::StreamBegin(stream) => (0, &[stream]),
            UserControl::StreamEof(stream) => (1, &[stream]),
            UserControl::BufferLength(stream, millis) => (3, &[stream, millis]),
            UserControl::PingRequest(stamp) => (6, &[stamp]),
            UserControl::PingResponse(stamp) => (7, &[stamp]),
            UserControl::Other(event) => (event, &[]),
        };
        let mut body = event.to_be_bytes().to_vec();
        words.iter().for_each(|word| body.extend_from_slice(&word.to_be_bytes()));
        body
    }
}

/// The number in the body of one of the four messages that consist of a number.
pub fn number(body: &[u8]) -> Option<u32> {
    body.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes))
}

/// The messages inside an aggregate (section 7.1.6). Their times are moved so that the first has the aggregate's own.
/// Ends at the first that does not fit.
pub fn aggregated(whole: &Message) -> Vec<Message> {
    let mut parts = Vec::new();
    let mut at = 0_usize;
    let mut first = None;
    while let Some([kind, l0, l1, l2, t0, t1, t2, t3, _, _, _]) =
        whole.payload.get(at..).and_then(|rest| rest.first_chunk::<11>())
    {
        let length = usize::try_from(u32::from_be_bytes([0, *l0, *l1, *l2])).unwrap_or(usize::MAX);
        let begin = at.saturating_add(11);
        let end = begin.saturating_add(length);
        if end > whole.payload.len() {
            break;
        }
        // The lower 24 bits stand first, the upper 8 behind them, as in FLV.
        let timestamp = u32::from_be_bytes([*t3, *t0, *t1, *t2]);
        let zero = *first.get_or_insert(timestamp);
        // An aggregate inside an aggregate is not a thing, and would be a way to nest.
        if matches!(*kind, kind::AUDIO | kind::VIDEO | kind::DATA) {
            parts.push(Message {
                kind: *kind,
                stream: whole.stream,
                timestamp: whole.timestamp.wrapping_add(timestamp.wrapping_sub(zero)),
                payload: whole.payload.slice(begin..end),
            });
        }
        // Behind each stands its length, for reading backwards.
        at = end.saturating_add(4);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_back_as_they_went() {
        for event in [
            UserControl::StreamBegin(1),
            UserControl::StreamEof(u32::MAX),
            UserControl::BufferLength(1, 3000),
            UserControl::PingRequest(7),
            UserControl::PingResponse(7),
            UserControl::Other(32),
        ] {
            assert_eq!(UserControl::read(&event.body()), Some(event));
        }
        for short in [&[][..], &[0], &[0, 6, 0, 0], &[0, 3, 0, 0, 0, 1, 0]] {
            assert_eq!(UserControl::read(short), None, "{short:?}");
        }
        assert_eq!(number(&[0, 0, 1]), None);
        assert_eq!(number(&[0, 0, 1, 0, 9]), Some(256));
    }

    #[test]
    fn aggregates_come_apart() {
        let mut body = Vec::new();
        for (kind, stamp, data) in [(8_u8, 100_u8, 1_u8), (9, 140, 2), (22, 150, 3), (9, 180, 4)] {
            body.extend_from_slice(&[kind, 0, 0, 1, 0, 0, stamp, 0, 0, 0, 0, data, 0, 0, 0, 12]);
        }
        let whole = Message { kind: 22, stream: 1, timestamp: 5000, payload: Bytes::from(body.clone()) };
        let read: Vec<_> =
            aggregated(&whole).iter().map(|m| (m.kind, m.timestamp, m.payload.to_vec())).collect();
        assert_eq!(read, [(8, 5000, vec![1]), (9, 5040, vec![2]), (9, 5080, vec![4])]);
        body.truncate(30);
        let whole = Message { kind: 22, stream: 1, timestamp: 0, payload: Bytes::from(body) };
        assert_eq!(aggregated(&whole).len(), 2);
    }
}
