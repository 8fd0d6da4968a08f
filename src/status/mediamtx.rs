//! MediaMTX's `/v3` API as values: which paths it has, which of them are ready, and who reads them.
//!
//! Old and new names of a field are both read (the API renamed most of them between 1.14 and 1.20), unknown ones are
//! ignored, and `null` is as good as absent.

use super::SourceError;
use super::fetch::{Client, FetchError};
use crate::base::clock::parse_stamp;
use crate::model::HttpUrl;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// Most pages that are followed.
const MOST_PAGES: u64 = 200;
/// Paths asked for in one page.
const PAGE: u64 = 500;
/// How often the walk begins again when the list changes under it.
const MOST_WALKS: usize = 3;

/// `/v3/info`, which exists from version 1.15.2 on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Info {
    /// `v1.20.1`.
    #[serde(default)]
    pub version: String,
    /// When it started, RFC 3339.
    #[serde(default)]
    pub started: String,
}

/// One path that somebody publishes to or reads from. On-demand paths that nobody reads are not listed by the server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Path {
    /// `stream1_720p`, or `live/stream1_720p`: the two are different paths.
    pub name: String,
    /// Media flows: the only sign of being live. (`online` is also true for names that nobody publishes.)
    pub ready: bool,
    /// Since when, milliseconds since 1970.
    pub ready_since_ms: Option<i64>,
    /// How the media comes: `rtmpSource` (pulled by the server), `rtspSession` (published to it), ...
    pub source: Option<String>,
    /// People reading; the server's own muxers and hidden readers are not among them.
    pub readers: u64,
    /// Bytes taken in.
    pub bytes_in: u64,
    /// Its tracks.
    pub tracks: Vec<Track>,
}

/// One track, as far as the server knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Track {
    /// `H264`, `MPEG-4 Audio`, ...
    pub codec: String,
    /// Pixels, for video of a known size.
    pub size: Option<(u32, u32)>,
    /// Hertz.
    pub sample_rate: Option<u32>,
    /// 1 is mono.
    pub channels: Option<u32>,
}

/// Why an answer is none of MediaMTX's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No bytes.
    #[error("the answer is empty")]
    Empty,
    /// A web page.
    #[error("it answers with a web page, not with the API of MediaMTX")]
    Html,
    /// Cut off.
    #[error("the answer is cut off")]
    Truncated,
    /// Not JSON.
    #[error("it answers with something that is not JSON")]
    NotJson,
    /// JSON of something else.
    #[error("it answers with JSON of another kind")]
    WrongShape,
    /// More than we follow.
    #[error("it lists more than {} paths", MOST_PAGES * PAGE)]
    TooMany,
}

impl Path {
    /// Whether the server pulls this path from an RTMP server: such a pull is a client there, but no viewer.
    pub fn pulled_over_rtmp(&self) -> bool {
        self.ready && self.source.as_deref() == Some("rtmpSource")
    }
}

/// Asks for the version.
///
/// # Errors
/// As for any source; 404 from versions before 1.15.2.
pub async fn info(client: &Client, url: &HttpUrl) -> Result<Info, SourceError> {
    Ok(json(&client.get(url, "/v3/info").await?)?)
}

/// `/v3/config/global/get`, as far as it says where HLS is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Global {
    /// Whether it serves HLS.
    hls: bool,
    /// Where: `:8888`.
    hls_address: String,
    /// Whether over TLS.
    hls_encryption: bool,
}

impl Global {
    /// The port of HLS and whether it is https there, if it is served.
    pub fn hls(&self) -> Option<(u16, bool)> {
        let port = self.hls_address.rsplit_once(':').and_then(|(_, port)| port.parse().ok())?;
        self.hls.then_some((port, self.hls_encryption))
    }
}

/// Asks for the settings of the whole server.
///
/// # Errors
/// As for any source.
pub async fn global(client: &Client, url: &HttpUrl) -> Result<Global, SourceError> {
    Ok(json(&client.get(url, "/v3/config/global/get").await?)?)
}

/// Asks for every path, page by page, all within the client's time limit for one answer.
///
/// # Errors
/// The reason in plain words; see [`FetchError`] and [`ParseError`].
pub async fn paths(client: &Client, url: &HttpUrl) -> Result<Vec<Path>, SourceError> {
    let limit = client.limits().total;
    match tokio::time::timeout(limit, walks(client, url)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(FetchError::TimedOut(limit).into()),
    }
}

/// Walks the pages. A list that changes meanwhile shifts its items over the page borders, so the walk begins again; one
/// that never rests is taken as the union of what was seen.
async fn walks(client: &Client, url: &HttpUrl) -> Result<Vec<Path>, SourceError> {
    let mut seen = BTreeMap::new();
    for _ in 0..MOST_WALKS {
        if walk(client, url, &mut seen).await? {
            break;
        }
    }
    Ok(seen.into_values().collect())
}

