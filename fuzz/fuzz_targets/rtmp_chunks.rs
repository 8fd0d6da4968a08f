//! Bytes as chunks: the same messages or the same error whichever way they are split, in bounded memory; and messages
//! that were read come back when they are written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::protocol::rtmp::wire::chunk_reader::{ChunkError, ChunkReader, MOST_HALF_READ_BYTES};
use msconv::protocol::rtmp::wire::chunk_writer::{CHUNK_SIZE, set_chunk_size, write};
use msconv::protocol::rtmp::wire::message::{Message, kind};

fn read<'a>(parts: impl Iterator<Item = &'a [u8]>) -> (Vec<Message>, Option<ChunkError>) {
    let mut reader = ChunkReader::default();
    let mut messages = Vec::new();
    for mut part in parts {
        loop {
            match reader.read(&mut part) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
        assert!(part.is_empty());
        assert!(reader.half_read() <= MOST_HALF_READ_BYTES);
    }
    (messages, None)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (split, bytes) = input;
    let whole = read(std::iter::once(bytes));
    let parts = read(bytes.chunks(usize::from(split) + 1));
    assert_eq!(whole, parts);
    let mut out = Vec::new();
    set_chunk_size(&mut out);
    let messages: Vec<_> =
        whole.0.into_iter().filter(|m| !matches!(m.kind, kind::SET_CHUNK_SIZE | kind::ABORT)).collect();
    for message in &messages {
        write(&mut out, CHUNK_SIZE, message.kind, message.stream, message.timestamp, &[], &message.payload);
    }
    let (again, error) = read(std::iter::once(&out[..]));
    assert_eq!(error, None);
    assert_eq!(&again[1..], &messages[..]);
});
