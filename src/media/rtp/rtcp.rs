//! RTCP (RFC 3550, 6; RFC 4585): sender and receiver reports, names, goodbyes, requests for keyframes. Of what comes in, unknown types are passed over.

use super::reception::Summary;
use bytes::{BufMut, BytesMut};

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const NAMES: u8 = 202;
const GOODBYE: u8 = 203;
const PAYLOAD_FEEDBACK: u8 = 206;
/// Most packets read of one compound.
const MOST_PACKETS: usize = 64;

/// What a sender says of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderReport {
    /// The stream.
    pub ssrc: u32,
    /// The sender's wall clock, NTP's 32.32 bits.
    pub ntp: u64,
    /// The stream's RTP time at the same moment.
    pub timestamp: u32,
    /// Packets sent so far.
    pub packets: u32,
    /// Payload bytes sent so far.
    pub octets: u32,
}

/// What a receiver says of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The stream.
    pub ssrc: u32,
    /// What was received of it.
    pub summary: Summary,
    /// The middle 32 bits of the last sender report's NTP time, 0 if none came.
    pub last_report: u32,
    /// Time since then in 65536ths of a second.
    pub delay: u32,
}

/// One packet of a compound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// SR, without its blocks.
    Sender(SenderReport),
    /// A block of an SR or RR.
    Received(Block),
    /// BYE of these streams.
    Goodbye(Vec<u32>),
    /// A picture loss indication: the stream's receiver needs a keyframe (RFC 4585, 6.3.1).
    PictureLoss(u32),
}

/// Reads a compound. `None` if it is none: a wrong version, a length beyond the end.
pub fn read(mut bytes: &[u8]) -> Option<Vec<Packet>> {
    let mut packets = Vec::new();
    let mut count = 0_usize;
    while !bytes.is_empty() {
        count = count.checked_add(1).filter(|c| *c <= MOST_PACKETS)?;
        let [first, kind, high, low] = *bytes.first_chunk::<4>()?;
        if first >> 6 != 2 {
            return None;
        }
        let words = usize::from(u16::from_be_bytes([high, low]));
        let length = words.checked_add(1)?.checked_mul(4)?;
        let (packet, rest) = bytes.split_at_checked(length)?;
        let body = packet.get(4..)?;
        match kind {
            SENDER_REPORT => sender(body, first & 0x1f, &mut packets)?,
            RECEIVER_REPORT => blocks(body.get(4..)?, first & 0x1f, &mut packets)?,
            GOODBYE => {
                let sources = body.as_chunks::<4>().0.iter().take(usize::from(first & 0x1f));
                packets.push(Packet::Goodbye(sources.map(|s| u32::from_be_bytes(*s)).collect()));
            }
            // Its kind stands where others have a count.
            PAYLOAD_FEEDBACK if first & 0x1f == 1 => {
                packets.push(Packet::PictureLoss(word(body, 4)?));
            }
            _ => {}
        }
        bytes = rest;
    }
    (count > 0).then_some(packets)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|b| u32::from_be_bytes(*b))
}

fn sender(body: &[u8], count: u8, packets: &mut Vec<Packet>) -> Option<()> {
    packets.push(Packet::Sender(SenderReport {
        ssrc: word(body, 0)?,
        ntp: (u64::from(word(body, 4)?) << 32) | u64::from(word(body, 8)?),
        timestamp: word(body, 12)?,
        packets: word(body, 16)?,
        octets: word(body, 20)?,
    }));
    blocks(body.get(24..)?, count, packets)
}

fn blocks(body: &[u8], count: u8, packets: &mut Vec<Packet>) -> Option<()> {
    for block in body.chunks(24).take(usize::from(count)) {
        let losses = word(block, 4)?;
        // The count of lost packets has 24 bits and a sign.
        let lost = (losses << 8).cast_signed() >> 8;
        packets.push(Packet::Received(Block {
            ssrc: word(block, 0)?,
            summary: Summary {
                fraction_lost: (losses >> 24) as u8,
                lost,
                highest: word(block, 8)?,
                jitter: word(block, 12)?,
            },
            last_report: word(block, 16)?,
            delay: word(block, 20)?,
        }));
    }
    Some(())
}

/// A compound of a sender report and the sender's name (CNAME, cut at 255 bytes).
pub fn write_sender(report: &SenderReport, name: &str, out: &mut BytesMut) {
    out.put_slice(&[0x80, SENDER_REPORT, 0, 6]);
    out.put_u32(report.ssrc);
    out.put_u64(report.ntp);
    out.put_u32(report.timestamp);
    out.put_u32(report.packets);
    out.put_u32(report.octets);
    write_name(report.ssrc, name, out);
}

