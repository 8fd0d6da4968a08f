//! Frames of one track into RTP packets: the payload format by codec, and the track's RTP time.

use super::audio_clock::AudioClock;
use super::packets::{LONGEST, Packets, RtpStream};
use super::{CLOCK_90K, header, mpeg_audio, nal_pack};
use crate::media::MediaTime;
use crate::media::codec::opus;
use crate::media::frame::Frame;
use crate::media::track::{AudioCodec, AudioTrack, VideoCodec, VideoTrack};
use crate::media::tracks::TrackId;
use bytes::Bytes;

/// Payload bytes of one packet.
const ROOM: usize = LONGEST - header::LENGTH;
/// A packet of Opus cannot be cut (RFC 7587, 4.2); a longer one than a datagram holds is left out.
const LONGEST_UNCUT: usize = 60_000;

/// The payload types that msconv sends for the first tracks (RFC 3551, 6: dynamic ones).
const DYNAMIC_VIDEO: u8 = 96;
const DYNAMIC_AUDIO: u8 = 97;

/// The payload type and the RTP clock of video, `None` for a codec that has no payload format here.
pub fn video_format(track: &VideoTrack) -> Option<(u8, u32)> {
    matches!(track.codec, VideoCodec::H264 | VideoCodec::H265).then_some((DYNAMIC_VIDEO, CLOCK_90K))
}

/// The payload type and the RTP clock of audio.
pub fn audio_format(track: &AudioTrack) -> (u8, u32) {
    let telephone = track.sample_rate == 8000 && track.channels == 1;
    match track.codec {
        AudioCodec::Mp3 => (14, CLOCK_90K),
        AudioCodec::G711U if telephone => (0, 8000),
        AudioCodec::G711A if telephone => (8, 8000),
        AudioCodec::Opus => (DYNAMIC_AUDIO, 48_000),
        AudioCodec::Aac | AudioCodec::G711A | AudioCodec::G711U => (DYNAMIC_AUDIO, track.sample_rate.max(1)),
    }
}

/// The payload type of this track, where `first` is that of the first one of its kind: dynamic ones are different for
/// each track, since some readers tell tracks apart by them.
pub fn payload_type(first: u8, id: TrackId) -> u8 {
    let further = u8::try_from(id.index().saturating_mul(2)).unwrap_or(0);
    if first >= DYNAMIC_VIDEO { first.saturating_add(further) } else { first }
}

/// Ticks a second in which the samples of a track are counted: MPEG audio counts its samples and shows them in another
/// clock; Opus is always counted in 48 kHz.
fn counted_rate(track: &AudioTrack) -> u32 {
    if track.codec == AudioCodec::Mp3 { track.sample_rate.max(1) } else { audio_format(track).1 }
}

#[derive(Clone, Debug)]
enum Payload {
    Video { codec: VideoCodec, sets: Vec<Bytes> },
    Aac { samples: u32 },
    Opus,
    Mp3,
    G711 { channels: u32 },
}

/// Packs the frames of one track.
#[derive(Clone, Debug)]
pub struct Packer {
    /// The stream that it writes.
    pub rtp_stream: RtpStream,
    clock_rate: u32,
    offset: u32,
    audio: AudioClock,
    payload: Payload,
}

impl Packer {
    /// For video; `None` for a codec without a payload format. Packets count from `sequence`, time from `offset`.
    pub fn video(track: &VideoTrack, tag: u8, ssrc: u32, sequence: u16, offset: u32) -> Option<Packer> {
        let (payload_type, clock_rate) = video_format(track)?;
        let payload = Payload::Video { codec: track.codec, sets: track.parameter_sets() };
        let rtp_stream = RtpStream::new(tag, ssrc, payload_type, sequence);
        Some(Packer { rtp_stream, clock_rate, offset, audio: AudioClock::new(clock_rate), payload })
    }

    /// For audio. Packets count from `sequence`, time from `offset`.
    pub fn audio(track: &AudioTrack, tag: u8, ssrc: u32, sequence: u16, offset: u32) -> Packer {
        let (payload_type, clock_rate) = audio_format(track);
        let payload = match track.codec {
            AudioCodec::Aac => Payload::Aac { samples: track.samples_per_packet().unwrap_or(1024) },
            AudioCodec::Opus => Payload::Opus,
            AudioCodec::Mp3 => Payload::Mp3,
            AudioCodec::G711A | AudioCodec::G711U => {
                Payload::G711 { channels: u32::from(track.channels.max(1)) }
            }
        };
        let rtp_stream = RtpStream::new(tag, ssrc, payload_type, sequence);
        Packer { rtp_stream, clock_rate, offset, audio: AudioClock::new(counted_rate(track)), payload }
    }

