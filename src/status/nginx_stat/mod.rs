//! nginx-rtmp's `/stat` page as values. Pure: bytes in, a [`Snapshot`] or the reason why not out.
//!
//! The page is read event by event with bounds on depth, names, texts and counts, because what answers at that
//! address may be anything. Unknown elements are skipped whole. An HTML error page is refused by name: read
//! carelessly it would look like a server without streams.

mod page;

use page::{DEEPEST, Page};
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

/// One look at a server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// What the server calls itself: nginx's version, or `msconv-` and that of the server built into msconv.
    pub server: Option<String>,
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
    /// The video, if there is one.
    pub video: Option<VideoMeta>,
    /// The audio, if there is any.
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

/// Video as the server understood it; 0 where it did not.
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

/// Audio as the server understood it.
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
    /// The version of the server built into msconv, if that wrote the page. It is one server behind all endpoints: its
    /// pages have the readers of every protocol, and `/v3` shows the same streams once more.
    pub fn built_in(&self) -> Option<&str> {
        self.server.as_deref()?.strip_prefix("msconv-")
    }

    /// The server in words: `nginx-rtmp 1.1.4`, `msconv-0.1.0`.
    pub fn words(&self) -> String {
        match (self.built_in(), &self.version) {
            (Some(version), _) => format!("msconv-{version}"),
            (None, Some(version)) => format!("nginx-rtmp {version}"),
            (None, None) => "nginx-rtmp".into(),
        }
    }

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

/// A piece of foreign text, short enough for a sentence.
pub(super) fn shortened(text: &str) -> String {
    crate::base::printable::bounded(text, 40)
}

#[cfg(test)]
mod tests;
