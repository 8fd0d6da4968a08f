//! The embedded server against real nginx-rtmp in one run: CPU and memory for each reader, time to the first keyframe,
//! many readers beside stopped ones, added delay. Run by `scripts/bench.sh relay`; never part of the tests.
//!
//! Both servers carry the same stream (one ffmpeg each, copying the same file in real time). Readers are bare sockets
//! in this process, the same for both. CPU is that of the server's process alone, from its scheduler statistics; what
//! the publisher alone costs is measured in every round and taken off.
#![allow(clippy::unwrap_used, missing_docs, reason = "a measurement that cannot go on says so by panicking")]

#[path = "relay/players.rs"]
mod players;
#[path = "relay/rtmp_peer.rs"]
mod rtmp_peer;
#[path = "relay/rtsp_peer.rs"]
mod rtsp_peer;
#[path = "relay/servers.rs"]
mod servers;
#[path = "relay/spread.rs"]
mod spread;
#[path = "relay/supervised.rs"]
mod supervised;

use players::Players;
use servers::{Clip, Servers, cpu, rss_kb};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const READERS: usize = 50;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    NginxRtmp,
    Rtmp,
    RtmpBefore,
    RtspTcp,
    RtspTcpBefore,
    RtspUdp,
    RtspUdpBefore,
}

impl Way {
    /// `MSCONV_BENCH_WAYS=NginxRtmp,Rtmp` measures only these; nginx-rtmp comes first, since it is the measure.
    fn asked(servers: &Servers) -> Vec<Way> {
        let asked = std::env::var("MSCONV_BENCH_WAYS").unwrap_or_default();
        use Way::{NginxRtmp, Rtmp, RtmpBefore, RtspTcp, RtspTcpBefore, RtspUdp, RtspUdpBefore};
        [NginxRtmp, Rtmp, RtmpBefore, RtspTcp, RtspTcpBefore, RtspUdp, RtspUdpBefore]
            .into_iter()
            .filter(|way| asked.is_empty() || asked.split(',').any(|w| w == format!("{way:?}")))
            .filter(|way| servers.before.is_some() || !way.is_before())
            .collect()
    }

    fn is_before(self) -> bool {
        matches!(self, Way::RtmpBefore | Way::RtspTcpBefore | Way::RtspUdpBefore)
    }

    /// The process, and the port to read from.
    fn server(self, servers: &Servers) -> (i32, u16) {
        let of = if self.is_before() { servers.before.as_ref().unwrap() } else { &servers.now };
        match self {
            Way::NginxRtmp => (servers.nginx_worker, servers.nginx_rtmp),
            Way::Rtmp | Way::RtmpBefore => (of.pid, of.rtmp),
            _ => (of.pid, of.rtsp),
        }
    }

    fn over_rtmp(self) -> bool {
        matches!(self, Way::NginxRtmp | Way::Rtmp | Way::RtmpBefore)
    }

    fn over_udp(self) -> bool {
        matches!(self, Way::RtspUdp | Way::RtspUdpBefore)
    }
}

