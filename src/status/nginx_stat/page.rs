//! A `/stat` page while it is read: which element we are in, and where its text goes.

use super::{Application, AudioMeta, Client, ParseError, Snapshot, StreamStat, VideoMeta, shortened};
use quick_xml::errors::{Error as XmlError, IllFormedError, SyntaxError};

/// Deepest nesting of elements; the real page has eight.
pub const DEEPEST: usize = 32;
/// Longest element name, in bytes.
const LONGEST_NAME: usize = 1024;
/// Longest text of one element, in bytes.
const LONGEST_TEXT: usize = 64 * 1024;
/// Most applications of one page.
const MOST_APPLICATIONS: usize = 1_000;
/// Most streams of one page.
const MOST_STREAMS: usize = 50_000;
/// Most clients of one page.
const MOST_CLIENTS: usize = 200_000;

/// Where in the page we are. A tag is only ever found under its right parent, so that a `<name>` deep inside
/// something unknown cannot be taken for a stream's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    Rtmp,
    ServerVersion,
    RtmpVersion,
    Pid,
    Uptime,
    Server,
    Application,
    ApplicationName,
    Live,
    Stream,
    Stat(Stat),
    Client,
    ClientFact(ClientFact),
    Meta,
    Video,
    VideoFact(VideoFact),
    Audio,
    AudioFact(AudioFact),
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stat {
    Name,
    Time,
    BytesIn,
    BytesOut,
    BwIn,
    Clients,
    Publishing,
    Active,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ClientFact {
    Id,
    Address,
    Time,
    Flashver,
    Dropped,
    Publishing,
    Active,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum VideoFact {
    Width,
    Height,
    FrameRate,
    Codec,
    Profile,
    Level,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AudioFact {
    Codec,
    Profile,
    Channels,
    SampleRate,
}

impl Tag {
    fn below(parent: Tag, name: &str) -> Tag {
        match (parent, name) {
            (Tag::Rtmp, "nginx_version") => Tag::ServerVersion,
            (Tag::Rtmp, "nginx_rtmp_version") => Tag::RtmpVersion,
            (Tag::Rtmp, "pid") => Tag::Pid,
            (Tag::Rtmp, "uptime") => Tag::Uptime,
            (Tag::Rtmp, "server") => Tag::Server,
            (Tag::Server, "application") => Tag::Application,
            (Tag::Application, "name") => Tag::ApplicationName,
            (Tag::Application, "live") => Tag::Live,
            (Tag::Live, "stream") => Tag::Stream,
            (Tag::Stream, "name") => Tag::Stat(Stat::Name),
            (Tag::Stream, "time") => Tag::Stat(Stat::Time),
            (Tag::Stream, "bytes_in") => Tag::Stat(Stat::BytesIn),
            (Tag::Stream, "bytes_out") => Tag::Stat(Stat::BytesOut),
            (Tag::Stream, "bw_in") => Tag::Stat(Stat::BwIn),
            (Tag::Stream, "nclients") => Tag::Stat(Stat::Clients),
            (Tag::Stream, "publishing") => Tag::Stat(Stat::Publishing),
            (Tag::Stream, "active") => Tag::Stat(Stat::Active),
            (Tag::Stream, "client") => Tag::Client,
            (Tag::Stream, "meta") => Tag::Meta,
            (Tag::Client, "id") => Tag::ClientFact(ClientFact::Id),
            (Tag::Client, "address") => Tag::ClientFact(ClientFact::Address),
            (Tag::Client, "time") => Tag::ClientFact(ClientFact::Time),
            (Tag::Client, "flashver") => Tag::ClientFact(ClientFact::Flashver),
            (Tag::Client, "dropped") => Tag::ClientFact(ClientFact::Dropped),
            (Tag::Client, "publishing") => Tag::ClientFact(ClientFact::Publishing),
            (Tag::Client, "active") => Tag::ClientFact(ClientFact::Active),
            (Tag::Meta, "video") => Tag::Video,
            (Tag::Video, "width") => Tag::VideoFact(VideoFact::Width),
            (Tag::Video, "height") => Tag::VideoFact(VideoFact::Height),
            (Tag::Video, "frame_rate") => Tag::VideoFact(VideoFact::FrameRate),
            (Tag::Video, "codec") => Tag::VideoFact(VideoFact::Codec),
            (Tag::Video, "profile") => Tag::VideoFact(VideoFact::Profile),
            (Tag::Video, "level") => Tag::VideoFact(VideoFact::Level),
            (Tag::Meta, "audio") => Tag::Audio,
            (Tag::Audio, "codec") => Tag::AudioFact(AudioFact::Codec),
            (Tag::Audio, "profile") => Tag::AudioFact(AudioFact::Profile),
            (Tag::Audio, "channels") => Tag::AudioFact(AudioFact::Channels),
            (Tag::Audio, "sample_rate") => Tag::AudioFact(AudioFact::SampleRate),
            _ => Tag::Unknown,
        }
    }
}

/// What was read so far.
#[derive(Default)]
pub struct Page {
    snapshot: Snapshot,
    path: Vec<Tag>,
    text: String,
    streams: usize,
    clients: usize,
    ended: bool,
}

impl Page {
    /// An element begins.
    ///
    /// # Errors
    /// A root of another kind, and everything beyond its bound.
    pub fn open(&mut self, name: &str) -> Result<(), ParseError> {
        if name.len() > LONGEST_NAME {
            return Err(ParseError::TooLong("name"));
        }
        if self.path.len() >= DEEPEST {
            return Err(ParseError::TooDeep);
        }
        let tag = match self.path.last() {
            Some(parent) => Tag::below(*parent, name),
            None if self.ended => {
                return Err(ParseError::Malformed { at: 0, what: "a second root element".into() });
            }
            None if name == "rtmp" => Tag::Rtmp,
            None if ["html", "head", "body", "center"].iter().any(|h| name.eq_ignore_ascii_case(h)) => {
                return Err(ParseError::Html);
            }
            None => return Err(ParseError::WrongRoot(shortened(name))),
        };
        self.text.clear();
        match tag {
            Tag::Application => {
                if self.snapshot.applications.len() >= MOST_APPLICATIONS {
                    return Err(ParseError::TooMany("applications"));
                }
                self.snapshot.applications.push(Application::default());
            }
            Tag::Live => {
                if let Some(application) = self.snapshot.applications.last_mut() {
                    application.live = true;
                }
            }
            Tag::Stream => {
                self.streams = self.streams.saturating_add(1);
                if self.streams > MOST_STREAMS {
                    return Err(ParseError::TooMany("streams"));
                }
                if let Some(application) = self.snapshot.applications.last_mut() {
                    application.streams.push(StreamStat::default());
                }
            }
            Tag::Client => {
                self.clients = self.clients.saturating_add(1);
                if self.clients > MOST_CLIENTS {
                    return Err(ParseError::TooMany("clients"));
                }
                if let Some(stream) = self.stream() {
                    stream.clients.push(Client::default());
                }
            }
            Tag::Video => {
                if let Some(stream) = self.stream() {
                    stream.video = Some(VideoMeta::default());
                }
            }
            Tag::Audio => {
                if let Some(stream) = self.stream() {
                    stream.audio = Some(AudioMeta::default());
                }
            }
            _ => {}
        }
        self.path.push(tag);
        Ok(())
    }

    /// Text of the element we are in.
    ///
    /// # Errors
    /// Text outside the root element, or beyond its bound.
    pub fn add(&mut self, text: &str) -> Result<(), ParseError> {
        match self.path.last() {
            None if text.trim().is_empty() => Ok(()),
            None => Err(ParseError::Malformed { at: 0, what: "text outside the root element".into() }),
            Some(_) if self.text.len().saturating_add(text.len()) > LONGEST_TEXT => {
                Err(ParseError::TooLong("text"))
            }
            Some(Tag::Unknown) => Ok(()),
            Some(_) => {
                self.text.push_str(text);
                Ok(())
            }
        }
    }

    /// The element ends.
    pub fn close(&mut self) {
        let Some(tag) = self.path.pop() else { return };
        self.ended = self.path.is_empty();
        let text = std::mem::take(&mut self.text);
        match tag {
            Tag::ServerVersion => self.snapshot.server = filled(&text),
            Tag::RtmpVersion => self.snapshot.version = filled(&text),
            Tag::Pid => self.snapshot.pid = text.trim().parse().ok(),
            Tag::Uptime => self.snapshot.uptime_s = number(&text),
            Tag::ApplicationName => {
                if let Some(application) = self.snapshot.applications.last_mut() {
                    application.name = text;
                }
            }
            Tag::Stat(fact) => {
                if let Some(stream) = self.stream() {
                    stream.set(fact, text);
                }
            }
            Tag::ClientFact(fact) => {
                if let Some(client) = self.stream().and_then(|s| s.clients.last_mut()) {
                    client.set(fact, &text);
                }
            }
            Tag::VideoFact(fact) => {
                if let Some(video) = self.stream().and_then(|s| s.video.as_mut()) {
                    video.set(fact, &text);
                }
            }
            Tag::AudioFact(fact) => {
                if let Some(audio) = self.stream().and_then(|s| s.audio.as_mut()) {
                    audio.set(fact, &text);
                }
            }
            // An audio-only stream has a <video> of zeros, one without audio an empty <audio>.
            Tag::Meta => {
                if let Some(stream) = self.stream() {
                    stream.video.take_if(|v| v.codec.is_none() && v.width == 0);
                    stream.audio.take_if(|a| a.codec.is_none() && a.sample_rate == 0);
                }
            }
            _ => {}
        }
    }

    fn stream(&mut self) -> Option<&mut StreamStat> {
        self.snapshot.applications.last_mut()?.streams.last_mut()
    }

    /// The page ends.
    ///
    /// # Errors
    /// Truncated, if the root element has not ended.
    pub fn finish(self) -> Result<Snapshot, ParseError> {
        if self.ended { Ok(self.snapshot) } else { Err(ParseError::Truncated) }
    }

    /// What a fault of the reader means.
    pub fn broken(&self, error: &XmlError, at: u64) -> ParseError {
        match error {
            XmlError::Syntax(SyntaxError::InvalidBangMarkup) => {
                ParseError::Malformed { at, what: "an unknown declaration".into() }
            }
            // What remains of syntax errors are things whose end was not found.
            XmlError::Syntax(_)
            | XmlError::IllFormed(IllFormedError::MissingEndTag(_) | IllFormedError::UnclosedReference) => {
                ParseError::Truncated
            }
            other => {
                ParseError::Malformed { at, what: crate::base::printable::bounded(&other.to_string(), 120) }
            }
        }
    }
}

impl StreamStat {
    fn set(&mut self, fact: Stat, text: String) {
        match fact {
            // Not trimmed: a name of blanks is what the server makes of a name in Cyrillic.
            Stat::Name => self.name = text,
            Stat::Time => self.time_ms = number(&text),
            Stat::BytesIn => self.bytes_in = number(&text),
            Stat::BytesOut => self.bytes_out = number(&text),
            Stat::BwIn => self.bw_in_bps = number(&text),
            Stat::Clients => self.nclients = number(&text),
            Stat::Publishing => self.publishing = true,
            Stat::Active => self.active = true,
        }
    }
}

impl Client {
    fn set(&mut self, fact: ClientFact, text: &str) {
        match fact {
            ClientFact::Id => self.id = number(text),
            ClientFact::Address => self.address = text.trim().to_string(),
            ClientFact::Time => self.time_ms = number(text),
            ClientFact::Flashver => self.flashver = filled(text),
            ClientFact::Dropped => self.dropped = number(text),
            ClientFact::Publishing => self.publishing = true,
            ClientFact::Active => self.active = true,
        }
    }
}

impl VideoMeta {
    fn set(&mut self, fact: VideoFact, text: &str) {
        match fact {
            VideoFact::Width => self.width = small(text),
            VideoFact::Height => self.height = small(text),
            VideoFact::FrameRate => self.frame_rate = small(text),
            VideoFact::Codec => self.codec = filled(text),
            VideoFact::Profile => self.profile = filled(text),
            VideoFact::Level => self.level = filled(text),
        }
    }
}

impl AudioMeta {
    fn set(&mut self, fact: AudioFact, text: &str) {
        match fact {
            AudioFact::Codec => self.codec = filled(text),
            AudioFact::Profile => self.profile = filled(text),
            AudioFact::Channels => self.channels = small(text),
            AudioFact::SampleRate => self.sample_rate = small(text),
        }
    }
}

fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_string())
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or(0)
}

fn small(text: &str) -> u32 {
    text.trim().parse().unwrap_or(0)
}
