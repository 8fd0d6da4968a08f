//! The API against recorded answers: the same routes, keys in the same order, the same types, the same errors.

use super::*;
use crate::hub::Role;
use crate::hub::client::Ends;
use crate::media::track::{AudioCodec, AudioTrack, VideoCodec, VideoTrack};
use crate::media::{TrackId, Tracks};
use crate::protocol;
use crate::server::view::Client;
use crate::server::view::{About, Counts, Stream, Traffic};
use crate::status::mediamtx;
use bytes::Bytes;
use std::time::Duration;

fn recorded(name: &str) -> String {
    let path = format!("{}/tests/data/mediamtx/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

fn client(kind: Kind, n: u128, role: Role, name: &str) -> Client {
    Client {
        id: Uuid::from_u128(n),
        number: n as u64,
        kind,
        remote: "127.0.0.1:40048".parse().unwrap(),
        created_ms: 1_795_000_000_123,
        age: Duration::from_secs(5),
        role,
        name: name.into(),
        path: name.into(),
        application: "live".into(),
        query: "user=a&pass=b".into(),
        user: String::new(),
        agent: "Lavf59.27.100".into(),
        transport: (kind == protocol::RTSP_SESSION).then_some("TCP"),
        linked: Vec::new(),
        ends: None,
        counts: Counts { bytes_in: 10, bytes_out: 20, jitter: 490.25, ..Counts::default() },
    }
}

/// One RTMP publisher with a reader of each protocol, and one RTSP publisher.
fn view() -> View {
    let mut session = client(protocol::RTSP_SESSION, 3, Role::Read, "cam1");
    session.linked = vec![Uuid::from_u128(4)];
    let mut connection = client(protocol::RTSP_CONNECTION, 4, Role::Idle, "");
    connection.linked = vec![Uuid::from_u128(3)];
    let mut viewer = client(protocol::WEBRTC_SESSION, 7, Role::Read, "cam3");
    let [local, remote] = ["[::ffff:10.0.0.1]:8189", "10.0.0.2:5000"].map(|text| text.parse().unwrap());
    viewer.ends = Some(Ends { transport: "udp", local, remote });
    let clients = [
        viewer,
        client(protocol::RTMP, 1, Role::Publish, "cam1"),
        client(protocol::RTMP, 2, Role::Read, "cam1"),
        session,
        connection,
        client(protocol::RTSP_SESSION, 5, Role::Publish, "cam2"),
        client(protocol::RTSP_CONNECTION, 6, Role::Idle, ""),
    ];
    let tracks = Tracks::of(
        VideoTrack {
            codec: VideoCodec::H264,
            config: Bytes::new(),
            width: 1280,
            height: 720,
            profile: "High",
            level: "3.1".into(),
            frame_rate: None,
            reorder: 2,
        },
        AudioTrack {
            codec: AudioCodec::Aac,
            config: Bytes::new(),
            sample_rate: 44_100,
            channels: 1,
            profile: "LC",
        },
    );
    let stream = |name: &str, publisher: u128, readers: &[u128]| Stream {
        name: name.into(),
        path: name.into(),
        application: "live".into(),
        created_ms: 1_795_000_000_123,
        ready_ms: Some(1_795_000_000_456),
        tracks: tracks.clone(),
        publisher: Some(Uuid::from_u128(publisher)),
        readers: readers.iter().map(|n| Uuid::from_u128(*n)).collect(),
        traffic: Traffic { bytes_in: 2_589_672, bytes_out: 1_548_815, ..Traffic::default() },
        ..Stream::default()
    };
    View {
        streams: vec![stream("cam1", 1, &[3, 2]), stream("cam2", 5, &[])],
        clients: clients.into_iter().map(|c| (c.id, c)).collect(),
        about: About { applications: vec!["live".into()], ..About::default() },
        ..View::default()
    }
}

fn ask(target: &str) -> Response {
    answer(&view(), &Request::new("GET", target), &mut |_, _| panic!("nobody is kicked by reading"))
}

/// Keys and types of a JSON text in its own order: `{a:0,b:[""]}`. Of lists the items' forms, each once.
fn shape(text: &str) -> String {
    let mut out = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                let mut word = String::new();
                while let Some(next) = letters.next() {
                    match next {
                        '\\' => drop(letters.next()),
                        '"' => break,
                        other => word.push(other),
                    }
                }
                while letters.peek().is_some_and(|c| c.is_whitespace()) {
                    letters.next();
                }
                out.push_str(if letters.peek() == Some(&':') { &word } else { "text" });
            }
            '-' | '0'..='9' => {
                while letters.peek().is_some_and(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | '+' | '-'))
                {
                    letters.next();
                }
                out.push_str("number");
            }
            other if other.is_whitespace() => {}
            other => out.push(other),
        }
    }
    out
}

