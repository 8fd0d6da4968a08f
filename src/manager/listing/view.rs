//! What one look at the servers and at our own records showed.

use super::stream_facts::Movements;
use crate::manager::records::ours::Ours;
use crate::model::{HttpUrl, RtmpUrl, RtspUrl};
use crate::status::mediamtx::Path;
use crate::status::nginx_stat::Snapshot;

/// The web port of our own server.
#[derive(Clone, Debug, PartialEq)]
pub struct WebPort {
    /// Where it is.
    pub url: HttpUrl,
    /// The server's first application: pages of its streams need not name it.
    pub usual: String,
}

/// Everything one look showed.
pub struct View<'a> {
    /// The publish endpoint of the settings.
    pub rtmp: &'a RtmpUrl,
    /// The RTSP endpoint of the settings.
    pub rtsp: &'a RtspUrl,
    /// The web port of our own server, if that is who answered.
    pub web: Option<WebPort>,
    /// Where MediaMTX serves HLS, if it answered and does.
    pub mediamtx_web: Option<HttpUrl>,
    /// nginx-rtmp's page, if it answered.
    pub nginx: Option<&'a Snapshot>,
    /// Which names were seen moving.
    pub movements: &'a Movements,
    /// MediaMTX's paths, if it answered.
    pub mediamtx: Option<&'a [Path]>,
    /// Our own streams.
    pub ours: &'a [Ours],
    /// Now, milliseconds since 1970.
    pub now_ms: i64,
    /// Also what is not on the air.
    pub all: bool,
}