    /// Goes on with a track of the same [`Coding`](crate::media::Coding): new parameter sets stand before the next
    /// keyframe; numbers and times go on.
    pub fn follow_video(&mut self, track: &VideoTrack) {
        if let Payload::Video { codec, sets } = &mut self.payload
            && *codec == track.codec
        {
            *sets = track.parameter_sets();
        }
    }

    /// As [`Packer::follow_video`]. What frames say themselves is counted anew; the rest does not change.
    pub fn follow_audio(&mut self, track: &AudioTrack) {
        let counted = counted_rate(track);
        if self.audio.rate() != counted {
            self.audio = AudioClock::new(counted);
        }
    }

    /// Ticks a second of its RTP time.
    pub fn clock_rate(&self) -> u32 {
        self.clock_rate
    }

    /// The RTP time that belongs to a point on the stream's line.
    pub fn timestamp(&self, time: MediaTime) -> u32 {
        self.offset.wrapping_add(wrapped(time.in_clock(self.clock_rate)))
    }

    /// Appends the packets of one frame.
    pub fn pack(&mut self, frame: &Frame, out: &mut Packets) {
        let body = &frame.payload[..];
        if body.is_empty() {
            return;
        }
        match &self.payload {
            Payload::Video { codec, sets } => {
                let sets = if frame.keyframe { &sets[..] } else { &[] };
                let timestamp = self.offset.wrapping_add(wrapped(frame.pts.in_clock(self.clock_rate)));
                nal_pack::pack(*codec, &mut self.rtp_stream, out, timestamp, body, sets);
            }
            Payload::Aac { samples } => {
                let timestamp = self.audio_time(frame.pts, Some(*samples));
                self.aac(body, timestamp, out);
            }
            Payload::Opus => {
                let timestamp = self.audio_time(frame.pts, opus::samples(body));
                if body.len() <= LONGEST_UNCUT {
                    self.rtp_stream.packet(out, timestamp, false, &[], body);
                }
            }
            Payload::Mp3 => {
                let samples = self.audio.tick(frame.pts, mp3_samples(body));
                let ticks = MediaTime::from_clock(samples, self.audio.rate()).in_clock(CLOCK_90K);
                self.mp3(body, self.offset.wrapping_add(wrapped(ticks)), out);
            }
            Payload::G711 { channels } => {
                let channels = *channels;
                let samples = u32::try_from(body.len()).ok().and_then(|b| b.checked_div(channels));
                let timestamp = self.audio_time(frame.pts, samples);
                self.g711(body, timestamp, channels, out);
            }
        }
    }

    fn audio_time(&mut self, pts: MediaTime, length: Option<u32>) -> u32 {
        self.offset.wrapping_add(wrapped(self.audio.tick(pts, length)))
    }

    /// RFC 3640, mode AAC-hbr: one access unit to a packet behind 16 bits of count and 16 bits of size and index; a
    /// larger one in fragments that all name its whole size, the marker on the last.
    fn aac(&mut self, body: &[u8], timestamp: u32, out: &mut Packets) {
        let Some(size) = u16::try_from(body.len()).ok().filter(|size| *size < 1 << 13) else { return };
        let [high, low] = (size << 3).to_be_bytes();
        let head = [0, 16, high, low];
        let mut pieces = body.chunks(ROOM - 4).peekable();
        while let Some(piece) = pieces.next() {
            self.rtp_stream.packet(out, timestamp, pieces.peek().is_none(), &head, piece);
        }
    }

    /// RFC 2250, 3.5: four bytes, the last two of them the offset of a fragment in its frame.
    fn mp3(&mut self, body: &[u8], timestamp: u32, out: &mut Packets) {
        let mut at = 0_u16;
        for piece in body.chunks(ROOM - 4) {
            let [high, low] = at.to_be_bytes();
            self.rtp_stream.packet(out, timestamp, false, &[0, 0, high, low], piece);
            at = at.saturating_add(u16::try_from(piece.len()).unwrap_or(u16::MAX));
        }
    }

    /// RFC 3551, 4.5.14: samples as they are; a long run of them in several packets with times of their own.
    fn g711(&mut self, body: &[u8], timestamp: u32, channels: u32, out: &mut Packets) {
        let whole = ROOM.saturating_sub(ROOM.checked_rem(channels as usize).unwrap_or(0)).max(1);
        let mut time = timestamp;
        for piece in body.chunks(whole) {
            self.rtp_stream.packet(out, time, false, &[], piece);
            let samples = u32::try_from(piece.len()).unwrap_or(0).checked_div(channels).unwrap_or(0);
            time = time.wrapping_add(samples);
        }
    }
}

