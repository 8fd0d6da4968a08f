//! nginx-rtmp's `/stat` page as values. Pure: bytes in, a [`Snapshot`] or the reason why not out.
//!
//! The page is read event by event with bounds on depth, names, texts and counts, because what answers at that
//! address may be anything. Unknown elements are skipped whole. An HTML error page is refused by name: read
//! carelessly it would look like a server without streams.

use quick_xml::Reader;
use quick_xml::errors::{Error as XmlError, IllFormedError, SyntaxError};
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

/// Deepest nesting of elements; the real page has eight.
const DEEPEST: usize = 32;
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

/// One look at a server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// What the module calls itself; says 1.1.4 for 1.2.x too, so nothing may depend on it.
    pub version: Option<String>,
    /// The worker process that answered: with several workers each page shows the streams of one only.
    pub pid: Option<u64>,
    /// Seconds since that worker started.
    pub uptime_s: u64,
    /// Every application of every `server` block, in the page's order.
    pub applications: Vec<Application>,
}

/// One RTMP application.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Application {
    /// Its name: `live`.
    pub name: String,
    /// Whether it has `live on`.
    pub live: bool,
    /// Its streams, in the page's order, which is arbitrary.
    pub streams: Vec<StreamStat>,
}

/// One name within an application; not live unless [`StreamStat::publishing`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamStat {
    /// The name; bytes outside printable ASCII were made blanks by the server.
    pub name: String,
    /// Milliseconds since the server made the stream; not reset by a new publisher while players wait.
    pub time_ms: u64,
    /// Bytes taken in since then: the only sign of life that can be trusted.
    pub bytes_in: u64,
    /// Bytes given out since then.
    pub bytes_out: u64,
    /// Bits per second over a closed window of 10 s: 0 for the first 10 s, stale up to 20 s after death.
    pub bw_in_bps: u64,
    /// Somebody publishes.
    pub publishing: bool,
    /// Data came at least once.
    pub active: bool,
    /// Publisher, players and relays, as far as the page lists them.
    pub clients: Vec<Client>,
    /// The server's own count of the same.
    pub nclients: u64,
    /// The picture, if there is one.
    pub video: Option<VideoMeta>,
    /// The sound, if there is any.
    pub audio: Option<AudioMeta>,
}

/// One connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Client {
    /// The connection's number.
    pub id: u64,
    /// Its address, without port.
    pub address: String,
    /// Milliseconds since it connected.
    pub time_ms: u64,
    /// What it calls itself, cut at 31 characters by the server.
    pub flashver: Option<String>,
    /// Frames that it was too slow for.
    pub dropped: u64,
    /// It is the publisher.
    pub publishing: bool,
    /// Data came.
    pub active: bool,
}

/// A picture as the server understood it; 0 where it did not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VideoMeta {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames per second, cut to a whole number by the server.
    pub frame_rate: u32,
    /// `H264`, or absent for what the server does not know.
    pub codec: Option<String>,
    /// `High`, ...
    pub profile: Option<String>,
    /// `4.0`, ...
    pub level: Option<String>,
}

/// A sound as the server understood it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AudioMeta {
    /// `AAC`, ...
    pub codec: Option<String>,
    /// `LC`, ...
    pub profile: Option<String>,
    /// 1 is mono; 0 unknown.
    pub channels: u32,
    /// Hertz; 0 unknown.
    pub sample_rate: u32,
}

