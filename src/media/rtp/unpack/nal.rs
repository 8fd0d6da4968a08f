//! RTP of H.264 (RFC 6184) and H.265 (RFC 7798) into what its publisher delimits by marker and time, which should be
//! frames ([`crate::media::access_units`] sees to that): units put together from fragments and aggregates, each behind
//! its length in 4 bytes. What has a hole in it is left out whole.

use super::{Unit, Unreadable};
use crate::media::codec::{h264, h265};
use crate::media::joining::LONGEST_PICTURE;
use crate::media::rtp::header::Header;
use crate::media::track::VideoCodec;
use bytes::{BufMut, BytesMut};

/// Most units of one picture.
const MOST_UNITS: usize = 2048;
const LENGTH: usize = 4;

/// Puts the frames of one track together.
#[derive(Debug)]
pub struct Frames {
    codec: VideoCodec,
    timestamp: u32,
    payload: BytesMut,
    units: usize,
    keyframe: bool,
    /// Where the length of the unit stands whose fragments come in.
    open: Option<usize>,
    /// Packets of this picture are missing or wrong.
    broken: bool,
    /// Whether anything of this picture has come.
    begun: bool,
    /// Something was lost since the last picture that was handed over.
    lost: bool,
}

impl Frames {
    /// For H.264 or H.265.
    pub fn new(codec: VideoCodec) -> Frames {
        Frames {
            codec,
            timestamp: 0,
            payload: BytesMut::new(),
            units: 0,
            keyframe: false,
            open: None,
            broken: false,
            begun: false,
            lost: false,
        }
    }

    /// Takes the next packet of the track; `missing` if some were lost right before it.
    ///
    /// # Errors
    /// A payload that breaks the format, or a picture beyond all bounds; its picture is left out.
    pub fn push(
        &mut self,
        header: &Header,
        payload: &[u8],
        missing: bool,
        out: &mut Vec<Unit>,
    ) -> Result<(), Unreadable> {
        if missing {
            // What is lost may be the end of the last picture, the begin of this one, or both.
            self.broken = self.begun;
            self.lost = true;
        }
        if self.begun && header.timestamp != self.timestamp {
            self.finish(out);
        }
        if missing && !self.begun {
            self.broken = !starts_unit(self.codec, payload);
        }
        self.timestamp = header.timestamp;
        self.begun = true;
        let taken = match self.codec {
            VideoCodec::H265 => self.h265(payload),
            _ => self.h264(payload),
        };
        self.broken |= taken.is_err();
        // Inside a unit a marker says nothing: some set it on every packet.
        if header.marker && self.open.is_none() {
            self.finish(out);
        }
        taken
    }

    /// Hands over the picture as it is.
    fn finish(&mut self, out: &mut Vec<Unit>) {
        let whole = !self.broken && self.open.is_none() && self.units > 0;
        let payload = self.payload.split().freeze();
        self.lost |= self.broken;
        if whole {
            let after_loss = std::mem::take(&mut self.lost);
            let (timestamp, keyframe) = (self.timestamp, self.keyframe);
            out.push(Unit { timestamp, samples_before: 0, keyframe, after_loss, payload });
        }
        (self.units, self.keyframe, self.open, self.broken, self.begun) = (0, false, None, false, false);
    }

    fn h264(&mut self, payload: &[u8]) -> Result<(), Unreadable> {
        let (indicator, rest) = payload.split_first().ok_or(Unreadable)?;
        match indicator & 0x1f {
            1..=23 => self.whole(payload),
            24 => self.aggregate(rest),
            28 => {
                let (fragment, body) = rest.split_first().ok_or(Unreadable)?;
                let header = (indicator & 0xe0) | (fragment & 0x1f);
                self.fragment(*fragment, &[header], body)
            }
            // STAP-B, MTAP and FU-B belong to the interleaved mode, which nobody announces.
            _ => Err(Unreadable),
        }
    }

    fn h265(&mut self, payload: &[u8]) -> Result<(), Unreadable> {
        let (head, rest) = payload.split_first_chunk::<2>().ok_or(Unreadable)?;
        let [first, second] = *head;
        match (first >> 1) & 0x3f {
            0..=47 => self.whole(payload),
            48 => self.aggregate(rest),
            49 => {
                let (fragment, body) = rest.split_first().ok_or(Unreadable)?;
                let header = [(first & 0x81) | ((fragment & 0x3f) << 1), second];
                self.fragment(*fragment, &header, body)
            }
            _ => Err(Unreadable),
        }
    }

