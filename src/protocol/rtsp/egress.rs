//! Frames as RTP for readers: one packing serves connections and datagrams. All packets of a frame stand in one buffer,
//! each behind the four bytes that name its channel and length between the messages of a connection (RFC 2326, 10.12);
//! datagram readers are sent the same packets without them.

mod described;

pub use described::{Channels, Codings};

use crate::hub::{Format, Headers, Misfit, Packed};
use crate::media::rtp::line::ntp_of;
use crate::media::rtp::rtcp::{self, SenderReport};
use crate::media::rtp::{Packer, Packets, pack};
use crate::media::{Frame, MOST_TRACKS, MediaTime, TrackId, Tracks};
use bytes::BytesMut;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time between two sender reports.
const REPORTS: Duration = Duration::from_secs(5);
/// A clock of the stream that runs so far from the wall's is set anew where the stream changes.
const FAR_MS: u64 = 1000;
/// Bytes before each packet: dollar, channel, length.
const LEAD: usize = 4;
/// The sender's name in its reports (CNAME), the same for all tracks, which is what binds them together.
const NAME: &str = "msconv";

/// Where the numbers of a track begin: random ones (RFC 3550, 5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Begin {
    /// Its source.
    pub ssrc: u32,
    /// The number of its first packet.
    pub sequence: u16,
    /// The RTP time of the line's zero.
    pub timestamp: u32,
}

/// Where the numbers of a packing begin, by [`TrackId::place`].
pub type Numbers = [Begin; MOST_TRACKS];

/// How far a packing has come, for those who have to say where a track will begin before its first packet is there.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<Positions>>);

/// How far each track has come, by [`TrackId::place`].
type Positions = [Option<Position>; MOST_TRACKS];

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
    fn inside(&self) -> MutexGuard<'_, Positions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its packing, or a reader, still has it.
    pub fn is_used(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Where each track begins for a reader that gets these frames first: number and RTP time. A track that is not among
    /// them begins with its next packet, and at the moment at which the first one that is does.
    pub fn starts(&self, frames: &[Packed]) -> Vec<(TrackId, u16, u32)> {
        let inside = *self.inside();
        let mut known = Vec::new();
        let mut begin = None;
        for (place, position) in inside.iter().enumerate() {
            let (Some(id), Some(position)) = (TrackId::at(place), position) else { continue };
            let found = first_packet(frames, described::usual(place).0);
            if let (None, Some((_, timestamp)), Some((time, last))) = (begin, found, position.last) {
                let back = i64::from(last.wrapping_sub(timestamp).cast_signed());
                begin = Some(time - MediaTime::from_clock(back, position.clock));
            }
            known.push((id, *position, found));
        }
        let start = |(id, position, found): (TrackId, Position, Option<(u16, u32)>)| {
            let (sequence, timestamp) = found.or_else(|| {
                let ticks = begin?.in_clock(position.clock);
                Some((position.next, position.zero.wrapping_add((ticks & i64::from(u32::MAX)) as u32)))
            })?;
            Some((id, sequence, timestamp))
        };
        known.into_iter().filter_map(start).collect()
    }
}

/// RTP for the readers of one set of channels to whom the same was described.
pub struct RtpFormat {
    channels: Channels,
    codings: Codings,
    numbers: Numbers,
    progress: Progress,
    /// By [`TrackId::place`].
    packers: [Option<Packer>; MOST_TRACKS],
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
            packers: Default::default(),
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
        for (id, track) in tracks.videos() {
            if self.codings.carries(id, &track.coding()) {
                let follow = |packer: &mut Packer| packer.follow_video(track);
                let make = |tag, Begin { ssrc, sequence, timestamp }| {
                    Packer::video(track, tag, ssrc, sequence, timestamp)
                };
                self.follow_one(id, follow, make);
            }
        }
        for (id, track) in tracks.audios() {
            if self.codings.carries(id, &track.coding()) {
                let follow = |packer: &mut Packer| packer.follow_audio(track);
                let make = |tag, Begin { ssrc, sequence, timestamp }| {
                    Some(Packer::audio(track, tag, ssrc, sequence, timestamp))
                };
                self.follow_one(id, follow, make);
            }
        }
    }

    fn follow_one(
        &mut self,
        id: TrackId,
        follow: impl FnOnce(&mut Packer),
        make: impl FnOnce(u8, Begin) -> Option<Packer>,
    ) {
        let Some(place) = id.place() else { return };
        let (Some(slot), Some(begin)) = (self.packers.get_mut(place), self.numbers.get(place)) else {
            return;
        };
        match slot {
            Some(packer) => follow(packer),
            none => {
                *none = make(described::usual(place).0, *begin);
                if let Some(packer) = none {
                    packer.rtp_stream.payload_type = pack::payload_type(packer.rtp_stream.payload_type, id);
                }
                self.note(place, None);
            }
        }
    }

    /// How far it has come, from now on.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Writes down how far the track at this place has come.
    fn note(&self, place: usize, last: Option<MediaTime>) {
        let packer = self.packers.get(place).and_then(Option::as_ref);
        let position = packer.map(|packer| Position {
            next: packer.rtp_stream.sequence,
            clock: packer.clock_rate(),
            zero: packer.timestamp(MediaTime::ZERO),
            last: last.map(|time| (time, packer.timestamp(time))),
        });
        if let Some(slot) = self.progress.inside().get_mut(place) {
            *slot = position;
        }
    }

    /// Sender reports of all tracks for this point of the line.
    fn report(&mut self, at: MediaTime, wall_ms: i64, out: &mut Packets) {
        let (media, wall) = *self.anchor.get_or_insert((at, wall_ms));
        self.told = true;
        let ntp = ntp_of(wall, (at - media).nanos());
        let mut packet = BytesMut::with_capacity(64);
        for packer in self.packers.iter().flatten() {
            packet.clear();
            let report = SenderReport {
                ssrc: packer.rtp_stream.ssrc,
                ntp,
                timestamp: packer.timestamp(at),
                packets: packer.rtp_stream.packets,
                octets: packer.rtp_stream.octets,
            };
            rtcp::write_sender(&report, NAME, &mut packet);
            out.whole(packer.rtp_stream.tag | 1, &packet);
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
        let Some(place) = frame.track.place() else { return Packed::default() };
        let Some(Some(packer)) = self.packers.get_mut(place) else { return Packed::default() };
        let mut out = Packets::new(LEAD, frame.payload.len());
        packer.pack(frame, &mut out);
        self.note(place, Some(frame.pts));
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
pub fn goodbye(channels: Channels, numbers: &Numbers) -> Packed {
    let mut out = Packets::new(LEAD, 64);
    let mut packet = BytesMut::with_capacity(16);
    for (place, Begin { ssrc, .. }) in numbers.iter().enumerate() {
        if channels.has(place) {
            packet.clear();
            rtcp::write_goodbye(*ssrc, &mut packet);
            out.whole(described::usual(place).1, &packet);
        }
    }
    channels.packed(out)
}

/// The first packet on a channel in packed frames: its number and RTP time.
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
