//! The rules of the listing one by one, on recorded pages and made ones, and that order changes nothing.

use super::*;
use crate::manager::listing::stream_facts::Movements;
use crate::model::Order;
use crate::process::identity::Identity;
use crate::process::run_record::RunRecord;
use crate::status::mediamtx::Path;
use crate::status::mediamtx::parse_page;
use crate::status::nginx_stat::{Application, Client, StreamStat, VideoMeta, parse};
use proptest::prelude::*;

const NOW: i64 = 1_800_000_000_000;

fn nginx(name: &str) -> Snapshot {
    let path = format!("{}/tests/data/nginx_stat/{name}.xml", env!("CARGO_MANIFEST_DIR"));
    parse(&std::fs::read(path).unwrap()).unwrap()
}

fn mediamtx(name: &str) -> Vec<Path> {
    let path = format!("{}/tests/data/mediamtx/{name}.json", env!("CARGO_MANIFEST_DIR"));
    parse_page(&std::fs::read(path).unwrap()).unwrap().paths
}

#[derive(Clone, Debug)]
struct Look {
    nginx: Option<Snapshot>,
    mediamtx: Option<Vec<Path>>,
    ours: Vec<Ours>,
    movements: Movements,
    all: bool,
}

impl Look {
    fn of(nginx: Option<Snapshot>, mediamtx: Option<Vec<Path>>) -> Look {
        Look { nginx, mediamtx, ours: vec![], movements: Movements::new(), all: false }
    }

    fn merged(&self) -> Merged {
        merge(&View {
            rtmp: &"rtmp://localhost:1935/live".parse().unwrap(),
            rtsp: &"rtsp://localhost:8554".parse().unwrap(),
            web: None,
            mediamtx_web: None,
            nginx: self.nginx.as_ref(),
            movements: &self.movements,
            mediamtx: self.mediamtx.as_deref(),
            ours: &self.ours,
            now_ms: NOW,
            all: self.all,
        })
    }

    fn stream(&self, key: &str) -> Stream {
        let merged = self.merged();
        let found = merged.streams.iter().find(|s| s.key == key);
        found.unwrap_or_else(|| panic!("no {key} in {:?}", keys(&merged))).clone()
    }
}

fn keys(merged: &Merged) -> Vec<&str> {
    merged.streams.iter().map(|s| s.key.as_str()).collect()
}

fn labels(stream: &Stream) -> Vec<&str> {
    stream.renditions.iter().map(|r| r.label.as_str()).collect()
}

fn publishing(name: &str) -> StreamStat {
    StreamStat {
        name: name.into(),
        time_ms: 60_000,
        bytes_in: 1_000_000,
        bw_in_bps: 900_000,
        publishing: true,
        active: true,
        nclients: 1,
        clients: vec![Client {
            address: "10.0.0.7".into(),
            publishing: true,
            time_ms: 60_000,
            ..Client::default()
        }],
        ..StreamStat::default()
    }
}

fn page(application: &str, streams: Vec<StreamStat>) -> Snapshot {
    let application = Application { name: application.into(), live: true, streams };
    Snapshot { applications: vec![application], ..Snapshot::default() }
}

fn own(key: &str, labels: &[&str], state: State) -> Ours {
    let renditions = labels.iter().map(|label| OutputRecord {
        label: label.to_string(),
        name: if *label == "original" { key.to_string() } else { format!("{key}_{label}") },
        size: (0, 0),
        state,
        bytes_in: None,
        bitrate_bps: Some(500_000),
        viewers: None,
        last_byte_at_ms: None,
    });
    Ours {
        rebooted: false,
        record: RunRecord {
            schema: 1,
            key: key.into(),
            home: "/srv/tv".into(),
            boot_id: String::new(),
            pid_namespace: None,
            supervisor: Some(Identity { pid: 41_000, start: 1 }),
            child: None,
            started_at_ms: NOW - 100_000,
            live_since_ms: Some(NOW - 761_000),
            written_at_ms: NOW - 1_000,
            order: Order::Run,
            state,
            reason: None,
            restarts: 2,
            last_error: None,
            source: String::new(),
            endpoint: "rtmp://127.0.0.1/live".into(),
            speed: None,
            fps: None,
            dropped_frames: 0,
            duplicated_frames: 0,
            renditions: renditions.collect(),
            spec: serde_json::Value::Null,
            argv: vec![],
            cost: None,
        },
        alive: true,
        pid: Some(41_233),
        log: "/srv/tv/logs/ffmpeg/x.log".into(),
    }
}

