//! The fixed header of an RTP packet (RFC 3550, 5.1).

use bytes::{BufMut, BytesMut};
use std::ops::Range;

/// Bytes of a header without contributing sources and extension.
pub const LENGTH: usize = 12;

/// What the header of a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The end of a frame, in the payload formats that know one.
    pub marker: bool,
    /// Which payload format, 0 to 127.
    pub payload_type: u8,
    /// Counts packets, wraps.
    pub sequence: u16,
    /// Sampling time of the first byte of the payload in ticks of the format's clock, wraps.
    pub timestamp: u32,
    /// The source.
    pub ssrc: u32,
}

impl Header {
    /// The header of `packet` and where its payload stands: behind contributing sources and header extension, before
    /// padding. `None` for what is no whole packet of version 2.
    pub fn read(packet: &[u8]) -> Option<(Header, Range<usize>)> {
        let (head, _) = packet.split_first_chunk::<LENGTH>()?;
        let [first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *head;
        if first >> 6 != 2 {
            return None;
        }
        let mut begin = LENGTH.checked_add(usize::from(first & 0x0f).checked_mul(4)?)?;
        if first & 0x10 != 0 {
            let extension = packet.get(begin..)?.first_chunk::<4>()?;
            let words = usize::from(u16::from_be_bytes([extension[2], extension[3]]));
            begin = begin.checked_add(4)?.checked_add(words.checked_mul(4)?)?;
        }
        let padding = if first & 0x20 != 0 { usize::from(*packet.last()?).max(1) } else { 0 };
        let end = packet.len().checked_sub(padding)?;
        if begin > end {
            return None;
        }
        let header = Header {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
        };
        Some((header, begin..end))
    }

    /// Appends the 12 bytes.
    pub fn write(&self, out: &mut BytesMut) {
        out.put_u8(0x80);
        out.put_u8(if self.marker { 0x80 } else { 0 } | (self.payload_type & 0x7f));
        out.put_u16(self.sequence);
        out.put_u32(self.timestamp);
        out.put_u32(self.ssrc);
    }
}

/// Whether the payload type is one of those that an RTCP packet has in the same place (RFC 5761, 4): how the two are
/// told apart where they share a port.
pub fn looks_like_rtcp(packet: &[u8]) -> bool {
    matches!(packet.get(1), Some(192..=223))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Header =
        Header { marker: true, payload_type: 96, sequence: 65_535, timestamp: u32::MAX, ssrc: 0x1234_5678 };

    #[test]
    fn what_is_written_is_read() {
        for marker in [true, false] {
            let header = Header { marker, ..PLAIN };
            let mut out = BytesMut::new();
            header.write(&mut out);
            out.put_slice(b"abc");
            assert_eq!(Header::read(&out), Some((header, 12..15)));
        }
    }

    #[test]
    fn the_payload_stands_between_extension_and_padding() {
        let mut out = BytesMut::new();
        PLAIN.write(&mut out);
        out[0] = 0x80 | 0x20 | 0x10 | 2;
        out.put_slice(&[0; 8]);
        out.put_slice(&[0xbe, 0xde, 0, 1, 9, 9, 9, 9]);
        out.put_slice(b"payload");
        out.put_slice(&[0, 0, 3]);
        let (header, payload) = Header::read(&out).unwrap();
        assert_eq!((header, &out[payload]), (PLAIN, &b"payload"[..]));
    }

    #[test]
    fn lies_about_lengths_are_refused() {
        let mut out = BytesMut::new();
        PLAIN.write(&mut out);
        for end in 0..LENGTH {
            assert_eq!(Header::read(&out[..end]), None);
        }
        // Fifteen contributing sources that are not there; an extension beyond the end; more padding than packet.
        for first in [0x8f, 0x90, 0x40, 0x00, 0xc0] {
            out[0] = first;
            assert_eq!(Header::read(&out), None, "{first:x}");
        }
        out[0] = 0xa0;
        out.put_u8(200);
        assert_eq!(Header::read(&out), None);
        out[12] = 0;
        assert_eq!(
            Header::read(&out).map(|(_, payload)| payload),
            Some(12..12),
            "padding counts its own byte"
        );
    }
}
