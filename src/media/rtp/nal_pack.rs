//! H.264 (RFC 6184, packetisation mode 1) and H.265 (RFC 7798) into RTP: units that fit go alone or, where several small
//! ones follow each other, together (STAP-A, AP); larger ones are cut into equal fragments (FU-A, FU), so that a whole
//! picture can be handed to the kernel as one message of equal segments.

use super::packets::{Packets, RtpStream};
use crate::media::codec::{h264, h265};
use crate::media::frame::Nals;
use crate::media::track::VideoCodec;
use bytes::Bytes;

/// How a codec's units are aggregated and fragmented.
struct Rules {
    /// Bytes of a unit's header.
    header: usize,
    /// Whether a unit is sent at all: delimiters say nothing that RTP does not say.
    sent: fn(&[u8]) -> bool,
    /// The header of an aggregate that holds these units.
    aggregate: fn(&[&[u8]], &mut Vec<u8>),
    /// The headers of a fragment of this unit, with the bits for the first and the last.
    fragment: FragmentHead,
}

/// A unit, whether it is its first and its last fragment, to headers and how many bytes of them count.
type FragmentHead = fn(&[u8], bool, bool) -> ([u8; 3], usize);

const H264: Rules = Rules {
    header: 1,
    sent: |unit| h264::nal::kind(unit) != h264::nal::AUD,
    // STAP-A: the highest importance of its units (5.7.1), type 24.
    aggregate: |units, out| {
        let bits = |b: &u8| (b & 0x80, b & 0x60);
        let of = units.iter().filter_map(|u| u.first()).map(bits);
        let (forbidden, importance) = of.fold((0, 0), |all, one| (all.0 | one.0, all.1.max(one.1)));
        out.push(forbidden | importance | 24);
    },
    // FU-A (5.8): indicator with type 28, then start, end and the unit's own type.
    fragment: |unit, first, last| {
        let header = unit.first().copied().unwrap_or(0);
        ([(header & 0xe0) | 28, ends(first, last) | (header & 0x1f), 0], 2)
    },
};

const H265: Rules = Rules {
    header: 2,
    sent: |unit| h265::nal::kind(unit) != h265::nal::AUD,
    // AP (4.4.2): the lowest layer and temporal id of its units, type 48.
    aggregate: |units, out| {
        let ids = |u: &&[u8]| Some((u16::from(*u.first()? & 1) << 8) | u16::from(*u.get(1)?));
        let layers = units.iter().filter_map(ids).map(|id| id >> 3).min().unwrap_or(0);
        let temporal = units.iter().filter_map(ids).map(|id| id & 7).min().unwrap_or(1);
        let forbidden = units.iter().filter_map(|u| u.first()).fold(0, |all, b| all | (b & 0x80));
        let [high, low] = ((layers << 3) | temporal).to_be_bytes();
        out.extend([forbidden | (48 << 1) | (high & 1), low]);
    },
    // FU (4.4.3): the unit's header with type 49, then start, end and the unit's own type.
    fragment: |unit, first, last| {
        let (one, two) = (unit.first().copied().unwrap_or(0), unit.get(1).copied().unwrap_or(0));
        ([(one & 0x81) | (49 << 1), two, ends(first, last) | ((one >> 1) & 0x3f)], 3)
    },
};

const fn ends(first: bool, last: bool) -> u8 {
    (if first { 0x80 } else { 0 }) | (if last { 0x40 } else { 0 })
}

/// Appends the packets of one picture. `payload` holds its units behind 4-byte lengths; a `keyframe` that does not
/// bring its parameter sets itself gets `sets` before it. The last packet carries the marker.
pub fn pack(
    codec: VideoCodec,
    rtp_stream: &mut RtpStream,
    out: &mut Packets,
    timestamp: u32,
    payload: &[u8],
    sets: &[Bytes],
) {
    let rules = if codec == VideoCodec::H265 { &H265 } else { &H264 };
    let mut units: Vec<&[u8]> = Vec::with_capacity(8);
    let own = |unit: &[u8]| match codec {
        VideoCodec::H265 => h265::nal::kind(unit) == h265::nal::SPS,
        _ => h264::nal::kind(unit) == h264::nal::SPS,
    };
    if !sets.is_empty() && !Nals::of(payload).any(own) {
        units.extend(sets.iter().map(|set| &set[..]));
    }
    units.extend(Nals::of(payload));
    units.retain(|unit| unit.len() >= rules.header && (rules.sent)(unit));
    let mut at = 0_usize;
    while let Some(rest) = units.get(at..).filter(|rest| !rest.is_empty()) {
        let together = fitting(rules, rtp_stream.room(), rest);
        let next = at.saturating_add(together.max(1));
        let last = next >= units.len();
        match rest {
            _ if together > 1 => {
                let some = rest.get(..together).unwrap_or(rest);
                let mut body = Vec::with_capacity(rtp_stream.room());
                (rules.aggregate)(some, &mut body);
                for unit in some {
                    let length = u16::try_from(unit.len()).unwrap_or(u16::MAX);
                    body.extend(length.to_be_bytes());
                    body.extend_from_slice(unit);
                }
                rtp_stream.packet(out, timestamp, last, &[], &body);
            }
            [unit, ..] if unit.len() <= rtp_stream.room() => {
                rtp_stream.packet(out, timestamp, last, &[], unit)
            }
            [unit, ..] => fragments(rules, rtp_stream, out, timestamp, unit, last),
            [] => break,
        }
        at = next;
    }
}

