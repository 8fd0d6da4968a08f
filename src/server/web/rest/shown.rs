//! Streams as the API shows them.

use super::Api;
use super::addresses::Seen;
use super::caller::Caller;
use super::sources::ShownSource;
use crate::base::clock::rfc3339;
use crate::platform::air::{AirState, Airing, OnAirRendition};
use crate::platform::operators::Scope;
use crate::platform::{ReadPolicy, Stream};
use serde::Serialize;
use utoipa::ToSchema;

/// One rendition that can be watched.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShownRendition {
    /// `720p`; `original` for what the publisher sends.
    label: String,
    /// Pixels; 0 if unknown.
    width: u32,
    /// Pixels; 0 if unknown.
    height: u32,
    /// Bits a second.
    bitrate: u64,
    /// Its playlist.
    url: String,
}

/// A stream.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShownStream {
    /// The id of a registered stream; of any other its name.
    public_id: String,
    /// Its name in addresses.
    slug: String,
    /// Its title.
    name: String,
    /// A few words about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    /// Whether it is registered; any other one is whoever's publishes its name.
    registered: bool,
    /// `waiting`, `live` or `ended`.
    #[schema(value_type = String)]
    state: AirState,
    /// Whether it is in the list for everybody.
    listed: bool,
    /// What ladder it is given: `off`, `auto` or a list; null where the server's setting decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    ladder: Option<String>,
    /// Whether it is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<bool>,
    /// Whether it has a chat.
    chat: bool,
    /// Who may watch: `anyone` or `owner`.
    #[schema(value_type = String)]
    read: ReadPolicy,
    /// When it was registered (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    /// When it was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
    /// Since when it is on the air, or when it was last.
    #[serde(skip_serializing_if = "Option::is_none")]
    live_at: Option<String>,
    /// When it ended last.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    /// When its key stops opening it.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// What the server itself publishes under its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<ShownSource>,
    /// Who watches now.
    viewers: usize,
    /// What can be watched, the best first.
    renditions: Vec<ShownRendition>,
    /// The page of it.
    page: String,
    /// Its playlist.
    hls_url: String,
    /// WebRTC.
    whep_url: String,
    /// RTSP.
    rtsp_url: String,
}

impl ShownStream {
    /// Of a registered stream, as `caller` may see it.
    pub fn registered(
        api: &Api,
        stream: &Stream,
        air: Option<&Airing>,
        seen: &Seen,
        caller: &Caller,
    ) -> ShownStream {
        let inside = caller.owns(stream) || caller.may(Scope::Read) || caller.sees_all();
        let time = |ms: Option<i64>| ms.map(rfc3339);
        ShownStream {
            public_id: stream.public_id.clone(),
            slug: stream.slug.clone(),
            name: stream.name.clone(),
            description: stream.description.clone(),
            registered: true,
            state: AirState::of(stream, air),
            listed: stream.listed,
            ladder: (inside && !stream.ladder.is_empty()).then(|| stream.ladder.clone()),
            record: inside.then_some(stream.record),
            chat: stream.chat,
            read: stream.read,
            created_at: time(Some(stream.created_ms)),
            updated_at: time(Some(stream.updated_ms)).filter(|_| inside),
            live_at: time(air.map(|air| air.since_ms).or(stream.live_ms)),
            ended_at: time(stream.ended_ms).filter(|_| air.is_none()),
            expires_at: time(stream.expires_ms).filter(|_| inside),
            source: ShownSource::of(api, stream, air.is_some()).filter(|_| inside),
            ..ShownStream::open(&stream.slug, air, seen)
        }
    }

    /// Of a name that whoever may publishes.
    pub fn open(name: &str, air: Option<&Airing>, seen: &Seen) -> ShownStream {
        ShownStream {
            public_id: name.into(),
            slug: name.into(),
            name: name.into(),
            description: String::new(),
            registered: false,
            state: if air.is_some() { AirState::Live } else { AirState::Waiting },
            listed: true,
            ladder: None,
            record: None,
            chat: true,
            read: ReadPolicy::Anyone,
            created_at: None,
            updated_at: None,
            live_at: air.map(|air| rfc3339(air.since_ms)),
            ended_at: None,
            expires_at: None,
            source: None,
            viewers: air.map_or(0, |air| air.viewers),
            renditions: air.iter().flat_map(|air| &air.renditions).map(|r| rendition(r, seen)).collect(),
            page: seen.web(&format!("/watch/{name}")),
            hls_url: seen.of_stream(name, "index.m3u8"),
            whep_url: seen.of_stream(name, "whep"),
            rtsp_url: seen.rtsp(name),
        }
    }
}

/// One rendition with its address.
pub fn rendition(rendition: &OnAirRendition, seen: &Seen) -> ShownRendition {
    ShownRendition {
        label: rendition.label.clone(),
        width: rendition.width,
        height: rendition.height,
        bitrate: rendition.bitrate,
        url: seen.of_stream(&rendition.name, "index.m3u8"),
    }
}

/// A part of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Listed<T: ToSchema> {
    /// The items.
    pub items: Vec<T>,
    /// What `after` is for the next part; null behind the last.
    pub next: Option<String>,
}

/// A stream that was registered, with its secrets, which are shown this once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShownRegistered {
    /// What others know it by.
    pub public_id: String,
    /// Its owner's secret.
    pub private_id: String,
    /// Its title.
    pub name: String,
    /// What it is published with.
    pub stream_key: String,
    /// The server in an encoder; the key stands apart, or behind `/`.
    pub rtmp_url: String,
    /// Where it is published over RTSP, key included.
    pub rtsp_url: String,
    /// Where it is published over WebRTC; the key is the Bearer token.
    pub whip_url: String,
    /// Where it is watched over HLS.
    pub hls_url: String,
    /// Its chat.
    pub chat_url: String,
    /// Its page.
    pub page: String,
}
