//! `/metrics`: MediaMTX's names and shapes (recorded from 1.20), and behind them what only this server can say, under
//! `msconv_`. `?type=`, `?path=`, `?rtsp_session=ID` and their like choose among them as with MediaMTX; `?type=msconv`
//! gives our own alone.
//!
//! The number of series is bounded whatever strangers do: streams and clients beyond a cap are counted, not listed.

use super::answer::{Request, Response};
use super::kinds::{ROWS, Section, Series, row};
use crate::hub::Role;
use crate::protocol::HLS_SESSION;
use crate::protocol::webrtc::totals::Totals;
use crate::server::view::{Client, Stream, View};
use crate::telemetry::exposition::{CONTENT_TYPE, Kind, Page};
use std::collections::BTreeMap;

/// Streams that get series of their own.
pub const MOST_STREAMS: usize = 500;
/// Clients of one kind that get series of their own.
pub const MOST_CLIENTS: usize = 500;

/// The whole page, or the part that `question` asks for.
pub fn answer(view: &View, question: &Request) -> Response {
    let kind = question.value("type");
    // Parts of the query that ask for one item of a section, and so for no other section.
    let mut filters = ROWS.iter().map(|row| row.metrics.filter).chain(["path"]);
    let filtered = filters.any(|name| !question.value(name).is_empty());
    // A section is shown unless another one is asked for, by its type or by one of its items.
    let wanted = |name: &str, filter: &str| {
        (kind.is_empty() || kind == name) && (!filtered || !question.value(filter).is_empty())
    };
    let mut page = Page::new();
    if wanted("paths", "path") {
        paths(&mut page, view, question.value("path"));
    }
    for row in &ROWS {
        let part = &row.metrics;
        if wanted(part.name, part.filter) {
            section(&mut page, part, view.of(row.kind), question.value(part.filter));
        }
    }
    if wanted("msconv", "") {
        own(&mut page, view);
    }
    Response::ok(CONTENT_TYPE, page.finish())
}

fn paths(page: &mut Page, view: &View, path: &str) {
    if view.streams.is_empty() && !path.is_empty() {
        return;
    }
    let streams: Vec<&Stream> =
        view.streams.iter().filter(|s| path.is_empty() || s.path == path).take(MOST_STREAMS).collect();
    let state = |stream: &Stream| if stream.ready() { "ready" } else { "notReady" };
    page.comment("Paths");
    for stream in &streams {
        let labels = [("name", stream.path.as_str()), ("state", state(stream))];
        page.sample("paths", &labels, 1.0);
        let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
        for client in stream.readers.iter().filter_map(|id| view.clients.get(id)) {
            let count = kinds.entry(row(client.kind).map_or("", |row| row.word)).or_default();
            *count = count.saturating_add(1);
        }
        if kinds.is_empty() {
            kinds.insert("", 0);
        }
        for (kind, count) in kinds {
            let [name, state] = labels;
            page.sample("paths_readers", &[name, ("readerType", kind), state], count as f64);
        }
        page.sample("paths_inbound_bytes", &labels, stream.traffic.bytes_in as f64);
        page.sample("paths_outbound_bytes", &labels, stream.traffic.bytes_out as f64);
        page.sample("paths_inbound_frames_in_error", &labels, 0.0);
    }
    if view.streams.is_empty() {
        for name in ["paths", "paths_inbound_bytes", "paths_outbound_bytes", "paths_inbound_frames_in_error"]
        {
            page.sample(name, &[], 0.0);
        }
    }
    page.blank();
    page.comment("Paths (deprecated)");
    for stream in &streams {
        let labels = [("name", stream.path.as_str()), ("state", state(stream))];
        page.sample("paths_bytes_received", &labels, stream.traffic.bytes_in as f64);
        page.sample("paths_bytes_sent", &labels, stream.traffic.bytes_out as f64);
    }
    if view.streams.is_empty() {
        for name in ["paths_bytes_received", "paths_bytes_sent", "paths_readers"] {
            page.sample(name, &[], 0.0);
        }
    }
    page.blank();
}

