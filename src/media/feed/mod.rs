//! What lies between the ffmpeg that reads a source and the one that encodes it: packets in, by the source's own clock and
//! with its faults; packets out on one line of time, both tracks always there, at the pace of time if asked for.
//!
//! ffmpeg corrects times only in some containers, only for a file as a whole or for each track by itself, and fills holes
//! only when something comes after them. Here both tracks pass through one place, before anything is decoded.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod fill;
pub mod silence;
pub mod timeline;

use crate::media::MediaTime;
use crate::media::nut::{Frame, Track, Writer};
pub use fill::{Audio, Kind, Packet};
use fill::{Change, Fill, pcm_length};
use std::collections::VecDeque;
use timeline::{Coming, Timeline};

/// How far a source is read ahead of what goes out, where both tracks come.
const AHEAD: MediaTime = MediaTime::from_millis(3_000);
/// A track that did not come while so much of the other did is surely away: tracks of badly mixed files are less apart.
const APART: MediaTime = MediaTime::from_millis(10_000);
/// The distance of a packet without a time from the one beside it; and how far ffmpeg's guess may be from that.
const FRAME: MediaTime = MediaTime::from_millis(40);
const GUESSED: MediaTime = MediaTime::from_millis(1_000);
/// Most bytes that wait in a feed.
const MOST: usize = 64 * 1024 * 1024;
/// So many packets of a track are looked at for the earliest one, which is when the first of them is due.
const REORDERED: usize = 32;

/// Steps that are less apart are told as one: a source without a sane clock steps with every packet.
const SECOND: MediaTime = MediaTime::from_millis(1_000);

/// What a feed shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// With video.
    pub video: bool,
    /// With audio, and how.
    pub audio: Audio,
    /// The source comes as fast as it is read, so both tracks can be read ahead and put in order.
    pub ahead: bool,
    /// What was added to the times of all packets that have one; zero if nothing was.
    pub offset: MediaTime,
}

/// When a packet is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// On the line.
    pub at: MediaTime,
    /// Nothing that comes can still be due before it. Otherwise the other track is away, or only late or badly mixed.
    pub sure: bool,
}

/// A packet on the line that waits to go out.
#[derive(Debug)]
struct Waiting {
    packet: Packet,
    number: u64,
}

/// One track's way through.
#[derive(Debug, Default)]
struct Way {
    track: Option<Track>,
    waiting: VecDeque<Waiting>,
    bytes: usize,
    ended: bool,
    /// The first packet, if it has no time: the next one tells it.
    untimed: Option<Frame>,
    last: Option<MediaTime>,
    /// The first packet's ticks.
    first: Option<i64>,
}

/// A feed.
#[derive(Debug)]
pub struct Feed {
    wanted: Wanted,
    line: Timeline,
    fill: Fill,
    video: Way,
    audio: Way,
    arrived: u64,
    begun: bool,
    notes: Vec<String>,
    /// Where the last step was that was told.
    told: Option<MediaTime>,
    /// It is not the first round.
    again: bool,
}

impl Feed {
    /// A feed into which nothing came yet.
    pub fn new(wanted: Wanted) -> Feed {
        Feed {
            line: Timeline::new(2),
            fill: Fill::new(wanted.video, wanted.audio.clone()),
            video: Way { ended: !wanted.video, ..Way::default() },
            audio: Way { ended: wanted.audio == Audio::None, ..Way::default() },
            wanted,
            arrived: 0,
            begun: false,
            notes: Vec::new(),
            told: None,
            again: false,
        }
    }

    /// A track's header came. A later round's is that of the first one; what differs comes with its packets.
    pub fn track(&mut self, kind: Kind, track: Track) {
        if kind == Kind::Audio {
            self.fill.copied(track.clone());
        }
        self.way(kind).track.get_or_insert(track);
    }

    /// A packet came.
    pub fn frame(&mut self, kind: Kind, frame: Frame) {
        let offset = self.wanted.offset;
        let half = MediaTime::from_nanos(offset.nanos() / 2);
        let way = self.way(kind);
        let Some(track) = &way.track else { return };
        let clock = |ticks: i64| MediaTime::from_nanos(track.time_base.nanoseconds(ticks));
        let first = *way.first.get_or_insert(frame.pts);
        let added = offset > MediaTime::ZERO && clock(first) >= half;
        let time = clock(if added { without(frame.pts, first) } else { frame.pts });
        let time = match way.last {
            _ if offset == MediaTime::ZERO || time >= half => time,
            Some(last) => last + FRAME,
            None => {
                way.untimed = Some(frame);
                return;
            }
        };
        way.last = Some(time);
        if let Some(first) = way.untimed.take() {
            // ffmpeg guesses, by a clock that begins at zero.
            let clock = way.track.as_ref().map(|track| track.time_base.nanoseconds(first.pts));
            let guess = offset + MediaTime::from_nanos(clock.unwrap_or(0));
            let near = guess < time && time - guess <= GUESSED;
            self.timed(kind, first, if near { guess } else { time - FRAME });
        }
        self.timed(kind, frame, time);
    }

