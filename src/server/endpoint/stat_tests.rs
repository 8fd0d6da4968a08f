//! The page against recorded ones: the same moments, made by hand, must give the same bytes.

use super::*;
use crate::hub::Role;
use crate::media::Tracks;
use crate::media::track::{AudioTrack, VideoTrack};
use crate::protocol;
use crate::server::view::{About, Counts};
use crate::status::nginx_stat;
use bytes::Bytes;
use std::time::Duration;
use uuid::Uuid;

fn recorded(name: &str) -> String {
    let path = format!("{}/tests/data/nginx_stat/{name}.xml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// The recorded block of one stream.
fn block(page: &str, name: &str) -> String {
    let stream = page.split("<stream>").find(|s| s.contains(&format!("<name>{name}</name>"))).unwrap();
    format!("<stream>{}</stream>", stream.split_once("</stream>").unwrap().0)
}

fn video(width: u32, height: u32, compat: u8, profile: &'static str, level: &str, fps: f64) -> VideoTrack {
    VideoTrack {
        codec: VideoCodec::H264,
        config: Bytes::from(vec![1, 100, compat, 30]),
        width,
        height,
        profile,
        level: level.into(),
        frame_rate: Some(fps),
        reorder: 0,
    }
}

fn aac() -> AudioTrack {
    AudioTrack {
        codec: AudioCodec::Aac,
        config: Bytes::new(),
        sample_rate: 44_100,
        channels: 1,
        profile: "LC",
    }
}

fn client(number: u64, age_ms: u64, role: Role, agent: &str, timestamp_ms: u64) -> Client {
    Client {
        id: Uuid::from_u128(number.into()),
        number,
        kind: protocol::RTMP,
        remote: "127.0.0.1:40000".parse().unwrap(),
        created_ms: 0,
        age: Duration::from_millis(age_ms),
        role,
        name: "stream1".into(),
        path: "stream1".into(),
        application: "live".into(),
        query: String::new(),
        user: String::new(),
        agent: agent.into(),
        transport: None,
        linked: Vec::new(),
        ends: None,
        counts: Counts { timestamp_ms, ..Counts::default() },
    }
}

fn view(stream: Stream, clients: Vec<Client>) -> View {
    let publisher = clients.iter().find(|c| c.role == Role::Publish).map(|c| c.id);
    let readers = clients.iter().filter(|c| c.role == Role::Read).map(|c| c.id).collect();
    View {
        about: About {
            pid: 7,
            built: "Feb 13 2023 11:56:56".into(),
            applications: vec!["live".into()],
            ..About::default()
        },
        streams: vec![Stream { publisher, readers, application: "live".into(), ..stream }],
        clients: clients.into_iter().map(|c| (c.id, c)).collect(),
        ..View::default()
    }
}

const FFMPEG: &str = "FMLE/3.0 (compatible; Lavf59.27.100)";

fn two_players() -> View {
    let stream = Stream {
        name: "stream1".into(),
        age: Duration::from_millis(8094),
        ready_ms: Some(1),
        frame_rate: Some(25.0),
        tracks: Tracks::of(video(640, 360, 0, "High", "3.0", 25.0), aac()),
        traffic: Traffic { bytes_in: 650_935, bytes_out: 294_818, ..Traffic::default() },
        avsync_ms: -6,
        ..Stream::default()
    };
    view(
        stream,
        vec![
            client(4, 8272, Role::Publish, FFMPEG, 7400),
            client(11, 2960, Role::Read, "LNX 9,0,124,2", 7400),
            client(10, 2962, Role::Read, "LNX 9,0,124,2", 7400),
        ],
    )
}

/// nginx lists players in the order of its own lists; ours is the newest first.
fn sorted(block: &str) -> Vec<String> {
    let mut lines: Vec<String> = block.lines().map(str::to_string).collect();
    lines.sort();
    lines
}

#[test]
fn two_players_as_recorded() {
    let (ours, theirs) =
        (block(&page(&two_players()), "stream1"), block(&recorded("stat-two-players"), "stream1"));
    assert_eq!(sorted(&ours), sorted(&theirs));
    assert_eq!(
        ours.lines().map(element).collect::<Vec<_>>(),
        theirs.lines().map(element).collect::<Vec<_>>()
    );
    assert!(page(&two_players()).lines().count() == page(&two_players()).matches("\r\n").count());
}

/// The first element of a line.
fn element(line: &str) -> &str {
    line.split(['>', ' ']).next().unwrap_or_default()
}

#[test]
fn the_frame_of_the_page_is_as_recorded() {
    let (ours, theirs) = (page(&two_players()), recorded("stat-two-players"));
    let frame = |page: &str| {
        let head = page.split("<stream>").next().unwrap().to_string();
        head.lines()
            .filter(|l| !l.starts_with("<?xml-stylesheet"))
            .map(|l| element(l).to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(frame(&ours), frame(&theirs));
    assert!(
        ours.ends_with("<nclients>3</nclients>\r\n</live>\r\n</application>\r\n</server>\r\n</rtmp>\r\n")
    );
}

#[test]
fn audio_only_and_waiting_readers_as_recorded() {
    let stream = Stream {
        name: "radio_only".into(),
        age: Duration::from_millis(3742),
        tracks: Tracks::of(None, aac()),
        traffic: Traffic { bytes_in: 32_554, ..Traffic::default() },
        avsync_ms: 3692,
        ..Stream::default()
    };
    let made = view(stream, vec![client(120, 3926, Role::Publish, FFMPEG, 3692)]);
    assert_eq!(block(&page(&made), "radio_only"), block(&recorded("stat-audio-only"), "radio_only"));

    let stream = Stream { name: "ghost".into(), age: Duration::from_millis(2707), ..Stream::default() };
    let made = view(stream, vec![client(130, 2893, Role::Read, "LNX 9,0,124,2", 0)]);
    assert_eq!(block(&page(&made), "ghost"), block(&recorded("stat-player-without-publisher"), "ghost"));
}

#[test]
fn frames_only_and_constrained_profiles_as_recorded() {
    let stream = Stream {
        name: "a&b".into(),
        age: Duration::from_millis(3411),
        frame_rate: Some(10.9),
        tracks: Tracks::of(video(160, 120, 192, "Constrained Baseline", "1.0", 10.9), None),
        traffic: Traffic { bytes_in: 28_943, ..Traffic::default() },
        avsync_ms: -3000,
        ..Stream::default()
    };
    let made = view(stream, vec![client(158, 3589, Role::Publish, FFMPEG, 3000)]);
    assert_eq!(block(&page(&made), "a&amp;b"), block(&recorded("stat-odd-names"), "a&amp;b"));
}

#[test]
fn our_own_reader_reads_it() {
    let mut made = two_players();
    let rtsp = Client {
        kind: protocol::RTSP_SESSION,
        remote: "[::1]:9".parse().unwrap(),
        ..client(12, 5, Role::Read, "Lavf59.27.100", 0)
    };
    made.streams[0].readers.push(rtsp.id);
    made.clients.insert(rtsp.id, rtsp);
    let snapshot = nginx_stat::parse(page(&made).as_bytes()).unwrap();
    assert_eq!(snapshot.pid, Some(7));
    let stream = snapshot.stream("live", "stream1").unwrap();
    assert_eq!(
        (stream.bytes_in, stream.nclients, stream.publishing, stream.active),
        (650_935, 4, true, true)
    );
    assert_eq!(stream.publisher().unwrap().id, 4);
    let player = stream.clients.iter().find(|c| c.id == 12).unwrap();
    assert_eq!((player.address.as_str(), player.flashver.as_deref()), ("::1", Some("RTSP/Lavf59.27.100")));
    let video = stream.video.as_ref().unwrap();
    assert_eq!((video.width, video.height, video.frame_rate), (640, 360, 25));
    assert_eq!(stream.audio.as_ref().unwrap().sample_rate, 44_100);
}

#[test]
fn what_strangers_send_stays_text() {
    let mut made = two_players();
    made.streams[0].name = "</name><stream> п\u{7}".into();
    let agent = "<b>\u{1b}[31mпоток поток поток поток".to_string();
    made.clients.values_mut().for_each(|c| c.agent = agent.clone());
    let page = page(&made);
    assert!(page.is_ascii(), "{page}");
    assert!(!page.contains("<b>") && !page.contains('\u{1b}'), "{page}");
    let snapshot = nginx_stat::parse(page.as_bytes()).unwrap();
    assert_eq!(snapshot.applications[0].streams[0].name, "</name><stream>    ");
}

#[test]
fn a_stream_stands_in_its_application() {
    let mut made = two_players();
    made.about.applications = vec!["live".into(), "tv".into()];
    let snapshot = nginx_stat::parse(page(&made).as_bytes()).unwrap();
    assert_eq!(snapshot.applications.iter().map(|a| a.streams.len()).collect::<Vec<_>>(), [1, 0]);
    made.streams[0].application = "tv".into();
    let snapshot = nginx_stat::parse(page(&made).as_bytes()).unwrap();
    assert_eq!(snapshot.applications.iter().map(|a| a.streams.len()).collect::<Vec<_>>(), [0, 1]);
}
