//! Puts messages together out of chunks (RTMP 1.0, section 5.3). Memory grows with the bytes that have come, never with
//! a length that is announced.

use super::message::{Message, kind, longest, number};
use bytes::Bytes;

/// The chunk size before anybody sets one.
pub const FIRST_CHUNK_SIZE: usize = 128;
/// The largest chunk size that there is: 31 bits (section 5.4.1). It costs nothing: no message is longer than
/// [`longest`], and a chunk's bytes are kept as they come. Field devices announce 131,072 and 134,217,728.
pub const MOST_CHUNK_SIZE: u32 = 0x7fff_ffff;
/// Chunk streams on one connection.
pub const MOST_STREAMS: usize = 32;
/// Messages of which a part has come.
pub const MOST_HALF_READ: usize = 8;
/// Bytes of messages of which a part has come.
pub const MOST_HALF_READ_BYTES: usize = 16 << 20;
/// Memory that a message gets at first, unless it is shorter.
const FIRST_PIECE: usize = 4096;
/// The longest header: basic 3, message 11, extended timestamp 4.
const LONGEST_HEADER: usize = 18;
/// A time field with this value says that the time stands behind the header, in 4 bytes.
const EXTENDED: u32 = 0x00ff_ffff;

/// Why the connection cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// 0, or more than [`MOST_CHUNK_SIZE`], whose top bit would make it negative.
    #[error("a chunk size of {} is refused; it must be from 1 to {MOST_CHUNK_SIZE}", .0.cast_signed())]
    ChunkSize(u32),
    /// More than [`MOST_STREAMS`].
    #[error("too many chunk streams")]
    Streams,
    /// More than [`MOST_HALF_READ`] or [`MOST_HALF_READ_BYTES`].
    #[error("too much is half-sent")]
    HalfRead,
    /// A message longer than its type allows.
    #[error("a message of type {0} with {1} bytes is too long")]
    Length(u8, u32),
    /// A header inside a message that gives it another length or type.
    #[error("a message changed while it was being sent")]
    Changed,
    /// A chunk that refers to a header which never came.
    #[error("a chunk came before its header")]
    NoHeader,
}

impl ChunkError {
    /// The limit's name in the metrics, if one was broken.
    pub const fn limit(self) -> Option<&'static str> {
        match self {
            ChunkError::ChunkSize(_) => Some("rtmp_chunk_size"),
            ChunkError::Streams => Some("rtmp_chunk_streams"),
            ChunkError::HalfRead => Some("rtmp_half_read"),
            ChunkError::Length(..) => Some("rtmp_message_length"),
            ChunkError::Changed => Some("rtmp_message_changed"),
            ChunkError::NoHeader => None,
        }
    }
}

/// One chunk stream: its last header, and what has come of the message that is being sent.
#[derive(Debug)]
struct ChunkStream {
    id: u32,
    kind: u8,
    message_stream: u32,
    length: usize,
    timestamp: u32,
    /// What a chunk without a time of its own adds (section 5.3.1.2.4).
    delta: u32,
    /// The extended time of the last header, if it had one.
    extended: Option<u32>,
    body: Option<Vec<u8>>,
}

/// Where in a header the reader is: the header of the next chunk, taken apart.
struct Header {
    stream: usize,
    bytes: usize,
}

/// Reads chunks.
#[derive(Debug)]
pub struct ChunkReader {
    chunk_size: usize,
    streams: Vec<ChunkStream>,
    /// The chunk that is being read: its stream, and how many of its bytes are missing.
    chunk: Option<(usize, usize)>,
    /// The beginning of a header whose rest has not come.
    held: Vec<u8>,
    half_read_bytes: usize,
}

impl Default for ChunkReader {
    fn default() -> ChunkReader {
        ChunkReader {
            chunk_size: FIRST_CHUNK_SIZE,
            streams: Vec::new(),
            chunk: None,
            held: Vec::with_capacity(LONGEST_HEADER),
            half_read_bytes: 0,
        }
    }
}

