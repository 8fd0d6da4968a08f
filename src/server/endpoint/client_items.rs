//! Connections and sessions in the lists of `/v3`, field for field as MediaMTX 1.20 sends them.

use crate::base::clock::log_stamp;
use crate::base::secret::MASK;
use crate::hub::client::Ends;
use crate::server::view::Client;
use serde::Serialize;
use serde_json::{Value, json};
use std::net::SocketAddr;
use uuid::Uuid;

/// A query may carry a password or a token.
fn query(client: &Client) -> &str {
    if client.query.is_empty() { "" } else { MASK }
}

/// An item of `rtmpconns/list`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtmpConnection<'a> {
    id: Uuid,
    created: String,
    remote_addr: String,
    state: &'static str,
    path: &'a str,
    query: &'a str,
    user: &'a str,
    user_agent: &'a str,
    inbound_bytes: u64,
    outbound_bytes: u64,
    outbound_frames_discarded: u64,
    bytes_received: u64,
    bytes_sent: u64,
}

impl<'a> RtmpConnection<'a> {
    /// The item of `client`.
    pub fn new(client: &'a Client) -> RtmpConnection<'a> {
        RtmpConnection {
            id: client.id,
            created: log_stamp(client.created_ms),
            remote_addr: client.remote.to_string(),
            state: client.state(),
            path: &client.path,
            query: query(client),
            user: &client.user,
            user_agent: &client.agent,
            inbound_bytes: client.counts.bytes_in,
            outbound_bytes: client.counts.bytes_out,
            outbound_frames_discarded: client.counts.frames_dropped,
            bytes_received: client.counts.bytes_in,
            bytes_sent: client.counts.bytes_out,
        }
    }
}

/// An item of `hlssessions/list`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HlsSession<'a> {
    id: Uuid,
    created: String,
    remote_addr: String,
    path: &'a str,
    query: &'a str,
    user: &'a str,
    user_agent: &'a str,
    outbound_bytes: u64,
}

impl<'a> HlsSession<'a> {
    /// The item of `client`.
    pub fn new(client: &'a Client) -> HlsSession<'a> {
        HlsSession {
            id: client.id,
            created: log_stamp(client.created_ms),
            remote_addr: client.remote.to_string(),
            path: &client.path,
            query: query(client),
            user: &client.user,
            user_agent: &client.agent,
            outbound_bytes: client.counts.bytes_out,
        }
    }
}

/// An item of `webrtcsessions/list`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebRtcSession<'a> {
    id: Uuid,
    created: String,
    remote_addr: String,
    peer_connection_established: bool,
    local_candidate: String,
    remote_candidate: String,
    state: &'static str,
    path: &'a str,
    query: &'a str,
    user: &'a str,
    user_agent: &'a str,
    inbound_bytes: u64,
    #[serde(rename = "inboundRTPPackets")]
    inbound_rtp: u64,
    #[serde(rename = "inboundRTPPacketsLost")]
    inbound_rtp_lost: u64,
    #[serde(rename = "inboundRTPPacketsJitter")]
    inbound_rtp_jitter: Value,
    #[serde(rename = "inboundRTCPPackets")]
    inbound_rtcp: u64,
    outbound_bytes: u64,
    #[serde(rename = "outboundRTPPackets")]
    outbound_rtp: u64,
    #[serde(rename = "outboundRTCPPackets")]
    outbound_rtcp: u64,
    outbound_frames_discarded: u64,
    bytes_received: u64,
    bytes_sent: u64,
    rtp_packets_received: u64,
    rtp_packets_sent: u64,
    rtp_packets_lost: u64,
    rtp_packets_jitter: Value,
    rtcp_packets_received: u64,
    rtcp_packets_sent: u64,
}

impl<'a> WebRtcSession<'a> {
    /// The item of `client`.
    pub fn new(client: &'a Client) -> WebRtcSession<'a> {
        let counts = &client.counts;
        let candidate = |kind: &str, end: fn(&Ends) -> SocketAddr| {
            let said = client.ends.as_ref().map(|ends| {
                let (address, transport) = (end(ends), ends.transport);
                format!("{kind}/{transport}/{}/{}", address.ip().to_canonical(), address.port())
            });
            said.unwrap_or_default()
        };
        WebRtcSession {
            id: client.id,
            created: log_stamp(client.created_ms),
            remote_addr: client.remote.to_string(),
            peer_connection_established: client.ends.is_some(),
            local_candidate: candidate("host", |ends| ends.local),
            // A server that only answers learns the other end's address from its datagrams (RFC 8445, 7.3.1.3).
            remote_candidate: candidate("prflx", |ends| ends.remote),
            state: client.state(),
            path: &client.path,
            query: query(client),
            user: &client.user,
            user_agent: &client.agent,
            inbound_bytes: counts.bytes_in,
            inbound_rtp: counts.packets_in,
            inbound_rtp_lost: counts.packets_lost,
            inbound_rtp_jitter: jitter(counts.jitter),
            inbound_rtcp: counts.rtcp_in,
            outbound_bytes: counts.bytes_out,
            outbound_rtp: counts.packets_out,
            outbound_rtcp: counts.rtcp_out,
            outbound_frames_discarded: counts.frames_dropped,
            bytes_received: counts.bytes_in,
            bytes_sent: counts.bytes_out,
            rtp_packets_received: counts.packets_in,
            rtp_packets_sent: counts.packets_out,
            rtp_packets_lost: counts.packets_lost,
            rtp_packets_jitter: jitter(counts.jitter),
            rtcp_packets_received: counts.rtcp_in,
            rtcp_packets_sent: counts.rtcp_out,
        }
    }
}

/// An item of `rtspconns/list`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtspConnection {
    id: Uuid,
    created: String,
    remote_addr: String,
    session: Option<Uuid>,
    tunnel: &'static str,
    inbound_bytes: u64,
    outbound_bytes: u64,
    bytes_received: u64,
    bytes_sent: u64,
}

