//! What is on the air, joined from every server that answered: the shape behind `msconv list`.
//!
//! The serialised form is the promise of `msconv.list/1`; fields are only ever added.

use super::stream_state::State;
use serde::Serialize;

/// Everything that one look at the servers showed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Listing {
    /// The streams, by application and key.
    pub streams: Vec<Stream>,
    /// The servers that were asked.
    pub servers: Vec<Server>,
    /// What a person should know beside the table; not part of the JSON.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// One stream with its renditions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stream {
    /// The stream's name; for streams of other publishers any text that the server reported.
    pub key: String,
    /// The RTMP application it is in.
    pub application: String,
    /// What it is doing.
    pub state: State,
    /// Seconds since it went on the air, if known.
    pub uptime_s: Option<u64>,
    /// People watching, over all renditions and servers.
    pub viewers: u64,
    /// Bits per second into the server, over all renditions, if known.
    pub bitrate_bps: Option<u64>,
    /// Who publishes: an address, or `here`.
    pub from: Option<String>,
    /// What this machine knows of it, if it is ours.
    pub local: Option<Local>,
    /// The page that shows it in a browser; none if its server has none.
    pub page_url: Option<String>,
    /// Where all its renditions can be read over HLS; none if its server serves no HLS.
    pub hls_url: Option<String>,
    /// Where it can be read over WebRTC (WHEP), the rendition being chosen by the server; none if its server has none.
    pub whep_url: Option<String>,
    /// Its renditions, largest picture first.
    pub renditions: Vec<RenditionInfo>,
}

/// The part of a stream that only the publishing machine knows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Local {
    /// ffmpeg's process id, if it runs.
    pub pid: Option<i32>,
    /// The supervisor's process id, if it runs.
    pub supervisor_pid: Option<i32>,
    /// The folder that holds `pids/` and `logs/`.
    pub home: String,
    /// How often ffmpeg was started again.
    pub restarts: u64,
    /// ffmpeg's log file.
    pub log: String,
    /// Why it is weak, stalled or failed, if it is.
    pub reason: Option<String>,
}

/// One rendition as the servers see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RenditionInfo {
    /// `720p`, `original`, `audio`.
    pub label: String,
    /// The name on the server; the whole path for what only MediaMTX has.
    pub name: String,
    /// What it is doing.
    pub state: State,
    /// The video, if there is one.
    pub video: Option<Video>,
    /// The audio, if there is any.
    pub audio: Option<Audio>,
    /// Bits per second into the server, if known.
    pub bitrate_bps: Option<u64>,
    /// People watching it.
    pub viewers: u64,
    /// Where it can be read over RTMP, secrets masked; empty for what is published to MediaMTX alone.
    pub rtmp_url: String,
    /// Where it can be read over RTSP, secrets masked.
    pub rtsp_url: String,
    /// The page that shows it alone; none if its server has none.
    pub page_url: Option<String>,
    /// Where it can be read over HLS, alone; none if its server serves no HLS.
    pub hls_url: Option<String>,
    /// Where it can be read over WebRTC (WHEP), alone; none if its server has none.
    pub whep_url: Option<String>,
}

/// A picture's facts; 0 and `None` where the server does not say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Video {
    /// Lowercase: `h264`, `h265`.
    pub codec: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: Option<f64>,
}

/// Audio's facts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Audio {
    /// Lowercase: `aac`, `opus`.
    pub codec: String,
    /// Hertz.
    pub sample_rate_hz: Option<u32>,
    /// 1 is mono.
    pub channels: Option<u32>,
}

/// A server that was asked, and whether it answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Server {
    /// `nginx-rtmp` or `mediamtx`.
    pub name: String,
    /// The address asked, secrets masked.
    pub url: String,
    /// Whether it answered usably.
    pub ok: bool,
    /// Why not.
    pub error: Option<String>,
}