    fn aggregate(&mut self, mut rest: &[u8]) -> Result<(), Unreadable> {
        while let Some((length, tail)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            let (unit, tail) = tail.split_at_checked(length).ok_or(Unreadable)?;
            if !unit.is_empty() {
                self.whole(unit)?;
            }
            rest = tail;
        }
        Ok(())
    }

    fn whole(&mut self, unit: &[u8]) -> Result<(), Unreadable> {
        self.abandon_open();
        let delimiter = match self.codec {
            VideoCodec::H265 => h265::nal::kind(unit) == h265::nal::AUD,
            _ => h264::nal::kind(unit) == h264::nal::AUD,
        };
        if delimiter {
            return Ok(());
        }
        self.begin(unit)?;
        self.close();
        Ok(())
    }

    fn fragment(&mut self, bits: u8, header: &[u8], body: &[u8]) -> Result<(), Unreadable> {
        if bits & 0x80 != 0 {
            self.abandon_open();
            self.begin(header)?;
        } else if self.open.is_none() {
            return Err(Unreadable);
        }
        self.append(body)?;
        if bits & 0x40 != 0 {
            self.close();
        }
        Ok(())
    }

    fn begin(&mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        self.units = self.units.saturating_add(1);
        if self.units > MOST_UNITS {
            return Err(Unreadable);
        }
        self.keyframe |= match self.codec {
            VideoCodec::H265 => h265::nal::is_irap(h265::nal::kind(bytes)),
            _ => h264::nal::kind(bytes) == h264::nal::IDR,
        };
        self.open = Some(self.payload.len());
        self.payload.put_u32(0);
        self.append(bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        if self.payload.len().saturating_add(bytes.len()) > LONGEST_PICTURE {
            return Err(Unreadable);
        }
        self.payload.extend_from_slice(bytes);
        Ok(())
    }

    fn close(&mut self) {
        let Some(at) = self.open.take() else { return };
        let body = at.saturating_add(LENGTH);
        let length = u32::try_from(self.payload.len().saturating_sub(body)).unwrap_or(0);
        if let Some(place) = self.payload.get_mut(at..body) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }

    /// A unit whose end never came.
    fn abandon_open(&mut self) {
        if let Some(at) = self.open.take() {
            self.payload.truncate(at);
            self.broken = true;
        }
    }
}

/// Whether a payload begins with the begin of a unit, so that nothing of it is missing.
fn starts_unit(codec: VideoCodec, payload: &[u8]) -> bool {
    match codec {
        VideoCodec::H265 if h265::nal::kind(payload) == 49 => payload.get(2).is_some_and(|b| b & 0x80 != 0),
        VideoCodec::H265 => true,
        _ if h264::nal::kind(payload) == 28 => payload.get(1).is_some_and(|b| b & 0x80 != 0),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::rtp::{Packets, RtpStream, nal_pack};
    use bytes::Bytes;
    use proptest::prelude::*;

    fn framed(units: &[Vec<u8>]) -> Vec<u8> {
        let with_length = |unit: &Vec<u8>| [&(unit.len() as u32).to_be_bytes()[..], unit].concat();
        units.iter().flat_map(with_length).collect()
    }

    /// Two frames of these units as packets.
    fn packets(codec: VideoCodec, units: &[Vec<u8>]) -> Vec<Bytes> {
        let mut rtp_stream = RtpStream::new(0, 1, 96, 0);
        let mut out = Packets::new(0, 0);
        for timestamp in [100, 200] {
            nal_pack::pack(codec, &mut rtp_stream, &mut out, timestamp, &framed(units), &[]);
        }
        out.each().collect()
    }

    fn read(codec: VideoCodec, packets: &[Bytes], lost: &[usize]) -> Vec<Unit> {
        let (mut frames, mut out, mut missing) = (Frames::new(codec), Vec::new(), false);
        for (at, packet) in packets.iter().enumerate() {
            if lost.contains(&at) {
                missing = true;
                continue;
            }
            let (header, payload) = Header::read(packet).unwrap();
            let _ = frames.push(&header, &packet[payload], missing, &mut out);
            missing = false;
        }
        out
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out(
            lengths in proptest::collection::vec(0usize..4000, 1..12), h265 in any::<bool>(),
        ) {
            let codec = if h265 { VideoCodec::H265 } else { VideoCodec::H264 };
            let unit = |length: &usize| {
                let mut unit = if h265 { vec![0x26, 1] } else { vec![0x65] };
                unit.resize(unit.len() + length, 7);
                unit
            };
            let units: Vec<_> = lengths.iter().map(unit).collect();
            let all = read(codec, &packets(codec, &units), &[]);
            prop_assert_eq!(all.len(), 2);
            for (picture, timestamp) in all.iter().zip([100, 200]) {
                prop_assert_eq!(picture.timestamp, timestamp);
                prop_assert!(picture.keyframe);
                prop_assert_eq!(&picture.payload[..], &framed(&units)[..]);
            }
        }

        #[test]
        fn any_payload_is_borne(payloads in proptest::collection::vec(
            (any::<u8>(), any::<bool>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..20)), 0..40,
        )) {
            for codec in [VideoCodec::H264, VideoCodec::H265] {
                let (mut frames, mut out) = (Frames::new(codec), Vec::new());
                for (timestamp, marker, missing, payload) in &payloads {
                    let header = Header {
                        marker: *marker, payload_type: 96, sequence: 0, timestamp: u32::from(*timestamp), ssrc: 0,
                    };
                    let _ = frames.push(&header, payload, *missing, &mut out);
                }
            }
        }
    }

    #[test]
    fn a_picture_with_a_hole_is_left_out() {
        let units = [vec![0x65; 5000]];
        let all = packets(VideoCodec::H264, &units);
        assert_eq!(all.len(), 8);
        let times = |lost: &[usize]| -> Vec<u32> {
            read(VideoCodec::H264, &all, lost).iter().map(|u| u.timestamp).collect()
        };
        assert_eq!(times(&[]), [100, 200]);
        for lost in 0..4 {
            assert_eq!(times(&[lost]), [200], "packet {lost}");
            assert_eq!(times(&[lost + 4]), [100], "packet {}", lost + 4);
        }
        assert!(times(&[3, 4]).is_empty());
    }

    #[test]
    fn a_marker_inside_a_unit_says_nothing() {
        for codec in [VideoCodec::H264, VideoCodec::H265] {
            let unit = if codec == VideoCodec::H265 { vec![0x26, 1] } else { vec![0x65] };
            let units = [[&unit[..], &[7; 5000]].concat()];
            let marked = packets(codec, &units).into_iter().map(|packet| {
                let mut packet = packet.to_vec();
                packet[1] |= 0x80;
                Bytes::from(packet)
            });
            let all = read(codec, &marked.collect::<Vec<_>>(), &[]);
            assert_eq!(all.iter().map(|u| u.timestamp).collect::<Vec<_>>(), [100, 200]);
            assert!(all.iter().all(|u| u.payload[..] == framed(&units)[..]));
        }
    }

    #[test]
    fn without_markers_time_ends_a_picture() {
        let mut frames = Frames::new(VideoCodec::H264);
        let mut out = Vec::new();
        for timestamp in [1, 1, 2, 3] {
            let header = Header { marker: false, payload_type: 96, sequence: 0, timestamp, ssrc: 0 };
            frames.push(&header, &[0x41, 5], false, &mut out).unwrap();
        }
        let lengths: Vec<_> = out.iter().map(|u| (u.timestamp, u.payload.len(), u.keyframe)).collect();
        assert_eq!(lengths, [(1, 12, false), (2, 6, false)]);
    }

    #[test]
    fn a_picture_without_end_is_bounded() {
        let mut frames = Frames::new(VideoCodec::H264);
        let mut out = Vec::new();
        let header = Header { marker: false, payload_type: 96, sequence: 0, timestamp: 1, ssrc: 0 };
        frames.push(&header, &[0x7c, 0x85], false, &mut out).unwrap();
        let body = [&[0x7c, 0x05][..], &[0; 60_000]].concat();
        let taken = (0..1000).take_while(|_| frames.push(&header, &body, false, &mut out).is_ok()).count();
        assert!(taken < 150);
        assert!(frames.payload.len() <= LONGEST_PICTURE);
    }
}
