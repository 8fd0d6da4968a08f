//! Frames as RTP for readers: one packing serves connections and datagrams. All packets of a frame stand in one buffer,
//! each behind the four bytes that name its channel and length between the messages of a connection (RFC 2326, 10.12);
//! datagram readers are sent the same packets without them.

use super::session::Tracked;
use super::wire::Transport;
use crate::hub::{Cut, Format, FormatKey, Headers, Packed};
use crate::media::rtp::line::ntp_of;
use crate::media::rtp::rtcp::{self, SenderReport};
use crate::media::rtp::{Packer, Packets};
use crate::media::{Frame, MediaTime, TrackKind, Tracks};
use bytes::BytesMut;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time between two sender reports.
const REPORTS: Duration = Duration::from_secs(5);
/// A clock of the stream that runs so far from the wall's is set anew where the stream changes.
const FAR_MS: u64 = 1000;
/// Bytes before each packet: dollar, channel, length.
const LEAD: usize = 4;
/// The sender's name in its reports (CNAME), the same for both tracks, which is what binds them together.
const NAME: &str = "msconv";

/// The channels of one track for RTP and RTCP.
type Pair = Option<(u8, u8)>;

/// Which tracks a reader has set up, on which channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Channels {
    /// Pictures.
    pub video: Pair,
    /// Sound.
    pub audio: Pair,
}

impl Channels {
    /// Of a reader's tracks. Datagram readers get the usual numbers and so share with most of the others.
    pub fn of(ways: &Tracked) -> Channels {
        let pair = |track, usual| match ways.way(track)? {
            Transport::Interleaved(channels) => channels,
            Transport::Datagrams { .. } => Some(usual),
        };
        Channels { video: pair(0, (0, 1)), audio: pair(1, (2, 3)) }
    }

    /// Readers with equal channels share one packing.
    pub fn key(&self) -> FormatKey {
        FormatKey(format!("rtp {:?} {:?}", self.video, self.audio))
    }

    /// The number that stands on the wire for a [`Cut::channel`].
    fn number(&self, tag: u8) -> u8 {
        let (pair, usual) = if tag < 2 { (self.video, (0, 1)) } else { (self.audio, (2, 3)) };
        let (rtp, rtcp) = pair.unwrap_or(usual);
        if tag.is_multiple_of(2) { rtp } else { rtcp }
    }

    /// Gives every packet its four bytes.
    pub fn packed(&self, mut packets: Packets) -> Packed {
        let mut cuts = Vec::with_capacity(packets.spans.len());
        for span in &packets.spans {
            let length = u16::try_from(span.len).unwrap_or(u16::MAX);
            let [high, low] = length.to_be_bytes();
            let lead = span.start.saturating_sub(LEAD)..span.start;
            if let Some(lead) = packets.bytes.get_mut(lead) {
                lead.copy_from_slice(&[b'$', self.number(span.tag), high, low]);
            }
            let start = u32::try_from(span.start).unwrap_or(u32::MAX);
            cuts.push(Cut { channel: span.tag, start, len: u32::from(length) });
        }
        Packed { bytes: packets.bytes.freeze(), cuts }
    }
}

/// Where the numbers of a packing begin.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    /// Sources of pictures and sound.
    pub ssrc: [u32; 2],
    /// Random bits for first sequence numbers and times (RFC 3550, 5.1).
    pub random: u128,
}

/// How far a packing has come, for those who have to say where a track will begin before its first packet is there.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<[Option<Position>; 2]>>);

/// How far one track has come.
#[derive(Clone, Copy, Debug)]
struct Position {
    next: u16,
    clock: u32,
    /// RTP time of the line's zero.
    zero: u32,
    /// The last frame: its time on the line and in RTP.
    last: Option<(MediaTime, u32)>,
}