/// A section of `all` clients, or of the `one` whose id is asked for. Where there are none, bare zeros.
fn section(page: &mut Page, part: &Section, all: Vec<&Client>, one: &str) {
    let Section { title, name, .. } = part;
    let idle = all.is_empty();
    // A MediaMTX without HLS has no such section.
    if idle && (!one.is_empty() || !part.when_idle) {
        return;
    }
    let asked = |client: &&Client| one.is_empty() || client.id.to_string() == one;
    let clients: Vec<&Client> = all.into_iter().filter(asked).take(MOST_CLIENTS).collect();
    let itself: [Series; 1] = [("", |_| 1.0)];
    for (title, series) in [
        (title.to_string(), [&itself[..], part.series].concat()),
        (format!("{title} (deprecated)"), part.deprecated.to_vec()),
    ] {
        if series.is_empty() {
            continue;
        }
        page.comment(&title);
        for client in &clients {
            let labels = (part.labels)(client);
            let labels: Vec<(&str, &str)> = labels.iter().map(|(n, v)| (*n, v.as_str())).collect();
            for (suffix, value) in &series {
                page.sample(&format!("{name}{suffix}"), &labels, value(&client.counts));
            }
        }
        if idle {
            for (suffix, _) in &series {
                page.sample(&format!("{name}{suffix}"), &[], 0.0);
            }
        }
        page.blank();
    }
}

