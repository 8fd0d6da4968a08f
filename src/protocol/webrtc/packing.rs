//! Frames into RTP payloads for WebRTC, once for all viewers of a rendition. What stands in front of a payload (sequence
//! number, time, source, encryption) is each session's own.

use super::obu_pack;
use crate::media::rtp::{Packets, RtpStream, header, nal_pack};
use crate::media::{Frame, MediaTime, VideoCodec, VideoTrack};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;

/// Bytes of one payload. With headers, extensions and SRTP's tag a datagram then fits the 1,280 bytes that every path of
/// IPv6 carries.
pub const ROOM: usize = 1180;

/// A payload on its way.
#[derive(Clone, Debug)]
pub struct Payload {
    /// Whether it is the last of its frame.
    pub marker: bool,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
}

/// A frame as payloads.
#[derive(Clone, Debug)]
pub struct Unit {
    /// When it is to be shown, on the ladder's line of time.
    pub pts: MediaTime,
    /// When it came.
    pub at: Instant,
    /// Whether decoding can begin here.
    pub keyframe: bool,
    /// Bytes of all payloads.
    pub size: usize,
    /// The payloads in order.
    pub payloads: Arc<[Payload]>,
}

/// Packs the video of one rendition.
#[derive(Debug)]
pub struct Packer {
    codec: VideoCodec,
    sets: Vec<Bytes>,
    /// Frames so far, wraps.
    count: u16,
}

impl Packer {
    /// For this track.
    pub fn of(track: &VideoTrack) -> Packer {
        Packer { codec: track.codec, sets: track.parameter_sets(), count: 0 }
    }

    /// The payloads of a frame.
    pub fn pack(&mut self, frame: &Frame, at: Instant) -> Unit {
        self.count = self.count.wrapping_add(1);
        let bodies: Vec<Arc<[u8]>> = match self.codec {
            VideoCodec::H264 | VideoCodec::H265 => self.nal_units(frame),
            VideoCodec::Av1 => all(obu_pack::av1(&frame.payload, frame.keyframe, ROOM)),
            VideoCodec::Vp9 => all(obu_pack::vp9(&frame.payload, frame.keyframe, self.count, ROOM)),
        };
        let last = bodies.len().saturating_sub(1);
        let payloads = bodies.into_iter().enumerate();
        unit(frame, at, payloads.map(|(index, bytes)| Payload { marker: index == last, bytes }))
    }

    fn nal_units(&self, frame: &Frame) -> Vec<Arc<[u8]>> {
        let mut packets = Packets::new(0, frame.payload.len());
        let mut stream = RtpStream::new(0, 0, 0, 0).at_most(ROOM.saturating_add(header::LENGTH));
        let sets = if frame.keyframe { &self.sets[..] } else { &[] };
        nal_pack::pack(self.codec, &mut stream, &mut packets, 0, &frame.payload, sets);
        let payload = |span: &crate::media::rtp::packets::Span| {
            let packet = packets.bytes.get(span.start..span.start.saturating_add(span.len))?;
            packet.get(header::LENGTH..).map(Arc::<[u8]>::from)
        };
        packets.spans.iter().filter_map(payload).collect()
    }
}

fn all(payloads: Vec<Vec<u8>>) -> Vec<Arc<[u8]>> {
    payloads.into_iter().map(Arc::from).collect()
}

/// A packet of audio, which is never cut.
pub fn whole(frame: &Frame, at: Instant) -> Unit {
    unit(frame, at, std::iter::once(Payload { marker: false, bytes: Arc::from(&frame.payload[..]) }))
}

fn unit(frame: &Frame, at: Instant, payloads: impl Iterator<Item = Payload>) -> Unit {
    let payloads: Arc<[Payload]> = payloads.collect();
    let size = payloads.iter().map(|payload| payload.bytes.len()).fold(0, usize::saturating_add);
    Unit { pts: frame.pts, at, keyframe: frame.keyframe, size, payloads }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::TrackId;

    #[test]
    fn payloads_fit_and_the_last_one_is_marked() {
        let mut packer = Packer {
            codec: VideoCodec::H264,
            count: 0,
            sets: vec![Bytes::from_static(&[0x67, 1]), Bytes::from_static(&[0x68, 2])],
        };
        let unit: Vec<u8> = std::iter::once(0x65).chain((0..5000).map(|i| i as u8)).collect();
        let payload = [&(unit.len() as u32).to_be_bytes()[..], &unit].concat();
        let time = MediaTime::from_millis(40);
        let frame =
            Frame { track: TrackId::VIDEO, dts: time, pts: time, keyframe: true, payload: payload.into() };
        let packed = packer.pack(&frame, Instant::now());
        let lengths: Vec<usize> = packed.payloads.iter().map(|p| p.bytes.len()).collect();
        assert_eq!(lengths, [9, ROOM, ROOM, ROOM, ROOM, 5000 - 4 * (ROOM - 2) + 2]);
        let marks: Vec<bool> = packed.payloads.iter().map(|p| p.marker).collect();
        assert_eq!(marks, [false, false, false, false, false, true]);
        assert_eq!(&packed.payloads[0].bytes[..], &[0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 2]);
        assert_eq!((packed.pts, packed.keyframe, packed.size), (time, true, lengths.iter().sum()));
    }
}
