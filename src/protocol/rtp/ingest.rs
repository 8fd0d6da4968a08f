//! What a publisher sends over RTP, as the hub wants it: its packets become frames with both times, on one line for all
//! tracks. Does no I/O: packets and their arrival go in, steps for the hub come out.

use super::sdp_read::{self, Described, Format};
use crate::hub::Counters;
use crate::hub::client::add;
use crate::media::access_units::{AccessUnits, Found};
use crate::media::joining::Picture;
use crate::media::rtp::decode_times::DecodeTimes;
use crate::media::rtp::header::looks_like_rtcp;
use crate::media::rtp::in_order::{InOrder, Next};
use crate::media::rtp::line::Line;
use crate::media::rtp::mpeg_audio;
use crate::media::rtp::reception::{Reception, Unwrapped};
use crate::media::rtp::rtcp::{self, Block, Packet};
use crate::media::rtp::{Header, Unit, Unpacker};
use crate::media::{AudioCodec, AudioTrack, Frame, MediaTime, TrackId, TrackKind, Tracks};
use bytes::{Bytes, BytesMut};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a track may take to show what its description did not say, before the stream begins without it.
const WAIT_FOR_CONFIG: Duration = Duration::from_secs(5);
/// The line begins here, so that decoding times before the first showing time are not negative.
const BEGIN: Duration = Duration::from_secs(1);
/// How long a picture waits for its next slice or the next picture, where its publisher's markers leave that open.
const WAIT_FOR_SLICES: Duration = Duration::from_millis(200);
/// Our source in receiver reports; the sender does not care.
const OWN_SSRC: u32 = 1;

/// How packets come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In order and whole (TCP).
    Stream,
    /// They may overtake each other, and some never come.
    Datagrams,
    /// As datagrams, and what is missed comes again when it is asked for.
    Repaired,
}

/// What to tell the hub.
#[derive(Clone, Debug, PartialEq)]
pub enum IngestStep {
    /// The tracks are these.
    Headers(Tracks),
    /// The tracks are complete.
    Ready,
    /// A frame.
    Frame(Frame),
    /// A track sends packets that it has not announced; they are dropped. Told once for each track.
    Unannounced {
        /// Its place in the description, from 0.
        track: usize,
        /// What it sends.
        payload_type: u8,
        /// What it announced.
        announced: u8,
    },
}

/// One track.
struct Track {
    id: TrackId,
    payload_type: u8,
    /// Whether it has been told that packets are dropped.
    told: bool,
    /// Packets are missing before the next one.
    hole: bool,
    clock: u32,
    /// Samples a second, which for MPEG audio is not the clock.
    rate: u32,
    ssrc: Option<u32>,
    numbers: Unwrapped<16>,
    times: Unwrapped<32>,
    order: InOrder<(Header, Bytes)>,
    unpacker: Unpacker,
    reception: Reception,
    /// Video only. What belongs to a picture is when its first packet came.
    video: Option<Box<AccessUnits<Duration>>>,
    decoding: DecodeTimes,
    last: Option<MediaTime>,
    /// The last report's middle bits and when it came.
    report: Option<(u32, Duration)>,
}

/// One publisher's stream.
pub struct Ingest {
    /// By their places in the description; none for what is thrown away.
    tracks: Vec<Option<Track>>,
    known: Tracks,
    line: Line,
    ready: bool,
    begun: Option<Duration>,
    ordered: Vec<Next<(Header, Bytes)>>,
    units: Vec<Unit>,
}

impl Ingest {
    /// For the tracks of a description that were set up.
    pub fn new(described: &[Described], set_up: impl Fn(usize) -> bool, way: Way) -> Ingest {
        let mut known = Tracks::default();
        let track = |((at, one), id): ((usize, &Described), Option<TrackId>)| {
            let id = id.filter(|_| set_up(at))?;
            let track = Track::new(id, one, way)?;
            match &one.format {
                Format::Video(_, Some(video)) => known.set_video(id, video.clone()),
                Format::Aac(audio, _) | Format::Plain(audio) => known.set_audio(id, audio.clone()),
                Format::Latm(latm) => latm.track().into_iter().for_each(|audio| known.set_audio(id, audio)),
                Format::Video(_, None) | Format::Mpeg | Format::LeftOut(_) => {}
            }
            Some(track)
        };
        let tracks: Vec<_> = described.iter().enumerate().zip(sdp_read::ids(described)).map(track).collect();
        let rates: Vec<u32> = described.iter().map(|d| d.clock).collect();
        Ingest {
            tracks,
            known,
            line: Line::new(&rates),
            ready: false,
            begun: None,
            ordered: Vec::new(),
            units: Vec::new(),
        }
    }

