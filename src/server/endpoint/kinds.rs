//! The kinds of clients, one row for each: their words in `/v3`, in the metrics and on the status page. A new protocol
//! adds its rows here and its items.

use super::client_items::{HlsSession, RtmpConnection, RtspConnection, RtspSession, WebRtcSession};
use crate::hub::Kind;
use crate::protocol;
use crate::server::view::{Client, Counts};
use serde::Serialize;

/// A kind of client.
pub struct Row {
    /// Which.
    pub kind: Kind,
    /// What `/v3` calls it as the source or a reader of a path: `rtmpConn`.
    pub word: &'static str,
    /// Its route in `/v3`: `rtmpconns`.
    pub route: &'static str,
    /// What is said where there is none with that id.
    pub missing: &'static str,
    /// Whether `/v3` can end one.
    pub kicks: bool,
    /// The item of its list.
    pub item: for<'a> fn(&'a Client) -> Item<'a>,
    /// What stands before its user agent on the status page, which knows RTMP only.
    pub agent: &'static str,
    /// Its section of the metrics.
    pub metrics: Section,
}

/// An item of a list.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Item<'a> {
    /// Of `rtmpconns`.
    Rtmp(RtmpConnection<'a>),
    /// Of `hlssessions`.
    Hls(HlsSession<'a>),
    /// Of `rtspconns`.
    RtspConnection(RtspConnection),
    /// Of `rtspsessions`.
    RtspSession(Box<RtspSession<'a>>),
    /// Of `webrtcsessions`.
    WebRtc(Box<WebRtcSession<'a>>),
}

/// A section of the metrics.
pub struct Section {
    /// The heading.
    pub title: &'static str,
    /// Its series' name, and its value of `?type=`: `rtmp_conns`.
    pub name: &'static str,
    /// The part of the query that asks for one client: `rtmp_conn`.
    pub filter: &'static str,
    /// Whether it is there without clients.
    pub when_idle: bool,
    /// Labels.
    pub labels: fn(&Client) -> Labels,
    /// Series beside the one that counts.
    pub series: &'static [Series],
    /// Series under names that MediaMTX keeps for old readers.
    pub deprecated: &'static [Series],
}

/// Labels of a client.
pub type Labels = Vec<(&'static str, String)>;

/// What stands behind a section's name, and where its value comes from.
pub type Series = (&'static str, fn(&Counts) -> f64);

/// All kinds, in the order of the sections.
pub const ROWS: [Row; 5] = [
    Row {
        kind: protocol::RTSP_CONNECTION,
        word: "rtspConn",
        route: "rtspconns",
        missing: "connection not found",
        kicks: false,
        item: |client| Item::RtspConnection(RtspConnection::new(client)),
        agent: "RTSP/",
        metrics: Section {
            title: "RTSP connections",
            name: "rtsp_conns",
            filter: "rtsp_conn",
            when_idle: true,
            labels: |client| vec![("id", client.id.to_string())],
            series: &BYTES,
            deprecated: &OLD_BYTES,
        },
    },
    Row {
        kind: protocol::RTSP_SESSION,
        word: "rtspSession",
        route: "rtspsessions",
        missing: "session not found",
        kicks: true,
        item: |client| Item::RtspSession(Box::new(RtspSession::new(client))),
        agent: "RTSP/",
        metrics: Section {
            title: "RTSP sessions",
            name: "rtsp_sessions",
            filter: "rtsp_session",
            when_idle: true,
            labels: full_labels,
            series: &RTP,
            deprecated: &OLD_RTP,
        },
    },
    Row {
        kind: protocol::RTMP,
        word: "rtmpConn",
        route: "rtmpconns",
        missing: "connection not found",
        kicks: true,
        item: |client| Item::Rtmp(RtmpConnection::new(client)),
        agent: "",
        metrics: Section {
            title: "RTMP connections",
            name: "rtmp_conns",
            filter: "rtmp_conn",
            when_idle: true,
            labels: full_labels,
            series: &FRAMES,
            deprecated: &OLD_BYTES,
        },
    },
    Row {
        kind: protocol::HLS_SESSION,
        word: "hlsSession",
        route: "hlssessions",
        missing: "session not found",
        // There is nothing to end: the next request begins it anew.
        kicks: false,
        item: |client| Item::Hls(HlsSession::new(client)),
        agent: "HLS/",
        metrics: Section {
            title: "HLS sessions",
            name: "hls_sessions",
            filter: "hls_session",
            when_idle: false,
            labels: full_labels,
            series: &SENT,
            deprecated: &[],
        },
    },
    Row {
        kind: protocol::WEBRTC_SESSION,
        word: "webRTCSession",
        route: "webrtcsessions",
        missing: "session not found",
        kicks: true,
        item: |client| Item::WebRtc(Box::new(WebRtcSession::new(client))),
        agent: "WEBRTC/",
        metrics: Section {
            title: "WebRTC sessions",
            name: "webrtc_sessions",
            filter: "webrtc_session",
            when_idle: false,
            labels: full_labels,
            series: &WEBRTC,
            deprecated: &OLD_WEBRTC,
        },
    },
];

/// The row of a kind.
pub fn row(kind: Kind) -> Option<&'static Row> {
    const { &ROWS }.iter().find(|row| row.kind == kind)
}

const SENT: [Series; 1] = [("_outbound_bytes", |c| c.bytes_out as f64)];
const BYTES: [Series; 2] =
    [("_inbound_bytes", |c| c.bytes_in as f64), ("_outbound_bytes", |c| c.bytes_out as f64)];
const OLD_BYTES: [Series; 2] =
    [("_bytes_received", |c| c.bytes_in as f64), ("_bytes_sent", |c| c.bytes_out as f64)];
const FRAMES: [Series; 3] = [BYTES[0], BYTES[1], ("_outbound_frames_discarded", |c| c.frames_dropped as f64)];
const RTP: [Series; 12] = [
    BYTES[0],
    ("_inbound_rtp_packets", |c| c.packets_in as f64),
    ("_inbound_rtp_packets_lost", |c| c.packets_lost as f64),
    ("_inbound_rtp_packets_in_error", |c| c.packets_in_error as f64),
    ("_inbound_rtp_packets_jitter", |c| c.jitter),
    ("_inbound_rtcp_packets", |c| c.rtcp_in as f64),
    ("_inbound_rtcp_packets_in_error", |_| 0.0),
    BYTES[1],
    ("_outbound_rtp_packets", |c| c.packets_out as f64),
    ("_outbound_rtp_packets_reported_lost", |c| c.packets_reported_lost as f64),
    ("_outbound_rtp_packets_discarded", |c| c.packets_discarded as f64),
    ("_outbound_rtcp_packets", |c| c.rtcp_out as f64),
];
const WEBRTC: [Series; 9] = [
    RTP[0],
    RTP[1],
    RTP[2],
    RTP[4],
    RTP[5],
    RTP[7],
    RTP[8],
    RTP[11],
    ("_outbound_frames_discarded", |c| c.frames_dropped as f64),
];
const OLD_WEBRTC: [Series; 8] =
    [OLD_RTP[0], OLD_RTP[1], OLD_RTP[2], OLD_RTP[3], OLD_RTP[4], OLD_RTP[6], OLD_RTP[7], OLD_RTP[8]];
const OLD_RTP: [Series; 10] = [
    OLD_BYTES[0],
    OLD_BYTES[1],
    ("_rtp_packets_received", |c| c.packets_in as f64),
    ("_rtp_packets_sent", |c| c.packets_out as f64),
    ("_rtp_packets_lost", |c| c.packets_lost as f64),
    ("_rtp_packets_in_error", |c| c.packets_in_error as f64),
    ("_rtp_packets_jitter", |c| c.jitter),
    ("_rtcp_packets_received", |c| c.rtcp_in as f64),
    ("_rtcp_packets_sent", |c| c.rtcp_out as f64),
    ("_rtcp_packets_in_error", |_| 0.0),
];

fn full_labels(client: &Client) -> Labels {
    vec![
        ("id", client.id.to_string()),
        ("path", client.path.clone()),
        ("remoteAddr", client.remote.to_string()),
        ("state", client.state().to_string()),
    ]
}
