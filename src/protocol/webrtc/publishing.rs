//! A publisher over WHIP: its packets become frames for the hub, and it is asked for keyframes: a browser sends none by
//! itself, and HLS cuts at them.

use super::offer::{Codec, Offer};
use super::peer::{Agreed, Peer};
use crate::base::clock::Now;
use crate::hub::{Client, Publisher};
use crate::media::codec::opus;
use crate::media::rtp::Header;
use crate::media::{Frame, TrackKind, VideoCodec};
use crate::protocol::rtp::ingest::{Ingest, IngestStep, Way};
use crate::protocol::rtp::sdp_read::{Described, Format};
use bytes::Bytes;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, UNIX_EPOCH};
use str0m::media::{KeyframeRequestKind, Mid, SenderFeedback};
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
    Ok(Taken { video: chosen, audio: opus })
}

/// See the module.
pub struct Publishes {
    /// Its entry in the registry.
    pub client: Arc<Client>,
    publisher: Option<Publisher>,
    ingest: Ingest,
    video: Option<Mid>,
    mids: Vec<Mid>,
    began: Instant,
    keyframe: Option<Instant>,
    asked: Option<Instant>,
    lost: u64,
    wanted: Pin<Box<dyn Future<Output = ()> + Send>>,
    steps: Vec<IngestStep>,
}

impl Publishes {
    /// One whose offer was answered with these.
    pub fn new(
        publisher: Publisher,
        client: Arc<Client>,
        video: Option<(VideoCodec, Agreed)>,
        audio: Option<Agreed>,
        now: Instant,
    ) -> Publishes {
        let described = |agreed: &Agreed, clock, format| Described {
            control: String::new(),
            payload_type: *agreed.payload_type,
            clock,
            format,
        };
        let (mut all, mut mids) = (Vec::new(), Vec::new());
        if let Some((codec, agreed)) = &video {
            all.push(described(agreed, 90_000, Format::Video(*codec, None)));
            mids.push(agreed.mid);
        }
        if let (Some(agreed), Ok(track)) = (&audio, opus::track(opus::head(2))) {
            all.push(described(agreed, 48_000, Format::Plain(track)));
            mids.push(agreed.mid);
        }
        let mut ingest = Ingest::new(&all, |_| true, Way::Repaired);
        let mut steps = Vec::new();
        ingest.begin(&mut steps);
        let wanted = Box::pin(publisher.keyframe_wanted());
        Publishes {
            client,
            publisher: Some(publisher),
            ingest,
            video: video.map(|(_, agreed)| agreed.mid),
            mids,
            began: now,
            keyframe: None,
            asked: None,
            lost: 0,
            wanted,
            steps,
        }
    }

    /// A packet of media.
    pub fn packet(&mut self, mid: Option<Mid>, packet: RtpPacket, now: Instant) {
        let Some(place) = mid.and_then(|mid| self.mids.iter().position(|own| *own == mid)) else { return };
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
        let Some(place) = self.mids.iter().position(|own| *own == feedback.mid) else { return };
        let Ok(since) = feedback.sender_info.ntp_time.duration_since(UNIX_EPOCH) else { return };
        let seconds = since.as_secs().wrapping_add(NTP_TO_UNIX) << 32;
        let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
        let timestamp = (feedback.sender_info.rtp_time.numer() & u64::from(u32::MAX)) as u32;
        self.ingest.reported(place, seconds | fraction, timestamp);
    }

    /// Gives the hub what the packets made, and asks for a keyframe if one is due.
    pub fn hand_over(&mut self, peer: &mut Peer, now: Now) {
        if let Some(due) = self.ingest.due()
            && now.mono.saturating_duration_since(self.began) >= due
        {
            self.ingest.finish(&mut self.steps);
        }
        if let Some(publisher) = &self.publisher
            && !self.steps.is_empty()
        {
            for step in self.steps.drain(..) {
                match step {
                    IngestStep::Headers(tracks) => publisher.headers(tracks),
                    IngestStep::Ready => publisher.ready(now),
                    IngestStep::Frame(frame) => {
                        if is_keyframe(&frame) {
                            self.keyframe = Some(now.mono);
                        }
                        publisher.frame(frame, now);
                    }
                    IngestStep::Unannounced { .. } => {}
                }
            }
            publisher.flush(now);
        }
        self.ask(peer, now.mono);
    }

    fn ask(&mut self, peer: &mut Peer, now: Instant) {
        let Some(video) = self.video.filter(|_| peer.connected) else { return };
        let passed =
            |at: Option<Instant>, time| at.is_none_or(|at| now.saturating_duration_since(at) >= time);
        let lost = crate::hub::client::get(&self.client.counters.packets_lost);
        let missing = lost > self.lost;
        let wanted = self.is_wanted();
        let due = passed(self.keyframe, KEYFRAME_EVERY) || missing || wanted;
        if due && passed(self.asked, AGAIN) {
            (self.asked, self.lost) = (Some(now), lost);
            if let Some(stream) = peer.rtc().direct_api().stream_rx_by_mid(video, None) {
                stream.request_keyframe(KeyframeRequestKind::Pli);
            }
        }
    }

    /// Whether a viewer wants a keyframe.
    fn is_wanted(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        let wanted = matches!(self.wanted.as_mut().poll(&mut context), Poll::Ready(()));
        if let (true, Some(publisher)) = (wanted, &self.publisher) {
            self.wanted = Box::pin(publisher.keyframe_wanted());
        }
        wanted
    }

    /// It said that it ends: its viewers are told at once. Otherwise they wait for its return.
    pub fn end(mut self, said: bool) {
        if let Some(publisher) = self.publisher.take().filter(|_| said) {
            publisher.end();
        }
    }
}

fn is_keyframe(frame: &Frame) -> bool {
    frame.keyframe && frame.track.kind() == TrackKind::Video
}
