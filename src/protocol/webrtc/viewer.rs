//! A viewer: which rendition it gets, from which frame on, and what it is sent of it. Its session's packets count on
//! whatever it gets.

use super::choosing::{self, Choice, Chooser, Link};
use super::ladder::Ladder;
use super::numbering::Numbering;
use super::packing::Unit;
use super::peer::{Agreed, Peer, Report};
use crate::hub::Client;
use crate::hub::client::add;
use crate::media::{TrackKind, VideoCodec};
use crate::model::LadderName;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use str0m::rtp::RtpWrite;

/// A keyframe that was asked for and does not come is made up for from the frames since the last one, at most so often.
const AGAIN_EVERY: Duration = Duration::from_secs(1);
/// And not if those are more than this, bytes.
const AGAIN_BYTES: usize = 1 << 20;
/// A rendition that sends nothing for so long is left for another one.
const SILENT: Duration = Duration::from_secs(2);

/// One line of media that is sent.
#[derive(Debug)]
pub struct Sending {
    agreed: Agreed,
    numbering: Numbering,
}

impl Sending {
    /// Begins with random numbers (RFC 3550, 5.1).
    pub fn new(agreed: Agreed, clock_rate: u32) -> Sending {
        let (random, first, ..) = uuid::Uuid::new_v4().as_fields();
        Sending { agreed, numbering: Numbering::new(clock_rate, first & 0x3fff, random) }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Viewer {
    /// Its entry in the registry.
    pub client: Arc<Client>,
    /// What it watches.
    pub ladder: LadderName,
    /// The codec that it agreed to.
    pub codec: Option<VideoCodec>,
    /// The one rendition that it wants, if it said so.
    pub pinned: Option<String>,
    video: Option<Sending>,
    audio: Option<Sending>,
    current: Option<String>,
    wanted: Option<String>,
    waits: bool,
    begun: bool,
    last_video: Option<Instant>,
    made_up: Option<Instant>,
    chooser: Chooser,
    link: Link,
    lost: u64,
}

impl Viewer {
    /// One who has not connected yet.
    pub fn new(
        client: Arc<Client>,
        ladder: LadderName,
        codec: Option<VideoCodec>,
        pinned: Option<String>,
        video: Option<Sending>,
        audio: Option<Sending>,
    ) -> Viewer {
        Viewer {
            client,
            ladder,
            codec,
            pinned,
            video,
            audio,
            current: None,
            wanted: None,
            waits: true,
            begun: false,
            last_video: None,
            made_up: None,
            chooser: Chooser::default(),
            link: Link::default(),
            lost: 0,
        }
    }

    /// Whether it gets audio.
    pub fn hears(&self) -> bool {
        self.audio.is_some()
    }

    /// The rendition that it gets.
    pub fn current(&self) -> Option<&str> {
        self.current.as_deref()
    }

    fn choices(&self, ladder: &Ladder) -> Vec<Choice> {
        let Some(codec) = self.codec else { return Vec::new() };
        ladder.choices(codec, self.pinned.as_deref())
    }

    /// It is connected: it gets the frames since the last keyframe, and what comes from now on.
    pub fn begin(&mut self, ladder: &Ladder, peer: &mut Peer, now: Instant) {
        self.begun = true;
        let choices = self.choices(ladder);
        if let Some(choice) = choosing::first(&choices) {
            self.change_to(choice.label.clone(), ladder, peer);
        }
        self.want_for(&choices, peer);
        self.catch_up(ladder, peer, now);
    }

    /// Its rendition from here on.
    fn change_to(&mut self, label: String, ladder: &Ladder, peer: &mut Peer) {
        if let Some(rendition) = ladder.rendition(&label) {
            let name = rendition.name.clone();
            self.client.describe(|details| details.name = name.name);
        }
        if self.current.as_ref().is_some_and(|current| *current != label) {
            add(&self.client.counters.switches, 1);
        }
        self.current = Some(label);
        self.wanted = None;
        self.waits = true;
        // What follows needs nothing of what was sent before, and repairs of that would keep a narrow link full.
        if let Some(sending) = &self.video {
            peer.forget_repairs(sending.agreed.mid);
        }
    }

    /// Tells the estimator how much there is to find.
    fn want_for(&self, choices: &[Choice], peer: &mut Peer) {
        let bps = Chooser::wanted_bps(choices);
        if self.pinned.is_none() && bps > 0 {
            peer.rtc().bwe().set_desired_bitrate(str0m::bwe::Bitrate::bps(bps));
        }
    }

    /// Sends the frames since the last keyframe; their times are those that they have, or follow what was sent.
    fn catch_up(&mut self, ladder: &Ladder, peer: &mut Peer, now: Instant) {
        let Some(rendition) = self.current.as_deref().and_then(|label| ladder.rendition(label)) else {
            return;
        };
        for unit in rendition.recent.units() {
            self.waits = false;
            self.deliver(TrackKind::Video, unit, ladder, peer, now);
        }
    }

    /// A frame of one rendition. Whether anything was written.
    pub fn video(
        &mut self,
        label: &str,
        unit: &Unit,
        ladder: &Ladder,
        peer: &mut Peer,
        now: Instant,
    ) -> bool {
        if !self.begun {
            return false;
        }
        if unit.keyframe && self.wanted.as_deref() == Some(label) {
            self.change_to(label.to_string(), ladder, peer);
            let choices = self.choices(ladder);
            self.want_for(&choices, peer);
        }
        if self.current.as_deref() != Some(label) || (self.waits && !unit.keyframe) {
            return false;
        }
        self.waits = false;
        self.deliver(TrackKind::Video, unit, ladder, peer, now)
    }

    /// Packets of the ladder's audio. Whether anything was written.
    pub fn audio(&mut self, units: &[Unit], ladder: &Ladder, peer: &mut Peer, now: Instant) -> bool {
        let (mut written, begun) = (false, self.begun);
        for unit in units.iter().filter(|_| begun) {
            written |= self.deliver(TrackKind::Audio, unit, ladder, peer, now);
        }
        written
    }

    fn deliver(
        &mut self,
        kind: TrackKind,
        unit: &Unit,
        ladder: &Ladder,
        peer: &mut Peer,
        now: Instant,
    ) -> bool {
        let video = kind == TrackKind::Video;
        let Some(sending) = (if video { &mut self.video } else { &mut self.audio }) else { return false };
        let time = sending.numbering.time(unit.pts);
        let moment = ladder.moment(unit.pts);
        let mut api = peer.rtc().direct_api();
        let Some(stream) = api.stream_tx_by_mid(sending.agreed.mid, None) else { return false };
        for payload in unit.payloads.iter() {
            let sequence = sending.numbering.sequence().into();
            let write =
                RtpWrite::new(sending.agreed.payload_type, sequence, time, moment, payload.bytes.clone());
            stream.write_rtp(write.marker(payload.marker).nackable(video));
        }
        if video {
            self.last_video = Some(now);
        }
        true
    }

    /// Frames of a rendition are missing.
    pub fn broken(&mut self, label: &str) {
        if self.current.as_deref() == Some(label) {
            self.waits = true;
        }
    }

    /// It lost more than could be repaired. What is there since the last keyframe goes again, if that is little and it was
    /// not done a moment ago; publishers that can send a keyframe are asked by the caller.
    pub fn make_up(&mut self, ladder: &Ladder, peer: &mut Peer, now: Instant) {
        let lately = self.made_up.is_some_and(|at| now.saturating_duration_since(at) < AGAIN_EVERY);
        let Some(rendition) = self.current.as_deref().and_then(|label| ladder.rendition(label)) else {
            return;
        };
        let much = rendition.recent.bytes() > AGAIN_BYTES;
        if self.begun && !lately && !much && self.fits(rendition.recent.bytes(), Duration::from_millis(500)) {
            self.made_up = Some(now);
            self.catch_up(ladder, peer, now);
        }
    }

    /// Whether the link carries so many bytes within `time`, as far as is known.
    fn fits(&self, bytes: usize, time: Duration) -> bool {
        let bits = bytes.saturating_mul(8) as f64;
        self.link.estimate_bps.is_none_or(|bps| bits <= bps as f64 * time.as_secs_f64())
    }

    /// What the way there carries.
    pub fn estimated(&mut self, bps: u64) {
        self.link.estimate_bps = Some(bps);
    }

    /// What the other end says of what it got.
    pub fn reported(&mut self, report: &Report) {
        if report.video
            && let Some(loss) = report.loss
        {
            self.link.loss = loss;
        }
        let counter = &self.client.counters.packets_reported_lost;
        let more = report.lost.saturating_sub(self.lost);
        if report.video {
            self.lost = report.lost.max(self.lost);
            add(counter, more);
        }
        if let Some(round_trip) = report.round_trip {
            let micros = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
            self.client.counters.round_trip_us.store(micros, Ordering::Relaxed);
        }
        if report.video {
            self.client.counters.nacks_in.store(report.nacks, Ordering::Relaxed);
            self.client.counters.plis_in.store(report.plis, Ordering::Relaxed);
        }
    }

    /// Looks whether another rendition is better now. To be called some times a second.
    pub fn look(&mut self, ladder: &Ladder, peer: &mut Peer, now: Instant) {
        if !self.begun || self.video.is_none() {
            return;
        }
        let choices = self.choices(ladder);
        let current = self.current.clone().unwrap_or_default();
        let there = choices.iter().any(|choice| choice.label == current);
        let silent = self.last_video.is_none_or(|at| now.saturating_duration_since(at) > SILENT);
        if !there && silent {
            // Its rendition is gone and others are on the air, or there was none when it connected.
            if let Some(choice) = choosing::first(&choices) {
                self.change_to(choice.label.clone(), ladder, peer);
                self.catch_up(ladder, peer, now);
            }
            return;
        }
        if self.pinned.is_some() || choices.is_empty() || (there && choices.len() == 1) {
            return;
        }
        let Some(label) = self.chooser.look(&choices, &current, self.link, now) else { return };
        let own = ladder.rendition(&current).map_or(0, super::ladder::Rendition::bps);
        let next = ladder.rendition(&label);
        let down = next.is_some_and(|next| next.bps() < own);
        let cheap = next.is_some_and(|next| {
            !next.recent.units().is_empty() && self.fits(next.recent.bytes(), Duration::from_millis(700))
        });
        if down && cheap {
            // At once, from the smaller one's last keyframe on: the link is full of what is left behind.
            self.change_to(label, ladder, peer);
            self.want_for(&choices, peer);
            self.catch_up(ladder, peer, now);
        } else {
            self.wanted = Some(label);
        }
    }
}
