//! Decoder, line of time, resampler and encoder in one row.

use super::decoding::Decoding;
use super::opus_encoding::OpusEncoding;
use super::resampling::Resampling;
use super::timeline::{Step, Timeline};
use super::{OPUS_RATE, PACKET_SAMPLES, Planes, Refused, ToOpus, stretching};
use crate::media::codec::opus;
use crate::media::{AudioCodec, AudioTrack, Frame, MediaTime, TrackId};
use bytes::Bytes;

/// See [`ToOpus`].
pub(super) struct Transcoder {
    track: AudioTrack,
    decoding: Decoding,
    timeline: Timeline,
    resampling: Resampling,
    encoding: OpusEncoding,
    times: PacketTimes,
    /// Kept for their room.
    decoded: Planes,
    resampled: Planes,
}

impl Transcoder {
    pub(super) fn new(track: &AudioTrack, bitrate: Option<u32>) -> Result<Transcoder, Refused> {
        let decoding = Decoding::new(track)?;
        let channels = usize::from(decoding.channels);
        let encoding = OpusEncoding::new(decoding.channels, bitrate)?;
        let track = AudioTrack {
            codec: AudioCodec::Opus,
            config: opus::head(decoding.channels),
            sample_rate: OPUS_RATE,
            channels: decoding.channels,
            profile: "",
        };
        Ok(Transcoder {
            track,
            timeline: Timeline::new(decoding.rate),
            resampling: Resampling::new(decoding.rate, channels),
            times: PacketTimes { begin: MediaTime::ZERO, packets: 0, delay: encoding.delay() },
            decoded: Planes::new(channels),
            resampled: Planes::new(channels),
            decoding,
            encoding,
        })
    }

    fn begin_anew(&mut self, begin: MediaTime, track: TrackId, out: &mut Vec<Frame>) {
        let times = &mut self.times;
        self.encoding.finish(|payload| out.push(times.frame(track, payload)));
        (times.begin, times.packets) = (begin, 0);
        self.decoding.reset();
        self.resampling.reset();
    }
}

impl ToOpus for Transcoder {
    fn track(&self) -> &AudioTrack {
        &self.track
    }

    fn push(&mut self, frame: &Frame, out: &mut Vec<Frame>) {
        let step = self.timeline.step(frame.pts);
        match step {
            Step::Anew(begin) => self.begin_anew(begin, frame.track, out),
            Step::Gap(_) => self.decoding.reset(),
            Step::On | Step::Overlap(_) | Step::Stretch { .. } => {}
        }
        self.decoded.clear();
        self.decoding.decode(&frame.payload, &mut self.decoded);
        match step {
            Step::Anew(_) | Step::On => {}
            Step::Gap(samples) => self.decoded.prepend_silence(samples),
            Step::Overlap(samples) => self.decoded.skip(samples),
            Step::Stretch { longer } => stretching::by_one(&mut self.decoded, longer),
        }
        self.timeline.added(self.decoded.len());
        self.resampled.clear();
        self.resampling.push(&self.decoded, &mut self.resampled);
        let times = &mut self.times;
        self.encoding.push(&self.resampled, |payload| out.push(times.frame(frame.track, payload)));
    }
}

/// Counts packets, so that their times never drift.
struct PacketTimes {
    /// Of the first sample of the first packet.
    begin: MediaTime,
    packets: i64,
    /// By how many samples a decoder gives them back later.
    delay: u32,
}

impl PacketTimes {
    fn frame(&mut self, track: TrackId, payload: Bytes) -> Frame {
        let samples = self.packets.saturating_mul(PACKET_SAMPLES as i64).saturating_sub(self.delay.into());
        self.packets = self.packets.saturating_add(1);
        let time = self.begin + MediaTime::from_clock(samples, OPUS_RATE);
        Frame { track, dts: time, pts: time, keyframe: true, payload }
    }
}
