//! The description that a publisher announces (or a server gives our client): which tracks come, in which payload
//! formats. What cannot be carried is left out, each track with its reason. What is not needed is passed over
//! ([`super::sdp_lines`]).

mod formats;

use super::sdp_lines::{Attributes, Description, MOST_MEDIA, Media};
use crate::base::printable::bounded;
use crate::media::rtp::CLOCK_90K;
use crate::media::rtp::unpack::audio::AuHeaders;
use crate::media::rtp::unpack::latm;
use crate::media::{AudioTrack, MOST_OF_A_KIND, TrackId, TrackKind, VideoCodec, VideoTrack};

/// One `m=` line.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// Its control URL as it stands there, empty if it has none.
    pub control: String,
    /// The payload type of its packets.
    pub payload_type: u8,
    /// Ticks a second of its RTP time.
    pub clock: u32,
    /// What comes.
    pub format: Format,
}

/// What the packets of a track carry.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// Video; the track if the description has its parameter sets.
    Video(VideoCodec, Option<VideoTrack>),
    /// AAC, and how its headers are laid out.
    Aac(AudioTrack, AuHeaders),
    /// AAC in LATM.
    Latm(latm::Described),
    /// MPEG audio: rate and channels stand in its frames.
    Mpeg,
    /// Opus or G.711.
    Plain(AudioTrack),
    /// What is not carried: it may be set up and sent, and is thrown away.
    LeftOut(LeftOut),
}

impl Format {
    /// Of which kind; `None` for what is not carried.
    pub fn kind(&self) -> Option<TrackKind> {
        match self {
            Format::Video(..) => Some(TrackKind::Video),
            Format::Aac(..) | Format::Latm(_) | Format::Mpeg | Format::Plain(_) => Some(TrackKind::Audio),
            Format::LeftOut(_) => None,
        }
    }
}

/// Why a track is left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A codec that is not carried.
    #[error("{0} is not carried")]
    Codec(String),
    /// Nothing says what comes.
    #[error("payload type {0} has no rtpmap")]
    NoMap(u8),
    /// Nothing says by which packets it comes.
    #[error("it names no payload type")]
    NoPayloadType,
    /// Something about a codec that is carried.
    #[error("{0}")]
    Parameters(String),
    /// Too many of its kind are carried.
    #[error("a stream has at most {MOST_OF_A_KIND} tracks of {0}")]
    TooMany(String),
    /// It leads to whoever announces it, as cameras with a loudspeaker describe it (ONVIF Streaming, 5.3).
    #[error("it is a way back to the device")]
    WayBack,
    /// It says itself that nothing comes.
    #[error("it is inactive")]
    Inactive,
    /// It would be encrypted.
    #[error("SRTP ({0}) is not carried; use RTP/AVP")]
    Encrypted(String),
    /// Neither video nor audio.
    #[error("{0} is not carried, only video and audio")]
    Data(String),
}

/// A track that is left out, by its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("track {track} ({kind}): {reason}")]
pub struct LeftOut {
    /// Its place in the description, from 1.
    pub track: usize,
    /// `audio`, `video`, `application`; may hold anything printable.
    pub kind: String,
    /// Why.
    pub reason: Reason,
}

/// Why a description is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no description.
    #[error("there is no description: neither v=0 nor an m= line stands in it")]
    Unreadable,
    /// Nobody has so many.
    #[error("the description has more than {MOST_MEDIA} tracks")]
    TooMany,
    /// It has no tracks.
    #[error("the description has neither video nor audio")]
    Nothing,
    /// It has none that is carried.
    #[error("{}; publish H264 or H265 with AAC, Opus, MP3 or G.711", words(.0))]
    NotCarried(Vec<LeftOut>),
}

/// The reason alone for one track, which track as well for several.
fn words(all: &[LeftOut]) -> String {
    match all {
        [only] => only.reason.to_string(),
        all => list(all),
    }
}

