//! A track that is away: silence and the last keyframe stand in for it, so that the other goes on at once.
//!
//! Nothing of this looks at a clock. Each track is held against the other one's times: what a track lacks by more than it
//! ever was late is missing. So a source that pauses as a whole pauses, and nobody is shown a picture for hours that
//! nobody sends.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::silence;
use crate::media::MediaTime;
use crate::media::nut::Track;

/// How late audio is taken to come behind video, until it has been seen to come later; and at most.
const LATE: MediaTime = MediaTime::from_millis(300);
const LATEST: MediaTime = MediaTime::from_millis(5_000);
/// What is waited for beyond that.
const MARGIN: MediaTime = MediaTime::from_millis(200);
/// Video is waited for at least so long: what stands in for it costs the frames up to the next keyframe.
const VIDEO: MediaTime = MediaTime::from_millis(1_000);
/// Time between two copies of the last keyframe.
const HELD: MediaTime = MediaTime::from_millis(200);
/// Longest packet of PCM silence.
const PIECE: MediaTime = MediaTime::from_millis(100);
/// Holes and overlaps in audio up to this are left to the resampler, which stretches them away unheard, but not at once:
/// the larger one where packets never lie to the sample.
const EXACT: MediaTime = MediaTime::from_millis(10);
const SMALL: MediaTime = MediaTime::from_millis(60);
/// How long a video frame is taken to be.
const FRAME: MediaTime = MediaTime::from_millis(40);
/// Samples of PCM in a second.
const RATE: u32 = 48_000;

/// Which track a packet is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Video.
    Video,
    /// Audio.
    Audio,
}

/// A packet on the common line of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its track.
    pub kind: Kind,
    /// When it is shown or heard.
    pub at: MediaTime,
    /// How long it is, if that is known.
    pub lasts: Option<MediaTime>,
    /// One can begin here.
    pub key: bool,
    /// It is the first behind a step: what lies between it and the packet before is no jitter of the source's clock.
    pub joins: bool,
    /// The codec's new configuration, from this packet on.
    pub extradata: Option<Vec<u8>>,
    /// The coded bytes.
    pub data: Vec<u8>,
}

/// How audio is carried, and so what silence is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audio {
    /// Nobody wants any.
    None,
    /// As 16 bit samples at 48 kHz, with so many channels.
    Pcm(u8),
    /// In the source's own codec; its track, once it is known.
    Copied(Option<Track>),
}

/// What began or ended to stand in, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// This track is away.
    Lost(Kind),
    /// It is there again.
    Back(Kind),
}

/// The two tracks as they went out.
#[derive(Clone, Debug)]
pub struct Fill {
    video: Option<Video>,
    audio: Audio,
    heard: Heard,
    changes: Vec<Change>,
}

#[derive(Clone, Debug, Default)]
struct Video {
    end: Option<MediaTime>,
    keyframe: Option<Packet>,
    /// The longest distance of two frames lately.
    distance: MediaTime,
    /// Copies stand in: what follows cannot be decoded before the next keyframe.
    held: bool,
}

#[derive(Clone, Debug)]
struct Heard {
    end: Option<MediaTime>,
    late: MediaTime,
    last: Option<Vec<u8>>,
    /// The end of its last packet, and how far packets lie from there on average.
    next: Option<MediaTime>,
    roughness: MediaTime,
    away: bool,
}

impl Video {
    fn patience(&self) -> MediaTime {
        VIDEO.max(self.distance + self.distance + MARGIN)
    }
}

impl Heard {
    fn patience(&self) -> MediaTime {
        self.late + MARGIN
    }