    fn timed(&mut self, kind: Kind, frame: Frame, time: MediaTime) {
        let lasts = self.length(kind, &frame);
        let placed = self.line.place(index(kind), Coming { time, lasts, key: frame.key });
        if let Some(step) = placed.step
            && self.told.is_none_or(|told| placed.at >= told + SECOND)
        {
            self.told = Some(placed.at);
            self.notes.push(stepped(kind, step));
        }
        let Frame { key, extradata, data, .. } = frame;
        let packet = Packet { kind, at: placed.at, lasts, key, joins: placed.joins, extradata, data };
        self.arrived = self.arrived.saturating_add(1);
        let number = self.arrived;
        let way = self.way(kind);
        way.bytes = way.bytes.saturating_add(packet.data.len());
        way.waiting.push_back(Waiting { packet, number });
    }

    /// Nothing more comes of this track in this round.
    pub fn ended(&mut self, kind: Kind) {
        self.way(kind).ended = true;
    }

    /// The source begins once more.
    pub fn begin_round(&mut self) {
        self.again = true;
        self.line.begin_round();
        self.video.ended = !self.wanted.video;
        self.audio.ended = self.wanted.audio == Audio::None;
    }

    /// Whether a track may be read on: memory is bounded, and where both tracks are read ahead that is enough.
    pub fn has_room(&self) -> bool {
        if self.is_full() {
            return false;
        }
        let enough = |way: &Way| way.ended || way.length() >= AHEAD;
        let both = enough(&self.video) && enough(&self.audio);
        let alone = self.video.length().max(self.audio.length()) >= APART + AHEAD;
        !(self.wanted.ahead && (both || alone))
    }

    /// When the next packet is due; `None` if none can go out before more has come.
    pub fn due(&self) -> Option<Due> {
        let kind = self.next()?;
        let (own, other) = match kind {
            Kind::Video => (&self.video, &self.audio),
            Kind::Audio => (&self.audio, &self.video),
        };
        let sure = if self.wanted.ahead {
            other.ended || other.span().is_some() || own.length() >= APART
        } else {
            other.ended || !own.waiting.front().is_some_and(|first| self.fill.would_begin(&first.packet))
        };
        Some(Due { at: self.due_of(kind)?, sure })
    }

    /// Whether everything went out and nothing more comes.
    pub fn is_over(&self) -> bool {
        self.video.ended && self.audio.ended && self.next().is_none()
    }

    /// The next packet, and what stands in for the other track with it.
    pub fn take(&mut self) -> Vec<Packet> {
        let mut packets = Vec::new();
        let Some(kind) = self.next() else { return packets };
        let way = self.way(kind);
        let Some(Waiting { packet, .. }) = way.waiting.pop_front() else { return packets };
        way.bytes = way.bytes.saturating_sub(packet.data.len());
        self.fill.take(packet, &mut packets);
        for kind in [Kind::Video, Kind::Audio] {
            if let Some(end) = self.fill.end(kind) {
                self.line.cover(index(kind), end);
            }
        }
        let changes = self.fill.changes();
        self.notes.extend(changes.into_iter().map(changed));
        packets
    }

    /// Appends packets to `out` as NUT, the tracks before the first of them.
    pub fn write(&mut self, packets: Vec<Packet>, out: &mut Vec<u8>) {
        let tracks: Vec<Track> =
            [self.video.track.clone(), self.audio_track()].into_iter().flatten().collect();
        if !packets.is_empty() && !std::mem::replace(&mut self.begun, true) {
            out.extend_from_slice(&Writer::head(&tracks));
        }
        for Packet { kind, at, key, extradata, data, .. } in packets {
            let id = if self.wanted.video { index(kind) } else { 0 };
            let Some(track) = tracks.get(id) else { continue };
            let pts = track.time_base.ticks(at.nanos());
            Writer::frame(out, id, &Frame { pts, key, extradata, data });
        }
    }

    /// What a person should hear of, since this was asked last; each further round would say the same once more.
    pub fn notes(&mut self) -> Vec<String> {
        let notes = std::mem::take(&mut self.notes);
        if self.again { Vec::new() } else { notes }
    }

