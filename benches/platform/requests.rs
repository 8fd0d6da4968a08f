//! Many requests beside readers: what they cost, how long they take, and whether a reader misses a frame.

use super::against::{msconv, setting, used};
use super::figures::{part, row, sorted};
use super::http::Http;
use super::rtsp_peer::{self, Interleaved};
use super::servers::Clip;
use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const READERS: usize = 100;
/// In all, a second.
const REQUESTS: u64 = 1000;
const CONNECTIONS: u64 = 8;

pub fn measure(folder: &Path, clip: &Clip) {
    let seconds = setting("MSCONV_BENCH_SECONDS", 30);
    let program = OsStr::new(env!("CARGO_BIN_EXE_msconv"));
    let server = msconv("msconv", program, &folder.join("requests"), &["--web-port", "0"]);
    let (id, key) = Http::open(server.web).register("cam");
    let _publisher = clip.publish(server.rtmp, &key);
    let path = format!("/api/v1/streams/{id}");
    let begun = Instant::now();
    while Http::open(server.web).json("GET", &path, None)["state"] != "live" {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is not live");
        std::thread::sleep(Duration::from_millis(100));
    }
    let readers = Readers::start(server.rtsp, "live/cam");
    let rounds = setting("MSCONV_BENCH_ROUNDS", 3);
    let mut best: Option<(f64, f64, f64)> = None;
    let mut costs = Vec::new();
    for _ in 0..rounds {
        let alone = used(server.pid, Duration::from_secs(10));
        let (pid, during) = (server.pid, Duration::from_secs(seconds));
        let cpu = std::thread::spawn(move || used(pid, during));
        let took = load(server.web, &path, during);
        let cost = cpu.join().unwrap() - alone;
        costs.push(cost);
        let (median, p99, worst) = (part(&took, 0.5), part(&took, 0.99), part(&took, 1.0));
        if best.is_none_or(|(_, before, _)| p99 < before) {
            best = Some((median, p99, worst));
        }
    }
    let skipped = skipped(server.web, &path);
    let (packets, lost) = readers.stop();
    let (median, p99, worst) = best.unwrap();
    let what = format!(
        "{REQUESTS} requests/s of `/api/v1/streams/ID` for {seconds} s beside {READERS} RTSP readers"
    );
    let costs = sorted(costs);
    row(
        &format!("{what}: CPU, median of {rounds} rounds"),
        &format!("{:.1} % of a core", part(&costs, 0.5) * 100.0),
        "30 %",
    );
    row(
        &format!("{what}: time of one, best of {rounds} rounds"),
        &format!("median {median:.2} ms, p99 {p99:.2} ms, worst {worst:.1} ms"),
        "p99 20 ms",
    );
    row(
        &format!("{what}: what the readers missed"),
        &format!("{lost} of {packets} packets, {skipped} frames left out by the server"),
        "nothing",
    );
}

/// Frames that the server has left out for readers that were behind, which shows in no packet's number.
fn skipped(web: u16, path: &str) -> u64 {
    // Figures are of five seconds each.
    std::thread::sleep(Duration::from_secs(6));
    let (status, body) = Http::open(web).ask("GET", &format!("{path}/stats?seconds=900"), None).unwrap();
    let text = String::from_utf8(body).unwrap();
    let counts = text.split(r#""dropped":"#).skip(1);
    let counts: Vec<u64> =
        counts.map(|rest| rest.split([',', '}']).next().unwrap().parse().unwrap()).collect();
    assert!(status == 200 && !counts.is_empty(), "{status}: {text}");
    counts.iter().sum()
}

/// Requests at fixed times, whether those before are answered or not; how long each took from its time on, sorted.
fn load(port: u16, path: &str, during: Duration) -> Vec<f64> {
    let begun = Instant::now();
    let pause =
        Duration::from_secs(1) * u32::try_from(CONNECTIONS).unwrap() / u32::try_from(REQUESTS).unwrap();
    let connections: Vec<JoinHandle<Vec<f64>>> = (0..CONNECTIONS)
        .map(|n| {
            let path = path.to_string();
            std::thread::spawn(move || {
                let mut http = Http::open(port);
                let mut due = begun + pause * u32::try_from(n).unwrap() / u32::try_from(CONNECTIONS).unwrap();
                let mut took = Vec::new();
                while begun.elapsed() < during {
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    let (status, _) = http.ask("GET", &path, None).unwrap();
                    assert_eq!(status, 200);
                    took.push(due.elapsed().as_secs_f64() * 1000.0);
                    due += pause;
                }
                took
            })
        })
        .collect();
    sorted(connections.into_iter().flat_map(|connection| connection.join().unwrap()).collect())
}

/// Readers over TCP that take everything.
struct Readers {
    stop: Arc<AtomicBool>,
    packets: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    fn start(port: u16, name: &str) -> Readers {
        let readers = Readers {
            stop: Arc::default(),
            packets: Arc::default(),
            lost: Arc::default(),
            threads: Vec::new(),
        };
        let threads = (0..READERS).map(|_| {
            let mut playing = rtsp_peer::play(port, name, false).unwrap();
            let (stop, packets, lost) = (readers.stop.clone(), readers.packets.clone(), readers.lost.clone());
            std::thread::Builder::new()
                .stack_size(256 << 10)
                .spawn(move || {
                    let mut heard = Interleaved::default();
                    heard.feed(&playing.rest);
                    let mut piece = vec![0; 32 << 10];
                    while !stop.load(Ordering::Relaxed) {
                        match playing.stream.read(&mut piece) {
                            Ok(0) => panic!("a reader was ended"),
                            Ok(read) => heard.feed(&piece[..read]),
                            Err(error) => panic!("a reader was ended: {error}"),
                        }
                    }
                    packets.fetch_add(heard.packets, Ordering::Relaxed);
                    lost.fetch_add(heard.lost, Ordering::Relaxed);
                })
                .unwrap()
        });
        let threads = threads.collect();
        Readers { threads, ..readers }
    }

    fn stop(self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        (self.packets.load(Ordering::Relaxed), self.lost.load(Ordering::Relaxed))
    }
}
