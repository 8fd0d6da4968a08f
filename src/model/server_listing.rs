//! Everything that our server carries, as `list` wants it, in one answer (`GET /msconv/v1/server`). What the two foreign
//! servers say in two answers, and movement, which they show only when they are asked again, stand in this one.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerListing {
    /// The program's version.
    pub version: String,
    /// Its process.
    pub pid: u64,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// The port of its status page.
    pub stat_port: u16,
    /// The port at which viewers get HLS; 0 if there is none.
    #[serde(default)]
    pub web_port: u16,
    /// Whether it is https there.
    #[serde(default)]
    pub web_tls: bool,
    /// The ports of all services that it has, by the services' short names.
    #[serde(default)]
    pub ports: BTreeMap<String, u16>,
    /// The applications, the first one being that of names without one.
    pub applications: Vec<String>,
    /// Published names, and names that readers wait for.
    pub streams: Vec<ListedStream>,
}

/// One name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ListedStream {
    /// The application that it is in.
    pub application: String,
    /// Its name in the application.
    pub name: String,
    /// Milliseconds since the server made it.
    pub age_ms: u64,
    /// Who publishes it; nobody while readers wait.
    pub publisher: Option<ListedPublisher>,
    /// Whether its keyframes stand elsewhere than those of the other renditions, so that HLS serves it by itself.
    #[serde(default)]
    pub apart: bool,
    /// Readers.
    pub readers: u64,
    /// Frames that the readers of this moment were too slow for.
    pub dropped: u64,
    /// Payload bytes received.
    pub bytes_in: u64,
    /// Bytes sent to readers.
    pub bytes_out: u64,
    /// Bits a second received, over the last ten seconds.
    pub bw_in_bps: u64,
    /// Milliseconds since the last frame; none before the first.
    pub silent_ms: Option<u64>,
    /// The video, if there is one.
    pub video: Option<ListedVideo>,
    /// The audio, if there is any.
    pub audio: Option<ListedAudio>,
}

/// Who publishes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedPublisher {
    /// Its address, without port.
    pub address: String,
    /// Milliseconds since it came.
    pub age_ms: u64,
}

/// Video as the server understood it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ListedVideo {
    /// `H264`, as on the status page.
    pub codec: String,
    /// Pixels; 0 if unknown.
    pub width: u32,
    /// Pixels; 0 if unknown.
    pub height: u32,
    /// Frames a second, if known.
    pub frame_rate: Option<f64>,
}

/// Audio as the server understood it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedAudio {
    /// `AAC`, as on the status page.
    pub codec: String,
    /// Samples a second; 0 if unknown.
    pub sample_rate: u32,
    /// Channels; 0 if unknown.
    pub channels: u32,
}