    /// How far this packet may lie from the end of what went out and still be taken for its neighbour. A source whose packets
    /// lie to the sample is held to it; one that counts roughly gets the benefit of the doubt.
    fn tolerance(&mut self, packet: &Packet) -> MediaTime {
        if packet.joins {
            return MediaTime::ZERO;
        }
        let Some(next) = self.next else { return MediaTime::ZERO };
        let off = (packet.at - next).max(next - packet.at);
        let tolerance = (EXACT + self.roughness + self.roughness).min(SMALL);
        let eighth = |time: MediaTime| MediaTime::from_nanos(time.nanos() / 8);
        self.roughness = self.roughness - eighth(self.roughness) + eighth(off.min(SMALL));
        tolerance
    }
}

impl Fill {
    /// Nothing went out yet.
    pub fn new(video: bool, audio: Audio) -> Fill {
        Fill {
            video: video.then(Video::default),
            audio,
            heard: Heard {
                end: None,
                late: LATE,
                last: None,
                next: None,
                roughness: MediaTime::ZERO,
                away: false,
            },
            changes: Vec::new(),
        }
    }

    /// The track that copied audio is in.
    pub fn copied(&mut self, track: Track) {
        if let Audio::Copied(known) = &mut self.audio {
            *known = Some(track);
        }
    }

    /// A packet of the source; what goes out now, itself and what stands in for the other track, is appended.
    pub fn take(&mut self, packet: Packet, out: &mut Vec<Packet>) {
        match packet.kind {
            Kind::Video => self.take_video(packet, out),
            Kind::Audio => self.take_audio(packet, out),
        }
    }

    /// Whether something would stand in for the other track from this packet on.
    pub fn would_begin(&self, packet: &Packet) -> bool {
        match packet.kind {
            Kind::Video => {
                let heard = self.heard.end.unwrap_or(packet.at);
                self.audio != Audio::None
                    && !self.heard.away
                    && packet.at + FRAME - heard > self.heard.patience()
            }
            Kind::Audio => self.video.as_ref().is_some_and(|video| {
                let known = video.end.filter(|_| video.keyframe.is_some() && !video.held);
                known.is_some_and(|end| end < packet.at - video.patience())
            }),
        }
    }

    /// The end of what went out of a track.
    pub fn end(&self, kind: Kind) -> Option<MediaTime> {
        match kind {
            Kind::Video => self.video.as_ref()?.end,
            Kind::Audio => self.heard.end,
        }
    }

    /// What changed since this was asked last.
    pub fn changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    fn take_video(&mut self, packet: Packet, out: &mut Vec<Packet>) {
        let Some(video) = &mut self.video else { return };
        if video.held && !packet.key {
            return;
        }
        if std::mem::take(&mut video.held) {
            self.changes.push(Change::Back(Kind::Video));
        }
        if packet.key {
            let extradata = packet.extradata.clone().or(video.keyframe.take().and_then(|key| key.extradata));
            video.keyframe = Some(Packet { extradata, ..packet.clone() });
        }
        if let Some(end) = video.end {
            let distance = packet.at - end + FRAME;
            video.distance =
                distance.max(video.distance - MediaTime::from_nanos(video.distance.nanos() / 16));
        }
        let end = packet.at + packet.lasts.unwrap_or(FRAME);
        video.end = video.end.max(Some(end));
        let end = video.end.unwrap_or(end);
        let at = packet.at;
        out.push(packet);
        if self.audio == Audio::None {
            return;
        }
        // Audio begins with video, be it silent.
        let heard = *self.heard.end.get_or_insert(at);
        let patience = self.heard.patience();
        if end - heard > patience {
            self.silence(end - patience, out);
            if !std::mem::replace(&mut self.heard.away, true) {
                self.changes.push(Change::Lost(Kind::Audio));
            }
        }
    }