impl ChunkReader {
    /// Takes bytes off the front of `input` until a message is complete or they are used up. The messages that set the
    /// chunk size or abort a message are obeyed here and also given out.
    ///
    /// # Errors
    /// [`ChunkError`]; the connection is of no more use.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        loop {
            let (index, missing) = match self.chunk {
                Some(chunk) => chunk,
                None => match self.next_header(input)? {
                    Some(chunk) => chunk,
                    None => return Ok(None),
                },
            };
            let (taken, message) = if self.held.is_empty() {
                let (data, rest) = input.split_at_checked(missing).unwrap_or((input, &[]));
                *input = rest;
                (data.len(), self.append(index, data)?)
            } else {
                // What was held while it might have been an extended time.
                let behind = self.held.split_off(missing.min(self.held.len()));
                let data = std::mem::replace(&mut self.held, behind);
                (data.len(), self.append(index, &data)?)
            };
            let missing = missing.saturating_sub(taken);
            self.chunk = (missing > 0).then_some((index, missing));
            if let Some(message) = message {
                self.chunk = None;
                self.obey(&message)?;
                return Ok(Some(message));
            }
            if missing > 0 && input.is_empty() && self.held.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Bytes held of messages that are not complete.
    pub fn half_read(&self) -> usize {
        self.half_read_bytes
    }

    /// Reads the header of the next chunk. Gives its stream and its length.
    fn next_header(&mut self, input: &mut &[u8]) -> Result<Option<(usize, usize)>, ChunkError> {
        let header = if self.held.is_empty() {
            let found = self.header(input)?;
            match &found {
                Some(header) => *input = input.get(header.bytes..).unwrap_or_default(),
                None => {
                    self.held.extend_from_slice(input);
                    *input = &[];
                }
            }
            found
        } else {
            // The header began in earlier bytes.
            let before = self.held.len();
            let wanted = LONGEST_HEADER.saturating_sub(before).min(input.len());
            let mut held = std::mem::take(&mut self.held);
            held.extend_from_slice(input.get(..wanted).unwrap_or_default());
            let found = self.header(&held)?;
            match &found {
                None => *input = input.get(wanted..).unwrap_or_default(),
                Some(header) if header.bytes >= before => {
                    *input = input.get(header.bytes.saturating_sub(before)..).unwrap_or_default();
                    held.clear();
                }
                Some(header) => {
                    held.truncate(before);
                    held.drain(..header.bytes.min(before));
                }
            }
            self.held = held;
            found
        };
        let Some(Header { stream: index, .. }) = header else { return Ok(None) };
        let Some(stream) = self.streams.get(index) else { return Err(ChunkError::NoHeader) };
        let have = stream.body.as_ref().map_or(0, Vec::len);
        Ok(Some((index, stream.length.saturating_sub(have).min(self.chunk_size))))
    }

    /// Takes a header apart and writes down what it says; `None` if it is not complete yet.
    fn header(&mut self, bytes: &[u8]) -> Result<Option<Header>, ChunkError> {
        let Some((format, id, basic)) = basic_header(bytes) else { return Ok(None) };
        let rest = bytes.get(basic..).unwrap_or_default();
        let index = self.streams.iter().position(|stream| stream.id == id);
        let fields: usize = match format {
            0 => 11,
            1 => 7,
            2 => 3,
            _ => 0,
        };
        let Some((fields_bytes, behind)) = rest.split_at_checked(fields) else { return Ok(None) };
        let before = match index {
            Some(index) => self.streams.get(index),
            // librtmp's first control message has a header without a message stream.
            None if format <= 1 => None,
            None => return Err(ChunkError::NoHeader),
        };
        let said = Fields::read(fields_bytes);
        let (extended, extended_bytes) = match said.time {
            Some(EXTENDED) => match behind.first_chunk::<4>() {
                Some(word) => (Some(u32::from_be_bytes(*word)), 4),
                None => return Ok(None),
            },
            Some(_) => (None, 0),
            // Most programs repeat the extended time in front of every chunk of such a message, some do not: it is one
            // if it looks like it (the same test as in other servers).
            None => match before.and_then(|stream| stream.extended) {
                None => (None, 0),
                Some(time) => {
                    let word = time.to_be_bytes();
                    let have = behind.get(..4).unwrap_or(behind);
                    if !word.starts_with(have) {
                        (Some(time), 0)
                    } else if have.len() == 4 {
                        (Some(time), 4)
                    } else {
                        return Ok(None);
                    }
                }
            },
        };
        let index = match index {
            Some(index) => index,
            None => self.open(id)?,
        };
        self.begin(index, format, &said, extended)?;
        Ok(Some(Header { stream: index, bytes: basic.saturating_add(fields).saturating_add(extended_bytes) }))
    }