impl RtspConnection {
    /// The item of `client`.
    pub fn new(client: &Client) -> RtspConnection {
        RtspConnection {
            id: client.id,
            created: log_stamp(client.created_ms),
            remote_addr: client.remote.to_string(),
            session: client.linked.first().copied(),
            tunnel: "none",
            inbound_bytes: client.counts.bytes_in,
            outbound_bytes: client.counts.bytes_out,
            bytes_received: client.counts.bytes_in,
            bytes_sent: client.counts.bytes_out,
        }
    }
}

/// An item of `rtspsessions/list`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtspSession<'a> {
    id: Uuid,
    created: String,
    remote_addr: String,
    state: &'static str,
    path: &'a str,
    query: &'a str,
    user: &'a str,
    user_agent: &'a str,
    transport: Option<&'static str>,
    profile: Option<&'static str>,
    conns: &'a [Uuid],
    inbound_bytes: u64,
    #[serde(rename = "inboundRTPPackets")]
    inbound_rtp: u64,
    #[serde(rename = "inboundRTPPacketsLost")]
    inbound_rtp_lost: u64,
    #[serde(rename = "inboundRTPPacketsInError")]
    inbound_rtp_in_error: u64,
    #[serde(rename = "inboundRTPPacketsJitter")]
    inbound_rtp_jitter: Value,
    #[serde(rename = "inboundRTCPPackets")]
    inbound_rtcp: u64,
    #[serde(rename = "inboundRTCPPacketsInError")]
    inbound_rtcp_in_error: u64,
    outbound_bytes: u64,
    #[serde(rename = "outboundRTPPackets")]
    outbound_rtp: u64,
    #[serde(rename = "outboundRTPPacketsReportedLost")]
    outbound_rtp_reported_lost: u64,
    #[serde(rename = "outboundRTPPacketsDiscarded")]
    outbound_rtp_discarded: u64,
    #[serde(rename = "outboundRTCPPackets")]
    outbound_rtcp: u64,
    bytes_received: u64,
    bytes_sent: u64,
    rtp_packets_received: u64,
    rtp_packets_sent: u64,
    rtp_packets_lost: u64,
    rtp_packets_in_error: u64,
    rtp_packets_jitter: Value,
    rtcp_packets_received: u64,
    rtcp_packets_sent: u64,
    rtcp_packets_in_error: u64,
}

impl<'a> RtspSession<'a> {
    /// The item of `client`.
    pub fn new(client: &'a Client) -> RtspSession<'a> {
        let counts = &client.counts;
        RtspSession {
            id: client.id,
            created: log_stamp(client.created_ms),
            remote_addr: client.remote.to_string(),
            state: client.state(),
            path: &client.path,
            query: query(client),
            user: &client.user,
            user_agent: &client.agent,
            transport: client.transport,
            profile: client.transport.map(|_| "AVP"),
            conns: &client.linked,
            inbound_bytes: counts.bytes_in,
            inbound_rtp: counts.packets_in,
            inbound_rtp_lost: counts.packets_lost,
            inbound_rtp_in_error: counts.packets_in_error,
            inbound_rtp_jitter: jitter(counts.jitter),
            inbound_rtcp: counts.rtcp_in,
            inbound_rtcp_in_error: 0,
            outbound_bytes: counts.bytes_out,
            outbound_rtp: counts.packets_out,
            outbound_rtp_reported_lost: counts.packets_reported_lost,
            outbound_rtp_discarded: counts.packets_discarded,
            outbound_rtcp: counts.rtcp_out,
            bytes_received: counts.bytes_in,
            bytes_sent: counts.bytes_out,
            rtp_packets_received: counts.packets_in,
            rtp_packets_sent: counts.packets_out,
            rtp_packets_lost: counts.packets_lost,
            rtp_packets_in_error: counts.packets_in_error,
            rtp_packets_jitter: jitter(counts.jitter),
            rtcp_packets_received: counts.rtcp_in,
            rtcp_packets_sent: counts.rtcp_out,
            rtcp_packets_in_error: 0,
        }
    }
}

/// A whole number is written without a point.
fn jitter(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
}
