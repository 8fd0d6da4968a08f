//! What an offer asks for (SDP, RFC 8866 and 9429), read before anything is built for it: its lines of media and the codecs
//! of each, and which of them fits a track. Pure.

use crate::media::{VideoCodec, VideoTrack};

/// The longest offer, in bytes. Chromium's with everything that it can has 12 kB.
pub const LONGEST: usize = 64 << 10;
/// Most lines of media: one of video, one of audio, and one of data that is left unused.
const MOST_LINES: usize = 3;
/// The longest name of a line that can be carried in a packet (RFC 8285, one byte of head).
const LONGEST_NAME: usize = 16;
/// Most payload types of one line.
const MOST_CODECS: usize = 128;

/// Why an offer cannot be answered, in words for its sender.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOffer {
    /// Longer than [`LONGEST`].
    #[error("the offer is longer than 64 kB")]
    Long,
    /// No SDP.
    #[error("the offer is no SDP: it does not begin with v=0")]
    NoSdp,
    /// Neither video nor audio.
    #[error("the offer has no line of video or audio")]
    NoMedia,
    /// Two lines of one kind, or many lines.
    #[error("the offer has more than one line of {0}")]
    Twice(&'static str),
    /// It lacks what a connection needs.
    #[error("the offer has no {0}")]
    Lacks(&'static str),
    /// Its direction is another one's.
    #[error("{0}")]
    Direction(&'static str),
    /// What reads it in full cannot.
    #[error("the offer cannot be read: {0}")]
    Unreadable(String),
}

/// A kind of line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `m=video`
    Video,
    /// `m=audio`
    Audio,
    /// Anything else.
    Other,
}

/// A line of media.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Its name (RFC 9143).
    pub mid: String,
    /// Whether the sender of the offer sends it.
    pub sends: bool,
    /// Whether it takes it.
    pub receives: bool,
    /// What it offers, most wanted first.
    pub codecs: Vec<Codec>,
    /// Names of the layers that it sends at once (RFC 8853), largest first as a rule.
    pub layers: Vec<String>,
    /// Whether its port says that it is not wanted.
    refused: bool,
}

/// A payload type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codec {
    /// Its number, below 128.
    pub payload_type: u8,
    /// The number of its repairs (RFC 4588), if it has one.
    pub repair: Option<u8>,
    /// Its name in capitals: `H264`.
    pub name: String,
    /// Ticks a second.
    pub clock_rate: u32,
    /// Channels, 1 if it says nothing.
    pub channels: u8,
    /// Its parameters as they stand.
    pub parameters: String,
}

/// An offer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Its video.
    pub video: Option<Line>,
    /// Its audio.
    pub audio: Option<Line>,
    /// The sender's ICE name.
    pub ufrag: String,
}

impl Codec {
    /// A parameter by its name, in small letters.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let pairs = self.parameters.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    /// The profile, its constraints and the level of H.264 (RFC 6184, 8.1); 42000a if it says nothing.
    pub fn h264_profile(&self) -> u32 {
        let said = self.parameter("profile-level-id").and_then(|id| u32::from_str_radix(id, 16).ok());
        said.filter(|id| *id < 1 << 24).unwrap_or(0x42_000a)
    }

    /// Whether H.264 may be fragmented (packetization-mode=1).
    pub fn h264_fragments(&self) -> bool {
        self.parameter("packetization-mode") == Some("1")
    }
}

impl Line {
    /// The codec in which `track` can be sent as it is: of H.264 the one whose profile is the track's or as near below it as
    /// there is.
    pub fn fits(&self, track: &VideoTrack) -> Option<&Codec> {
        let name = match track.codec {
            VideoCodec::H264 => return self.h264(track.config.get(1).copied().unwrap_or(0x42)),
            VideoCodec::H265 => "H265",
            VideoCodec::Vp9 => "VP9",
            VideoCodec::Av1 => "AV1",
        };
        self.codecs.iter().find(|codec| codec.name == name && codec.clock_rate == 90_000)
    }

    fn h264(&self, profile: u8) -> Option<&Codec> {
        let fragments = |codec: &&Codec| codec.name == "H264" && codec.h264_fragments();
        let rank = |codec: &Codec| {
            let own = (codec.h264_profile() >> 16) as u8;
            // The track's own, then those below it, then whatever there is: decoders know more than they say.
            match own {
                own if own == profile => 0_u16,
                own if own < profile => u16::from(profile - own),
                own => 256 + u16::from(own),
            }
        };
        // The first of equals, which its sender likes best.
        self.codecs.iter().filter(fragments).min_by_key(|codec| rank(codec))
    }

    /// Opus.
    pub fn opus(&self) -> Option<&Codec> {
        self.codecs
            .iter()
            .find(|codec| codec.name == "OPUS" && codec.clock_rate == 48_000 && codec.channels == 2)
    }

    /// The names of the codecs, each once, for a refusal.
    pub fn names(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for codec in &self.codecs {
            if !names.contains(&codec.name.as_str()) {
                names.push(&codec.name);
            }
        }
        names.join(", ")
    }
}

