//! A publisher over WHIP: its packets become frames for the hub, and it is asked for keyframes: a browser sends none by
//! itself, and HLS cuts at them.

use super::offer::{Codec, Offer};
use super::outlets::Outlets;
use super::peer::{Agreed, Peer};
use crate::base::clock::Now;
use crate::hub::Client;
use crate::media::codec::opus;
use crate::media::rtp::Header;
use crate::media::{Frame, MOST_OF_A_KIND, TrackKind, VideoCodec};
use crate::model::StreamName;
use crate::protocol::rtp::ingest::{Ingest, IngestStep, Way};
use crate::protocol::rtp::sdp_read::{Described, Format};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};
use str0m::media::{KeyframeRequestKind, Mid, Rid, SenderFeedback};
use str0m::rtp::RtpPacket;

/// A keyframe is asked for when the last one is so old: with segments of 2 s each then begins with one.
const KEYFRAME_EVERY: Duration = Duration::from_millis(1900);
/// Before the first one, and after a loss, at most so often.
const AGAIN: Duration = Duration::from_millis(500);
/// Seconds between 1900 and 1970 (RFC 5905).
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// What a publisher's offer is taken in.
pub struct Taken<'a> {
    /// Its video.
    pub video: Option<(VideoCodec, &'a Codec)>,
    /// Its audio.
    pub audio: Option<&'a Codec>,
    /// The names of its layers of video, if it offers several and each can be told from the others.
    pub layers: &'a [String],
}

/// Chooses what is carried of an offer.
///
/// # Errors
/// The names of what it has, if none of it is carried.
pub fn taken(offer: &Offer) -> Result<Taken<'_>, String> {
    let sent = |line: &'_ Option<super::offer::Line>| line.as_ref().is_some_and(|line| line.sends);
    let video = offer.video.as_ref().filter(|_| sent(&offer.video));
    let audio = offer.audio.as_ref().filter(|_| sent(&offer.audio));
    let h264 = |codec: &&Codec| codec.name == "H264" && codec.h264_fragments();
    // What every encoder can is what every viewer can.
    let plain = |codec: &&Codec| codec.h264_profile() >> 8 == 0x42_e0;
    let chosen = video.and_then(|line| {
        let all = || line.codecs.iter().filter(h264);
        let found = all().find(plain).or_else(|| all().next()).map(|codec| (VideoCodec::H264, codec));
        found.or_else(|| Some((VideoCodec::H265, line.codecs.iter().find(|codec| codec.name == "H265")?)))
    });
    let opus = audio.and_then(|line| line.opus());
    if let (Some(line), None) = (video, chosen) {
        return Err(format!("video is taken as H264 or H265, and the offer has {}", line.names()));
    }
    if let (Some(line), None, None) = (audio, chosen, opus) {
        return Err(format!("audio is taken as Opus, and the offer has {}", line.names()));
    }
    let layers = video.filter(|_| chosen.is_some()).map_or(&[][..], |line| &line.layers);
    let layers = if are_told_apart(layers) { layers } else { &[] };
    Ok(Taken { video: chosen, audio: opus, layers })
}

/// Layers whose names fit into a packet and a name on the server. Others are answered as one.
fn are_told_apart(layers: &[String]) -> bool {
    let is_name = |name: &String| name.len() <= 8 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let distinct: BTreeSet<&String> = layers.iter().collect();
    layers.len() > 1
        && layers.len() <= MOST_OF_A_KIND
        && distinct.len() == layers.len()
        && layers.iter().all(is_name)
}

/// See the module.
pub struct Publishes {
    /// Its entry in the registry.
    pub client: Arc<Client>,
    outlets: Outlets,
    ingest: Ingest,
    videos: Vec<Video>,
    audio: Option<Mid>,
    began: Instant,
    asked: Option<Instant>,
    lost: u64,
    steps: Vec<IngestStep>,
}

/// Video that comes: the only one, or a layer.
struct Video {
    mid: Mid,
    layer: Option<Rid>,
    /// When something of it came last.
    last: Option<Instant>,
    keyframe: Option<Instant>,
}

impl Publishes {
    /// One whose offer was answered with these. `layers`: the names of those that video comes in, if there are several.
    pub fn new(
        outlets: Outlets,
        client: Arc<Client>,
        video: Option<(VideoCodec, Agreed)>,
        audio: Option<Agreed>,
        layers: &[String],
        now: Instant,
    ) -> Publishes {
        let described = |agreed: &Agreed, clock, format| Described {
            control: String::new(),
            payload_type: *agreed.payload_type,
            clock,
            format,
        };
        let (mut all, mut videos) = (Vec::new(), Vec::new());
        if let Some((codec, agreed)) = &video {
            let one = |layer| Video { mid: agreed.mid, layer, last: None, keyframe: None };
            let layers = layers.iter().map(|name| one(Some(Rid::from(name.as_str()))));
            videos.extend(layers);
            if videos.is_empty() {
                videos.push(one(None));
            }
            let format = || Format::Video(*codec, None);
            all.extend(videos.iter().map(|_| described(agreed, 90_000, format())));
        }
        let opus = audio.as_ref().zip(opus::track(opus::head(2)).ok());
        if let Some((agreed, track)) = &opus {
            all.push(described(agreed, 48_000, Format::Plain(track.clone())));
        }
        let mut ingest = Ingest::new(&all, |_| true, Way::Repaired);
        let mut steps = Vec::new();
        ingest.begin(&mut steps);
        let audio = opus.map(|(agreed, _)| agreed.mid);
        Publishes { client, outlets, ingest, videos, audio, began: now, asked: None, lost: 0, steps }
    }