#[test]
fn pulls_are_no_viewers_and_readers_of_both_servers_count() {
    let look = Look::of(Some(nginx("stat-mediamtx-pulls")), Some(mediamtx("paths-list-four-renditions")));
    let merged = look.merged();
    assert_eq!(keys(&merged), ["stream1"]);
    let stream = look.stream("stream1");
    assert_eq!(labels(&stream), ["720p", "480p", "360p", "180p"]);
    // 720p is pulled twice (x and live/x) and read twice; every other rendition once.
    let viewers: Vec<u64> = stream.renditions.iter().map(|r| r.viewers).collect();
    assert_eq!(viewers, [2, 1, 1, 1]);
    assert_eq!(stream.viewers, 5);
    assert_eq!(stream.from.as_deref(), Some("127.0.0.1"));
    assert_eq!(stream.uptime_s, Some(14));
    let best = stream.renditions.first().unwrap();
    assert_eq!((best.name.as_str(), best.state), ("stream1_720p", State::Live));
    assert_eq!(best.rtmp_url, "rtmp://localhost:1935/live/stream1_720p");
    assert_eq!(best.rtsp_url, "rtsp://localhost:8554/stream1_720p");
    let video = best.video.as_ref().unwrap();
    assert_eq!((video.codec.as_str(), video.width, video.fps), ("h264", 1280, Some(30.0)));
    assert_eq!(best.audio.as_ref().unwrap().codec, "aac");
    // Without MediaMTX its pulls look like viewers; nothing better can be known then.
    assert_eq!(Look { mediamtx: None, ..look }.stream("stream1").viewers, 5);
}

#[test]
fn without_nginx_the_pulled_paths_are_the_list() {
    let look = Look::of(None, Some(mediamtx("paths-list-four-renditions")));
    assert_eq!(keys(&look.merged()), ["stream1"]);
    let stream = look.stream("stream1");
    assert_eq!(labels(&stream), ["720p", "480p", "360p", "180p"]);
    assert_eq!((stream.viewers, stream.state), (5, State::Live));
    assert_eq!(stream.renditions.first().unwrap().rtsp_url, "rtsp://localhost:8554/stream1_720p");
    let look = Look { all: true, ..look };
    assert_eq!(keys(&look.merged()), ["nobody", "stream1"]);
    assert_eq!(look.stream("nobody").state, State::Pending);
}

#[test]
fn what_is_published_straight_to_mediamtx_is_listed() {
    for nginx in [Some(nginx("stat-idle")), None] {
        let look = Look::of(nginx.clone(), Some(mediamtx("paths-list-direct-publishers")));
        assert_eq!(keys(&look.merged()), ["cam1", "cam2"]);
        let cam1 = look.stream("cam1");
        assert_eq!((cam1.application.as_str(), cam1.viewers), ("live", 1));
        assert_eq!(cam1.from.as_deref(), Some("RTMP, to MediaMTX"));
        let rendition = cam1.renditions.first().unwrap();
        assert_eq!(rendition.rtsp_url, "rtsp://localhost:8554/live/cam1");
        assert_eq!(rendition.name, "live/cam1");
        assert_eq!(rendition.rtmp_url.is_empty(), nginx.is_some());
        assert_eq!(look.stream("cam2").renditions.first().unwrap().rtsp_url, "rtsp://localhost:8554/cam2");
    }
    let both = Look::of(
        Some(page("live", vec![publishing("cam2")])),
        Some(mediamtx("paths-list-direct-publishers")),
    );
    let merged = both.merged();
    assert_eq!(keys(&merged), ["cam1", "cam2"]);
    assert_eq!(merged.notes.len(), 1);
    assert_eq!(both.stream("cam2").viewers, 1);
}