/// All of them in one line.
pub fn list(all: &[LeftOut]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The tracks that are left out.
pub fn left_out(tracks: &[Described]) -> Vec<LeftOut> {
    let one = |described: &Described| match &described.format {
        Format::LeftOut(left_out) => Some(left_out.clone()),
        _ => None,
    };
    tracks.iter().filter_map(one).collect()
}

/// Which track of the stream each one is: of each kind they are counted in their order. `None` for those that are left out.
pub fn ids(tracks: &[Described]) -> Vec<Option<TrackId>> {
    let (mut videos, mut audios) = (0.., 0..);
    let id = |one: &Described| {
        let kind = one.format.kind()?;
        let index = if kind == TrackKind::Video { videos.next() } else { audios.next() };
        TrackId::new(kind, index?)
    };
    tracks.iter().map(id).collect()
}

/// Reads a description: all of its tracks in their order, of which at most [`MOST_OF_A_KIND`] of video and as many of
/// audio are carried.
///
/// # Errors
/// Why it is refused.
pub fn read(body: &[u8]) -> Result<Vec<Described>, Refused> {
    let description = Description::read(body).ok_or(Refused::Unreadable)?;
    if description.more {
        return Err(Refused::TooMany);
    }
    let directions: Vec<_> =
        description.media.iter().map(|m| direction(&description.attributes, m)).collect();
    let back = back(&description.media, &directions);
    let mut carried: Vec<&str> = Vec::new();
    let mut tracks = Vec::new();
    for (place, (media, direction)) in description.media.iter().zip(directions).enumerate() {
        let kind = bounded(&media.kind, 20);
        let found = if direction.is_some() && direction == back {
            Err(Reason::WayBack)
        } else if direction == Some(Direction::Inactive) {
            Err(Reason::Inactive)
        } else if carried.iter().filter(|carried| **carried == media.kind).count() >= MOST_OF_A_KIND {
            Err(Reason::TooMany(kind.clone()))
        } else {
            formats::read(media, &description.media)
        };
        let (payload_type, clock, format) = match found {
            Ok(found) => {
                carried.push(&media.kind);
                found
            }
            Err(reason) => {
                let payload_type = media.formats.first().copied().unwrap_or(127);
                let left_out = LeftOut { track: place.saturating_add(1), kind, reason };
                (payload_type, CLOCK_90K, Format::LeftOut(left_out))
            }
        };
        let control = media.attributes.first("control").unwrap_or_default().to_string();
        tracks.push(Described { control, payload_type, clock, format });
    }
    if !carried.is_empty() {
        return Ok(tracks);
    }
    let mut left_out = left_out(&tracks);
    if left_out.iter().any(|one| !matches!(one.reason, Reason::Data(_))) {
        left_out.retain(|one| !matches!(one.reason, Reason::Data(_)));
        return Err(Refused::NotCarried(left_out));
    }
    Err(Refused::Nothing)
}

/// Which way a track goes (RFC 8866, 6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Send,
    Receive,
    Both,
    Inactive,
}

/// What a track says, or the whole description.
fn direction(session: &Attributes, media: &Media) -> Option<Direction> {
    let said = |attributes: &Attributes| {
        let all = [
            ("sendonly", Direction::Send),
            ("recvonly", Direction::Receive),
            ("sendrecv", Direction::Both),
            ("inactive", Direction::Inactive),
        ];
        all.into_iter().find(|(name, _)| attributes.has(name)).map(|(_, direction)| direction)
    };
    said(&media.attributes).or_else(|| said(session))
}

/// The direction of ways back to the device. Devices describe what they send as `recvonly` (what the client does) and
/// publishers as `sendonly` (what they do), and most say nothing; so it is the opposite of what the video says, and where
/// that says nothing `sendonly` beside `recvonly`.
fn back(media: &[Media], directions: &[Option<Direction>]) -> Option<Direction> {
    let one_way = |d: &Option<Direction>| matches!(d, Some(Direction::Send | Direction::Receive));
    let mut of_video = media.iter().zip(directions).filter(|(m, d)| m.kind == "video" && one_way(d));
    match of_video.next().and_then(|(_, d)| *d) {
        Some(Direction::Send) => Some(Direction::Receive),
        Some(_) => Some(Direction::Send),
        None => directions.contains(&Some(Direction::Receive)).then_some(Direction::Send),
    }
}

#[cfg(test)]
mod tests;