/// Samples of each channel in the MPEG audio frames of `body`.
fn mp3_samples(body: &[u8]) -> Option<u32> {
    let head = mpeg_audio::head(body)?;
    let frames = u32::try_from(body.len().checked_div(head.length.max(1))?).ok()?.max(1);
    head.samples.checked_mul(frames)
}

/// The low 32 bits of a count of ticks: RTP time wraps.
fn wrapped(ticks: i64) -> u32 {
    (ticks & i64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::aac;
    use crate::media::rtp::Header;

    fn audio(ms: i64, payload: Vec<u8>) -> Frame {
        let time = MediaTime::from_millis(ms);
        Frame { track: TrackId::AUDIO, dts: time, pts: time, keyframe: true, payload: payload.into() }
    }

    fn packed(packer: &mut Packer, frame: &Frame) -> Vec<(Header, Vec<u8>)> {
        let mut out = Packets::new(4, frame.payload.len());
        packer.pack(frame, &mut out);
        let read = |p: Bytes| {
            let (header, payload) = Header::read(&p).unwrap();
            (header, p[payload].to_vec())
        };
        out.each().map(read).collect()
    }

    #[test]
    fn aac_goes_behind_its_size() {
        let track = AudioTrack::aac(aac::lc(48_000, 2).unwrap()).unwrap();
        let mut packer = Packer::audio(&track, 2, 1, 0, u32::MAX);
        let all = packed(&mut packer, &audio(1000, vec![7; 300]));
        assert_eq!(all[0].1[..4], [0, 16, (300_u16 << 3 >> 8) as u8, (300_u16 << 3 & 0xff) as u8]);
        assert_eq!((all[0].0.timestamp, all[0].0.marker), (47_999, true));
        let all = packed(&mut packer, &audio(1021, vec![7; 2000]));
        assert_eq!(all.iter().map(|(h, _)| h.marker).collect::<Vec<_>>(), [false, true]);
        assert!(all.iter().all(|(h, p)| h.timestamp == 49_023 && p[2..4] == (2000_u16 << 3).to_be_bytes()));
        assert!(packed(&mut packer, &audio(1042, vec![7; 8192])).is_empty(), "13 bits of size");
        assert!(packed(&mut packer, &audio(1042, vec![])).is_empty());
    }

    #[test]
    fn telephone_audio_is_cut_at_samples() {
        let track = AudioTrack::plain(AudioCodec::G711U, 8000, 1);
        let mut packer = Packer::audio(&track, 2, 1, 0, 0);
        let all = packed(&mut packer, &audio(0, vec![7; 3000]));
        let at: Vec<_> = all.iter().map(|(h, p)| (h.timestamp, h.payload_type, p.len())).collect();
        assert_eq!(at, [(0, 0, 1360), (1360, 0, 1360), (2720, 0, 280)]);
        let track = AudioTrack::plain(AudioCodec::G711A, 16_000, 2);
        assert_eq!(audio_format(&track), (97, 16_000));
    }

    #[test]
    fn mpeg_audio_counts_in_90_khz() {
        let track = AudioTrack::plain(AudioCodec::Mp3, 48_000, 2);
        let mut packer = Packer::audio(&track, 2, 1, 0, 0);
        let mut frame = vec![0xff, 0xfb, 0x94, 0x64];
        frame.resize(384, 0);
        let first = packed(&mut packer, &audio(0, frame.clone()));
        assert_eq!((first[0].0.timestamp, first[0].0.payload_type, &first[0].1[..4]), (0, 14, &[0; 4][..]));
        assert_eq!(packed(&mut packer, &audio(24, frame.clone()))[0].0.timestamp, 2160);
        // 44.1 kHz does not divide 90 kHz: the steps are 2351 and now and then 2352, not whole milliseconds.
        let mut packer = Packer::audio(&AudioTrack::plain(AudioCodec::Mp3, 44_100, 2), 2, 1, 0, 0);
        frame[2] = 0x90;
        let times: Vec<_> = (0..5)
            .map(|i| packed(&mut packer, &audio(i * 1152 * 10 / 441, frame.clone()))[0].0.timestamp)
            .collect();
        assert_eq!(times, [0, 2351, 4702, 7053, 9404]);
        let mut long = frame;
        long.resize(1440, 0);
        let all = packed(&mut packer, &audio(48, long));
        assert_eq!(&all[1].1[..4], &[0, 0, 5, 76], "1356 bytes further");
    }

    #[test]
    fn time_wraps_and_may_be_negative() {
        assert_eq!(wrapped(-1), u32::MAX);
        assert_eq!(wrapped(1 << 32), 0);
        let track = AudioTrack::plain(AudioCodec::G711A, 8000, 1);
        let packer = Packer::audio(&track, 0, 0, 0, 5);
        assert_eq!(packer.timestamp(MediaTime::from_millis(-1)), u32::MAX - 2);
    }
}
