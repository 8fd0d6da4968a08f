//! Cuts messages into chunks. Every message gets a whole header (format 0): it costs a few bytes, and the same bytes
//! fit every reader at any moment.

use super::message::kind;

/// Chunk streams that we write on.
pub mod chunk_stream {
    /// Steering of the connection; the protocol reserves it for that.
    pub const CONTROL: u8 = 2;
    /// Commands.
    pub const COMMAND: u8 = 3;
    /// Audio.
    pub const AUDIO: u8 = 4;
    /// Data.
    pub const DATA: u8 = 5;
    /// Video.
    pub const VIDEO: u8 = 6;

    /// The one for messages of a type.
    pub const fn of(kind: u8) -> u8 {
        use super::kind as k;
        match kind {
            k::AUDIO => AUDIO,
            k::VIDEO => VIDEO,
            k::DATA | k::DATA_AMF3 => DATA,
            k::COMMAND | k::COMMAND_AMF3 => COMMAND,
            _ => CONTROL,
        }
    }
}

/// Headers and bodies are written with this chunk size from the first byte after [`set_chunk_size`]. Every program at
/// hand takes it (measured: ffmpeg, librtmp, GStreamer, VLC, nginx-rtmp), and all but the largest keyframes stay whole.
pub const CHUNK_SIZE: usize = 65_536;

/// Writes one message at the end of `out`. Its body is `head` followed by `body`, so that a frame behind its tag header
/// is copied once. `chunk_size` is at least 1; `timestamp` is in milliseconds and wraps at 2^32.
pub fn write(
    out: &mut Vec<u8>,
    chunk_size: usize,
    kind: u8,
    stream: u32,
    timestamp: u32,
    head: &[u8],
    body: &[u8],
) {
    let id = chunk_stream::of(kind);
    let length = head.len().saturating_add(body.len());
    out.reserve(room(chunk_size, length));
    let extended = timestamp >= 0x00ff_ffff;
    let [_, t0, t1, t2] = if extended { [0, 0xff, 0xff, 0xff] } else { timestamp.to_be_bytes() };
    let [_, l0, l1, l2] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let [s0, s1, s2, s3] = stream.to_le_bytes();
    out.extend_from_slice(&[id, t0, t1, t2, l0, l1, l2, kind, s0, s1, s2, s3]);
    if extended {
        out.extend_from_slice(&timestamp.to_be_bytes());
    }
    let mut left = chunk_size.max(1);
    for mut part in [head, body] {
        while !part.is_empty() {
            if left == 0 {
                out.push(0xc0 | id);
                // The extended time stands in every chunk of the message: ffmpeg, librtmp and nginx-rtmp expect it.
                if extended {
                    out.extend_from_slice(&timestamp.to_be_bytes());
                }
                left = chunk_size.max(1);
            }
            let (now, rest) = part.split_at_checked(left).unwrap_or((part, &[]));
            out.extend_from_slice(now);
            left = left.saturating_sub(now.len());
            part = rest;
        }
    }
}

/// The most bytes that a message with a body of `length` bytes becomes.
fn room(chunk_size: usize, length: usize) -> usize {
    let further = length.checked_div(chunk_size.max(1)).unwrap_or(0);
    length.saturating_add(further.saturating_mul(5)).saturating_add(16)
}

/// Writes a message whose body is a number: chunk size, acknowledgement, window size.
pub fn write_number(out: &mut Vec<u8>, kind: u8, number: u32) {
    write(out, CHUNK_SIZE, kind, 0, 0, &[], &number.to_be_bytes());
}

/// Tells the peer that chunks are [`CHUNK_SIZE`] bytes long from now on.
pub fn set_chunk_size(out: &mut Vec<u8>) {
    write_number(out, kind::SET_CHUNK_SIZE, u32::try_from(CHUNK_SIZE).unwrap_or(u32::MAX));
}
