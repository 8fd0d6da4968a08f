//! What a client says of itself. It is passed on to whoever decides elsewhere; nothing here believes it.

use crate::base::secret::Secret;

/// See the module. All of it may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// `flashVer` (RTMP) or User-Agent.
    pub agent: String,
    /// The URL that it came by: `tcUrl` of RTMP, the stream's URL of RTSP, the page's address over HTTP. It may hold secrets.
    pub url: Secret,
    /// The page that it stands on (`pageUrl`, `Referer`).
    pub page: String,
    /// The program on that page (`swfUrl`).
    pub player: String,
    /// The port of its connection; 0 if unknown.
    pub port: u16,
}