/// How many of the first units fit together in one packet.
fn fitting(rules: &Rules, room: usize, units: &[&[u8]]) -> usize {
    let mut room = room.saturating_sub(rules.header);
    let fits = |unit: &&&[u8]| match room.checked_sub(unit.len().saturating_add(2)) {
        Some(rest) => {
            room = rest;
            true
        }
        None => false,
    };
    units.iter().take_while(fits).count()
}

fn fragments(
    rules: &Rules,
    rtp_stream: &mut RtpStream,
    out: &mut Packets,
    timestamp: u32,
    unit: &[u8],
    last: bool,
) {
    let body = unit.get(rules.header..).unwrap_or(&[]);
    let (_, head) = (rules.fragment)(unit, true, false);
    let mut pieces = body.chunks(rtp_stream.room().saturating_sub(head).max(1)).peekable();
    let mut first = true;
    while let Some(piece) = pieces.next() {
        let end = pieces.peek().is_none();
        let (headers, length) = (rules.fragment)(unit, first, end);
        rtp_stream.packet(out, timestamp, last && end, headers.get(..length).unwrap_or(&headers), piece);
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::rtp::Header;
    use crate::media::rtp::header::LENGTH;
    use crate::media::rtp::packets::LONGEST;

    const ROOM: usize = LONGEST - LENGTH;

    fn framed(units: &[&[u8]]) -> Vec<u8> {
        let with_length = |unit: &&[u8]| [&(unit.len() as u32).to_be_bytes()[..], unit].concat();
        units.iter().flat_map(with_length).collect()
    }

    fn packed(codec: VideoCodec, units: &[&[u8]], sets: &[Bytes]) -> Vec<(bool, Vec<u8>)> {
        let mut rtp_stream = RtpStream::new(0, 1, 96, 9);
        let mut out = Packets::new(4, 10);
        pack(codec, &mut rtp_stream, &mut out, 90, &framed(units), sets);
        let read = |p: Bytes| {
            let (header, payload) = Header::read(&p).unwrap();
            (header.marker, p[payload].to_vec())
        };
        out.each().map(read).collect()
    }

    #[test]
    fn small_units_go_together_behind_the_sets() {
        let sets = [Bytes::from_static(&[0x67, 1]), Bytes::from_static(&[0x68, 2])];
        let all = packed(VideoCodec::H264, &[&[9, 0xf0], &[6, 5], &[0x65, 7, 7]], &sets);
        let expected = vec![0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 2, 0, 2, 6, 5, 0, 3, 0x65, 7, 7];
        assert_eq!(all, [(true, expected)]);
        // Who brings its own sets gets none.
        let all = packed(VideoCodec::H264, &[&[0x67, 3], &[0x65, 7]], &sets);
        assert_eq!(all, [(true, vec![0x78, 0, 2, 0x67, 3, 0, 2, 0x65, 7])]);
        assert_eq!(packed(VideoCodec::H264, &[&[0x41, 7]], &[]), [(true, vec![0x41, 7])]);
        assert_eq!(packed(VideoCodec::H264, &[], &[]), []);
    }

    #[test]
    fn fragments_are_equal_but_for_the_last() {
        let unit: Vec<u8> = std::iter::once(0x65).chain((0..3000).map(|i| i as u8)).collect();
        let all = packed(VideoCodec::H264, &[&unit], &[]);
        let lengths: Vec<_> = all.iter().map(|(marker, p)| (*marker, p.len())).collect();
        assert_eq!(lengths, [(false, ROOM), (false, ROOM), (true, 3000 - 2 * (ROOM - 2) + 2)]);
        let heads: Vec<_> = all.iter().map(|(_, p)| (p[0], p[1])).collect();
        assert_eq!(heads, [(0x7c, 0x85), (0x7c, 0x05), (0x7c, 0x45)]);
        let body: Vec<u8> = all.iter().flat_map(|(_, p)| p[2..].to_vec()).collect();
        assert_eq!(body, unit[1..]);
    }

    #[test]
    fn h265_has_two_bytes_of_header() {
        let unit: Vec<u8> = [0x26, 1].into_iter().chain((0..2000).map(|i| i as u8)).collect();
        let all = packed(VideoCodec::H265, &[&[0x40, 1, 5], &[0x42, 1, 6], &unit], &[]);
        assert_eq!(all[0], (false, vec![0x60, 1, 0, 3, 0x40, 1, 5, 0, 3, 0x42, 1, 6]));
        assert_eq!((&all[1].1[..3], all[1].1.len()), (&[0x62, 1, 0x80 | 19][..], ROOM));
        assert_eq!(&all[2].1[..3], &[0x62, 1, 0x40 | 19]);
        assert!(all[2].0);
    }

    #[test]
    fn a_unit_that_just_fits_is_not_cut() {
        let unit = [&[0x41][..], &[1; ROOM - 1]].concat();
        assert_eq!(packed(VideoCodec::H264, &[&unit], &[]).len(), 1);
        let unit = [&[0x41][..], &[1; ROOM]].concat();
        assert_eq!(packed(VideoCodec::H264, &[&unit], &[]).len(), 2);
        // A single unit that would fit an aggregate goes plain.
        assert_eq!(packed(VideoCodec::H264, &[&[0x41, 3]], &[])[0].1, [0x41, 3]);
    }
}
