//! RTP of audio into packets of its codec: AAC (RFC 3640), MPEG audio (RFC 2250); Opus and G.711 are what they are.

use super::{Unit, Unreadable};
use crate::media::rtp::header::Header;
use crate::media::rtp::mpeg_audio;
use bytes::{Bytes, BytesMut};

/// Longest audio packet that is put together from fragments, in bytes.
const LONGEST: usize = 1 << 16;
/// Most access units in one RTP packet.
const MOST_UNITS: usize = 64;

/// How the access unit headers of RFC 3640 are laid out, in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuHeaders {
    /// Of the size.
    pub size: u32,
    /// Of the index of the first unit of a packet.
    pub index: u32,
    /// Of the index step of the others.
    pub index_delta: u32,
}

impl AuHeaders {
    /// Mode AAC-hbr (RFC 3640, 3.3.6).
    pub const HIGH_RATE: AuHeaders = AuHeaders { size: 13, index: 3, index_delta: 3 };

    /// Whether such headers can be read here: a size of 1 to 16 bits, byte-sized reading.
    pub fn readable(&self) -> bool {
        (1..=16).contains(&self.size) && self.index <= 16 && self.index_delta <= 16
    }
}

/// Puts AAC packets together.
#[derive(Debug)]
pub struct Aac {
    headers: AuHeaders,
    samples: u32,
    /// A unit in fragments: its RTP time, its whole size, what has come.
    open: Option<(u32, usize, BytesMut)>,
}

impl Aac {
    /// Units of `samples` samples each.
    pub fn new(headers: AuHeaders, samples: u32) -> Aac {
        Aac { headers, samples, open: None }
    }

    /// Takes the next packet.
    ///
    /// # Errors
    /// A payload that breaks the format.
    pub fn push(
        &mut self,
        header: &Header,
        payload: &Bytes,
        missing: bool,
        out: &mut Vec<Unit>,
    ) -> Result<(), Unreadable> {
        if missing {
            self.open = None;
        }
        let (bits, rest) = payload.split_first_chunk::<2>().ok_or(Unreadable)?;
        let bits = usize::from(u16::from_be_bytes(*bits));
        let (headers, _) = rest.split_at_checked(bits.div_ceil(8)).ok_or(Unreadable)?;
        let body_at = bits.div_ceil(8).checked_add(2).ok_or(Unreadable)?;
        let body = payload.slice(body_at.min(payload.len())..);
        let sizes = self.sizes(headers, bits).ok_or(Unreadable)?;
        if let [size] = *sizes
            && size > body.len()
        {
            return self.fragment(header, size, &body, out);
        }
        self.open = None;
        let mut at = 0_usize;
        let mut before = 0_u32;
        for size in sizes {
            let end = at.checked_add(size).filter(|end| *end <= body.len()).ok_or(Unreadable)?;
            if end > at {
                // A copy: the frame outlives what it came in by seconds.
                let payload = Bytes::copy_from_slice(body.get(at..end).ok_or(Unreadable)?);
                out.push(Unit::audio(header.timestamp, before, payload));
            }
            before = before.saturating_add(self.samples);
            at = end;
        }
        Ok(())
    }

    fn sizes(&self, headers: &[u8], bits: usize) -> Option<Vec<usize>> {
        let mut reader = crate::media::codec::bits::Bits::new(headers);
        let mut sizes = Vec::new();
        let mut left = u32::try_from(bits).ok()?;
        let mut index = self.headers.index;
        while let Some(rest) = left.checked_sub(self.headers.size.checked_add(index)?) {
            if sizes.len() >= MOST_UNITS {
                return None;
            }
            sizes.push(usize::try_from(reader.bits(self.headers.size)?).ok()?);
            reader.bits(index)?;
            left = rest;
            index = self.headers.index_delta;
        }
        (!sizes.is_empty()).then_some(sizes)
    }

    fn fragment(
        &mut self,
        header: &Header,
        size: usize,
        body: &[u8],
        out: &mut Vec<Unit>,
    ) -> Result<(), Unreadable> {
        let (timestamp, whole, mut bytes) = match self.open.take() {
            Some(open) if open.0 == header.timestamp && open.1 == size => open,
            _ => (header.timestamp, size, BytesMut::new()),
        };
        bytes.extend_from_slice(body);
        if bytes.len() > LONGEST || bytes.len() > whole {
            return Err(Unreadable);
        }
        if bytes.len() == whole {
            out.push(Unit::audio(timestamp, 0, bytes.freeze()));
        } else {
            self.open = Some((timestamp, whole, bytes));
        }
        Ok(())
    }
}

/// Puts MPEG audio frames together.
#[derive(Debug, Default)]
pub struct Mpeg {
    /// A frame in fragments: its RTP time and what has come.
    open: Option<(u32, BytesMut)>,
}

