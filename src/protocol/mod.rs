//! The protocols of the embedded server, each in `wire` (bytes and values), `session` (the dialog, without sockets and
//! clocks), `ingest` and `egress` (to and from the hub) and `server` (one task for each connection).

use crate::hub::Kind;

/// An RTMP connection.
pub const RTMP: Kind = Kind { name: "rtmp", connection: true };
/// An RTSP connection (TCP), which may carry a session.
pub const RTSP_CONNECTION: Kind = Kind { name: "rtsp", connection: true };
/// An RTSP session.
pub const RTSP_SESSION: Kind = Kind { name: "rtsp session", connection: false };
/// A viewer over HLS, as far as viewers can be told apart.
pub const HLS_SESSION: Kind = Kind { name: "hls session", connection: false };
/// A session of WebRTC.
pub const WEBRTC_SESSION: Kind = Kind { name: "webrtc session", connection: false };
pub mod accepting;
pub mod admission;
pub mod connection_sink;
pub mod hls;
pub mod parting;
pub mod rtmp;
pub mod rtp;
pub mod rtsp;
pub mod web_access;
pub mod webrtc;
pub mod websocket;
pub mod workers;