#[test]
fn only_publishing_names_are_live_and_all_shows_who_waits() {
    let look = Look::of(Some(nginx("stat-player-without-publisher")), Some(vec![]));
    assert_eq!(look.merged().streams, vec![]);
    let look = Look { all: true, ..look };
    let merged = look.merged();
    assert_eq!(merged.streams.len(), 1);
    let stream = merged.streams.first().unwrap();
    assert_eq!((stream.state, stream.viewers), (State::Pending, 1));
    assert_eq!(Look::of(Some(nginx("stat-idle")), None).merged().streams, vec![]);
}

#[test]
fn a_name_is_split_by_its_label_and_by_our_records() {
    let streams = ["cam_720p", "cam", "cam_2", "tv_low", "radio_audio"].map(publishing).to_vec();
    let mut look = Look::of(Some(page("live", streams)), None);
    assert_eq!(keys(&look.merged()), ["cam", "cam_2", "radio", "tv_low"]);
    assert_eq!(labels(&look.stream("cam")), ["720p", "original"]);
    look.ours = vec![own("tv", &["low"], State::Live)];
    assert_eq!(keys(&look.merged()), ["cam", "cam_2", "radio", "tv"]);
    // A key that itself looks like a rendition is what its record says.
    look.ours = vec![own("cam_720p", &["original"], State::Live)];
    assert_eq!(labels(&look.stream("cam_720p")), ["original"]);
    assert_eq!(labels(&look.stream("cam")), ["original"]);
}

#[test]
fn our_own_streams_take_the_supervisors_word() {
    let streams = ["s_720p", "s_360p"].map(publishing).to_vec();
    let mut look = Look::of(Some(page("live", streams)), None);
    look.ours = vec![own("s", &["720p", "480p", "360p"], State::Weak)];
    let stream = look.stream("s");
    assert_eq!(
        (stream.state, stream.uptime_s, stream.from.as_deref()),
        (State::Weak, Some(761), Some("here"))
    );
    assert_eq!(stream.bitrate_bps, Some(1_500_000));
    assert_eq!(labels(&stream), ["720p", "480p", "360p"]);
    let missing = stream.renditions.get(1).unwrap();
    assert_eq!(missing.state, State::Stalled, "recorded as on the air, but the server does not list it");
    let local = stream.local.as_ref().unwrap();
    assert_eq!((local.pid, local.supervisor_pid, local.restarts), (Some(41_233), Some(41_000), 2));

    // A record that is not renewed any more is not believed.
    let names: Vec<(String, String)> =
        ["s_360p", "s_720p"].map(|n| ("live".to_string(), n.to_string())).to_vec();
    look.movements = names.into_iter().map(|n| (n, Movement::Still)).collect();
    for own in &mut look.ours {
        own.record.written_at_ms = NOW - 60_000;
    }
    let stream = look.stream("s");
    assert_eq!(stream.local.as_ref().unwrap().reason.as_deref(), Some("its supervisor does not report"));
    assert_ne!(stream.state, State::Live);

    // A dead record says nothing about a stream that somebody publishes under its key.
    for own in &mut look.ours {
        (own.alive, own.pid) = (false, None);
    }
    let stream = Look { all: true, ..look }.stream("s");
    assert_eq!((stream.from.as_deref(), stream.local), (Some("10.0.0.7"), None));
}