impl Progress {
    fn inside(&self) -> MutexGuard<'_, [Option<Position>; 2]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its packing, or a reader, still has it.
    pub fn is_used(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Where pictures and sound begin for a reader that gets these frames first: number and RTP time. A track that is
    /// not among them begins with its next packet, and at the moment at which the other one does.
    pub fn starts(&self, frames: &[Packed]) -> [Option<(u16, u32)>; 2] {
        let found = [first_packet(frames, 0), first_packet(frames, 2)];
        let inside = *self.inside();
        let begin = |other: usize| {
            let ((_, timestamp), position) = ((*found.get(other)?)?, (*inside.get(other)?)?);
            let (time, last) = position.last?;
            let back = i64::from(last.wrapping_sub(timestamp).cast_signed());
            Some(time - MediaTime::from_clock(back, position.clock))
        };
        let missing = |track: usize, other: usize| {
            let position = (*inside.get(track)?)?;
            let ticks = begin(other)?.in_clock(position.clock);
            Some((position.next, position.zero.wrapping_add((ticks & i64::from(u32::MAX)) as u32)))
        };
        [found[0].or_else(|| missing(0, 1)), found[1].or_else(|| missing(1, 0))]
    }
}

/// RTP for the readers of one set of channels.
pub struct RtpFormat {
    channels: Channels,
    numbers: Numbers,
    progress: Progress,
    video: Option<Packer>,
    audio: Option<Packer>,
    /// A point of the stream's line and the wall's time that belongs to it, milliseconds since 1970.
    anchor: Option<(MediaTime, i64)>,
    /// Whether readers have been told the anchor: then it stays.
    told: bool,
    reported: MediaTime,
}

impl RtpFormat {
    /// For these tracks, as far as they have channels.
    pub fn new(channels: Channels, tracks: &Tracks, numbers: Numbers) -> RtpFormat {
        let mut format = RtpFormat {
            channels,
            numbers,
            progress: Progress::default(),
            video: None,
            audio: None,
            anchor: None,
            told: false,
            reported: MediaTime::ZERO,
        };
        format.begin(tracks);
        format
    }

    /// Packers for these tracks. What has been counted goes on.
    fn begin(&mut self, tracks: &Tracks) {
        let bits = |shift: u32| self.numbers.random.checked_shr(shift).unwrap_or(0);
        let [video_ssrc, audio_ssrc] = self.numbers.ssrc;
        let video = tracks
            .video
            .as_ref()
            .filter(|_| self.channels.video.is_some())
            .and_then(|track| Packer::video(track, 0, video_ssrc, bits(0) as u16, bits(32) as u32));
        let audio = tracks
            .audio
            .as_ref()
            .filter(|_| self.channels.audio.is_some())
            .map(|track| Packer::audio(track, 2, audio_ssrc, bits(16) as u16, bits(64) as u32));
        self.video = carried_on(video, self.video.take());
        self.audio = carried_on(audio, self.audio.take());
        self.note(0, None);
        self.note(1, None);
    }

    /// How far it has come, from now on.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Writes down how far a track has come.
    fn note(&self, track: usize, last: Option<MediaTime>) {
        let packer = if track == 0 { &self.video } else { &self.audio };
        let position = packer.as_ref().map(|packer| Position {
            next: packer.lane.sequence,
            clock: packer.clock_rate(),
            zero: packer.timestamp(MediaTime::ZERO),
            last: last.map(|time| (time, packer.timestamp(time))),
        });
        if let Some(slot) = self.progress.inside().get_mut(track) {
            *slot = position;
        }
    }

    fn packers(&self) -> impl Iterator<Item = &Packer> {
        self.video.iter().chain(&self.audio)
    }

    /// Sender reports of all tracks for this point of the line.
    fn report(&mut self, at: MediaTime, wall_ms: i64, out: &mut Packets) {
        let (media, wall) = *self.anchor.get_or_insert((at, wall_ms));
        self.told = true;
        let ntp = ntp_of(wall, (at - media).nanos());
        let mut packet = BytesMut::with_capacity(64);
        let packers: Vec<&Packer> = self.packers().collect();
        for packer in packers {
            packet.clear();
            let report = SenderReport {
                ssrc: packer.lane.ssrc,
                ntp,
                timestamp: packer.timestamp(at),
                packets: packer.lane.packets,
                octets: packer.lane.octets,
            };
            rtcp::write_sender(&report, NAME, &mut packet);
            out.whole(packer.lane.tag | 1, &packet);
        }
    }
}

fn carried_on(fresh: Option<Packer>, before: Option<Packer>) -> Option<Packer> {
    let mut fresh = fresh?;
    if let Some(before) = before {
        fresh.lane.sequence = before.lane.sequence;
        fresh.lane.packets = before.lane.packets;
        fresh.lane.octets = before.lane.octets;
    }
    Some(fresh)
}

impl Format for RtpFormat {
    fn preamble(&mut self, _: &Headers, at: MediaTime, wall_ms: i64) -> Packed {
        let mut out = Packets::new(LEAD, 128);
        self.report(at, wall_ms, &mut out);
        self.channels.packed(out)
    }