    /// The ladder whose renditions it publishes, of one that sends layers.
    pub fn ladder(&self) -> Option<&StreamName> {
        self.outlets.ladder()
    }

    /// The place of a line in what is taken in: all video, then audio.
    fn place(&self, mid: Mid, layer: Option<Rid>) -> Option<usize> {
        let is_it = |video: &Video| video.mid == mid && (video.layer.is_none() || video.layer == layer);
        let audio = || (self.audio == Some(mid)).then_some(self.videos.len());
        self.videos.iter().position(is_it).or_else(audio)
    }

    /// A packet of media.
    pub fn packet(&mut self, of: Option<(Mid, Option<Rid>)>, packet: RtpPacket, now: Instant) {
        let Some(place) = of.and_then(|(mid, layer)| self.place(mid, layer)) else { return };
        if let Some(video) = self.videos.get_mut(place) {
            video.last = Some(now);
        }
        let header = Header {
            marker: packet.header.marker,
            payload_type: *packet.header.payload_type,
            sequence: packet.header.sequence_number,
            timestamp: packet.header.timestamp,
            ssrc: *packet.header.ssrc,
        };
        let arrival = now.saturating_duration_since(self.began);
        let payload = Bytes::from_owner(packet.payload);
        self.ingest.packet(place, header, payload, arrival, &self.client.counters, &mut self.steps);
    }

    /// What the sender says of its times.
    pub fn reported(&mut self, feedback: &SenderFeedback) {
        let Some(place) = self.place(feedback.mid, feedback.rid) else { return };
        let Ok(since) = feedback.sender_info.ntp_time.duration_since(UNIX_EPOCH) else { return };
        let seconds = since.as_secs().wrapping_add(NTP_TO_UNIX) << 32;
        let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
        let timestamp = (feedback.sender_info.rtp_time.numer() & u64::from(u32::MAX)) as u32;
        self.ingest.reported(place, seconds | fraction, timestamp);
        self.outlets.timed(place);
    }

    /// Gives the hub what the packets made, and asks for a keyframe if one is due.
    pub fn hand_over(&mut self, peer: &mut Peer, now: Now) {
        if let Some(due) = self.ingest.due()
            && now.mono.saturating_duration_since(self.began) >= due
        {
            self.ingest.finish(&mut self.steps);
        }
        if !self.steps.is_empty() {
            for step in self.steps.drain(..) {
                if let IngestStep::Frame(frame) = &step
                    && is_keyframe(frame)
                    && let Some(video) = self.videos.get_mut(frame.track.index())
                {
                    video.keyframe = Some(now.mono);
                }
                self.outlets.take(step, now);
            }
            self.outlets.flush(now);
        }
        self.ask(peer, now.mono);
    }

    fn ask(&mut self, peer: &mut Peer, now: Instant) {
        if !peer.connected {
            return;
        }
        let passed =
            |at: Option<Instant>, time| at.is_none_or(|at| now.saturating_duration_since(at) >= time);
        let lost = crate::hub::client::get(&self.client.counters.packets_lost);
        // A layer that its sender does not send now has no keyframe to give.
        let sends = |video: &&mut Video| video.layer.is_none() || !passed(video.last, KEYFRAME_EVERY);
        let due = self.outlets.are_wanted()
            || lost > self.lost
            || self.videos.iter_mut().filter(sends).any(|video| passed(video.keyframe, KEYFRAME_EVERY));
        if due && passed(self.asked, AGAIN) {
            (self.asked, self.lost) = (Some(now), lost);
            // All layers together, since a ladder is cut where all have one.
            for video in self.videos.iter_mut().filter(sends) {
                if let Some(stream) = peer.rtc().direct_api().stream_rx_by_mid(video.mid, video.layer) {
                    stream.request_keyframe(KeyframeRequestKind::Pli);
                }
            }
        }
    }

    /// It said that it ends: its viewers are told at once. Otherwise they wait for its return.
    pub fn end(self, said: bool) {
        if said {
            self.outlets.end();
        }
    }
}

fn is_keyframe(frame: &Frame) -> bool {
    frame.keyframe && frame.track.kind() == TrackKind::Video
}