#[test]
fn what_is_not_on_the_air_is_shown_only_with_all() {
    let mut look = Look::of(Some(page("live", vec![])), None);
    let mut dead = own("dead", &["720p"], State::Live);
    (dead.alive, dead.pid) = (false, None);
    let mut done = own("done", &["720p"], State::Finished);
    (done.alive, done.pid) = (false, None);
    look.ours =
        vec![dead, done, own("again", &["720p"], State::Restarting), own("gone", &["720p"], State::Live)];
    assert_eq!(look.merged().streams, vec![]);
    look.all = true;
    let state = |key: &str| look.stream(key).state;
    assert_eq!(keys(&look.merged()), ["again", "dead", "done", "gone"]);
    assert_eq!(state("dead"), State::Failed);
    assert_eq!(state("done"), State::Finished);
    assert_eq!(state("again"), State::Restarting);
    assert_eq!(state("gone"), State::Stalled);
    assert_eq!(look.stream("dead").local.unwrap().reason.as_deref(), Some("its supervisor is gone"));
    assert_eq!(look.stream("dead").from, None);
    // Where the server cannot be asked, the supervisor's word is the best there is.
    let unasked = Look { nginx: None, all: false, ..look };
    assert_eq!(keys(&unasked.merged()), ["gone"]);
}

#[test]
fn streams_of_ours_on_another_server_are_shown_apart() {
    let mut look = Look::of(Some(page("live", vec![publishing("s")])), None);
    let mut far = own("s", &["original"], State::Live);
    far.record.endpoint = "rtmp://***@media.example:1936/live".into();
    look.ours = vec![far];
    let merged = look.merged();
    assert_eq!(keys(&merged), ["s", "s"]);
    let (near, far) = (merged.streams.first().unwrap(), merged.streams.get(1).unwrap());
    assert_eq!(near.from.as_deref(), Some("10.0.0.7"));
    assert_eq!(far.from.as_deref(), Some("here, to media.example:1936"));
    assert_eq!(far.renditions.first().unwrap().rtsp_url, "rtsp://media.example:8554/s");
}

#[test]
fn bytes_decide_about_foreign_streams() {
    let mut look = Look::of(Some(page("live", vec![publishing("x")])), None);
    let name = ("live".to_string(), "x".to_string());
    assert_eq!(look.stream("x").state, State::Live);
    look.movements.insert(name.clone(), Movement::Still);
    let stream = look.stream("x");
    assert_eq!(
        (stream.state, stream.bitrate_bps),
        (State::Stalled, Some(0)),
        "the rate of a dead stream is stale"
    );
    look.movements.insert(name.clone(), Movement::Moving);
    assert_eq!(look.stream("x").state, State::Live);
    let young = |bytes_in, time_ms| StreamStat {
        bytes_in,
        bw_in_bps: 0,
        clients: vec![Client { publishing: true, time_ms, ..Client::default() }],
        time_ms,
        ..publishing("x")
    };
    look.nginx = Some(page("live", vec![young(57, 69)]));
    look.movements.insert(name.clone(), Movement::Still);
    assert_eq!(look.stream("x").state, State::Starting);
    look.nginx = Some(page("live", vec![young(1_000_000, 8_000)]));
    look.movements.insert(name.clone(), Movement::Moving);
    assert_eq!(
        look.stream("x").bitrate_bps,
        Some(1_000_000),
        "the average, while the server has no rate yet"
    );
    look.movements.clear();
    assert_eq!(look.stream("x").state, State::Live);
    look.nginx = Some(page("live", vec![young(1_000_000, 80_000)]));
    assert_eq!(look.stream("x").state, State::Stalled);
}

#[test]
fn names_from_outside_are_printable_and_urls_escaped() {
    let mut odd = publishing("a\u{1b}[2Jb c");
    odd.video =
        Some(VideoMeta { codec: Some("H\u{1b}264".into()), width: 2, height: 2, ..VideoMeta::default() });
    let merged = Look::of(Some(page("l\u{202e}x", vec![odd])), None).merged();
    let text = serde_json::to_string(&merged.streams).unwrap();
    assert!(!text.contains("\\u001b") && !text.contains('\u{202e}'), "{text}");
    let url = &merged.streams.first().unwrap().renditions.first().unwrap().rtmp_url;
    assert_eq!(url, "rtmp://localhost:1935/l%E2%80%AEx/a%1B%5B2Jb%20c");
}