    fn pack(&mut self, frame: &Frame, wall_ms: i64) -> Packed {
        let packer = match frame.track {
            TrackKind::Video => self.video.as_mut(),
            TrackKind::Audio => self.audio.as_mut(),
            TrackKind::Data => None,
        };
        let Some(packer) = packer else { return Packed::default() };
        let mut out = Packets::new(LEAD, frame.payload.len());
        packer.pack(frame, &mut out);
        self.note(usize::from(frame.track == TrackKind::Audio), Some(frame.pts));
        // The frames that a packing begins with are packed together, late: the last of them belongs to this moment.
        let same_moment = self.anchor.is_some_and(|(_, wall)| wall == wall_ms);
        if self.anchor.is_none() || (same_moment && !self.told) {
            self.anchor = Some((frame.dts, wall_ms));
            self.reported = frame.dts;
        } else if frame.dts.since(self.reported) >= REPORTS || self.reported.since(frame.dts) >= REPORTS {
            self.reported = frame.dts;
            self.report(frame.dts, wall_ms, &mut out);
        }
        self.channels.packed(out)
    }

    fn changed(&mut self, headers: &Headers, at: MediaTime, wall_ms: i64) -> Packed {
        self.begin(&headers.tracks);
        // A publisher that came back may have been away longer than its times say.
        if let Some((media, wall)) = self.anchor {
            let should = wall.saturating_add((at - media).millis());
            if should.abs_diff(wall_ms) > FAR_MS {
                self.anchor = Some((at, wall_ms));
            }
        }
        Packed::default()
    }

