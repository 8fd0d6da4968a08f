//! AV1 and VP9 into RTP payloads. Pure.
//!
//! AV1 (RTP Payload Format for AV1, 4.3 and 4.4): the OBUs of a temporal unit without their own sizes and without temporal
//! delimiters, each behind its length, cut where a payload is full. VP9 (RFC 9628, 4.2): a frame cut anywhere behind a
//! descriptor of three bytes with a picture number.

use crate::media::codec::av1;

/// OBU types that RTP leaves out (AV1, 6.2.2): temporal delimiter and tile list.
const LEFT_OUT: [u8; 2] = [2, 8];
/// An OBU has an extension byte.
const HAS_EXTENSION: u8 = 4;

/// The payloads of one AV1 temporal unit, each of at most `room` bytes.
pub fn av1(unit: &[u8], keyframe: bool, room: usize) -> Vec<Vec<u8>> {
    let mut payloads: Vec<Vec<u8>> = Vec::new();
    // N: a new coded video sequence begins.
    let mut payload = vec![if keyframe { 8 } else { 0 }];
    let kept = av1::units(unit).filter(|obu| !LEFT_OUT.contains(&obu.kind));
    for obu in kept {
        let mut rest = bare(&obu);
        while !rest.is_empty() {
            let free = room.saturating_sub(payload.len());
            // Two bytes of length reach for 16 kB, more than a payload has.
            let fits = free.saturating_sub(2);
            if fits < 8 && payload.len() > 1 {
                payloads.push(std::mem::replace(&mut payload, vec![0]));
                continue;
            }
            let (piece, later) = rest.split_at(rest.len().min(fits.max(1)));
            length(piece.len(), &mut payload);
            payload.extend_from_slice(piece);
            if !later.is_empty() {
                // Y: the last piece goes on in the next payload, where Z says so.
                if let Some(head) = payload.first_mut() {
                    *head |= 0x40;
                }
                payloads.push(std::mem::replace(&mut payload, vec![0x80]));
            }
            rest = later.to_vec();
        }
    }
    if payload.len() > 1 {
        payloads.push(payload);
    }
    payloads
}

/// An OBU with its header and without its size.
fn bare(obu: &av1::Unit<'_>) -> Vec<u8> {
    let header = (obu.kind << 3) | if obu.extension.is_some() { HAS_EXTENSION } else { 0 };
    let head: Vec<u8> = std::iter::once(header).chain(obu.extension).collect();
    [&head[..], obu.body].concat()
}

/// LEB128 (AV1, 4.10.5).
fn length(mut value: usize, out: &mut Vec<u8>) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

/// The payloads of one VP9 frame, each of at most `room` bytes. `picture` counts frames, and wraps.
pub fn vp9(frame: &[u8], keyframe: bool, picture: u16, room: usize) -> Vec<Vec<u8>> {
    let pieces: Vec<&[u8]> = frame.chunks(room.saturating_sub(3).max(1)).collect();
    let last = pieces.len().saturating_sub(1);
    let [high, low] = (picture & 0x7fff | 0x8000).to_be_bytes();
    let payload = |(index, piece): (usize, &&[u8])| {
        // I: a picture number; P: predicted; B and E: the first and the last piece.
        let mut head = 0x80;
        head |= if keyframe { 0 } else { 0x40 };
        head |= if index == 0 { 0x08 } else { 0 };
        head |= if index == last { 0x04 } else { 0 };
        [&[head, high, low][..], piece].concat()
    };
    pieces.iter().enumerate().map(payload).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn obu(kind: u8, payload: &[u8]) -> Vec<u8> {
        // It has a size.
        let mut out = vec![kind << 3 | 2];
        length(payload.len(), &mut out);
        [out, payload.to_vec()].concat()
    }

    /// The OBUs out of payloads, as a receiver puts them together.
    fn joined(payloads: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut found: Vec<Vec<u8>> = Vec::new();
        for payload in payloads {
            let (head, mut rest) = (payload[0], &payload[1..]);
            let mut goes_on = head & 0x80 != 0;
            while !rest.is_empty() {
                let (mut size, mut shift) = (0, 0);
                loop {
                    let byte = rest[0];
                    rest = &rest[1..];
                    size |= usize::from(byte & 0x7f) << shift;
                    shift += 7;
                    if byte & 0x80 == 0 {
                        break;
                    }
                }
                let (piece, later) = rest.split_at(size);
                rest = later;
                if std::mem::take(&mut goes_on) {
                    found.last_mut().unwrap().extend(piece);
                } else {
                    found.push(piece.to_vec());
                }
            }
        }
        found
    }

    #[test]
    fn delimiters_and_sizes_are_left_out() {
        let unit = [obu(2, &[]), obu(1, &[1, 2, 3]), obu(6, &[7; 2500])].concat();
        let payloads = av1(&unit, true, 1180);
        assert!(payloads.iter().all(|payload| payload.len() <= 1180));
        assert_eq!(payloads[0][..6], [0x48, 4, 1 << 3, 1, 2, 3]);
        assert_eq!((payloads[1][0], payloads[2][0]), (0xc0, 0x80));
        let frame: Vec<u8> = std::iter::once(6 << 3).chain([7; 2500]).collect();
        assert_eq!(joined(&payloads), [vec![1 << 3, 1, 2, 3], frame]);
    }

    #[test]
    fn frames_of_vp9_stand_behind_their_numbers() {
        let payloads = vp9(&[9; 2500], false, 0x8001, 1180);
        let heads: Vec<_> = payloads.iter().map(|p| (p[0], p[1], p[2], p.len())).collect();
        assert_eq!(heads, [(0xc8, 0x80, 1, 1180), (0xc0, 0x80, 1, 1180), (0xc4, 0x80, 1, 149)]);
        assert_eq!(vp9(&[1], true, 5, 1180), [[0x8c, 0x80, 5, 1]]);
        assert!(vp9(&[], true, 5, 1180).is_empty());
    }

    proptest! {
        #[test]
        fn any_unit_goes_in_payloads_that_fit(bytes in proptest::collection::vec(any::<u8>(), 0..600), sizes in proptest::collection::vec(0..700_usize, 0..5), room in 20..300_usize) {
            for payload in av1(&bytes, false, room).iter().chain(&vp9(&bytes, true, 0, room)) {
                prop_assert!(payload.len() <= room && payload.len() > 1);
            }
            let unit: Vec<u8> = sizes.iter().flat_map(|size| obu(6, &vec![3; *size])).collect();
            let wanted: Vec<Vec<u8>> = sizes.iter().map(|size| [vec![6 << 3], vec![3; *size]].concat()).collect();
            prop_assert_eq!(joined(&av1(&unit, true, room)), wanted);
        }
    }
}
