//! Frames as RTP for readers: one packing serves connections and datagrams. All packets of a frame stand in one buffer,
//! each behind the four bytes that name its channel and length between the messages of a connection (RFC 2326, 10.12);
//! datagram readers are sent the same packets without them.

mod described;

pub use described::{Channels, Codings};

use crate::hub::{Format, Headers, Misfit, Packed};
use crate::media::rtp::line::ntp_of;
use crate::media::rtp::rtcp::{self, SenderReport};
use crate::media::rtp::{Packer, Packets};
use crate::media::{Coding, Frame, MediaTime, TrackKind, Tracks};
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

/// RTP for the readers of one set of channels to whom the same was described.
pub struct RtpFormat {
    channels: Channels,
    codings: Codings,
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
    /// For the tracks as they are now.
    pub fn new(channels: Channels, codings: Codings, tracks: &Tracks, numbers: Numbers) -> RtpFormat {
        let mut format = RtpFormat {
            channels,
            codings,
            numbers,
            progress: Progress::default(),
            video: None,
            audio: None,
            anchor: None,
            told: false,
            reported: MediaTime::ZERO,
        };
        format.follow(tracks);
        format
    }

    /// Packs these tracks from now on, as far as readers were described them. What has been counted goes on, also for a
    /// track that is away for a while.
    fn follow(&mut self, tracks: &Tracks) {
        let bits = |shift: u32| self.numbers.random.checked_shr(shift).unwrap_or(0);
        let [video_ssrc, audio_ssrc] = self.numbers.ssrc;
        let described = |was: Option<Coding>, now: Coding| was.is_some_and(|was| was.goes_on_as(&now));
        if let Some(track) = tracks.video.as_ref().filter(|t| described(self.codings.video, t.coding())) {
            match &mut self.video {
                Some(packer) => packer.follow_video(track),
                none => {
                    *none = Packer::video(track, 0, video_ssrc, bits(0) as u16, bits(32) as u32);
                    self.note(0, None);
                }
            }
        }
        if let Some(track) = tracks.audio.as_ref().filter(|t| described(self.codings.audio, t.coding())) {
            match &mut self.audio {
                Some(packer) => packer.follow_audio(track),
                none => {
                    *none = Some(Packer::audio(track, 2, audio_ssrc, bits(16) as u16, bits(64) as u32));
                    self.note(1, None);
                }
            }
        }
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
        self.follow(&headers.tracks);
        // A publisher that came back may have been away longer than its times say.
        if let Some((media, wall)) = self.anchor {
            let should = wall.saturating_add((at - media).millis());
            if should.abs_diff(wall_ms) > FAR_MS {
                self.anchor = Some((at, wall_ms));
            }
        }
        Packed::default()
    }

    fn fits(&self, tracks: &Tracks) -> Result<(), Misfit> {
        self.codings.fits(tracks)
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
mod tests;