    fn take_audio(&mut self, mut packet: Packet, out: &mut Vec<Packet>) {
        // Nothing is made of audio before the first frame; with both from one moment on, frames lie where they are counted.
        let early = self.video.as_ref().is_some_and(|video| video.end.is_none());
        if self.audio == Audio::None || early {
            return;
        }
        if let Some(seen) = self.video.as_ref().and_then(|video| video.end) {
            let late = (seen - packet.at).min(LATEST);
            self.heard.late = self.heard.late.max(late);
        }
        let lasts = packet.lasts.unwrap_or(MediaTime::from_millis(20));
        if let Some(end) = self.heard.end {
            let small = self.heard.tolerance(&packet);
            if packet.at > end + small {
                self.silence(packet.at, out);
            }
            if end > packet.at + small && !self.cut(&mut packet, end) {
                return;
            }
        }
        if std::mem::take(&mut self.heard.away) {
            self.changes.push(Change::Back(Kind::Audio));
        }
        let end = packet.at + packet.lasts.unwrap_or(lasts);
        self.heard.next = Some(end);
        self.heard.end = self.heard.end.max(Some(end));
        self.heard.last = Some(packet.data.clone()).filter(|_| matches!(self.audio, Audio::Copied(_)));
        out.push(packet);
        self.hold(out);
    }

    /// Takes away what lies before `end`; whether anything is left.
    fn cut(&self, packet: &mut Packet, end: MediaTime) -> bool {
        let Audio::Pcm(channels) = self.audio else { return false };
        let frame = sample_bytes(channels);
        let before = usize::try_from((end - packet.at).in_clock(RATE)).unwrap_or(0).saturating_mul(frame);
        if before >= packet.data.len() {
            return false;
        }
        packet.data.drain(..before);
        packet.lasts = Some(pcm_length(packet.data.len(), channels));
        packet.at = end;
        true
    }

    /// Fills audio with silence up to `until`, as far as its codec has any.
    fn silence(&mut self, until: MediaTime, out: &mut Vec<Packet>) {
        let Some(mut at) = self.heard.end else { return };
        while at < until {
            let (data, lasts) = match &self.audio {
                Audio::Pcm(channels) => {
                    let samples = (until - at).min(PIECE).in_clock(RATE).max(1);
                    let length =
                        usize::try_from(samples).unwrap_or(1).saturating_mul(sample_bytes(*channels));
                    (vec![0; length], MediaTime::from_clock(samples, RATE))
                }
                Audio::Copied(Some(track)) => {
                    let last = self.heard.last.as_deref().unwrap_or_default();
                    let silent = silence::packet(track, last).zip(silence::packet_length(track));
                    let Some((data, lasts)) = silent.filter(|(_, lasts)| at + *lasts <= until) else { break };
                    (data, lasts)
                }
                Audio::None | Audio::Copied(None) => break,
            };
            let packet = Packet {
                kind: Kind::Audio,
                at,
                lasts: Some(lasts),
                key: true,
                joins: false,
                extradata: None,
                data,
            };
            out.push(packet);
            at = at + lasts;
        }
        self.heard.end = Some(match self.audio {
            // Where there is no silence to be had there is a hole, and it is over.
            Audio::Copied(_) if until - at > PIECE => until,
            _ => at,
        });
    }

    /// Holds the last keyframe where video is away.
    fn hold(&mut self, out: &mut Vec<Packet>) {
        let (Some(video), Some(heard)) = (&mut self.video, self.heard.end) else { return };
        let (Some(end), Some(keyframe)) = (video.end, &video.keyframe) else { return };
        let until = heard - video.patience();
        let mut at = end;
        while at < until {
            out.push(Packet { at, ..keyframe.clone() });
            at = at + HELD;
            if !std::mem::replace(&mut video.held, true) {
                self.changes.push(Change::Lost(Kind::Video));
            }
        }
        video.end = Some(at);
    }
}

/// How long `bytes` of PCM are.
pub fn pcm_length(bytes: usize, channels: u8) -> MediaTime {
    let samples = bytes.checked_div(sample_bytes(channels)).unwrap_or(0);
    MediaTime::from_clock(i64::try_from(samples).unwrap_or(i64::MAX), RATE)
}

/// Bytes of one sample of all channels.
fn sample_bytes(channels: u8) -> usize {
    usize::from(channels.max(1)).saturating_mul(2)
}
