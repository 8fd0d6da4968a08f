//! Packets on their way out: written one behind the other into one buffer, so that a byte stream sends the buffer and a
//! datagram socket its pieces.

use super::header::{Header, LENGTH};
use bytes::{Bytes, BytesMut};

/// Longest packet, in bytes with its RTP header. It travels whole over IPv6 inside the 1420 bytes that a WireGuard
/// tunnel leaves (1420 - 40 - 8).
pub const LONGEST: usize = 1372;

/// Where one packet stands in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Which RTP stream wrote it, as that was told.
    pub tag: u8,
    /// Its first byte.
    pub start: usize,
    /// Its length.
    pub len: usize,
}

/// A buffer of packets, each behind `lead` free bytes that its owner fills in.
#[derive(Debug)]
pub struct Packets {
    /// All bytes.
    pub bytes: BytesMut,
    /// The packets in it.
    pub spans: Vec<Span>,
    lead: usize,
}

impl Packets {
    /// An empty buffer with room for `expected` bytes of payload.
    pub fn new(lead: usize, expected: usize) -> Packets {
        let each = lead.saturating_add(LENGTH).saturating_add(2);
        let count = (expected / (LONGEST - LENGTH - 2)).saturating_add(2);
        let room = expected.saturating_add(count.saturating_mul(each));
        Packets { bytes: BytesMut::with_capacity(room), spans: Vec::with_capacity(count), lead }
    }

    /// Appends a packet that is already whole (RTCP).
    pub fn whole(&mut self, tag: u8, packet: &[u8]) {
        let start = self.begin();
        self.bytes.extend_from_slice(packet);
        self.end(tag, start);
    }

    fn begin(&mut self) -> usize {
        let start = self.bytes.len().saturating_add(self.lead);
        self.bytes.resize(start, 0);
        start
    }

    fn end(&mut self, tag: u8, start: usize) {
        self.spans.push(Span { tag, start, len: self.bytes.len().saturating_sub(start) });
    }

    /// The packets without what stands between them, for readers of tests and clients.
    pub fn each(&self) -> impl Iterator<Item = Bytes> + '_ {
        let of = |s: &Span| self.bytes.get(s.start..s.start.saturating_add(s.len));
        self.spans.iter().filter_map(of).map(Bytes::copy_from_slice)
    }
}

/// One RTP stream going out: what goes on from packet to packet.
#[derive(Clone, Debug)]
pub struct RtpStream {
    /// Longest packet that it writes, in bytes with its RTP header.
    longest: usize,
    /// See [`Span::tag`].
    pub tag: u8,
    /// Its source.
    pub ssrc: u32,
    /// Its payload type.
    pub payload_type: u8,
    /// The next packet's number.
    pub sequence: u16,
    /// Packets so far, wraps (RFC 3550, 6.4.1).
    pub packets: u32,
    /// Payload bytes so far, wraps.
    pub octets: u32,
}

impl RtpStream {
    /// A stream that begins with packet number `sequence`.
    pub fn new(tag: u8, ssrc: u32, payload_type: u8, sequence: u16) -> RtpStream {
        RtpStream { longest: LONGEST, tag, ssrc, payload_type, sequence, packets: 0, octets: 0 }
    }

    /// The same with packets of at most so many bytes, with their RTP header; at least 64.
    pub fn at_most(self, longest: usize) -> RtpStream {
        RtpStream { longest: longest.max(64), ..self }
    }

    /// Payload bytes of one packet.
    pub fn room(&self) -> usize {
        self.longest.saturating_sub(LENGTH)
    }

    /// Appends one packet with the payload `head` followed by `body`.
    pub fn packet(&mut self, out: &mut Packets, timestamp: u32, marker: bool, head: &[u8], body: &[u8]) {
        let start = out.begin();
        let header = Header {
            marker,
            payload_type: self.payload_type,
            sequence: self.sequence,
            timestamp,
            ssrc: self.ssrc,
        };
        header.write(&mut out.bytes);
        out.bytes.extend_from_slice(head);
        out.bytes.extend_from_slice(body);
        out.end(self.tag, start);
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        let payload = head.len().saturating_add(body.len());
        self.octets = self.octets.wrapping_add(u32::try_from(payload).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_stand_behind_their_lead() {
        let mut out = Packets::new(4, 100);
        let mut rtp_stream = RtpStream::new(2, 7, 97, 65_535);
        rtp_stream.packet(&mut out, 5, true, b"h", b"body");
        rtp_stream.packet(&mut out, 6, false, b"", b"x");
        out.whole(3, b"rtcp");
        let at: Vec<_> = out.spans.iter().map(|s| (s.tag, s.start, s.len)).collect();
        assert_eq!(at, [(2, 4, 17), (2, 25, 13), (3, 42, 4)]);
        assert_eq!((rtp_stream.sequence, rtp_stream.packets, rtp_stream.octets), (1, 2, 6));
        let all: Vec<_> = out.each().collect();
        let (header, payload) = Header::read(&all[1]).unwrap();
        assert_eq!((header.sequence, header.timestamp, &all[1][payload]), (0, 6, &b"x"[..]));
        assert_eq!(all[2], "rtcp");
        assert_eq!(&out.bytes[..4], [0; 4]);
    }
}