/// One walk over all pages; false if the number of paths changed on the way. A name seen twice keeps its later state.
async fn walk(
    client: &Client,
    url: &HttpUrl,
    seen: &mut BTreeMap<String, Path>,
) -> Result<bool, SourceError> {
    let mut found = BTreeMap::new();
    let mut first_count = None;
    let mut page = 0u64;
    loop {
        let tail = format!("/v3/paths/list?itemsPerPage={PAGE}&page={page}");
        let listed = parse_page(&client.get(url, &tail).await?)?;
        let count = *first_count.get_or_insert(listed.item_count);
        found.extend(listed.paths.into_iter().map(|p| (p.name.clone(), p)));
        if count != listed.item_count {
            seen.extend(found);
            return Ok(false);
        }
        page = page.saturating_add(1);
        if page >= listed.page_count {
            *seen = found;
            return Ok(true);
        }
        if page >= MOST_PAGES {
            return Err(ParseError::TooMany.into());
        }
    }
}

/// One page of `/v3/paths/list`.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Paths on all pages.
    pub item_count: u64,
    /// Number of pages, 0 for an empty list.
    pub page_count: u64,
    /// The paths of this page.
    pub paths: Vec<Path>,
}

/// Reads one page.
///
/// # Errors
/// One [`ParseError`] per way not to be such a page.
pub fn parse_page(bytes: &[u8]) -> Result<Page, ParseError> {
    let wire: WirePage = json(bytes)?;
    let items = match wire.items {
        Some(items) => items,
        // An empty list may be null, but an answer without any count is of another kind ({"status":"error"}).
        None if wire.item_count.is_some() || wire.page_count.is_some() => Vec::new(),
        None => return Err(ParseError::WrongShape),
    };
    Ok(Page {
        item_count: wire.item_count.unwrap_or(items.len() as u64),
        page_count: wire.page_count.unwrap_or(1),
        paths: items.into_iter().map(Path::from).collect(),
    })
}

fn json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, ParseError> {
    let first = bytes.iter().find(|b| !b.is_ascii_whitespace());
    match first {
        None => return Err(ParseError::Empty),
        Some(b'<') => return Err(ParseError::Html),
        Some(b'{') => {}
        Some(_) => return Err(ParseError::NotJson),
    }
    serde_json::from_slice(bytes).map_err(|e| match e.classify() {
        serde_json::error::Category::Eof => ParseError::Truncated,
        serde_json::error::Category::Data => ParseError::WrongShape,
        _ => ParseError::NotJson,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePage {
    item_count: Option<u64>,
    page_count: Option<u64>,
    items: Option<Vec<WirePath>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WirePath {
    name: String,
    ready: Option<bool>,
    available: Option<bool>,
    ready_time: Option<String>,
    available_time: Option<String>,
    source: Option<WireSource>,
    #[serde(deserialize_with = "lenient")]
    tracks: Vec<serde_json::Value>,
    #[serde(deserialize_with = "lenient")]
    tracks2: Vec<WireTrack>,
    #[serde(deserialize_with = "lenient")]
    readers: Vec<WireSource>,
    inbound_bytes: Option<u64>,
    bytes_received: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireSource {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireTrack {
    codec: String,
    codec_props: Option<WireProps>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireProps {
    width: Option<u32>,
    height: Option<u32>,
    sample_rate: Option<u32>,
    channel_count: Option<u32>,
}

/// A list that may be `null`.
fn lenient<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

impl From<WirePath> for Path {
    fn from(wire: WirePath) -> Path {
        let tracks: Vec<Track> = if wire.tracks2.is_empty() {
            let names = wire.tracks.iter().filter_map(|t| t.as_str());
            names.map(|codec| Track { codec: codec.to_string(), ..Track::default() }).collect()
        } else {
            wire.tracks2.into_iter().map(Track::from).collect()
        };
        let ready = wire.ready.or(wire.available).unwrap_or(false);
        let since = wire.ready_time.or(wire.available_time);
        Path {
            name: wire.name,
            ready,
            ready_since_ms: since.as_deref().and_then(parse_stamp).filter(|ms| ready && *ms > 0),
            source: wire.source.map(|s| s.kind),
            readers: wire.readers.iter().filter(|r| !matches!(r.kind.as_str(), "hidden" | "hlsMuxer")).count()
                as u64,
            bytes_in: wire.inbound_bytes.or(wire.bytes_received).unwrap_or(0),
            tracks,
        }
    }
}

impl From<WireTrack> for Track {
    fn from(wire: WireTrack) -> Track {
        let props = wire.codec_props.unwrap_or_default();
        Track {
            codec: wire.codec,
            size: props.width.zip(props.height).filter(|(w, h)| *w > 0 && *h > 0),
            sample_rate: props.sample_rate.filter(|n| *n > 0),
            channels: props.channel_count.filter(|n| *n > 0),
        }
    }
}

#[cfg(test)]
#[path = "mediamtx_tests.rs"]
mod tests;