#[test]
fn all_recorded_pages_merge() {
    for name in
        ["stat-odd-names", "stat-four-renditions-plus-other", "stat-gst-publishers", "stat-redirected"]
    {
        let snapshot = nginx(name);
        let live = snapshot.applications.iter().flat_map(|a| &a.streams).filter(|s| s.publishing).count();
        let merged = Look::of(Some(snapshot), Some(vec![])).merged();
        assert_eq!(merged.streams.iter().map(|s| s.renditions.len()).sum::<usize>(), live, "{name}");
    }
}

#[test]
fn only_foreign_and_silent_streams_need_proof() {
    let rtmp: RtmpUrl = "rtmp://localhost/live".parse().unwrap();
    let mut waiting = publishing("w");
    waiting.publishing = false;
    let snapshot = page("live", vec![publishing("s_720p"), publishing("x"), publishing("t"), waiting]);
    let mut silent = own("t", &["original"], State::Live);
    silent.record.written_at_ms = NOW - 60_000;
    let ours = [own("s", &["720p"], State::Live), silent];
    let names = unproven(&snapshot, &rtmp, &ours, NOW);
    let names: Vec<&str> = names.iter().map(|(_, n)| n.as_str()).collect();
    assert_eq!(names, ["x", "t"]);
}

fn any_stat() -> impl Strategy<Value = StreamStat> {
    let names =
        prop::sample::select(vec!["a", "a_720p", "a_360p", "b", "b_audio", "b_hd", "c d", "live/a", "_720p"]);
    (names, any::<bool>(), 0u64..6, 0u64..100_000, 0u64..3_000_000).prop_map(
        |(name, publishing, nclients, time_ms, bytes_in)| StreamStat {
            name: name.into(),
            publishing,
            nclients,
            time_ms,
            bytes_in,
            ..StreamStat::default()
        },
    )
}

fn any_path() -> impl Strategy<Value = Path> {
    let names = prop::sample::select(vec!["a", "live/a", "a_720p", "live/a_720p", "b", "other/b", "x/y/z"]);
    let sources = prop::sample::select(vec![None, Some("rtmpSource"), Some("rtspSession"), Some("rtmpConn")]);
    (names, sources, any::<bool>(), 0u64..5, 0u64..9_000_000).prop_map(
        |(name, source, ready, readers, bytes_in)| Path {
            name: name.into(),
            ready,
            ready_since_ms: ready.then_some(NOW - 10_000),
            source: source.map(str::to_string),
            readers,
            bytes_in,
            tracks: vec![],
        },
    )
}

fn any_own() -> impl Strategy<Value = Ours> {
    let endpoints =
        prop::sample::select(vec!["rtmp://localhost/live", "rtmp://h/live", "", "rtmp://127.0.0.1/other"]);
    let keys = prop::sample::select(vec!["a", "b", "a_720p", "n"]);
    let labels =
        prop::sample::select(vec![vec!["original"], vec!["720p", "360p"], vec!["hd", "audio"], vec![]]);
    let state = prop::sample::select(State::ALL.to_vec());
    (endpoints, keys, labels, state, any::<(bool, bool)>(), 0i64..30_000).prop_map(
        |(endpoint, key, labels, state, (alive, child), age)| {
            let mut made = own(key, &labels, state);
            made.record.endpoint = endpoint.into();
            made.record.written_at_ms = NOW - age;
            // Two records of one key in two homes are told apart by their age.
            made.record.started_at_ms = NOW - age;
            made.record.home = format!("/srv/{endpoint}/{age}/{state}/{}", labels.len()).into();
            made.alive = alive;
            made.pid = child.then_some(7);
            made
        },
    )
}