    fn survives(&self, before: &Tracks, after: &Tracks) -> bool {
        before == after
    }
}

/// The goodbye to readers of these tracks.
pub fn goodbye(channels: Channels, ssrc: [u32; 2]) -> Packed {
    let mut out = Packets::new(LEAD, 64);
    let mut packet = BytesMut::with_capacity(16);
    for (tag, pair, ssrc) in [(1, channels.video, ssrc[0]), (3, channels.audio, ssrc[1])] {
        if pair.is_some() {
            packet.clear();
            rtcp::write_goodbye(ssrc, &mut packet);
            out.whole(tag, &packet);
        }
    }
    channels.packed(out)
}

/// The first packet of a track (0 pictures, 2 sound) in packed frames: its number and RTP time.
fn first_packet(frames: &[Packed], tag: u8) -> Option<(u16, u32)> {
    let of = |packed: &Packed| {
        let cut = packed.cuts.iter().find(|cut| cut.channel == tag)?;
        let start = usize::try_from(cut.start).ok()?;
        let (header, _) = crate::media::rtp::Header::read(packed.bytes.get(start..)?)?;
        Some((header.sequence, header.timestamp))
    };
    frames.iter().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::AudioTrack;
    use crate::media::codec::{aac, h264};
    use crate::media::rtp::Header;
    use crate::media::rtp::rtcp::Packet;
    use bytes::Bytes;

    const CHANNELS: Channels = Channels { video: Some((0, 1)), audio: Some((6, 9)) };
    const NUMBERS: Numbers = Numbers { ssrc: [11, 22], random: u128::MAX };

    fn tracks() -> Tracks {
        let sps = [
            0x67, 0x64, 0, 0x1f, 0xac, 0xd9, 0x40, 0x50, 5, 0xbb, 1, 0x10, 0, 0, 3, 0, 0x10, 0, 0, 3, 3,
            0xc0, 0xf1, 0x83, 0x19, 0x60,
        ];
        let pps = [0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];
        Tracks {
            video: Some(h264::track_of_sets(&sps, &pps).unwrap()),
            audio: Some(AudioTrack::aac(aac::lc(48_000, 2).unwrap()).unwrap()),
        }
    }

    fn frame(track: TrackKind, ms: i64, keyframe: bool, size: usize) -> Frame {
        let time = MediaTime::from_millis(ms);
        let mut payload = (size as u32).to_be_bytes().to_vec();
        payload.resize(size + 4, 0x65);
        Frame { track, dts: time, pts: time, keyframe, payload: payload.into() }
    }

    /// What a reader between messages sees: channel and packet.
    fn interleaved(mut bytes: &[u8]) -> Vec<(u8, Bytes)> {
        let mut out = Vec::new();
        while let [b'$', channel, high, low, rest @ ..] = bytes {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            out.push((*channel, Bytes::copy_from_slice(&rest[..length])));
            bytes = &rest[length..];
        }
        assert!(bytes.is_empty());
        out
    }

    fn reports(packed: &Packed) -> Vec<(u8, SenderReport)> {
        let read = |(channel, packet): (u8, Bytes)| match rtcp::read(&packet)?.first()? {
            Packet::Sender(report) => Some((channel, *report)),
            _ => None,
        };
        interleaved(&packed.bytes).into_iter().filter(|(c, _)| [1, 9].contains(c)).filter_map(read).collect()
    }

    #[test]
    fn both_ways_see_the_same_packets() {
        let mut format = RtpFormat::new(CHANNELS, &tracks(), NUMBERS);
        let packed = format.pack(&frame(TrackKind::Video, 0, true, 5000), 0);
        let stream = interleaved(&packed.bytes);
        assert!(stream.iter().all(|(channel, _)| *channel == 0));
        let cut = |c: &Cut| packed.bytes.slice(c.start as usize..(c.start + c.len) as usize);
        let datagrams: Vec<_> = packed.cuts.iter().map(|c| (c.channel, cut(c))).collect();
        assert_eq!(stream, datagrams);
        assert_eq!(first_packet(std::slice::from_ref(&packed), 0), Some((u16::MAX, u32::MAX)));
        assert_eq!(first_packet(&[packed], 2), None);
        let sound = format.pack(&frame(TrackKind::Audio, 0, true, 100), 0);
        assert_eq!(interleaved(&sound.bytes)[0].0, 6);
        assert_eq!(format.pack(&frame(TrackKind::Data, 0, true, 100), 0).bytes.len(), 0);
    }

    #[test]
    fn reports_agree_about_the_moment() {
        let mut format = RtpFormat::new(CHANNELS, &tracks(), NUMBERS);
        for ms in (10_000..12_000).step_by(40) {
            format.pack(&frame(TrackKind::Video, ms, ms == 10_000, 100), 1_700_000_000_000);
        }
        let preamble =
            format.preamble(&Headers::default(), MediaTime::from_millis(10_000), 1_700_000_000_001);
        let [(1, video), (9, audio)] = reports(&preamble)[..] else { panic!("{preamble:?}") };
        // The last frame of the burst, 1.96 s after the first, is the one that belongs to the moment.
        assert_eq!(video.ntp, ntp_of(1_700_000_000_000 - 1960, 0));
        assert_eq!((video.ntp, video.ssrc, audio.ssrc), (audio.ntp, 11, 22));
        assert_eq!(video.timestamp, u32::MAX.wrapping_add(900_000));
        assert_eq!(audio.timestamp, u32::MAX.wrapping_add(480_000));
        assert_eq!((video.packets, audio.packets), (50, 0));
        let mut seen = 0;
        for ms in (12_000..32_000).step_by(40) {
            let packed =
                format.pack(&frame(TrackKind::Video, ms, false, 100), 1_700_000_000_000 + ms - 12_000);
            for (_, report) in reports(&packed) {
                seen += 1;
                let rate = if report.ssrc == 11 { 90_000 } else { 48_000 };
                let passed = MediaTime::from_millis(ms - 10_000).in_clock(rate);
                let base = if report.ssrc == 11 { video.timestamp } else { audio.timestamp };
                assert_eq!(report.timestamp, base.wrapping_add(passed as u32));
                let wanted = ntp_of(1_700_000_000_000 - 1960 + ms - 10_000, 0);
                assert!(report.ntp.abs_diff(wanted) < 5000, "but for rounding");
            }
        }
        assert_eq!(seen, 8, "both tracks every five seconds");
    }

    #[test]
    fn a_track_that_has_not_begun_begins_with_the_other() {
        let mut format = RtpFormat::new(CHANNELS, &tracks(), NUMBERS);
        let progress = format.progress();
        assert_eq!(progress.starts(&[]), [None, None]);
        let sound = format.pack(&frame(TrackKind::Audio, 9_979, true, 100), 0);
        let frames: Vec<_> =
            (0..5).map(|n| format.pack(&frame(TrackKind::Video, 10_000 + n * 40, n == 0, 100), 0)).collect();
        let picture = (u16::MAX, u32::MAX.wrapping_add(900_000));
        // One packet of sound has been sent already, before the keyframe.
        assert_eq!(progress.starts(&frames), [Some(picture), Some((0, u32::MAX.wrapping_add(480_000)))]);
        assert_eq!(
            progress.starts(std::slice::from_ref(&sound))[1],
            first_packet(std::slice::from_ref(&sound), 2)
        );
        let all = [frames, vec![format.pack(&frame(TrackKind::Audio, 10_170, true, 100), 0)]].concat();
        assert_eq!(progress.starts(&all)[1], first_packet(&all, 2));
    }

    #[test]
    fn only_what_was_set_up_is_sent() {
        let channels = Channels { video: None, audio: Some((0, 1)) };
        let mut format = RtpFormat::new(channels, &tracks(), NUMBERS);
        assert_eq!(format.pack(&frame(TrackKind::Video, 0, true, 100), 0).cuts, []);
        assert_eq!(format.pack(&frame(TrackKind::Audio, 0, true, 100), 0).cuts.len(), 1);
        assert_ne!(channels.key(), CHANNELS.key());
        let bye = goodbye(channels, NUMBERS.ssrc);
        assert_eq!(rtcp::read(&interleaved(&bye.bytes)[0].1), Some(vec![Packet::Goodbye(vec![22])]));
    }

    #[test]
    fn a_change_of_tracks_keeps_the_count() {
        let mut format = RtpFormat::new(CHANNELS, &tracks(), NUMBERS);
        format.pack(&frame(TrackKind::Video, 0, true, 100), 0);
        let other = Tracks { audio: None, ..tracks() };
        assert!(!format.survives(&tracks(), &other) && format.survives(&other, &other));
        format.changed(&Headers { tracks: other, metadata: None }, MediaTime::from_millis(40), 9_000);
        let packed = format.pack(&frame(TrackKind::Video, 40, true, 100), 9_000);
        assert_eq!(first_packet(&[packed], 0).map(|(sequence, _)| sequence), Some(0));
        assert_eq!(format.pack(&frame(TrackKind::Audio, 40, true, 100), 9_000).cuts, []);
        let [(1, video)] =
            reports(&format.preamble(&Headers::default(), MediaTime::from_millis(40), 9_000))[..]
        else {
            panic!()
        };
        assert_eq!(video.ntp, ntp_of(9_000, 0));
    }

    #[test]
    fn every_packet_reads_back() {
        let mut format = RtpFormat::new(CHANNELS, &tracks(), NUMBERS);
        let mut before = None;
        for n in 0..300 {
            let packed = format.pack(&frame(TrackKind::Video, n * 40, n % 50 == 0, 40_000), n * 40);
            for (channel, packet) in interleaved(&packed.bytes) {
                if channel == 0 {
                    let (header, _) = Header::read(&packet).unwrap();
                    assert!(before.is_none_or(|b: u16| b.wrapping_add(1) == header.sequence));
                    before = Some(header.sequence);
                }
            }
        }
    }
}