    /// What is known before the first packet.
    pub fn begin(&mut self, steps: &mut Vec<IngestStep>) {
        if self.complete() {
            self.set_ready(steps);
        }
    }

    fn complete(&self) -> bool {
        self.tracks.iter().flatten().all(|track| self.known.has(track.id))
    }

    fn set_ready(&mut self, steps: &mut Vec<IngestStep>) {
        self.ready = true;
        steps.push(IngestStep::Headers(self.known.clone()));
        steps.push(IngestStep::Ready);
    }

    fn changed(&mut self, steps: &mut Vec<IngestStep>) {
        if self.ready {
            steps.push(IngestStep::Headers(self.known.clone()));
        } else if self.complete() {
            self.set_ready(steps);
        }
    }

    /// Which payload type the packets of a track carry, to tell sources apart.
    pub fn payload_type(&self, track: usize) -> Option<u8> {
        Some(self.tracks.get(track)?.as_ref()?.payload_type)
    }

    /// Takes an RTP packet that came `arrival` after the beginning. Counts it.
    pub fn rtp(
        &mut self,
        place: usize,
        packet: &Bytes,
        arrival: Duration,
        counters: &Counters,
        steps: &mut Vec<IngestStep>,
    ) {
        if looks_like_rtcp(packet) {
            // Some send both on one channel (RFC 5761).
            return self.rtcp(place, packet, arrival, counters);
        }
        let Some((header, payload)) = Header::read(packet) else {
            add(&counters.packets_in, 1);
            return add(&counters.packets_in_error, 1);
        };
        self.packet(place, header, packet.slice(payload), arrival, counters, steps);
    }

    /// As [`Ingest::rtp`], for a packet whose header has been read.
    pub fn packet(
        &mut self,
        place: usize,
        header: Header,
        payload: Bytes,
        arrival: Duration,
        counters: &Counters,
        steps: &mut Vec<IngestStep>,
    ) {
        add(&counters.packets_in, 1);
        let arrival = arrival.saturating_add(BEGIN);
        let began = *self.begun.get_or_insert(arrival);
        let Some(Some(track)) = self.tracks.get_mut(place) else { return };
        let (payload_type, announced) = (header.payload_type, track.payload_type);
        if payload_type != announced {
            add(&counters.packets_in_error, 1);
            if !std::mem::replace(&mut track.told, true) {
                steps.push(IngestStep::Unannounced { track: place, payload_type, announced });
            }
            // What counts on in the numbers of the track (telephone events) keeps its place in them: it is no loss.
            if track.ssrc != Some(header.ssrc) {
                return;
            }
        }
        track.take(header, payload, arrival, &mut self.ordered);
        // One number for all: that of the video, or of the audio if there is none.
        if self.known.first_video().or_else(|| self.known.first_audio()) == Some(track.id) {
            counters.jitter.store(track.reception.jitter().to_bits(), Ordering::Relaxed);
        }
        let mut ordered = std::mem::take(&mut self.ordered);
        for next in ordered.drain(..) {
            self.in_order(place, next, arrival, counters, steps);
        }
        self.ordered = ordered;
        if !self.ready && arrival.saturating_sub(began) > WAIT_FOR_CONFIG && !self.known.is_empty() {
            self.set_ready(steps);
        }
    }

    fn in_order(
        &mut self,
        place: usize,
        next: Next<(Header, Bytes)>,
        arrival: Duration,
        counters: &Counters,
        steps: &mut Vec<IngestStep>,
    ) {
        let Some(Some(track)) = self.tracks.get_mut(place) else { return };
        if next.restart {
            track.reception.restart();
        }
        add(&counters.packets_lost, next.missing);
        let (header, payload) = next.item;
        track.hole |= next.missing > 0 || next.restart;
        if header.payload_type != track.payload_type {
            return;
        }
        let hole = std::mem::take(&mut track.hole);
        if track.unpacker.push(&header, payload, hole, &mut self.units).is_err() {
            add(&counters.packets_in_error, 1);
        }
        let id = track.id;
        let fresh = track.unpacker.fresh_audio();
        if let Some(audio) = fresh.filter(|audio| self.known.audio_of(id) != Some(audio)) {
            self.known.set_audio(id, audio);
            self.changed(steps);
        }
        let mut units = std::mem::take(&mut self.units);
        for unit in units.drain(..) {
            self.unit(place, unit, arrival, steps);
        }
        self.units = units;
    }