/// Why an answer is not a `/stat` page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No bytes, or blanks only.
    #[error("the answer is empty")]
    Empty,
    /// A web page.
    #[error("it answers with a web page, not with the statistics of nginx-rtmp")]
    Html,
    /// XML of something else.
    #[error("it answers with XML of another kind (<{0}>)")]
    WrongRoot(String),
    /// No XML at all.
    #[error("it answers with something that is not XML")]
    NotXml,
    /// The end is missing.
    #[error("the answer is cut off")]
    Truncated,
    /// Another character set than UTF-8.
    #[error("the answer is not UTF-8 text but {0}")]
    Charset(String),
    /// Broken XML.
    #[error("the answer is broken XML at byte {at}: {what}")]
    Malformed {
        /// Offset into the answer.
        at: u64,
        /// What is wrong there.
        what: String,
    },
    /// Nested deeper than any such page.
    #[error("the answer is nested more than {DEEPEST} deep")]
    TooDeep,
    /// A name or a text beyond its bound.
    #[error("the answer holds a {0} that is too long")]
    TooLong(&'static str),
    /// More of something than any server holds.
    #[error("the answer lists too many {0}")]
    TooMany(&'static str),
}

impl Snapshot {
    /// The stream that is being published under this name in this application.
    pub fn stream(&self, application: &str, name: &str) -> Option<&StreamStat> {
        self.applications
            .iter()
            .filter(|a| a.name == application)
            .flat_map(|a| &a.streams)
            .find(|s| s.publishing && s.name == name)
    }
}

impl StreamStat {
    /// The publisher's connection, if the page lists clients.
    pub fn publisher(&self) -> Option<&Client> {
        self.clients.iter().find(|c| c.publishing)
    }
}

/// Where in the page we are. A tag is only ever found under its right parent, so that a `<name>` deep inside
/// something unknown cannot be taken for a stream's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    Rtmp,
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

/// Reads a whole page.
///
/// # Errors
/// One [`ParseError`] per way not to be such a page. Numbers that are none are 0; unknown elements are skipped.
pub fn parse(bytes: &[u8]) -> Result<Snapshot, ParseError> {
    let text = utf8(bytes)?;
    match text.trim_start().chars().next() {
        None => return Err(ParseError::Empty),
        Some('<') => {}
        Some(_) => return Err(ParseError::NotXml),
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut page = Page::default();
    loop {
        let event = reader.read_event().map_err(|e| page.broken(&e, reader.error_position()))?;
        match event {
            Event::Start(tag) => page.open(tag.name().as_ref())?,
            Event::End(_) => page.close(),
            Event::Text(text) => page.add(&text)?,
            Event::CData(text) => page.add(&text)?,
            Event::GeneralRef(reference) => {
                let at = reader.buffer_position();
                let bad = || ParseError::Malformed { at, what: "an unknown entity".into() };
                match reference.resolve_char_ref() {
                    Ok(Some(letter)) => page.add(letter.encode_utf8(&mut [0; 4]))?,
                    Ok(None) => page.add(resolve_predefined_entity(&reference).ok_or_else(bad)?)?,
                    Err(_) => return Err(bad()),
                }
            }
            Event::Decl(declaration) => {
                if let Some(Ok(encoding)) = declaration.encoding()
                    && !["utf-8", "utf8", "us-ascii"].contains(&encoding.to_ascii_lowercase().as_str())
                {
                    return Err(ParseError::Charset(shortened(&encoding)));
                }
            }
            Event::DocType(kind) => {
                let html = kind.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("html"));
                let at = reader.buffer_position();
                let malformed = ParseError::Malformed { at, what: "a document type".into() };
                return Err(if html { ParseError::Html } else { malformed });
            }
            Event::Comment(_) | Event::PI(_) | Event::Empty(_) => {}
            Event::Eof => return page.finish(),
        }
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, ParseError> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(ParseError::Charset("UTF-16".into()));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| match (e.error_len(), declared_charset(bytes)) {
        // The last letter is incomplete: that is an answer cut off, not another character set.
        (None, _) => ParseError::Truncated,
        (Some(_), Some(name)) => ParseError::Charset(name),
        (Some(_), None) => ParseError::Charset("bytes of an unnamed character set".into()),
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// What `<?xml encoding="..."?>` claims, for bytes that cannot be read as text at all.
fn declared_charset(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(bytes.get(..bytes.len().min(200))?).into_owned();
    let (_, rest) = head.split_once("encoding=")?;
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let name = rest.get(1..)?.split(quote).next()?;
    (!name.eq_ignore_ascii_case("utf-8")).then(|| shortened(name))
}

fn shortened(text: &str) -> String {
    crate::base::printable::bounded(text, 40)
}

#[derive(Default)]
struct Page {
    snapshot: Snapshot,
    path: Vec<Tag>,
    text: String,
    streams: usize,
    clients: usize,
    ended: bool,
}

impl Page {
    fn open(&mut self, name: &str) -> Result<(), ParseError> {
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

    fn add(&mut self, text: &str) -> Result<(), ParseError> {
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

    fn close(&mut self) {
        let Some(tag) = self.path.pop() else { return };
        self.ended = self.path.is_empty();
        let text = std::mem::take(&mut self.text);
        match tag {
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
            // An audio-only stream has a <video> of zeros, one without sound an empty <audio>.
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

    fn finish(self) -> Result<Snapshot, ParseError> {
        if self.ended { Ok(self.snapshot) } else { Err(ParseError::Truncated) }
    }

    fn broken(&self, error: &XmlError, at: u64) -> ParseError {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONE: &str = include_str!("../../tests/data/nginx_stat/stat-one.xml");
    const PULLS: &str = include_str!("../../tests/data/nginx_stat/stat-mediamtx-pulls.xml");
    const ODD: &str = include_str!("../../tests/data/nginx_stat/stat-odd-names.xml");

    fn sample(name: &str) -> Snapshot {
        let path = format!("{}/tests/data/nginx_stat/{name}.xml", env!("CARGO_MANIFEST_DIR"));
        parse(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn reads_a_stream_with_everything() {
        let page = parse(PULLS.as_bytes()).unwrap();
        assert_eq!((page.uptime_s, page.pid, page.version.as_deref()), (169, Some(10075), Some("1.1.4")));
        let stream = page.stream("live", "stream1_720p").unwrap();
        assert_eq!((stream.time_ms, stream.bytes_in, stream.bytes_out), (14483, 1517169, 1660708));
        assert_eq!((stream.bw_in_bps, stream.nclients, stream.clients.len()), (909552, 3, 3));
        assert!(stream.publishing && stream.active);
        let publisher = stream.publisher().unwrap();
        assert_eq!((publisher.id, publisher.address.as_str(), publisher.time_ms), (40, "127.0.0.1", 14656));
        assert_eq!(publisher.flashver.as_deref(), Some("FMLE/3.0 (compatible; Lavf59.27"));
        let video = stream.video.as_ref().unwrap();
        assert_eq!((video.width, video.height, video.frame_rate), (1280, 720, 30));
        assert_eq!((video.codec.as_deref(), video.level.as_deref()), (Some("H264"), Some("3.1")));
        let audio = stream.audio.as_ref().unwrap();
        assert_eq!((audio.codec.as_deref(), audio.channels, audio.sample_rate), (Some("AAC"), 1, 44100));
        assert!(page.stream("live", "stream1").is_none());
        assert!(page.stream("other", "stream1_720p").is_none());
    }

    #[test]
    fn every_recorded_page_is_read() {
        let dir = format!("{}/tests/data/nginx_stat", env!("CARGO_MANIFEST_DIR"));
        let mut seen = 0;
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let page = parse(&std::fs::read(&path).unwrap()).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            assert!(page.applications.iter().any(|a| a.name == "live" && a.live), "{path:?}");
            seen += 1;
        }
        assert!(seen >= 20, "{seen} pages");
    }

    #[test]
    fn a_name_is_live_only_with_a_publisher() {
        for name in ["stat-idle", "stat-player-without-publisher", "stat-after-publish-ended"] {
            let page = sample(name);
            assert!(page.applications.iter().flat_map(|a| &a.streams).all(|s| !s.publishing), "{name}");
        }
        let waiting = sample("stat-player-without-publisher");
        assert_eq!(waiting.applications.iter().flat_map(|a| &a.streams).count(), 1);
        let page = sample("stat-four-renditions-plus-other");
        assert_eq!(page.applications.iter().flat_map(|a| &a.streams).filter(|s| s.publishing).count(), 5);
    }

    #[test]
    fn sound_without_picture_and_picture_without_sound() {
        let page = sample("stat-audio-only");
        let stream = page.applications.iter().flat_map(|a| &a.streams).find(|s| s.publishing).unwrap();
        assert!(stream.video.is_none());
        assert_eq!(stream.audio.as_ref().unwrap().codec.as_deref(), Some("AAC"));
        let page = parse(ODD.as_bytes()).unwrap();
        let stream = page.stream("live", "trailing").unwrap();
        assert!(stream.audio.is_none());
        assert_eq!(stream.video.as_ref().unwrap().width, 160);
    }

    #[test]
    fn odd_names_are_unescaped_and_kept_as_they_are() {
        let page = parse(ODD.as_bytes()).unwrap();
        assert!(page.stream("live", "lt<gt>").is_some());
        assert!(page.stream("live", "          ").is_some());
        assert!(page.stream("live", "semi;colon").is_some());
    }

    #[test]
    fn one_error_per_way_to_be_wrong() {
        let wrong = |text: &str| parse(text.as_bytes()).expect_err(text);
        assert_eq!(wrong(""), ParseError::Empty);
        assert_eq!(wrong(" \r\n"), ParseError::Empty);
        assert_eq!(wrong("<!DOCTYPE html><html></html>"), ParseError::Html);
        assert_eq!(wrong("<!doctype HTML PUBLIC \"x\"><p>"), ParseError::Html);
        assert_eq!(wrong("<html>\n<head><title>502 Bad Gateway"), ParseError::Html);
        assert_eq!(wrong("<HTML><BODY>"), ParseError::Html);
        assert_eq!(wrong("<rss version=\"2.0\"></rss>"), ParseError::WrongRoot("rss".into()));
        assert_eq!(wrong("{\"itemCount\":0}"), ParseError::NotXml);
        assert_eq!(wrong("404 page not found"), ParseError::NotXml);
        assert_eq!(wrong("<rtmp><server>"), ParseError::Truncated);
        assert_eq!(wrong("<rtmp></rtmp"), ParseError::Truncated);
        assert!(matches!(wrong("<rtmp></server></rtmp>"), ParseError::Malformed { .. }));
        assert!(matches!(wrong("<rtmp>&evil;</rtmp>"), ParseError::Malformed { .. }));
        assert!(matches!(
            wrong("<!DOCTYPE r [<!ENTITY a \"b\">]><rtmp></rtmp>"),
            ParseError::Malformed { .. }
        ));
        assert!(matches!(wrong("<rtmp></rtmp><rtmp></rtmp>"), ParseError::Malformed { .. }));
        assert!(matches!(wrong("<rtmp></rtmp>x"), ParseError::Malformed { .. }));
        assert_eq!(
            wrong("<?xml version=\"1.0\" encoding=\"windows-1251\"?><rtmp></rtmp>"),
            ParseError::Charset("windows-1251".into())
        );
        assert!(matches!(parse(b"\xff\xfe<\0r\0"), Err(ParseError::Charset(_))));
        assert!(matches!(parse(b"<rtmp>\xe9\xe8</rtmp>"), Err(ParseError::Charset(_))));
        assert_eq!(
            parse(b"<?xml version='1.0' encoding='koi8-r'?><rtmp>\xd0 </rtmp>"),
            Err(ParseError::Charset("koi8-r".into()))
        );
        let nested = format!("<rtmp>{}", "<a>".repeat(100));
        assert_eq!(wrong(&nested), ParseError::TooDeep);
        assert_eq!(
            wrong(&format!("<rtmp><{0}></{0}></rtmp>", "n".repeat(2000))),
            ParseError::TooLong("name")
        );
        assert_eq!(
            wrong(&format!("<rtmp><pid>{}</pid></rtmp>", "1".repeat(70_000))),
            ParseError::TooLong("text")
        );
        let many = format!("<rtmp><server>{}</server></rtmp>", "<application/>".repeat(1_001));
        assert_eq!(wrong(&many), ParseError::TooMany("applications"));
    }

    #[test]
    fn what_is_unknown_is_skipped_whole() {
        let text = "<rtmp><new><server><application><name>x</name></application></server></new>\
                    <server><application><name>live</name><play><stream><name>vod</name></stream></play>\
                    <live><stream future='1'><name>a</name><later><name>b</name></later><publishing/>\
                    <bytes_in>nonsense</bytes_in><time>-5</time></stream></live></application></server></rtmp>";
        let page = parse(text.as_bytes()).unwrap();
        assert_eq!(page.applications.len(), 1);
        let stream = page.stream("live", "a").unwrap();
        assert_eq!((stream.bytes_in, stream.time_ms), (0, 0));
        assert_eq!(page.applications.first().unwrap().streams.len(), 1);
    }

    #[test]
    fn cut_anywhere_it_is_no_page() {
        for text in [ONE, PULLS] {
            let whole = text.trim_end().len();
            for end in 0..whole {
                let error = parse(text.as_bytes().get(..end).unwrap()).expect_err("a page cut off");
                assert!(matches!(error, ParseError::Empty | ParseError::Truncated), "at {end}: {error:?}");
            }
        }
    }

    #[test]
    fn two_thousand_streams() {
        let stream = ONE.split("<stream>").nth(1).unwrap().split("</stream>").next().unwrap();
        let streams: String = (0..2_000)
            .map(|n| {
                let name = format!("<name>s{n}_720p</name>");
                format!("<stream>{}</stream>", stream.replacen("<name>stream1</name>", &name, 1))
            })
            .collect();
        let text = format!(
            "<rtmp><server><application><name>live</name><live>{streams}</live></application></server></rtmp>"
        );
        let page = parse(text.as_bytes()).unwrap();
        assert_eq!(page.applications.first().unwrap().streams.len(), 2_000);
        assert!(page.stream("live", "s1999_720p").is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_page_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn a_damaged_page_is_a_page_or_an_error(at in 0..PULLS.len(), byte in any::<u8>(), cut in any::<bool>()) {
            let mut bytes = PULLS.as_bytes().to_vec();
            if cut { bytes.remove(at); } else { bytes[at] = byte; }
            let _ = parse(&bytes);
        }

        #[test]
        fn any_markup_is_a_page_or_an_error(text in "(<(/?(rtmp|server|application|live|stream|name|client|meta|video)|!\\[CDATA\\[|\\?|!--)?>?|&(amp|#[0-9]{1,9}|x);?|[a-z0-9 ]|\\PC){0,60}") {
            let _ = parse(format!("<rtmp>{text}").as_bytes());
            let _ = parse(text.as_bytes());
        }
    }
}