impl Mpeg {
    /// Takes the next packet. Several frames in it come out one by one.
    ///
    /// # Errors
    /// A payload that breaks the format, or is no layer III.
    pub fn push(
        &mut self,
        header: &Header,
        payload: &Bytes,
        missing: bool,
        out: &mut Vec<Unit>,
    ) -> Result<(), Unreadable> {
        let (head, _) = payload.split_first_chunk::<4>().ok_or(Unreadable)?;
        let offset = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let body = payload.slice(4..);
        let before = self.open.take().filter(|_| !missing);
        let (timestamp, mut all) = match before {
            Some((timestamp, bytes)) if timestamp == header.timestamp && bytes.len() == offset => {
                (timestamp, bytes)
            }
            _ if offset > 0 => return Err(Unreadable),
            _ => (header.timestamp, BytesMut::new()),
        };
        all.extend_from_slice(&body);
        if all.len() > LONGEST {
            return Err(Unreadable);
        }
        let mut samples_before = 0_u32;
        while !all.is_empty() {
            let frame = mpeg_audio::head(&all).ok_or(Unreadable)?;
            if frame.length > all.len() {
                // Only a frame alone in its packet comes in fragments.
                if samples_before > 0 {
                    return Err(Unreadable);
                }
                self.open = Some((timestamp, all));
                return Ok(());
            }
            let payload = all.split_to(frame.length.max(1)).freeze();
            out.push(Unit::audio(timestamp, samples_before, payload));
            samples_before = samples_before.saturating_add(frame.samples);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(timestamp: u32) -> Header {
        Header { marker: true, payload_type: 97, sequence: 0, timestamp, ssrc: 0 }
    }

    fn aac(packets: &[(u32, Vec<u8>)]) -> Vec<(u32, u32, usize)> {
        let (mut aac, mut out) = (Aac::new(AuHeaders::HIGH_RATE, 1024), Vec::new());
        for (timestamp, payload) in packets {
            let _ = aac.push(&head(*timestamp), &Bytes::copy_from_slice(payload), false, &mut out);
        }
        out.iter().map(|u| (u.timestamp, u.samples_before, u.payload.len())).collect()
    }

    #[test]
    fn several_units_and_fragments() {
        assert_eq!(aac(&[(5, vec![0, 16, 0, 3 << 3, 1, 2, 3])]), [(5, 0, 3)]);
        let two = vec![0, 32, 0, 2 << 3, 0, 1 << 3, 1, 2, 3];
        assert_eq!(aac(&[(5, two)]), [(5, 0, 2), (5, 1024, 1)]);
        let part = |n: usize| [vec![0, 16, 0, 5 << 3], vec![9; n]].concat();
        assert_eq!(aac(&[(5, part(2)), (5, part(3))]), [(5, 0, 5)]);
        assert_eq!(aac(&[(5, part(2)), (6, part(3)), (6, part(2))]), [(6, 0, 5)]);
    }

    #[test]
    fn lies_are_refused() {
        for bad in [
            &[][..],
            &[0],
            &[0, 16],
            &[0, 16, 0],
            &[255, 255, 1, 2],
            &[0, 8, 0, 1],
            &[0, 32, 0, 16, 0, 80, 1],
        ] {
            assert_eq!(aac(&[(5, bad.to_vec())]).len(), 0, "{bad:?}");
        }
        let many = [&[0x20, 0][..], &vec![0; 1024]].concat();
        assert_eq!(aac(&[(5, many)]).len(), 0);
        assert!(!AuHeaders { size: 0, ..AuHeaders::HIGH_RATE }.readable());
    }

    #[test]
    fn mpeg_frames_come_out_one_by_one() {
        let mut frame = vec![0xff, 0xfb, 0x94, 0x64];
        frame.resize(384, 1);
        let (mut mpeg, mut out) = (Mpeg::default(), Vec::new());
        let both = [&[0; 4][..], &frame, &frame].concat();
        mpeg.push(&head(5), &both.into(), false, &mut out).unwrap();
        mpeg.push(&head(9), &[&[0; 4][..], &frame[..100]].concat().into(), false, &mut out).unwrap();
        mpeg.push(&head(9), &[&[0, 0, 0, 100][..], &frame[100..]].concat().into(), false, &mut out).unwrap();
        let all: Vec<_> = out.iter().map(|u| (u.timestamp, u.samples_before, u.payload.len())).collect();
        assert_eq!(all, [(5, 0, 384), (5, 1152, 384), (9, 0, 384)]);
        let tail: Bytes = [&[0, 0, 0, 100][..], &frame[100..]].concat().into();
        assert!(mpeg.push(&head(10), &tail, false, &mut out).is_err(), "a tail without its head");
        assert!(
            mpeg.push(&head(10), &Bytes::from_static(&[0, 0, 0, 0, 1, 2, 3, 4]), false, &mut out).is_err()
        );
    }
}