impl Offer {
    /// Reads an offer.
    ///
    /// # Errors
    /// See [`BadOffer`].
    pub fn read(text: &str) -> Result<Offer, BadOffer> {
        if text.len() > LONGEST {
            return Err(BadOffer::Long);
        }
        let mut lines = text.lines().map(|line| line.trim_end_matches('\r'));
        if lines.next() != Some("v=0") {
            return Err(BadOffer::NoSdp);
        }
        let (mut offer, mut kind, mut count) = (Offer::default(), Kind::Other, 0_usize);
        let mut session = Line { sends: true, receives: true, ..Line::default() };
        let (mut fingerprint, mut in_media) = (false, false);
        for line in lines {
            if let Some(media) = line.strip_prefix("m=") {
                count = count.saturating_add(1);
                in_media = true;
                kind = offer.begin(media, &session)?;
                if count > MOST_LINES {
                    return Err(BadOffer::Twice("media"));
                }
                continue;
            }
            let Some(attribute) = line.strip_prefix("a=") else { continue };
            let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
            fingerprint |= name == "fingerprint";
            if name == "ice-ufrag" && offer.ufrag.is_empty() {
                offer.ufrag = value.to_string();
            }
            let media = match kind {
                Kind::Video => offer.video.as_mut(),
                Kind::Audio => offer.audio.as_mut(),
                Kind::Other => (!in_media).then_some(&mut session),
            };
            if let Some(media) = media {
                media.attribute(name, value);
            }
        }
        for slot in [&mut offer.video, &mut offer.audio] {
            slot.take_if(|line| line.refused);
        }
        if offer.video.is_none() && offer.audio.is_none() {
            return Err(BadOffer::NoMedia);
        }
        match (fingerprint, offer.ufrag.is_empty()) {
            (false, _) => Err(BadOffer::Lacks("fingerprint")),
            (_, true) => Err(BadOffer::Lacks("ice-ufrag")),
            _ => Ok(offer),
        }
    }

    fn begin(&mut self, media: &str, session: &Line) -> Result<Kind, BadOffer> {
        let mut words = media.split_ascii_whitespace();
        let (kind, port) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (slot, kind, name) = match kind {
            "video" => (&mut self.video, Kind::Video, "video"),
            "audio" => (&mut self.audio, Kind::Audio, "audio"),
            _ => return Ok(Kind::Other),
        };
        // Port 0 refuses a line, unless it is there for the port of another one (`bundle-only`, RFC 9143, 6).
        let refused = port == "0";
        match slot {
            Some(_) if refused => return Ok(Kind::Other),
            Some(line) if !line.refused => return Err(BadOffer::Twice(name)),
            _ => {}
        }
        let types = words.skip(1).filter_map(|word| word.parse::<u8>().ok().filter(|number| *number < 128));
        let codec = |payload_type| Codec {
            payload_type,
            repair: None,
            name: String::new(),
            clock_rate: 0,
            channels: 1,
            parameters: String::new(),
        };
        let codecs = types.take(MOST_CODECS).map(codec).collect();
        *slot = Some(Line { codecs, refused, ..session.clone() });
        Ok(kind)
    }
}

impl Line {
    fn attribute(&mut self, name: &str, value: &str) {
        match name {
            "sendrecv" => (self.sends, self.receives) = (true, true),
            "sendonly" => (self.sends, self.receives) = (true, false),
            "recvonly" => (self.sends, self.receives) = (false, true),
            "inactive" => (self.sends, self.receives) = (false, false),
            "bundle-only" => self.refused = false,
            "mid" => self.mid = value.chars().take(LONGEST_NAME).collect(),
            "rtpmap" => self.named(value),
            "fmtp" => self.formatted(value),
            "simulcast" => {
                let sent = value.split_once("send ").map_or("", |(_, rest)| rest);
                let sent = sent.split_ascii_whitespace().next().unwrap_or_default();
                let first = |layer: &str| {
                    layer.split(',').next().unwrap_or_default().trim_start_matches('~').to_string()
                };
                self.layers = sent.split(';').map(first).filter(|layer| !layer.is_empty()).take(8).collect();
            }
            _ => {}
        }
    }

    fn codec(&mut self, payload_type: &str) -> Option<&mut Codec> {
        let number: u8 = payload_type.parse().ok()?;
        self.codecs.iter_mut().find(|codec| codec.payload_type == number)
    }

    /// `96 H264/90000`
    fn named(&mut self, value: &str) {
        let Some((number, rest)) = value.split_once(' ') else { return };
        let Some(codec) = self.codec(number) else { return };
        let mut parts = rest.trim().split('/');
        codec.name = parts.next().unwrap_or_default().to_ascii_uppercase();
        codec.clock_rate = parts.next().and_then(|rate| rate.parse().ok()).unwrap_or(0);
        codec.channels = parts.next().and_then(|channels| channels.parse().ok()).unwrap_or(1);
    }

    /// `96 packetization-mode=1`; of repairs `97 apt=96`.
    fn formatted(&mut self, value: &str) {
        let Some((number, rest)) = value.split_once(' ') else { return };
        if let Some(codec) = self.codec(number) {
            codec.parameters = rest.trim().to_string();
        }
        let Some(repair) = number.parse::<u8>().ok().filter(|number| *number < 128) else { return };
        let Some(of) = rest.trim().strip_prefix("apt=").map(|of| of.split(';').next().unwrap_or_default())
        else {
            return;
        };
        if let Some(codec) = self.codec(of.trim()) {
            codec.repair = Some(repair);
        }
    }
}

#[cfg(test)]
#[path = "offer_tests.rs"]
mod tests;