/// What only this server says.
fn own(page: &mut Page, view: &View) {
    page.comment("msconv");
    let mut one = |name: &str, kind: Kind, help: &str, value: f64| {
        page.describe(name, kind, help);
        page.sample(name, &[], value);
    };
    let sum = |of: fn(&Stream) -> u64| view.streams.iter().map(of).fold(0, u64::saturating_add) as f64;
    one("msconv_uptime_seconds", Kind::Gauge, "Seconds since the server started.", view.uptime.as_secs_f64());
    one("msconv_streams", Kind::Gauge, "Streams that are published now.", published(view) as f64);
    one(
        "msconv_streams_unlisted",
        Kind::Gauge,
        "Streams without series of their own, because there are too many.",
        view.streams.len().saturating_sub(MOST_STREAMS) as f64,
    );
    one("msconv_readers", Kind::Gauge, "Readers of all streams.", sum(|s| s.readers.len() as u64));
    one(
        "msconv_accepted_connections_total",
        Kind::Counter,
        "Connections accepted, RTMP and RTSP.",
        view.accepted as f64,
    );
    one(
        "msconv_received_bytes_total",
        Kind::Counter,
        "Bytes received on RTMP and RTSP connections, RTP ports and WebRTC.",
        view.traffic.bytes_in as f64,
    );
    one(
        "msconv_sent_bytes_total",
        Kind::Counter,
        "Bytes sent on RTMP and RTSP connections, RTP ports, WebRTC, and to viewers over HLS.",
        view.traffic.bytes_out as f64,
    );
    one(
        "msconv_process_cpu_seconds_total",
        Kind::Counter,
        "Processor time of the server, user and system.",
        view.load.cpu_s,
    );
    one(
        "msconv_process_resident_memory_bytes",
        Kind::Gauge,
        "Memory of the server.",
        view.load.resident_bytes as f64,
    );
    one(
        "msconv_process_open_files",
        Kind::Gauge,
        "Files and sockets that the server has open.",
        view.load.open_files as f64,
    );
    page.describe("msconv_build_info", Kind::Gauge, "Version of the server; the value is always 1.");
    page.sample("msconv_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    connections(page, view);
    page.describe("msconv_limit_exceeded_total", Kind::Counter, "How often a limit was broken, by its name.");
    for (limit, count) in &view.limits {
        page.sample("msconv_limit_exceeded_total", &[("limit", limit)], *count as f64);
    }
    page.describe(
        "msconv_events_total",
        Kind::Counter,
        "What has happened to streams and readers, by its kind.",
    );
    for (event, count) in &view.events {
        page.sample("msconv_events_total", &[("event", event)], *count as f64);
    }
    hls(page, view);
    view.webrtc.iter().for_each(|totals| webrtc(page, totals));
    per_stream(page, view);
}

/// HLS.
fn hls(page: &mut Page, view: &View) {
    if view.hls.requests.is_empty() {
        return;
    }
    page.describe(
        "msconv_hls_requests_total",
        Kind::Counter,
        "Requests for HLS that were answered, by kind.",
    );
    for (kind, count) in &view.hls.requests {
        page.sample("msconv_hls_requests_total", &[("kind", kind)], *count as f64);
    }
    for (name, kind, help, value) in [
        ("msconv_hls_bytes_total", Kind::Counter, "Bytes of all answers over HLS.", view.hls.bytes),
        (
            "msconv_hls_viewers",
            Kind::Gauge,
            "Viewers over HLS now: addresses and user agents that asked for playlists within ten seconds.",
            view.of(HLS_SESSION).len() as u64,
        ),
        ("msconv_hls_ladders", Kind::Gauge, "Ladders that are served as HLS now.", view.hls.ladders),
        (
            "msconv_hls_window_bytes",
            Kind::Gauge,
            "Bytes that ladders hold to be served as HLS, 256 MB at most.",
            view.hls.window_bytes,
        ),
    ] {
        page.describe(name, kind, help);
        page.sample(name, &[], value as f64);
    }
}

/// WebRTC. `in` is from publishers, `out` is to viewers; bytes are all that sessions receive and send.
fn webrtc(page: &mut Page, totals: &Totals) {
    for (name, kind, help, [into, out]) in [
        (
            "msconv_webrtc_sessions",
            Kind::Gauge,
            "Sessions of WebRTC now.",
            [totals.publishers, totals.viewers],
        ),
        (
            "msconv_webrtc_bytes_total",
            Kind::Counter,
            "Bytes received and sent over WebRTC.",
            [totals.bytes_in, totals.bytes_out],
        ),
        (
            "msconv_webrtc_packets_total",
            Kind::Counter,
            "RTP packets received and sent over WebRTC.",
            [totals.packets_in, totals.packets_out],
        ),
        (
            "msconv_webrtc_lost_packets_total",
            Kind::Counter,
            "RTP packets of publishers that never came, and those that viewers report as lost.",
            [totals.lost_in, totals.lost_out],
        ),
    ] {
        page.describe(name, kind, help);
        page.sample(name, &[("direction", "in")], into as f64);
        page.sample(name, &[("direction", "out")], out as f64);
    }
    for (name, help, value) in [
        (
            "msconv_webrtc_discarded_packets_total",
            "Datagrams to viewers that found no room in the socket.",
            totals.discarded,
        ),
        ("msconv_webrtc_nacks_total", "Repairs that viewers asked for.", totals.nacks),
        ("msconv_webrtc_plis_total", "Keyframes that viewers asked for.", totals.plis),
        ("msconv_webrtc_switches_total", "Changes of the rendition that a viewer is sent.", totals.switches),
    ] {
        page.describe(name, Kind::Counter, help);
        page.sample(name, &[], value as f64);
    }
    let median = totals.round_trips.get(totals.round_trips.len() / 2);
    let name = "msconv_webrtc_round_trip_seconds";
    page.describe(
        name,
        Kind::Gauge,
        "To viewers and back, by which viewer; absent while it is not known of any.",
    );
    for (viewer, time) in [("median", median), ("slowest", totals.round_trips.last())] {
        if let Some(time) = time {
            page.sample(name, &[("viewer", viewer)], time.as_secs_f64());
        }
    }
}

fn published(view: &View) -> usize {
    view.streams.iter().filter(|s| s.published()).count()
}

fn connections(page: &mut Page, view: &View) {
    page.describe("msconv_connections", Kind::Gauge, "Connections now, by protocol and what they do.");
    for kind in ROWS.iter().map(|row| row.kind).filter(|kind| kind.connection) {
        let clients = view.of(kind);
        // A connection does what its session does.
        let session = |client: &Client| client.linked.first().and_then(|id| view.clients.get(id));
        let role = |client: &Client| session(client).map_or(client.role, |session| session.role);
        for (wanted, state) in [(Role::Idle, "idle"), (Role::Publish, "publish"), (Role::Read, "read")] {
            let count = clients.iter().filter(|c| role(c) == wanted).count();
            page.sample("msconv_connections", &[("protocol", kind.name), ("state", state)], count as f64);
        }
    }
}

fn per_stream(page: &mut Page, view: &View) {
    let listed = || view.streams.iter().take(MOST_STREAMS);
    let mut series = |name: &str, kind: Kind, help: &str, value: fn(&Stream) -> f64| {
        page.describe(name, kind, help);
        for stream in listed() {
            page.sample(name, &[("stream", &stream.path)], value(stream));
        }
    };
    series("msconv_stream_readers", Kind::Gauge, "Readers of a stream.", |s| s.readers.len() as f64);
    series("msconv_stream_received_bytes_total", Kind::Counter, "Bytes received for a stream.", |s| {
        s.traffic.bytes_in as f64
    });
    series("msconv_stream_sent_bytes_total", Kind::Counter, "Bytes sent to readers of a stream.", |s| {
        s.traffic.bytes_out as f64
    });
    series(
        "msconv_stream_dropped_frames_total",
        Kind::Counter,
        "Frames that readers of a stream did not get because they were too slow.",
        |s| s.frames_dropped as f64,
    );
    page.describe(
        "msconv_stream_payload_bytes_total",
        Kind::Counter,
        "Media received for a stream, by track.",
    );
    for stream in listed() {
        let (video, audio) = stream.payload_bytes;
        for (track, bytes) in [("video", video), ("audio", audio)] {
            let labels = [("stream", stream.path.as_str()), ("track", track)];
            page.sample("msconv_stream_payload_bytes_total", &labels, bytes as f64);
        }
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