    fn way(&mut self, kind: Kind) -> &mut Way {
        match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
        }
    }

    fn way_of(&self, kind: Kind) -> &Way {
        match kind {
            Kind::Video => &self.video,
            Kind::Audio => &self.audio,
        }
    }

    fn length(&self, kind: Kind, frame: &Frame) -> Option<MediaTime> {
        match (kind, &self.wanted.audio) {
            (Kind::Audio, Audio::Pcm(channels)) => Some(pcm_length(frame.data.len(), *channels)),
            (Kind::Audio, Audio::Copied(_)) => self.audio.track.as_ref().and_then(silence::packet_length),
            _ => None,
        }
    }

    /// PCM is what was asked for, whether any came or not.
    fn audio_track(&self) -> Option<Track> {
        match &self.wanted.audio {
            Audio::None => None,
            Audio::Pcm(channels) => Some(Track::pcm(*channels)),
            Audio::Copied(_) => self.audio.track.clone(),
        }
    }

    /// Whether all headers are known that stand before the first packet.
    fn is_known(&self) -> bool {
        (!self.wanted.video || self.video.track.is_some())
            && (self.wanted.audio == Audio::None || self.audio_track().is_some())
    }

    /// The track whose first packet goes out next.
    fn next(&self) -> Option<Kind> {
        if !self.is_known() {
            return None;
        }
        let head = |kind| self.way_of(kind).waiting.front();
        let (video, audio) = (head(Kind::Video), head(Kind::Audio));
        if !self.wanted.ahead {
            // As they came; but one that would find the other track late lets that go first.
            let number = |waiting: &Waiting| (self.fill.would_begin(&waiting.packet), waiting.number);
            return match (video, audio) {
                (Some(video), Some(audio)) if number(video) < number(audio) => Some(Kind::Video),
                (Some(_), None) => Some(Kind::Video),
                (_, Some(_)) => Some(Kind::Audio),
                (None, None) => None,
            };
        }
        let alone = |own: &Way, other: &Way| self.is_full() || other.ended || own.length() >= AHEAD;
        match (video, audio) {
            (Some(_), Some(_)) if self.due_of(Kind::Video) <= self.due_of(Kind::Audio) => Some(Kind::Video),
            (Some(_), Some(_)) => Some(Kind::Audio),
            (Some(_), None) => alone(&self.video, &self.audio).then_some(Kind::Video),
            (None, Some(_)) => alone(&self.audio, &self.video).then_some(Kind::Audio),
            (None, None) => None,
        }
    }

    fn is_full(&self) -> bool {
        self.video.bytes.saturating_add(self.audio.bytes) >= MOST
    }

    /// The earliest of a track's next packets: frames are sent in another order than they are shown.
    fn due_of(&self, kind: Kind) -> Option<MediaTime> {
        self.way_of(kind).waiting.iter().take(REORDERED).map(|waiting| waiting.packet.at).min()
    }
}

impl Way {
    /// From the first to the last packet that waits.
    fn span(&self) -> Option<MediaTime> {
        let (first, last) = self.waiting.front().zip(self.waiting.back())?;
        Some(last.packet.at - first.packet.at)
    }

    fn length(&self) -> MediaTime {
        self.span().unwrap_or(MediaTime::ZERO)
    }
}

/// Ticks without what steps back have added to them, which is the first packet's ticks for each.
fn without(ticks: i64, first: i64) -> i64 {
    let half = first / 2;
    let added = ticks.saturating_sub(half).div_euclid(first.max(1)).max(0);
    ticks.saturating_sub(added.saturating_mul(first))
}

fn index(kind: Kind) -> usize {
    match kind {
        Kind::Video => 0,
        Kind::Audio => 1,
    }
}

fn named(kind: Kind) -> &'static str {
    match kind {
        Kind::Video => "video",
        Kind::Audio => "audio",
    }
}

fn stepped(kind: Kind, step: MediaTime) -> String {
    let (way, by) = if step < MediaTime::ZERO { ("back", MediaTime::ZERO - step) } else { ("ahead", step) };
    let seconds = by.nanos() as f64 / 1e9;
    format!("the times of the source's {} step {way} by {seconds:.1} s; it is played on", named(kind))
}

fn changed(change: Change) -> String {
    match change {
        Change::Lost(Kind::Audio) => "the source sends no audio now; silence stands in for it".into(),
        Change::Lost(Kind::Video) => {
            "the source sends no video now; its last keyframe stands in for it".into()
        }
        Change::Back(kind) => format!("the source sends {} again", named(kind)),
    }
}

#[cfg(test)]
mod tests;