    fn unit(&mut self, place: usize, unit: Unit, arrival: Duration, steps: &mut Vec<IngestStep>) {
        let Some(Some(track)) = self.tracks.get_mut(place) else { return };
        if let Some(video) = &mut track.video {
            let Unit { timestamp, keyframe, after_loss, payload, .. } = unit;
            let picture = Picture { timestamp, keyframe, payload, about: arrival };
            let mut found = Vec::new();
            video.take(picture, after_loss, &mut found);
            return self.found(place, found, steps);
        }
        let id = track.id;
        if !self.known.has(id) {
            // MPEG audio says itself what it is.
            let Some(head) = mpeg_audio::head(&unit.payload) else { return };
            let audio = AudioTrack::plain(AudioCodec::Mp3, head.sample_rate, head.channels);
            self.known.set_audio(id, audio);
            self.changed(steps);
        }
        self.frame(place, unit, arrival, steps);
    }

    /// What video has come out.
    fn found(&mut self, place: usize, found: Vec<Found<Duration>>, steps: &mut Vec<IngestStep>) {
        for one in found {
            match one {
                Found::Track(video) => {
                    if let Some(Some(track)) = self.tracks.get_mut(place) {
                        track.decoding = DecodeTimes::new(video.reorder, video.frame_rate);
                        self.known.set_video(track.id, video);
                        self.changed(steps);
                    }
                }
                Found::Picture(Picture { timestamp, keyframe, payload, about }) => {
                    let unit = Unit { timestamp, samples_before: 0, keyframe, after_loss: false, payload };
                    self.frame(place, unit, about, steps);
                }
            }
        }
    }

    /// When a picture has waited long enough for its next slice or the next picture.
    pub fn due(&self) -> Option<Duration> {
        let waiting = |track: &Track| track.video.as_ref()?.waiting().map(|picture| picture.about);
        let since = self.tracks.iter().flatten().filter_map(waiting).min()?;
        Some(since.saturating_add(WAIT_FOR_SLICES).saturating_sub(BEGIN))
    }

    /// Nothing more comes, or it is [`Ingest::due`]: what waits goes out.
    pub fn finish(&mut self, steps: &mut Vec<IngestStep>) {
        for place in 0..self.tracks.len() {
            let mut found = Vec::new();
            if let Some(Some(Track { video: Some(video), .. })) = self.tracks.get_mut(place) {
                video.finish(&mut found);
            }
            self.found(place, found, steps);
        }
    }

    fn frame(&mut self, place: usize, unit: Unit, arrival: Duration, steps: &mut Vec<IngestStep>) {
        let Some(Some(track)) = self.tracks.get_mut(place) else { return };
        let audio = self.known.audio_of(track.id);
        if let Some(audio) = audio {
            track.rate = audio.sample_rate.max(1);
        }
        let begin = self.line.place(place, unit.timestamp, arrival);
        let pts = begin + MediaTime::from_clock(i64::from(unit.samples_before), track.rate);
        let (dts, pts) = match track.id.kind() {
            TrackKind::Video => track.decoding.next(pts),
            _ => (pts, pts),
        };
        // The line may be set a little back when the first report comes.
        let dts = track.last.map_or(dts, |last| last.max(dts));
        track.last = Some(dts);
        let known = audio.is_some() || self.known.video_of(track.id).is_some();
        // Nobody can decode what comes before the parameter sets, and nobody reads before the stream is ready.
        if self.ready && known {
            let (track, pts) = (track.id, pts.max(dts));
            let Unit { keyframe, payload, .. } = unit;
            steps.push(IngestStep::Frame(Frame { track, dts, pts, keyframe, payload }));
        }
    }

    /// Takes an RTCP compound.
    pub fn rtcp(&mut self, place: usize, packet: &[u8], arrival: Duration, counters: &Counters) {
        add(&counters.rtcp_in, 1);
        let Some(Some(track)) = self.tracks.get_mut(place) else { return };
        let Some(all) = rtcp::read(packet) else { return add(&counters.packets_in_error, 1) };
        for packet in all {
            let Packet::Sender(report) = packet else { continue };
            if track.ssrc.is_some_and(|ssrc| ssrc != report.ssrc) {
                continue;
            }
            track.report = Some(((report.ntp >> 16) as u32, arrival));
            self.line.report(place, report.ntp, report.timestamp);
        }
    }

