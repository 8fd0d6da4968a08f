//! The metrics against recorded ones: the same series in the same order, with the same labels.

use super::*;
use crate::hub::Role;
use crate::protocol;
use crate::server::view::{Counts, Traffic};
use std::time::Duration;
use uuid::Uuid;

fn recorded(name: &str) -> String {
    let path = format!("{}/tests/data/mediamtx/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

fn client(kind: crate::hub::Kind, n: u128, role: Role, name: &str) -> Client {
    Client {
        id: Uuid::from_u128(n),
        number: n as u64,
        kind,
        remote: "127.0.0.1:34786".parse().unwrap(),
        created_ms: 0,
        age: Duration::ZERO,
        role,
        name: name.into(),
        path: name.into(),
        application: String::new(),
        query: String::new(),
        user: String::new(),
        agent: String::new(),
        transport: None,
        linked: Vec::new(),
        ends: None,
        counts: Counts { bytes_in: 5, jitter: 490.25, ..Counts::default() },
    }
}

fn view() -> View {
    let clients = [
        client(protocol::RTMP, 1, Role::Publish, "live/cam1"),
        client(protocol::RTMP, 2, Role::Read, "live/cam1"),
        client(protocol::RTSP_SESSION, 3, Role::Publish, "cam2"),
        client(protocol::RTSP_SESSION, 4, Role::Read, "cam2"),
        client(protocol::RTSP_CONNECTION, 5, Role::Idle, ""),
        client(protocol::RTSP_CONNECTION, 6, Role::Idle, ""),
    ];
    let stream = |name: &str, publisher: u128, reader: u128| Stream {
        name: name.into(),
        path: name.into(),
        ready_ms: Some(1),
        publisher: Some(Uuid::from_u128(publisher)),
        readers: vec![Uuid::from_u128(reader)],
        traffic: Traffic { bytes_in: 2_780_922, bytes_out: 7, ..Traffic::default() },
        ..Stream::default()
    };
    View {
        streams: vec![stream("cam2", 3, 4), stream("live/cam1", 1, 2)],
        clients: clients.into_iter().map(|c| (c.id, c)).collect(),
        ..View::default()
    }
}

fn page(view: &View, target: &str) -> String {
    answer(view, &Request::new("GET", target)).body
}

/// Names, labels and comments without values and ids, up to our own part.
fn series(page: &str) -> Vec<String> {
    page.split("# msconv\n")
        .next()
        .unwrap_or_default()
        .lines()
        .map(|line| {
            let line = line
                .rsplit_once(' ')
                .map_or(line, |(name, value)| if value.parse::<f64>().is_ok() { name } else { line });
            let mut line = line.to_string();
            for label in ["id", "remoteAddr"] {
                if let Some((head, tail)) = line.split_once(&format!("{label}=\"")) {
                    line = format!("{head}{label}=\"{}", tail.split_once('"').map_or("", |(_, t)| t));
                }
            }
            line
        })
        .collect()
}

#[test]
fn series_are_as_recorded() {
    let theirs = recorded("metrics-direct-publishers.txt");
    let (ours, theirs) = (series(&page(&view(), "/metrics")), series(&theirs));
    let known = |line: &&String| {
        let old = ["srt", "webrtc", "hls", "rtsps", "rtmps", "# SRT", "# WebRTC", "# HLS"];
        !old.iter().any(|prefix| line.starts_with(prefix))
    };
    let end = |lines: &[String]| {
        let mut lines: Vec<String> = lines.iter().filter(known).cloned().collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    };
    assert_eq!(end(&ours), end(&theirs));
    assert!(page(&view(), "/metrics").contains("_jitter{id=\"00000000-0000-0000-0000-000000000003\",path=\"cam2\",remoteAddr=\"127.0.0.1:34786\",state=\"publish\"} 490.25\n"));
}

#[test]
fn sessions_of_webrtc_are_as_recorded() {
    let mut view = View::default();
    let one = client(protocol::WEBRTC_SESSION, 7, Role::Publish, "cam");
    view.clients.insert(one.id, one);
    let ours = page(&view, "/metrics?type=webrtc_sessions");
    assert_eq!(series(&ours), series(&recorded("metrics-webrtc-sessions.txt")));
}

#[test]
fn what_webrtc_carries_is_counted() {
    let mut view = View { webrtc: Some(Totals::default()), ..View::default() };
    let idle = page(&view, "/metrics?type=msconv");
    assert!(idle.contains("\nmsconv_webrtc_sessions{direction=\"out\"} 0\n"), "{idle}");
    assert!(!idle.contains("msconv_webrtc_round_trip_seconds{"), "{idle}");
    let round_trips = [20, 40, 60, 500].map(Duration::from_millis).to_vec();
    view.webrtc =
        Some(Totals { viewers: 4, publishers: 1, lost_in: 3, nacks: 9, round_trips, ..Totals::default() });
    let page = page(&view, "/metrics?type=msconv");
    for line in [
        "msconv_webrtc_sessions{direction=\"in\"} 1",
        "msconv_webrtc_sessions{direction=\"out\"} 4",
        "msconv_webrtc_lost_packets_total{direction=\"in\"} 3",
        "msconv_webrtc_nacks_total 9",
        "msconv_webrtc_round_trip_seconds{viewer=\"median\"} 0.06",
        "msconv_webrtc_round_trip_seconds{viewer=\"slowest\"} 0.5",
    ] {
        assert!(page.contains(&format!("\n{line}\n")), "{line}: {page}");
    }
}

#[test]
fn an_idle_server_has_bare_zeros() {
    let ours = page(&View::default(), "/metrics");
    let theirs = recorded("metrics-idle.txt");
    let ours = ours.split("# RTMP").next().unwrap_or_default();
    assert_eq!(ours.trim_end(), theirs.trim_end());
}

#[test]
fn a_part_can_be_asked_for() {
    let own = page(&view(), "/metrics?type=msconv");
    let others: Vec<&str> =
        own.lines().filter(|l| !l.starts_with('#') && !l.starts_with("msconv_")).collect();
    assert!(others.is_empty(), "{others:?}");
    let paths = page(&view(), "/metrics?type=paths&path=cam2");
    assert!(
        paths.contains("paths{name=\"cam2\"") && !paths.contains("live/cam1") && !paths.contains("rtsp_"),
        "{paths}"
    );
    assert_eq!(page(&view(), "/metrics?type=nothing"), "");
    // One item of a section: nothing of the others. As MediaMTX does, an unknown one leaves the titles.
    let one = page(&view(), "/metrics?rtmp_conn=00000000-0000-0000-0000-000000000001");
    assert!(
        one.starts_with("# RTMP connections\nrtmp_conns{id=\"00000000-0000-0000-0000-000000000001\""),
        "{one}"
    );
    assert_eq!(one.matches("rtmp_conns{").count(), 1, "{one}");
    assert!(!one.contains("paths") && !one.contains("rtsp_") && !one.contains("msconv_"), "{one}");
    assert_eq!(page(&view(), "/metrics?path=nobody"), "# Paths\n\n# Paths (deprecated)\n\n");
    assert_eq!(page(&view(), "/metrics?type=rtmp_conns&path=cam2"), "");
    assert_eq!(page(&View::default(), "/metrics?path=nobody"), "");
    assert_eq!(page(&View::default(), "/metrics?rtsp_session=x"), "");
}

#[test]
fn our_own_series_are_described_once_and_well_named() {
    let page = page(&View { webrtc: Some(Totals::default()), ..view() }, "/metrics?type=msconv");
    let mut described = std::collections::BTreeSet::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(described.insert(name.to_string()), "{name} is described twice");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name} {kind}");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            assert!(described.contains(name), "{name} is not described before its samples");
        }
    }
    for needed in
        ["msconv_uptime_seconds", "msconv_build_info", "msconv_limit_exceeded_total", "msconv_connections"]
    {
        assert!(described.contains(needed), "{needed}");
    }
}

#[test]
fn strangers_cannot_make_endless_pages() {
    let mut flooded = view();
    flooded.streams =
        (0..5_000).map(|n| Stream { path: format!("s{n}\"\n\\"), ..Stream::default() }).collect();
    for n in 100..6_000u128 {
        let one = client(protocol::RTMP, n, Role::Read, "x");
        flooded.clients.insert(one.id, one);
    }
    let page = page(&flooded, "/metrics");
    assert_eq!(page.lines().filter(|l| l.starts_with("paths{")).count(), MOST_STREAMS);
    assert_eq!(page.lines().filter(|l| l.starts_with("rtmp_conns{")).count(), MOST_CLIENTS);
    assert!(page.contains("\nmsconv_streams_unlisted 4500\n"));
    assert!(page.contains("paths{name=\"s0\\\"\\n\\\\\",state=\"notReady\"} 1\n"));
}