fn main() {
    let seconds = Duration::from_secs(setting("MSCONV_BENCH_SECONDS", 15));
    let rounds = setting("MSCONV_BENCH_ROUNDS", 3);
    let only = std::env::var("MSCONV_BENCH_ONLY").unwrap_or_default();
    let folder = tempfile::tempdir().unwrap();
    let clip = Clip::make(folder.path(), "clip.flv", "2500k", 1280, 720);
    let servers = Servers::start(folder.path());
    let _publishers = servers.publish(&clip, "s");
    if only.is_empty() || only == "cpu" {
        cost::<Readers>(&servers, seconds, rounds);
    }
    if only.is_empty() || only == "players" {
        cost::<Players>(&servers, seconds, rounds);
    }
    if only.is_empty() || only == "first" {
        first_keyframe(&servers);
    }
    if only.is_empty() || only == "delay" {
        delay(&servers);
    }
    drop(_publishers);
    if only.is_empty() || only == "crowd" {
        crowd(&servers, folder.path());
    }
    if only.is_empty() || only == "spread" {
        spread::spread(folder.path(), seconds, rounds);
    }
    if only.is_empty() || only == "supervised" {
        supervised::supervised(&servers, seconds);
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Readers that take everything until they are dropped.
struct Readers {
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Readers {
    fn start(servers: &Servers, way: Way, name: &str, count: usize) -> Readers {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for _ in 0..count {
            let stop = stop.clone();
            let mut sockets = Vec::new();
            let (_, port) = way.server(servers);
            let stream = if way.over_rtmp() {
                rtmp_peer::open(port, "play", name).unwrap()
            } else {
                let playing = rtsp_peer::play(port, name, way.over_udp()).unwrap();
                sockets = playing.sockets;
                playing.stream
            };
            let mut stream = stream;
            for socket in sockets {
                let stop = stop.clone();
                socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
                threads.push(std::thread::spawn(move || {
                    let mut buffer = [0; 65536];
                    while !stop.load(Ordering::Relaxed) {
                        let _ = socket.recv(&mut buffer);
                    }
                }));
            }
            stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
            threads.push(std::thread::spawn(move || {
                let mut buffer = vec![0; 65536];
                while !stop.load(Ordering::Relaxed) {
                    if let Ok(0) = stream.read(&mut buffer) {
                        return;
                    }
                }
            }));
        }
        Readers { stop, threads }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// What reads.
trait Reading {
    const WHO: &'static str;
    /// So many readers of the stream, in full swing.
    fn begin(servers: &Servers, way: Way, count: usize) -> Self;
}

/// Bare sockets.
impl Reading for Readers {
    const WHO: &'static str = "readers, bare sockets";

    fn begin(servers: &Servers, way: Way, count: usize) -> Readers {
        let readers = Readers::start(servers, way, "s", count);
        std::thread::sleep(Duration::from_secs(3));
        readers
    }
}

fn cost<R: Reading>(servers: &Servers, seconds: Duration, rounds: u64) {
    let ways = Way::asked(servers);
    let mut whole: Vec<Vec<f64>> = vec![Vec::new(); ways.len()];
    let mut alone: Vec<Vec<f64>> = vec![Vec::new(); ways.len()];
    let mut memory = vec![0_u64; ways.len()];
    for round in 0..rounds {
        for (i, way) in ways.iter().copied().enumerate() {
            let (pid, _) = way.server(servers);
            let idle = used(pid, seconds / 3);
            let _readers = R::begin(servers, way, READERS);
            let busy = used(pid, seconds);
            memory[i] = memory[i].max(rss_kb(pid));
            eprintln!(
                "round {round} {way:?}: {:.2} % of a core with {READERS} readers, {:.2} % with none",
                busy * 100.0,
                idle * 100.0
            );
            whole[i].push(busy);
            alone[i].push(busy - idle);
        }
    }
    println!(
        "\n| {READERS} {} | server CPU, % of a core | without the publisher | of nginx-rtmp, per reader | memory |",
        R::WHO
    );
    println!("|---|---|---|---|---|");
    let base = median(whole[0].clone());
    let base_alone = median(alone[0].clone());
    for (i, way) in ways.iter().copied().enumerate() {
        let (all, own) = (median(whole[i].clone()), median(alone[i].clone()));
        println!(
            "| {way:?} | {:.2} | {:.2} | {:.2} ({:.2} without the publisher) | {:.1} MB |",
            all * 100.0,
            own * 100.0,
            all / base,
            own / base_alone,
            memory[i] as f64 / 1024.0
        );
    }
}

/// The share of a core that a process uses for so long.
fn used(pid: i32, during: Duration) -> f64 {
    let (began, before) = (Instant::now(), cpu(pid));
    std::thread::sleep(during);
    (cpu(pid) - before).as_secs_f64() / began.elapsed().as_secs_f64()
}

fn first_keyframe(servers: &Servers) {
    let mut times = Vec::new();
    for i in 0..30_u64 {
        // Moments spread over the group of pictures.
        std::thread::sleep(Duration::from_millis(130 + i * 37 % 400));
        let mut playing = rtsp_peer::play(servers.now.rtsp, "s", false).unwrap();
        let mut counts = rtsp_peer::Interleaved::default();
        counts.feed(&playing.rest);
        let mut buffer = vec![0; 65536];
        while counts.keyframe.is_none() {
            let n = playing.stream.read(&mut buffer).unwrap();
            counts.feed(&buffer[..n]);
        }
        times.push(counts.keyframe.unwrap().duration_since(playing.asked).as_secs_f64() * 1e3);
    }
    let worst = times.iter().copied().fold(0.0, f64::max);
    println!(
        "\nPLAY to the first whole keyframe, RTSP over TCP: median {:.1} ms, worst {worst:.1} ms of 30",
        median(times)
    );
}

/// A publisher of ours sends numbered frames; readers over RTMP and RTSP see when each arrives.
fn delay(servers: &Servers) {
    let mut publisher = rtmp_peer::publish_video(servers.now.rtmp, "delay").unwrap();
    // 10 KB, as a picture of 2.5 Mb/s is.
    let frame = |number: u32| rtmp_peer::video(number, number.is_multiple_of(60), 10_000);
    let mut frames = 0_u32;
    let mut send = |publisher: &mut std::net::TcpStream| {
        let bytes = rtmp_peer::message(6, 9, 1, frames * 33, &frame(frames), 65536);
        frames += 1;
        let at = Instant::now();
        publisher.write_all(&bytes).unwrap();
        (frames - 1, at)
    };
    for _ in 0..45 {
        send(&mut publisher);
        std::thread::sleep(Duration::from_millis(33));
    }
    for (way, beside) in [(Way::Rtmp, 0), (Way::RtspTcp, 0), (Way::Rtmp, 12), (Way::RtspTcp, 12)] {
        // Where many read frames wait for each other.
        let _beside = Readers::start(servers, way, "delay", beside);
        let mut reader = match way {
            Way::Rtmp => rtmp_peer::open(servers.now.rtmp, "play", "delay").unwrap(),
            _ => rtsp_peer::play(servers.now.rtsp, "delay", false).unwrap().stream,
        };
        let seen = Arc::new(std::sync::Mutex::new(Vec::<(u32, Instant)>::new()));
        let (into, stop) = (seen.clone(), Arc::new(AtomicBool::new(false)));
        let stopped = stop.clone();
        reader.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let thread = std::thread::spawn(move || {
            let (mut waiting, mut buffer) = (Vec::new(), vec![0; 65536]);
            while !stopped.load(Ordering::Relaxed) {
                let Ok(n) = reader.read(&mut buffer) else { continue };
                let now = Instant::now();
                waiting.extend_from_slice(&buffer[..n]);
                while let Some(at) = waiting.windows(8).position(|w| w == b"MARKMARK") {
                    let Some(id) = waiting.get(at + 8..at + 12) else { break };
                    let id = u32::from_be_bytes(id.try_into().unwrap()) & !0x8080_8080;
                    into.lock().unwrap().push((id, now));
                    waiting.drain(..at + 12);
                }
                let keep = waiting.len().saturating_sub(32);
                if !waiting.windows(8).any(|w| w == b"MARKMARK") {
                    waiting.drain(..keep);
                }
            }
        });
        std::thread::sleep(Duration::from_millis(300));
        let mut sent = Vec::new();
        for _ in 0..150 {
            sent.push(send(&mut publisher));
            std::thread::sleep(Duration::from_millis(33));
        }
        std::thread::sleep(Duration::from_millis(300));
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap();
        let seen = seen.lock().unwrap();
        let delays: Vec<f64> = sent
            .iter()
            .filter_map(|(id, at)| {
                let masked = id & !0x8080_8080;
                seen.iter()
                    .find(|(s, t)| *s == masked && t > at)
                    .map(|(_, t)| t.duration_since(*at).as_secs_f64() * 1e3)
            })
            .collect();
        let worst = delays.iter().copied().fold(0.0, f64::max);
        println!(
            "added delay {way:?}, {beside} others: median {:.2} ms, worst {worst:.2} ms, {} of {} frames",
            median(delays.clone()),
            delays.len(),
            sent.len()
        );
    }
}

/// 500 readers of 1 Mb/s, and 50 that stop reading.
fn crowd(servers: &Servers, folder: &std::path::Path) {
    let clip = Clip::make(folder, "small.flv", "900k", 854, 480);
    let _publishers = servers.publish(&clip, "small");
    let stop = Arc::new(AtomicBool::new(false));
    let before = rss_kb(servers.now.pid);
    let threads: Vec<_> = (0..500)
        .map(|_| {
            let (stop, mut playing) =
                (stop.clone(), rtsp_peer::play(servers.now.rtsp, "small", false).unwrap());
            playing.stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
            std::thread::Builder::new()
                .stack_size(256 << 10)
                .spawn(move || {
                    let mut counts = rtsp_peer::Interleaved::default();
                    counts.feed(&playing.rest);
                    let mut buffer = vec![0; 65536];
                    let mut closed = false;
                    while !stop.load(Ordering::Relaxed) {
                        match playing.stream.read(&mut buffer) {
                            Ok(0) => {
                                closed = true;
                                break;
                            }
                            Ok(n) => counts.feed(&buffer[..n]),
                            Err(_) => {}
                        }
                    }
                    (counts.packets, counts.lost, closed)
                })
                .unwrap()
        })
        .collect();
    std::thread::sleep(Duration::from_secs(3));
    let all = rss_kb(servers.now.pid);
    let stopped: Vec<_> =
        (0..50).map(|_| rtsp_peer::play(servers.now.rtsp, "small", false).unwrap()).collect();
    let mut most = 0;
    let began = Instant::now();
    let share = cpu(servers.now.pid);
    while began.elapsed() < Duration::from_secs(setting("MSCONV_BENCH_CROWD", 20)) {
        std::thread::sleep(Duration::from_millis(250));
        most = most.max(rss_kb(servers.now.pid));
    }
    let share = (cpu(servers.now.pid) - share).as_secs_f64() / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    let (mut packets, mut lost, mut closed) = (0, 0, 0);
    for thread in threads {
        let (p, l, c) = thread.join().unwrap();
        packets += p;
        lost += l;
        closed += u64::from(c);
    }
    drop(stopped);
    println!(
        "500 readers of 1 Mb/s beside 50 that stopped reading: {packets} packets, {lost} lost, {closed} closed; \
         memory {:.1} MB before, {:.1} MB with 500, {:.1} MB at most; {:.0} % of a core",
        before as f64 / 1024.0,
        all as f64 / 1024.0,
        most as f64 / 1024.0,
        share * 100.0
    );
}
