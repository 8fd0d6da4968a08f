//! The items of `/v3` lists, field for field as MediaMTX 1.20 sends them.

use crate::base::clock::log_stamp;
use crate::base::secret::MASK;
use crate::media::track::{AudioCodec, AudioTrack, VideoCodec, VideoTrack};
use crate::server::view::{Client, Stream, View};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// The configuration that a path without one of its own has.
const CONFIGURATION: &str = "all_others";

/// An item of `paths/list`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Path {
    name: String,
    conf_name: &'static str,
    ready: bool,
    ready_time: Option<String>,
    available: bool,
    available_time: Option<String>,
    online: bool,
    online_time: Option<String>,
    source: Option<Reference>,
    tracks: Vec<&'static str>,
    tracks2: Vec<Track>,
    readers: Vec<Reference>,
    inbound_bytes: u64,
    outbound_bytes: u64,
    inbound_frames_in_error: u64,
    bytes_received: u64,
    bytes_sent: u64,
}

#[derive(Debug, Serialize)]
struct Reference {
    #[serde(rename = "type")]
    kind: &'static str,
    id: Uuid,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Track {
    codec: &'static str,
    codec_props: Option<Props>,
}

#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Props {
    Picture { width: u32, height: u32, profile: String, level: String },
    Samples { sample_rate: u32, channel_count: u8 },
    Channels { channel_count: u8 },
    Av1 { width: u32, height: u32, profile: u8, level: u8, tier: u8 },
    Vp9 { profile: u8 },
    G711 { mu_law: bool, sample_rate: u32, channel_count: u8 },
}

impl Path {
    /// The item of `stream`.
    pub fn new(view: &View, stream: &Stream) -> Path {
        let reference =
            |id: &Uuid| view.clients.get(id).map(|client| Reference { kind: client.word(), id: client.id });
        let mut readers: Vec<&Client> = stream.readers.iter().filter_map(|id| view.clients.get(id)).collect();
        readers.sort_by_key(|client| client.number);
        let ready = stream.ready();
        let time = stream.ready_ms.filter(|_| ready).map(log_stamp);
        let tracks = if ready { tracks(stream) } else { Vec::new() };
        let traffic = stream.traffic;
        Path {
            name: stream.path.clone(),
            conf_name: CONFIGURATION,
            ready,
            ready_time: time.clone(),
            available: ready,
            available_time: time,
            online: stream.published(),
            online_time: stream.published().then(|| log_stamp(stream.created_ms)),
            source: stream.publisher.as_ref().and_then(reference),
            tracks: tracks.iter().map(|t| t.codec).collect(),
            tracks2: tracks,
            readers: readers.iter().map(|c| Reference { kind: c.word(), id: c.id }).collect(),
            inbound_bytes: traffic.bytes_in,
            outbound_bytes: traffic.bytes_out,
            inbound_frames_in_error: 0,
            bytes_received: traffic.bytes_in,
            bytes_sent: traffic.bytes_out,
        }
    }
}

fn tracks(stream: &Stream) -> Vec<Track> {
    let video = stream.tracks.videos().map(|(_, video)| picture(video));
    let audio = stream.tracks.audios().map(|(_, audio)| sound(audio));
    video.chain(audio).collect()
}

fn picture(video: &VideoTrack) -> Track {
    let codec = video.codec.name();
    let codec_props = match video.codec {
        VideoCodec::H264 | VideoCodec::H265 => Some(Props::Picture {
            width: video.width,
            height: video.height,
            profile: video.profile.strip_prefix("Constrained ").unwrap_or(video.profile).to_string(),
            level: match video.level.as_str() {
                "1b" => "1.1".to_string(),
                level => level.strip_suffix(".0").unwrap_or(level).to_string(),
            },
        }),
        // MediaMTX leaves sizes at 0 where only the frames tell them.
        VideoCodec::Av1 => {
            let byte = |at| video.config.get(at).copied().unwrap_or(0);
            let (profile, level, tier) = (byte(1) >> 5, byte(1) & 0x1f, byte(2) >> 7);
            Some(Props::Av1 { width: video.width, height: video.height, profile, level, tier })
        }
        // `vpcC` begins with a version and flags.
        VideoCodec::Vp9 => Some(Props::Vp9 { profile: video.config.get(4).copied().unwrap_or(0) }),
    };
    Track { codec, codec_props }
}

fn sound(audio: &AudioTrack) -> Track {
    let (sample_rate, channel_count) = (audio.sample_rate, audio.channels);
    let (codec, codec_props) = match audio.codec {
        AudioCodec::Aac => ("MPEG-4 Audio", Some(Props::Samples { sample_rate, channel_count })),
        AudioCodec::Opus => ("Opus", Some(Props::Channels { channel_count })),
        AudioCodec::Mp3 => ("MPEG-1 Audio", None),
        AudioCodec::G711A => ("G711", Some(Props::G711 { mu_law: false, sample_rate, channel_count })),
        AudioCodec::G711U => ("G711", Some(Props::G711 { mu_law: true, sample_rate, channel_count })),
    };
    Track { codec, codec_props }
}

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