/// The forms of the items of a list, each once.
fn items(text: &str) -> std::collections::BTreeSet<String> {
    let (_, list) = text.split_once("\"items\"").unwrap();
    let list = list.trim_start_matches([':', ' ', '[', '\n']);
    let mut forms = std::collections::BTreeSet::new();
    let (mut depth, mut begin) = (0, 0);
    for (at, letter) in list.char_indices() {
        match letter {
            '{' => {
                if depth == 0 {
                    begin = at;
                }
                depth += 1;
            }
            '}' => {
                depth -= 1;
                if depth == 0 {
                    forms.insert(shape(&list[begin..=at]));
                }
            }
            _ => {}
        }
    }
    forms
}

#[test]
fn lists_have_the_recorded_fields_in_the_recorded_order() {
    for (target, file) in [
        ("/v3/rtmpconns/list", "rtmpconns.json"),
        ("/v3/rtspsessions/list", "rtspsessions-publish-and-read.json"),
    ] {
        let (ours, theirs) = (ask(target), recorded(file));
        assert_eq!((ours.status, ours.content_type), (200, JSON), "{target}");
        let (ours, theirs) = (items(&ours.body), items(&theirs));
        assert!(!ours.is_empty());
        let without_ends = |forms: &std::collections::BTreeSet<String>| {
            forms
                .iter()
                .map(|f| f.replace("conns:[]", "conns:[text]"))
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(without_ends(&ours), without_ends(&theirs), "{target}");
    }
    assert_eq!(items(&ask("/v3/rtspconns/list").body), items(&recorded("rtspconns.json")));
    let sessions = ask("/v3/webrtcsessions/list").body;
    assert_eq!(items(&sessions), items(&recorded("webrtcsessions.json")));
    for said in ["host/udp/10.0.0.1/8189", "prflx/udp/10.0.0.2/5000", "\"peerConnectionEstablished\":true"] {
        assert!(sessions.contains(said), "{said}: {sessions}");
    }
    let frame = |text: &str| shape(text).split_once("items:").unwrap().0.to_string();
    assert_eq!(frame(&ask("/v3/rtmpconns/list").body), frame(&recorded("rtmpconns.json")));
}

#[test]
fn paths_are_as_recorded() {
    let theirs = items(&recorded("paths-list-direct-publishers.json"));
    let ours = items(&ask("/v3/paths/list").body);
    let one = |forms: &std::collections::BTreeSet<String>| {
        forms
            .iter()
            .map(|f| {
                let (head, tail) = f.split_once("readers:[").unwrap();
                format!("{head}{}", tail.split_once(']').unwrap().1)
            })
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(one(&ours), one(&theirs));
    let body = ask("/v3/paths/list").body;
    for piece in [
        "\"name\":\"cam1\",\"confName\":\"all_others\",\"ready\":true,\"readyTime\":\"2026-",
        "\"source\":{\"type\":\"rtmpConn\",\"id\":\"00000000-0000-0000-0000-000000000001\"}",
        "\"tracks\":[\"H264\",\"MPEG-4 Audio\"]",
        "{\"codec\":\"H264\",\"codecProps\":{\"width\":1280,\"height\":720,\"profile\":\"High\",\"level\":\"3.1\"}}",
        "{\"codec\":\"MPEG-4 Audio\",\"codecProps\":{\"sampleRate\":44100,\"channelCount\":1}}",
        "\"readers\":[{\"type\":\"rtmpConn\",",
    ] {
        assert!(body.contains(piece), "{piece}\n{body}");
    }
}

#[test]
fn newer_codecs_have_the_properties_of_their_configurations() {
    // av1C: marker and version, profile 1 and level 8, tier 1. vpcC: version and flags, profile 2.
    for (codec, config, shown) in [
        (
            VideoCodec::Av1,
            &[0x81, 0x28, 0x8c, 0x00][..],
            r#"{"codec":"AV1","codecProps":{"width":0,"height":0,"profile":1,"level":8,"tier":1}}"#,
        ),
        (VideoCodec::Vp9, &[1, 0, 0, 0, 2, 31], r#"{"codec":"VP9","codecProps":{"profile":2}}"#),
        (VideoCodec::Av1, &[0x81], r#""profile":0,"level":0,"tier":0}}"#),
    ] {
        let mut newer = view();
        let track = VideoTrack::from_config(codec, Bytes::copy_from_slice(config)).unwrap();
        newer.streams[0].tracks.set_video(TrackId::VIDEO, track);
        let said = answer(&newer, &Request::new("GET", "/v3/paths/get/cam1"), &mut |_, _| false).body;
        assert!(said.contains(shown), "{said}");
    }
}

#[test]
fn what_is_not_ready_says_so() {
    let mut waiting = view();
    waiting.streams[0].publisher = None;
    waiting.streams[1].ready_ms = None;
    let page = mediamtx::parse_page(
        answer(&waiting, &Request::new("GET", "/v3/paths/list"), &mut |_, _| false).body.as_bytes(),
    )
    .unwrap();
    assert!(page.paths.iter().all(|p| !p.ready && p.tracks.is_empty()), "{page:?}");
    let lost = answer(&waiting, &Request::new("GET", "/v3/paths/get/cam1"), &mut |_, _| false).body;
    assert!(
        lost.contains("\"readyTime\":null,\"available\":false,\"availableTime\":null,\"online\":false"),
        "{lost}"
    );
    assert!(lost.contains("\"source\":null,\"tracks\":[]"), "{lost}");
}

#[test]
fn our_own_reader_reads_it() {
    let page = mediamtx::parse_page(ask("/v3/paths/list").body.as_bytes()).unwrap();
    assert_eq!((page.item_count, page.page_count, page.paths.len()), (2, 1, 2));
    let path = &page.paths[0];
    assert_eq!((path.name.as_str(), path.ready, path.readers, path.bytes_in), ("cam1", true, 2, 2_589_672));
    assert_eq!(path.ready_since_ms, Some(1_795_000_000_456));
    assert!(!path.pulled_over_rtmp(), "no viewer is taken away for a pull that does not exist");
    assert_eq!(path.tracks[0].size, Some((1280, 720)));
    let info: mediamtx::Info = serde_json::from_str(&ask("/v3/info").body).unwrap();
    assert_eq!(info.version, "v1.20.1");
}

#[test]
fn every_item_is_found_by_its_name() {
    for target in [
        "/v3/paths/get/cam1",
        "/v3/paths/get/live/cam1",
        "/v3/paths/get/cam%31",
        "/v3/rtmpconns/get/00000000-0000-0000-0000-000000000001",
        "/v3/rtspsessions/get/00000000000000000000000000000003",
        "/v3/rtspconns/get/{00000000-0000-0000-0000-000000000004}",
    ] {
        assert_eq!(ask(target).status, 200, "{target}");
    }
    assert_eq!(
        shape(&ask("/v3/paths/get/cam1").body),
        items(&ask("/v3/paths/list").body).last().unwrap().clone()
    );
    let get = ask("/v3/rtspsessions/get/00000000-0000-0000-0000-000000000003").body;
    assert!(ask("/v3/rtspsessions/list").body.contains(&get));
    assert!(get.contains("\"query\":\"***\""), "{get}");
}

#[test]
fn errors_are_as_recorded() {
    let compact = |file: &str| {
        let value: serde_json::Value = serde_json::from_str(&recorded(file)).unwrap();
        let words = value["error"].as_str().unwrap().to_string();
        format!("{{\"status\":\"error\",\"error\":\"{words}\"}}")
    };
    let unknown = ask("/v3/paths/get/nobody");
    assert_eq!((unknown.status, unknown.body), (404, compact("paths-get-unknown.json")));
    for zero in ["0", "00"] {
        let bad = ask(&format!("/v3/paths/list?itemsPerPage={zero}"));
        assert_eq!((bad.status, bad.body), (400, compact("paths-list-bad-items-per-page.json")));
    }
    for (target, words) in [
        ("/v3/paths/list?itemsPerPage=x", "strconv.ParseUint: parsing \\\"x\\\": invalid syntax"),
        ("/v3/paths/list?page=-1", "strconv.ParseUint: parsing \\\"-1\\\": invalid syntax"),
        ("/v3/rtmpconns/list?page=2147483648", "value out of range"),
        ("/v3/rtmpconns/list?page=99999999999999999999999", "value out of range"),
        ("/v3/rtmpconns/get/abcd", "invalid UUID length: 4"),
        ("/v3/rtmpconns/get/zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz", "invalid UUID format"),
    ] {
        let answer = ask(target);
        assert_eq!(answer.status, 400, "{target}");
        assert!(answer.body.contains(words), "{target}: {}", answer.body);
    }
    for (target, words) in [
        ("/v3/rtmpconns/get/00000000-0000-0000-0000-000000000003", "connection not found"),
        ("/v3/rtspsessions/get/00000000-0000-0000-0000-000000000001", "session not found"),
        ("/v3/rtspconns/get/00000000-0000-0000-0000-000000000001", "connection not found"),
    ] {
        let answer = ask(target);
        assert_eq!(answer.status, 404, "{target}");
        assert!(answer.body.contains(words), "{target}: {}", answer.body);
    }
    for target in ["/v3/paths/get", "/v3/paths/get/"] {
        let nameless = ask(target);
        assert!(nameless.status == 400 && nameless.body.contains("\"invalid name\""), "{nameless:?}");
    }
    assert_eq!(ask("/v3/paths/get//cam1").status, 404, "names begin with no slash");
    assert_eq!(ask("/v3/paths/list/"), ask("/v3/paths/list"));
    for target in [
        "/v3/hlsmuxers/list",
        "/v3",
        "/v3/",
        "/",
        "/v4/info",
        "/v3/rtspconns/kick/x",
        "/v3/rtmpconns/get/",
        "/v3/paths/getcam1",
    ] {
        let (body, answer) = (recorded("hlsmuxers-disabled.http.txt"), ask(target));
        assert_eq!((answer.status, answer.content_type), (404, "text/plain"), "{target}");
        assert!(body.ends_with(&answer.body), "{target}");
    }
}

#[test]
fn pages_count_from_zero() {
    let names = |target: &str| {
        let page = mediamtx::parse_page(ask(target).body.as_bytes()).unwrap();
        (page.item_count, page.page_count, page.paths.into_iter().map(|p| p.name).collect::<Vec<_>>())
    };
    assert_eq!(names("/v3/paths/list?itemsPerPage=1&page=0"), (2, 2, vec!["cam1".to_string()]));
    assert_eq!(names("/v3/paths/list?itemsPerPage=1&page=1"), (2, 2, vec!["cam2".to_string()]));
    assert_eq!(names("/v3/paths/list?itemsPerPage=1&page=2147483647"), (2, 2, vec![]));
    assert_eq!(
        names("/v3/paths/list?itemsPerPage=&page="),
        (2, 1, vec!["cam1".to_string(), "cam2".to_string()])
    );
    let empty = answer(&View::default(), &Request::new("GET", "/v3/paths/list"), &mut |_, _| false);
    assert_eq!(shape(&empty.body), shape(&recorded("paths-list-empty.json")));
    assert_eq!(empty.body, "{\"itemCount\":0,\"pageCount\":0,\"items\":[]}");
}

#[test]
fn kicks_reach_their_client_and_nobody_else() {
    let mut kicked = Vec::new();
    let mut post = |method: &str, target: &str| {
        let mut kick = |kind: Kind, id: Uuid| {
            let known = view().clients.get(&id).is_some_and(|c| c.kind == kind);
            if known {
                kicked.push(id.as_u128());
            }
            known
        };
        answer(&view(), &Request::new(method, target), &mut kick)
    };
    let body = |file: &str| recorded(file).split_once("\r\n\r\n").unwrap().1.trim_end().to_string();
    let ok = post("POST", "/v3/rtmpconns/kick/00000000-0000-0000-0000-000000000002");
    assert_eq!((ok.status, ok.body), (200, body("kick-ok.http.txt")));
    let unknown = post("POST", "/v3/rtspsessions/kick/00000000-0000-0000-0000-000000000002");
    assert_eq!((unknown.status, unknown.body), (404, body("kick-unknown.http.txt")));
    let bad = post("POST", "/v3/rtspsessions/kick/abcd");
    assert_eq!((bad.status, bad.body), (400, body("kick-bad-id.http.txt")));
    assert_eq!(post("GET", "/v3/rtmpconns/kick/00000000-0000-0000-0000-000000000002").status, 404);
    assert_eq!(post("POST", "/v3/paths/list").status, 404);
    assert_eq!(kicked, [2]);
}
