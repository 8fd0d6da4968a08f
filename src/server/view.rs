//! The server at one moment, as plain values: what the control endpoints are written from. Taking it is elsewhere, so that
//! every endpoint is a pure function.

use crate::hub::client::Ends;
use crate::hub::{Kind, Role};
use crate::media::Tracks;
use crate::model::service::Ports;
use crate::protocol::webrtc::totals::Totals;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;
use uuid::Uuid;

/// Everything that an endpoint may show.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Facts that do not change while it runs.
    pub about: About,
    /// How long it has been running.
    pub uptime: Duration,
    /// Connections accepted since the start.
    pub accepted: u64,
    /// Bytes of all connections since the start, and rates.
    pub traffic: Traffic,
    /// The streams, by name.
    pub streams: Vec<Stream>,
    /// Everybody who is connected.
    pub clients: BTreeMap<Uuid, Client>,
    /// How often which limit was broken.
    pub limits: BTreeMap<&'static str, u64>,
    /// How often what happened.
    pub events: BTreeMap<&'static str, u64>,
    /// What viewers over HLS have taken.
    pub hls: Hls,
    /// What WebRTC has carried; nothing where it is not served.
    pub webrtc: Option<Totals>,
    /// What the process costs; zeros where nobody asked.
    pub load: Load,
}

/// HLS since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hls {
    /// Requests by kind; empty where HLS is not served.
    pub requests: BTreeMap<&'static str, u64>,
    /// Bytes of all answers.
    pub bytes: u64,
    /// Ladders that are served now.
    pub ladders: u64,
    /// Bytes of the segments that are held now.
    pub window_bytes: u64,
    /// Application and name of renditions whose keyframes stand elsewhere than those of their ladders.
    pub apart: BTreeSet<(String, String)>,
}

/// Facts that do not change while the server runs.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Our process.
    pub pid: u32,
    /// When it started, milliseconds since 1970.
    pub started_ms: i64,
    /// When the program was built, as C compilers write it; empty if unknown.
    pub built: String,
    /// The RTMP applications, the first one being that of streams that name none.
    pub applications: Vec<String>,
    /// The ports of its services.
    pub ports: Ports,
    /// Whether the web port speaks https.
    pub web_tls: bool,
}

/// Bytes and the rates of the last ten seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Bits a second received.
    pub bw_in: u64,
    /// Bits a second sent.
    pub bw_out: u64,
}

/// One stream.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// Its name, without the application.
    pub name: String,
    /// The application that it is in.
    pub application: String,
    /// Both as MediaMTX has them ([`About::path`]).
    pub path: String,
    /// How long there has been something under this name.
    pub age: Duration,
    /// Since when, milliseconds since 1970.
    pub created_ms: i64,
    /// Since when its tracks are known, milliseconds since 1970.
    pub ready_ms: Option<i64>,
    /// Its tracks.
    pub tracks: Tracks,
    /// Frames a second, if the tracks or the publisher's own words tell.
    pub frame_rate: Option<f64>,
    /// Who publishes; nobody while readers wait for one that was lost.
    pub publisher: Option<Uuid>,
    /// Who reads.
    pub readers: Vec<Uuid>,
    /// Since the last frame; nothing before the first.
    pub silent: Option<Duration>,
    /// Bytes and rates.
    pub traffic: Traffic,
    /// Bits a second of audio received.
    pub bw_audio: u64,
    /// Bits a second of video received.
    pub bw_video: u64,
    /// Payload bytes of video and audio received.
    pub payload_bytes: (u64, u64),
    /// Frames that slow readers did not get.
    pub frames_dropped: u64,
    /// How far the audio is ahead of the video at the server's entrance, in milliseconds.
    pub avsync_ms: i64,
}

/// One connection or session.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its name in `/v3`.
    pub id: Uuid,
    /// Its number in `/stat`.
    pub number: u64,
    /// What it is.
    pub kind: Kind,
    /// The other end.
    pub remote: SocketAddr,
    /// When it came, milliseconds since 1970.
    pub created_ms: i64,
    /// How long it has been here.
    pub age: Duration,
    /// What it does.
    pub role: Role,
    /// The stream, without the application; empty if there is none yet.
    pub name: String,
    /// The application; empty if there is none yet.
    pub application: String,
    /// Both as MediaMTX has them ([`About::path`]).
    pub path: String,
    /// The query of its URL.
    pub query: String,
    /// The user that it gave.
    pub user: String,
    /// flashVer or User-Agent.
    pub agent: String,
    /// `TCP` or `UDP`, for an RTSP session.
    pub transport: Option<&'static str>,
    /// The session of a connection, the connections of a session.
    pub linked: Vec<Uuid>,
    /// Between which addresses its media goes, of a WebRTC session that is connected.
    pub ends: Option<Ends>,
    /// Its counters.
    pub counts: Counts,
}

/// The counters of one client, read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// RTP packets received.
    pub packets_in: u64,
    /// RTP packets missing.
    pub packets_lost: u64,
    /// Packets that could not be read.
    pub packets_in_error: u64,
    /// RTCP packets received.
    pub rtcp_in: u64,
    /// RTP packets sent.
    pub packets_out: u64,
    /// RTCP packets sent.
    pub rtcp_out: u64,
    /// Packets that the reader reports as lost.
    pub packets_reported_lost: u64,
    /// Packets that found no room.
    pub packets_discarded: u64,
    /// Frames left out.
    pub frames_dropped: u64,
    /// Interarrival jitter in clock units.
    pub jitter: f64,
    /// Media time of the last frame, milliseconds.
    pub timestamp_ms: u64,
}

/// What the process costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Seconds of processor time, user and system.
    pub cpu_s: f64,
    /// Memory in use, bytes.
    pub resident_bytes: u64,
    /// Open files.
    pub open_files: u64,
}

impl About {
    /// The path of a stream as MediaMTX has it: its name alone in the first application, which need not be named.
    pub fn path(&self, application: &str, name: &str) -> String {
        let usual = self.applications.first().is_none_or(|usual| usual == application);
        if usual || application.is_empty() { name.to_string() } else { format!("{application}/{name}") }
    }
}

impl View {
    /// Clients of one kind, oldest first.
    pub fn of(&self, kind: Kind) -> Vec<&Client> {
        let mut found: Vec<&Client> = self.clients.values().filter(|c| c.kind == kind).collect();
        found.sort_by_key(|c| c.number);
        found
    }

    /// A stream's clients, newest first: its readers and its publisher.
    pub fn members(&self, stream: &Stream) -> Vec<&Client> {
        let ids = stream.readers.iter().chain(&stream.publisher);
        let mut found: Vec<&Client> = ids.filter_map(|id| self.clients.get(id)).collect();
        found.sort_by_key(|c| std::cmp::Reverse(c.number));
        found
    }
}

impl Stream {
    /// Whether somebody publishes it.
    pub fn published(&self) -> bool {
        self.publisher.is_some()
    }

    /// Whether it can be read now.
    pub fn ready(&self) -> bool {
        self.publisher.is_some() && self.ready_ms.is_some()
    }
}

impl Client {
    /// `idle`, `publish` or `read`, as in `/v3`.
    pub fn state(&self) -> &'static str {
        match self.role {
            Role::Idle => "idle",
            Role::Publish => "publish",
            Role::Read => "read",
        }
    }
}