    fn open(&mut self, id: u32) -> Result<usize, ChunkError> {
        if self.streams.len() >= MOST_STREAMS {
            return Err(ChunkError::Streams);
        }
        self.streams.push(ChunkStream {
            id,
            kind: 0,
            message_stream: 0,
            length: 0,
            timestamp: 0,
            delta: 0,
            extended: None,
            body: None,
        });
        Ok(self.streams.len().saturating_sub(1))
    }

    /// Begins a message, or a further chunk of one.
    fn begin(
        &mut self,
        index: usize,
        format: u8,
        said: &Fields,
        extended: Option<u32>,
    ) -> Result<(), ChunkError> {
        let half_read = self.streams.iter().filter(|stream| stream.body.is_some()).count();
        let Some(stream) = self.streams.get_mut(index) else { return Err(ChunkError::NoHeader) };
        if stream.body.is_some() {
            // Some programs repeat the whole header inside a message. What it says must not change.
            let same_length = said.length.is_none_or(|length| usize::try_from(length) == Ok(stream.length));
            let same_kind = said.kind.is_none_or(|kind| kind == stream.kind);
            return if same_length && same_kind { Ok(()) } else { Err(ChunkError::Changed) };
        }
        if half_read >= MOST_HALF_READ {
            return Err(ChunkError::HalfRead);
        }
        if let (Some(length), Some(kind)) = (said.length, said.kind) {
            stream.length = usize::try_from(length)
                .ok()
                .filter(|l| *l <= longest(kind))
                .ok_or(ChunkError::Length(kind, length))?;
            stream.kind = kind;
        }
        if let Some(message_stream) = said.message_stream {
            stream.message_stream = message_stream;
        }
        if let Some(time) = said.time {
            stream.delta = extended.unwrap_or(time);
        }
        stream.extended = extended;
        stream.timestamp =
            if format == 0 { stream.delta } else { stream.timestamp.wrapping_add(stream.delta) };
        stream.body = Some(Vec::new());
        Ok(())
    }

    /// Adds bytes to a message; gives it out when it is complete.
    fn append(&mut self, index: usize, data: &[u8]) -> Result<Option<Message>, ChunkError> {
        let Some(stream) = self.streams.get_mut(index) else { return Err(ChunkError::NoHeader) };
        let Some(body) = stream.body.as_mut() else { return Err(ChunkError::NoHeader) };
        let have = body.len().saturating_add(data.len());
        if have < stream.length {
            let most = self.half_read_bytes.saturating_add(data.len());
            if most > MOST_HALF_READ_BYTES {
                return Err(ChunkError::HalfRead);
            }
            self.half_read_bytes = most;
            grow(body, have, stream.length);
            body.extend_from_slice(data);
            return Ok(None);
        }
        let payload = if body.is_empty() {
            Bytes::copy_from_slice(data)
        } else {
            self.half_read_bytes = self.half_read_bytes.saturating_sub(body.len());
            grow(body, have, stream.length);
            body.extend_from_slice(data);
            Bytes::from(std::mem::take(body))
        };
        stream.body = None;
        Ok(Some(Message {
            kind: stream.kind,
            stream: stream.message_stream,
            timestamp: stream.timestamp,
            payload,
        }))
    }