    /// Takes what a sender reported, where something else has read it: its NTP time (32.32 bits) and the RTP time of the
    /// same moment.
    pub fn reported(&mut self, place: usize, ntp: u64, timestamp: u32) {
        self.line.report(place, ntp, timestamp);
    }

    /// Receiver reports of the tracks from which something came, by their places.
    pub fn reports(&mut self, now: Duration) -> Vec<(usize, Bytes)> {
        let mut out = Vec::new();
        for (place, track) in self.tracks.iter_mut().enumerate() {
            let Some(track) = track else { continue };
            let Some(ssrc) = track.ssrc else { continue };
            let (last_report, delay) = match track.report {
                Some((middle, at)) => {
                    let passed = now.saturating_sub(at).as_nanos().saturating_mul(65_536) / 1_000_000_000;
                    (middle, u32::try_from(passed).unwrap_or(u32::MAX))
                }
                None => (0, 0),
            };
            let block = Block { ssrc, summary: track.reception.summary(), last_report, delay };
            let mut packet = BytesMut::with_capacity(64);
            rtcp::write_receiver(OWN_SSRC, &block, "msconv", &mut packet);
            out.push((place, packet.freeze()));
        }
        out
    }

    /// Requests for a keyframe, by track.
    pub fn keyframe_requests(&self) -> Vec<(usize, Bytes)> {
        let video = |(place, track): (usize, &Option<Track>)| {
            let ssrc = track.as_ref().filter(|track| track.id.kind() == TrackKind::Video)?.ssrc?;
            let mut packet = BytesMut::with_capacity(32);
            rtcp::write_picture_loss(OWN_SSRC, ssrc, &mut packet);
            Some((place, packet.freeze()))
        };
        self.tracks.iter().enumerate().filter_map(video).collect()
    }
}

impl Track {
    /// None for what is thrown away.
    fn new(id: TrackId, described: &Described, way: Way) -> Option<Track> {
        let (unpacker, video, decoding) = match &described.format {
            Format::Video(codec, track) => {
                let (depth, rate) = track.as_ref().map_or((0, None), |t| (t.reorder, t.frame_rate));
                let unpacker = Unpacker::video(*codec)?;
                let mut video = Box::new(AccessUnits::new(*codec));
                if let Some(track) = track {
                    video.describe(track.clone(), &mut Vec::new());
                }
                (unpacker, Some(video), DecodeTimes::new(depth, rate))
            }
            Format::Aac(track, headers) => {
                let unpacker = Unpacker::aac(*headers, track.samples_per_packet().unwrap_or(1024));
                (unpacker, None, DecodeTimes::new(0, None))
            }
            Format::Latm(latm) => (Unpacker::latm(latm), None, DecodeTimes::new(0, None)),
            Format::Mpeg => {
                let unpacker = Unpacker::Mpeg(Default::default());
                (unpacker, None, DecodeTimes::new(0, None))
            }
            Format::Plain(_) => (Unpacker::Plain, None, DecodeTimes::new(0, None)),
            Format::LeftOut(_) => return None,
        };
        Some(Track {
            id,
            payload_type: described.payload_type,
            told: false,
            hole: false,
            clock: described.clock,
            rate: described.clock,
            ssrc: None,
            numbers: Unwrapped::default(),
            times: Unwrapped::default(),
            order: match way {
                Way::Stream => InOrder::direct(),
                Way::Datagrams => InOrder::patient(),
                Way::Repaired => InOrder::repaired(),
            },
            unpacker,
            reception: Reception::default(),
            video,
            decoding,
            last: None,
            report: None,
        })
    }

    fn take(
        &mut self,
        header: Header,
        payload: Bytes,
        arrival: Duration,
        out: &mut Vec<Next<(Header, Bytes)>>,
    ) {
        if self.ssrc.replace(header.ssrc).is_some_and(|before| before != header.ssrc) {
            // Another source: its numbers have nothing to do with those before.
            self.numbers = Unwrapped::default();
            self.times = Unwrapped::default();
            self.order = self.order.anew();
            self.reception.restart();
        }
        let number = self.numbers.follow(header.sequence.into());
        let time = self.times.follow(header.timestamp);
        let nanos = i64::try_from(arrival.as_nanos()).unwrap_or(i64::MAX);
        let ticks = MediaTime::from_nanos(nanos).in_clock(self.clock);
        self.reception.packet(number, time, ticks);
        self.order.push(number, (header, payload), arrival, out);
    }
}

#[cfg(test)]
mod habits;
#[cfg(test)]
mod tests;