/// A compound of a receiver report on one stream and the receiver's name.
pub fn write_receiver(own: u32, block: &Block, name: &str, out: &mut BytesMut) {
    out.put_slice(&[0x81, RECEIVER_REPORT, 0, 7]);
    out.put_u32(own);
    out.put_u32(block.ssrc);
    let losses =
        (block.summary.lost.cast_unsigned() & 0x00ff_ffff) | (u32::from(block.summary.fraction_lost) << 24);
    out.put_u32(losses);
    out.put_u32(block.summary.highest);
    out.put_u32(block.summary.jitter);
    out.put_u32(block.last_report);
    out.put_u32(block.delay);
    write_name(own, name, out);
}

/// A compound with which a sender takes its leave (it begins with an empty receiver report: RFC 3550, 6.1).
pub fn write_goodbye(ssrc: u32, out: &mut BytesMut) {
    out.put_slice(&[0x80, RECEIVER_REPORT, 0, 1]);
    out.put_u32(ssrc);
    out.put_slice(&[0x81, GOODBYE, 0, 1]);
    out.put_u32(ssrc);
}

/// A compound that asks the sender of `ssrc` for a keyframe.
pub fn write_picture_loss(own: u32, ssrc: u32, out: &mut BytesMut) {
    out.put_slice(&[0x80, RECEIVER_REPORT, 0, 1]);
    out.put_u32(own);
    out.put_slice(&[0x81, PAYLOAD_FEEDBACK, 0, 2]);
    out.put_u32(own);
    out.put_u32(ssrc);
}

fn write_name(ssrc: u32, name: &str, out: &mut BytesMut) {
    let name = name.as_bytes();
    let name = name.get(..name.len().min(255)).unwrap_or(name);
    // Source, item, and at least one zero byte up to the next word.
    let words = name.len().saturating_add(4 + 2 + 1).div_ceil(4);
    out.put_slice(&[0x81, NAMES]);
    out.put_u16(u16::try_from(words).unwrap_or(u16::MAX));
    out.put_u32(ssrc);
    out.put_slice(&[1, u8::try_from(name.len()).unwrap_or(255)]);
    out.put_slice(name);
    let padding = words.saturating_mul(4).saturating_sub(name.len().saturating_add(6));
    out.put_bytes(0, padding);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REPORT: SenderReport =
        SenderReport { ssrc: 7, ntp: 0x1122_3344_5566_7788, timestamp: 9, packets: 3, octets: 4 };

    #[test]
    fn what_is_written_is_read() {
        for name in ["", "a", "ab", "abc", "msconv", &"x".repeat(300)] {
            let mut out = BytesMut::new();
            write_sender(&REPORT, name, &mut out);
            assert_eq!(out.len() % 4, 0);
            assert_eq!(read(&out), Some(vec![Packet::Sender(REPORT)]));
        }
        for lost in [0, 5, -3, 0x7f_ffff, -0x80_0000] {
            let summary = Summary { fraction_lost: 200, lost, highest: 70_000, jitter: 12 };
            let block = Block { ssrc: 1, summary, last_report: 2, delay: 3 };
            let mut out = BytesMut::new();
            write_receiver(5, &block, "n", &mut out);
            assert_eq!(read(&out), Some(vec![Packet::Received(block)]));
        }
        let mut out = BytesMut::new();
        write_goodbye(5, &mut out);
        assert_eq!(read(&out), Some(vec![Packet::Goodbye(vec![5])]));
        let mut out = BytesMut::new();
        write_picture_loss(1, 5, &mut out);
        assert_eq!(read(&out), Some(vec![Packet::PictureLoss(5)]));
    }

    #[test]
    fn lies_are_refused() {
        for bad in [
            &[][..],
            &[0x80, 200, 0, 0],
            &[0x80, 200, 0, 6, 0, 0, 0, 1],
            &[0x40, 200, 0, 0],
            &[0x81, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2],
            &[0x80],
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(read(&[0x80, 77, 0, 0]), Some(vec![]), "unknown types are passed over");
        assert_eq!(read(&[0x80, 77, 0, 0].repeat(65)), None);
        assert_eq!(read(&[0x9f, 203, 0, 1, 0, 0, 0, 1]), Some(vec![Packet::Goodbye(vec![1])]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_borne(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