    /// Does what a message asks of the reader itself.
    fn obey(&mut self, message: &Message) -> Result<(), ChunkError> {
        match (message.kind, number(&message.payload)) {
            (kind::SET_CHUNK_SIZE, Some(size)) => match usize::try_from(size) {
                Ok(bytes) if (1..=MOST_CHUNK_SIZE).contains(&size) => self.chunk_size = bytes,
                _ => return Err(ChunkError::ChunkSize(size)),
            },
            (kind::ABORT, Some(id)) => {
                if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == id) {
                    let gone = stream.body.take().map_or(0, |body| body.len());
                    self.half_read_bytes = self.half_read_bytes.saturating_sub(gone);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Makes room for `have` bytes: at most twice what has come, and never more than the message's length.
fn grow(body: &mut Vec<u8>, have: usize, length: usize) {
    if have > body.capacity() {
        let room = have.saturating_mul(2).max(FIRST_PIECE).min(length).max(have);
        body.reserve_exact(room.saturating_sub(body.len()));
    }
}

/// The format, the chunk stream and the length of a basic header (section 5.3.1.1).
fn basic_header(bytes: &[u8]) -> Option<(u8, u32, usize)> {
    let first = *bytes.first()?;
    let format = first >> 6;
    Some(match first & 0x3f {
        0 => (format, u32::from(*bytes.get(1)?).saturating_add(64), 2),
        1 => {
            let (low, high) = (u32::from(*bytes.get(1)?), u32::from(*bytes.get(2)?));
            (format, (high << 8).saturating_add(low).saturating_add(64), 3)
        }
        id => (format, id.into(), 1),
    })
}

/// What a message header says (section 5.3.1.2).
#[derive(Default)]
struct Fields {
    time: Option<u32>,
    length: Option<u32>,
    kind: Option<u8>,
    message_stream: Option<u32>,
}

impl Fields {
    fn read(bytes: &[u8]) -> Fields {
        let triple = |at: usize| {
            let [a, b, c] = *bytes.get(at..)?.first_chunk::<3>()?;
            Some(u32::from_be_bytes([0, a, b, c]))
        };
        Fields {
            time: triple(0),
            length: triple(3),
            kind: bytes.get(6).copied(),
            // The only little-endian number of the protocol.
            message_stream: bytes.get(7..).and_then(|b| b.first_chunk::<4>()).map(|b| u32::from_le_bytes(*b)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "the test's own bytes")]
    use super::super::chunk_writer::{self, CHUNK_SIZE};
    use super::*;
    use proptest::prelude::*;

    fn read_all(reader: &mut ChunkReader, bytes: &[u8]) -> Result<Vec<Message>, ChunkError> {
        let mut input = bytes;
        let mut messages = Vec::new();
        while let Some(message) = reader.read(&mut input)? {
            messages.push(message);
        }
        assert!(input.is_empty());
        Ok(messages)
    }

    fn read(bytes: &[u8]) -> Result<Vec<Message>, ChunkError> {
        read_all(&mut ChunkReader::default(), bytes)
    }

    fn times(messages: &[Message]) -> Vec<u32> {
        messages.iter().map(|m| m.timestamp).collect()
    }

    proptest! {
        #[test]
        fn what_is_cut_comes_together(
            messages in prop::collection::vec(
                (prop_oneof![Just(8_u8), Just(9), Just(18), Just(20)], any::<u32>(), 0..300_usize, any::<u32>()), 1..8),
            chunk in prop_oneof![1..200_usize, 65_530..140_000_usize, Just(MOST_CHUNK_SIZE as usize)],
            splits in prop::collection::vec(1..40_usize, 1..50),
        ) {
            let mut bytes = Vec::new();
            chunk_writer::write_number(&mut bytes, kind::SET_CHUNK_SIZE, chunk as u32);
            let mut sent = Vec::new();
            for (kind, timestamp, length, stream) in messages {
                let body: Vec<u8> = (0..length).map(|i| (i * 7) as u8).collect();
                let head = length.min(5);
                chunk_writer::write(&mut bytes, chunk, kind, stream, timestamp, &body[..head], &body[head..]);
                sent.push(Message { kind, stream, timestamp, payload: Bytes::from(body) });
            }
            let mut reader = ChunkReader::default();
            let mut read = Vec::new();
            let (mut rest, mut at) = (&bytes[..], 0);
            while !rest.is_empty() {
                let (part, behind) = rest.split_at(splits[at % splits.len()].min(rest.len()));
                (rest, at) = (behind, at + 1);
                read.extend(read_all(&mut reader, part).unwrap());
            }
            prop_assert_eq!(&read[1..], &sent[..]);
            prop_assert_eq!(reader.half_read(), 0);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let _ = read(&bytes);
        }
    }

    #[test]
    fn short_headers_go_on_from_the_last() {
        let bytes = [
            &[0x04, 0, 0x03, 0xe8, 0, 0, 2, 8, 1, 0, 0, 0, 1, 1][..],
            &[0x44, 0, 0, 20, 0, 0, 1, 8, 2],
            &[0x84, 0, 0, 21, 3],
            &[0xc4, 4],
            &[0xc4, 5],
        ]
        .concat();
        let messages = read(&bytes).unwrap();
        assert_eq!(times(&messages), [1000, 1020, 1041, 1062, 1083]);
        assert_eq!(
            messages[4],
            Message { kind: 8, stream: 1, timestamp: 1083, payload: Bytes::from_static(&[5]) }
        );
        // Behind a whole header the next message is as much later as that one's time says (5.3.1.2.4).
        assert_eq!(times(&read(&[4, 0, 0, 40, 0, 0, 1, 8, 1, 0, 0, 0, 1, 0xc4, 2]).unwrap()), [40, 80]);
    }

    #[test]
    fn all_chunk_streams_have_names() {
        let header = [0, 0, 0, 0, 0, 1, 20, 0, 0, 0, 0, 7];
        for basic in [&[2][..], &[63], &[0, 0], &[0, 255], &[1, 0, 0], &[1, 255, 255]] {
            let bytes = [basic, &header[..]].concat();
            assert_eq!(read(&bytes).unwrap().len(), 1, "{basic:?}");
        }
        assert_eq!(basic_header(&[1, 255, 255]), Some((0, 65_599, 3)));
        assert_eq!(basic_header(&[0, 0]), Some((0, 64, 2)));
        assert_eq!(basic_header(&[0xc1, 1]), None);
    }

    #[test]
    fn chunks_of_different_streams_mix() {
        let mut bytes = vec![4, 0, 0, 0, 0, 0, 130, 8, 1, 0, 0, 0];
        bytes.extend_from_slice(&[1; 128]);
        bytes.extend_from_slice(&[6, 0, 0, 5, 0, 0, 129, 9, 1, 0, 0, 0]);
        bytes.extend_from_slice(&[2; 128]);
        bytes.extend_from_slice(&[0xc4, 1, 1, 0xc6, 2]);
        let messages = read(&bytes).unwrap();
        let lengths: Vec<_> = messages.iter().map(|m| (m.kind, m.payload.len())).collect();
        assert_eq!(lengths, [(8, 130), (9, 129)]);
    }

    /// A message of 300 bytes at a time that needs four bytes, with and without that time in front of its further chunks.
    fn extended(repeat: bool, body: u8) -> Vec<u8> {
        let time = 0x0123_4567_u32.to_be_bytes();
        let mut bytes = vec![6, 0xff, 0xff, 0xff, 0, 1, 44, 9, 1, 0, 0, 0];
        bytes.extend_from_slice(&time);
        for length in [128, 128, 44] {
            if length != 128 || bytes.len() > 20 {
                bytes.push(0xc6);
                if repeat {
                    bytes.extend_from_slice(&time);
                }
            }
            bytes.extend_from_slice(&vec![body; length]);
        }
        bytes
    }

    #[test]
    fn extended_times_are_repeated_or_not() {
        for repeat in [true, false] {
            for split in [1, 3, 1000] {
                let mut reader = ChunkReader::default();
                let mut messages = Vec::new();
                // Bytes of 1 begin like the time, without being it.
                for part in [extended(repeat, 1), extended(repeat, 9)].concat().chunks(split) {
                    messages.extend(read_all(&mut reader, part).unwrap());
                }
                assert_eq!(times(&messages), [0x0123_4567; 2], "{repeat} {split}");
                assert!(messages[0].payload.iter().all(|b| *b == 1) && messages[0].payload.len() == 300);
                assert!(messages[1].payload.iter().all(|b| *b == 9) && messages[1].payload.len() == 300);
            }
        }
    }

    #[test]
    fn time_goes_past_24_and_32_bits() {
        let mut bytes = Vec::new();
        for time in [0x00ff_fffe, 0x00ff_ffff, 0x0100_0000, u32::MAX, 0, 40] {
            chunk_writer::write(&mut bytes, 128, 9, 1, time, &[], &[1; 200]);
        }
        assert_eq!(times(&read(&bytes).unwrap()), [0x00ff_fffe, 0x00ff_ffff, 0x0100_0000, u32::MAX, 0, 40]);
        // By differences, once with an extended one.
        let bytes = [
            &[6, 0xff, 0xff, 0xff, 0, 0, 1, 9, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xf0, 1][..],
            &[0x86, 0, 0, 0x20, 2],
            &[0x86, 0xff, 0xff, 0xff, 0x01, 0, 0, 0, 3],
            &[0xc6, 0x01, 0, 0, 0, 4],
        ]
        .concat();
        assert_eq!(times(&read(&bytes).unwrap()), [0xffff_fff0, 0x10, 0x0100_0010, 0x0200_0010]);
    }

    #[test]
    fn chunk_sizes_outside_the_bounds_close() {
        let with = |size: u32| {
            let mut bytes = Vec::new();
            chunk_writer::write_number(&mut bytes, kind::SET_CHUNK_SIZE, size);
            read(&bytes).map(|m| m.len())
        };
        for good in [1, 65_536, 65_537, 131_072, 0x00ff_ffff, 134_217_728, MOST_CHUNK_SIZE] {
            assert_eq!(with(good), Ok(1), "{good}");
        }
        for bad in [0, 1 << 31, u32::MAX] {
            assert_eq!(with(bad), Err(ChunkError::ChunkSize(bad)));
        }
        let said = ChunkError::ChunkSize(u32::MAX).to_string();
        assert!(said.starts_with("a chunk size of -1 is refused"), "{said}");
    }

    #[test]
    fn large_chunks_cost_what_has_come() {
        for size in [131_072, 134_217_728, MOST_CHUNK_SIZE] {
            let mut reader = ChunkReader::default();
            let mut setup = Vec::new();
            chunk_writer::write_number(&mut setup, kind::SET_CHUNK_SIZE, size);
            read_all(&mut reader, &setup).unwrap();
            // 8 MB in one chunk where the size allows that, byte by byte at first.
            let body = vec![7; 8 << 20];
            let mut bytes = Vec::new();
            chunk_writer::write(&mut bytes, size as usize, kind::VIDEO, 1, 0, &[], &body);
            let (slowly, quickly) = bytes.split_at(5000);
            for byte in slowly.chunks(1) {
                assert_eq!(read_all(&mut reader, byte), Ok(vec![]));
                let held: usize = reader.streams.iter().flat_map(|s| &s.body).map(Vec::capacity).sum();
                assert!(held <= 2 * reader.half_read() + FIRST_PIECE, "{held}");
            }
            let messages: Vec<_> =
                quickly.chunks(65_536).flat_map(|part| read_all(&mut reader, part).unwrap()).collect();
            assert_eq!(messages.len(), 1);
            assert_eq!(messages[0].payload, body);
            assert_eq!(reader.half_read(), 0);
        }
    }

    #[test]
    fn an_aborted_message_is_forgotten() {
        let mut reader = ChunkReader::default();
        let mut bytes = vec![4, 0, 0, 0, 0, 1, 0, 8, 1, 0, 0, 0];
        bytes.extend_from_slice(&[1; 128]);
        assert_eq!(read_all(&mut reader, &bytes), Ok(vec![]));
        assert_eq!(reader.half_read(), 128);
        let mut bytes = Vec::new();
        chunk_writer::write_number(&mut bytes, kind::ABORT, 4);
        chunk_writer::write_number(&mut bytes, kind::ABORT, 99);
        assert_eq!(read_all(&mut reader, &bytes).unwrap().len(), 2);
        assert_eq!(reader.half_read(), 0);
        let mut bytes = Vec::new();
        chunk_writer::write(&mut bytes, 128, 8, 1, 0, &[], &[3, 4]);
        assert_eq!(read_all(&mut reader, &bytes).unwrap()[0].payload, Bytes::from_static(&[3, 4]));
    }

    #[test]
    fn a_message_does_not_change_half_way() {
        let half = |header: &[u8]| {
            let mut bytes = vec![4, 0, 0, 0, 0, 1, 0, 8, 1, 0, 0, 0];
            bytes.extend_from_slice(&[1; 128]);
            bytes.extend_from_slice(header);
            bytes.extend_from_slice(&[2; 128]);
            read(&bytes).map(|m| m.len())
        };
        // The shrinking kind panics rml_rtmp.
        assert_eq!(half(&[0x44, 0, 0, 0, 0, 0, 10, 8]), Err(ChunkError::Changed));
        assert_eq!(half(&[0x44, 0, 0, 0, 0, 1, 1, 8]), Err(ChunkError::Changed));
        assert_eq!(half(&[0x44, 0, 0, 0, 0, 1, 0, 9]), Err(ChunkError::Changed));
        assert_eq!(half(&[0x04, 0, 0, 0, 0, 1, 0, 8, 1, 0, 0, 0]), Ok(1));
        assert_eq!(half(&[0xc4]), Ok(1));
    }

    #[test]
    fn floods_are_bounded() {
        let header = |id: u8, length: u32, kind: u8| {
            let [_, a, b, c] = length.to_be_bytes();
            let mut bytes = vec![0, id, 0, 0, 0, a, b, c, kind, 1, 0, 0, 0];
            bytes.extend_from_slice(&[0; 128]);
            bytes
        };
        assert_eq!(read(&header(1, 65_537, 20)), Err(ChunkError::Length(20, 65_537)));
        assert_eq!(read(&header(1, (1 << 20) + 1, 18)), Err(ChunkError::Length(18, (1 << 20) + 1)));
        assert_eq!(read(&header(1, 1 << 20, 18)), Ok(vec![]));
        assert_eq!(read(&header(1, (8 << 20) + 1, 9)), Err(ChunkError::Length(9, (8 << 20) + 1)));
        assert_eq!(read(&header(1, 8 << 20, 9)), Ok(vec![]));
        let nine: Vec<u8> = (0..9).flat_map(|id| header(id, 60_000, 8)).collect();
        assert_eq!(read(&nine), Err(ChunkError::HalfRead));
        let many: Vec<u8> = (0..33).flat_map(|id| header(id, 128, 8)).collect();
        assert_eq!(read(&many), Err(ChunkError::Streams));
        assert_eq!(read(&[0xc4, 0]), Err(ChunkError::NoHeader));
        assert_eq!(read(&[0x84, 0, 0, 0, 0]), Err(ChunkError::NoHeader));
    }

    #[test]
    fn half_read_bytes_are_bounded_and_never_allocated_ahead() {
        let mut reader = ChunkReader::default();
        let mut setup = Vec::new();
        chunk_writer::write_number(&mut setup, kind::SET_CHUNK_SIZE, CHUNK_SIZE as u32);
        read_all(&mut reader, &setup).unwrap();
        let mut total = 0;
        let refused = 'all: {
            for id in 0..8_u8 {
                // 8 MB announced; all but the last chunk come.
                for piece in 0..127 {
                    let mut bytes = match piece {
                        0 => vec![0, id, 0, 0, 0, 0x80, 0, 0, 9, 1, 0, 0, 0],
                        _ => vec![0xc0, id],
                    };
                    bytes.extend_from_slice(&vec![0; CHUNK_SIZE]);
                    if let Err(refused) = read_all(&mut reader, &bytes) {
                        break 'all Some(refused);
                    }
                    total += CHUNK_SIZE;
                    let held: usize = reader.streams.iter().flat_map(|s| &s.body).map(Vec::capacity).sum();
                    assert!(held <= 2 * reader.half_read() + FIRST_PIECE, "{held} for {total}");
                }
            }
            None
        };
        assert_eq!(refused, Some(ChunkError::HalfRead));
        assert!((15 << 20..=17 << 20).contains(&total), "{total}");
    }
}
