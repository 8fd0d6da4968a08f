//! Three hundred viewers behind a cache cost the server what one does: Varnish with the configuration that the
//! documentation names asks once for each address.

use super::house::{House, Playlist};
use crate::golden::root;
use crate::live::SOON;
use crate::stage::{Answer, PATIENCE, Port, Running, ask, needs, wait_for};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;

const VIEWERS: usize = 300;

struct Varnish {
    running: Running,
    address: SocketAddr,
}

impl Varnish {
    fn start(house: &House) -> Varnish {
        let vcl = std::fs::read_to_string(root().join("docker/varnish.vcl")).unwrap();
        let port = format!("\"{}\"", house.serve.address("web").port());
        let (file, listen) = (house.stage.file("varnish.vcl"), Port::free());
        std::fs::write(&file, vcl.replace("\"8000\"", &port)).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], listen.number()));
        let (at, folder) = (address.to_string(), house.stage.root().join("varnish"));
        let mut args = vec!["-F", "-j", "none", "-n", folder.to_str().unwrap(), "-a", &at];
        args.extend(["-f", file.to_str().unwrap(), "-s", "malloc,64m"]);
        let running = house.stage.spawn(varnishd(), &args);
        wait_for("Varnish to listen", PATIENCE, || {
            TcpStream::connect(address).map(drop).map_err(|e| format!("{e}: {}", running.stderr()))
        });
        Varnish { running, address }
    }

    /// The same request of all viewers at one moment.
    fn crowd(&self, path: &str) -> Vec<Answer> {
        let start = Barrier::new(VIEWERS);
        let viewer = || {
            start.wait();
            ask(self.address, "GET", path, "Accept-Encoding: gzip\r\n")
        };
        let small = || std::thread::Builder::new().stack_size(256 << 10);
        std::thread::scope(|scope| {
            let viewers: Vec<_> =
                (0..VIEWERS).map(|_| small().spawn_scoped(scope, viewer).unwrap()).collect();
            viewers.into_iter().map(|viewer| viewer.join().unwrap()).collect()
        })
    }

    fn end(self) {
        self.running.signal(Signal::SIGTERM);
        self.running.wait(PATIENCE);
    }
}

fn varnishd() -> &'static str {
    // Where Debian has it is not on every PATH.
    if std::path::Path::new("/usr/sbin/varnishd").exists() { "/usr/sbin/varnishd" } else { "varnishd" }
}

/// Requests that the server has had, by kind.
fn asked(house: &House) -> BTreeMap<String, u64> {
    let metrics = house.serve.get("metrics", "/metrics").body;
    let counts = metrics.lines().filter_map(|line| line.strip_prefix("msconv_hls_requests_total{kind=\""));
    counts
        .map(|rest| {
            let (kind, count) = rest.split_once("\"} ").unwrap();
            (kind.to_string(), count.trim().parse::<f64>().unwrap() as u64)
        })
        .collect()
}

#[test]
fn three_hundred_viewers_behind_a_cache_are_one() {
    if !needs(varnishd()) {
        return;
    }
    let Some(house) = House::new("hls-cache") else { return };
    house.text("/live/cam/index.m3u8");
    let segment = wait_for("a segment", SOON, || {
        let playlist = house.playlist("240p");
        playlist.segments.last().cloned().ok_or(playlist.text)
    });
    let varnish = Varnish::start(&house);
    let init = format!("/live/cam/240p/{}-init0.mp4", segment.split('-').next().unwrap());
    let files = [
        ("multivariant", "/live/cam/index.m3u8".to_string()),
        ("init", init),
        ("segment", format!("/live/cam/240p/{segment}")),
    ];
    for (kind, path) in files {
        one_request(&house, &varnish, kind, &path);
    }
    // The next part, and the playlist that will list it: everybody waits, and one request does.
    let (msn, part) = house.playlist("240p").hinted();
    let blocking = format!("/live/cam/240p/i.m3u8?_HLS_msn={msn}&_HLS_part={}", part + 5);
    one_request(&house, &varnish, "playlist", &blocking);
    let hint = house.playlist("240p").hint.unwrap();
    one_request(&house, &varnish, "part", &format!("/live/cam/240p/{hint}"));
    // Without directives the answer is as new as the last part: at most one request for each while they came.
    let answers = varnish.crowd("/live/cam/144p/i.m3u8");
    assert!(answers.iter().all(|answer| answer.status == 200));
    // A player that reads through it for some seconds.
    let url = format!("http://{}/live/cam/index.m3u8", varnish.address);
    let decode = ["-hide_banner", "-v", "error", "-xerror", "-i", &url, "-t", "4", "-f", "null", "-"];
    let run = house.stage.spawn("ffmpeg", &decode).wait(PATIENCE).expect(0);
    assert_eq!(run.stderr, "");
    let later = Playlist::of(&ask(varnish.address, "GET", "/live/cam/240p/i.m3u8", "").body).hinted();
    assert!(later > (msn, part), "what it gives does not grow old: {later:?}");
    varnish.end();
    house.stop();
}

#[track_caller]
fn one_request(house: &House, varnish: &Varnish, kind: &str, path: &str) {
    let before = asked(house);
    let answers = varnish.crowd(path);
    let after = asked(house);
    let bad: Vec<&Answer> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!(bad.is_empty(), "{path}: {} of {VIEWERS} went wrong: {:?}", bad.len(), bad.first());
    let first = &answers[0].body;
    assert!(answers.iter().all(|answer| answer.body == *first), "{path}: all get the same");
    let more = |kind: &str| after[kind] - before.get(kind).copied().unwrap_or(0);
    assert_eq!((more(kind), more("refused")), (1, 0), "{path}: {before:?} {after:?}");
}