fn any_look() -> impl Strategy<Value = Look> {
    let stats = || prop::collection::vec(any_stat(), 0..8);
    let nginx = prop::option::of((stats(), stats()));
    // One path of a name, as a server lists them; streams of one name may stand in several server blocks.
    let paths = prop::option::of(prop::collection::btree_map(any::<u8>(), any_path(), 0..7));
    (nginx, paths, prop::collection::vec(any_own(), 0..4), any::<bool>()).prop_map(
        |(nginx, paths, ours, all)| {
            let nginx = nginx.map(|(live, other)| Snapshot {
                applications: vec![
                    Application { name: "live".into(), live: true, streams: live },
                    Application { name: "other".into(), live: true, streams: other },
                ],
                ..Snapshot::default()
            });
            let mut seen = BTreeSet::new();
            let paths = paths.map(|p| p.into_values().filter(|p| seen.insert(p.name.clone())).collect());
            Look { nginx, mediamtx: paths, ours, movements: Movements::new(), all }
        },
    )
}

proptest! {
    #[test]
    fn order_changes_nothing(look in any_look(), by in any::<(usize, usize, usize)>()) {
        let mut turned = look.clone();
        if let Some(snapshot) = &mut turned.nginx {
            snapshot.applications.reverse();
            for application in &mut snapshot.applications {
                let n = application.streams.len().max(1);
                application.streams.rotate_left(by.0 % n);
                application.streams.reverse();
            }
        }
        if let Some(paths) = &mut turned.mediamtx {
            let n = paths.len().max(1);
            paths.rotate_left(by.1 % n);
        }
        let n = turned.ours.len().max(1);
        turned.ours.rotate_left(by.2 % n);
        prop_assert_eq!(look.merged(), turned.merged());
    }

    #[test]
    fn every_publishing_name_stands_once_and_only_those_are_live(look in any_look()) {
        let merged = look.merged();
        if let Some(snapshot) = &look.nginx {
            for application in &snapshot.applications {
                let names: BTreeSet<&str> = application.streams.iter().filter(|s| s.publishing).map(|s| s.name.as_str()).collect();
                for name in names {
                    let asked = |s: &&Stream| {
                        let dead = s.local.as_ref().is_some_and(|l| l.pid.is_none() && l.supervisor_pid.is_none());
                        let far = s.from.as_deref() == Some("here, to h:1935");
                        s.application == application.name && !dead && !far
                    };
                    let renditions = merged.streams.iter().filter(asked).flat_map(|s| &s.renditions);
                    let times = renditions.filter(|r| r.name == name && !r.rtmp_url.is_empty()).count();
                    prop_assert_eq!(times, 1, "{} in {}", name, application.name);
                }
            }
        }
        let places: BTreeSet<_> = merged.streams.iter().map(|s| (&s.application, &s.key, &s.from, s.local.as_ref().map(|l| &l.home))).collect();
        prop_assert_eq!(places.len(), merged.streams.len());
        if !look.all {
            prop_assert!(merged.streams.iter().all(|s| s.state != State::Pending || s.local.is_some()));
        }
    }
}

#[test]
fn the_built_in_server_shows_each_stream_twice_and_it_counts_once() {
    let mut stream = publishing("stream1_720p");
    stream.nclients = 4;
    let mut snapshot = page("live", vec![stream]);
    snapshot.server = Some("msconv-0.1.0".into());
    let path = Path {
        name: "stream1_720p".into(),
        ready: true,
        source: Some("rtmpConn".into()),
        readers: 3,
        ..Path::default()
    };
    let look = Look::of(Some(snapshot.clone()), Some(vec![path.clone()]));
    let merged = look.merged();
    assert_eq!((keys(&merged), merged.notes.len()), (vec!["stream1"], 0));
    assert_eq!(merged.streams[0].renditions[0].viewers, 3);
    // Behind a real nginx-rtmp the same would be two publishers.
    snapshot.server = Some("1.22.1".into());
    let merged = Look::of(Some(snapshot), Some(vec![path])).merged();
    assert_eq!((merged.notes.len(), merged.streams[0].renditions[0].viewers), (1, 6));
}
