//! WebRTC of the embedded server against a real MediaMTX in one run: CPU and memory for each viewer. Run by
//! `scripts/bench.sh webrtc`; never part of the tests.
//!
//! Both servers carry the same stream (one ffmpeg each, copying the same file in real time). CPU is that of the server's
//! process alone, from its scheduler statistics; what it costs without viewers is measured in every round and taken off.
#![allow(clippy::unwrap_used, missing_docs, reason = "a measurement that cannot go on says so by panicking")]

#[path = "web/against.rs"]
mod against;
#[allow(dead_code, reason = "shared with the benchmark of the relay")]
#[path = "relay/servers.rs"]
mod servers;
#[path = "webrtc/viewer.rs"]
mod viewer;

use against::{Server, mediamtx, median, msconv, setting, used};
use servers::{Clip, Ends, rss_kb};
use std::ffi::OsStr;
use std::net::UdpSocket;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use viewer::Viewers;

const FLAGS: [&str; 4] = ["--web-port", "0", "--webrtc-port", "0"];
const PATH: &str = "/live/s/whep";

/// WebRTC on one UDP port of this machine, as msconv serves it.
fn settings(web: u16) -> String {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!(
        "hls: no\nwebrtc: yes\nwebrtcAddress: 127.0.0.1:{web}\nwebrtcLocalUDPAddress: 127.0.0.1:{udp}\n\
         webrtcIPsFromInterfaces: no\nwebrtcAdditionalHosts: [127.0.0.1]\n"
    )
}

fn main() {
    let seconds = Duration::from_secs(setting("MSCONV_BENCH_SECONDS", 15));
    let rounds = setting("MSCONV_BENCH_ROUNDS", 3);
    let count = usize::try_from(setting("MSCONV_BENCH_CROWD", 20)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let clip = Clip::make(folder.path(), "clip.flv", "2500k", 1280, 720);
    let now = msconv("msconv", OsStr::new(env!("CARGO_BIN_EXE_msconv")), &folder.path().join("now"), &FLAGS);
    let before = std::env::var_os("MSCONV_BENCH_BEFORE");
    let before = before.map(|program| msconv("before", &program, &folder.path().join("before"), &FLAGS));
    let other = mediamtx(folder.path(), settings);
    if other.is_none() {
        println!("no MediaMTX (scripts/mediamtx.sh --optimised builds one): nothing to compare with");
    }
    let servers: Vec<Server> = other.into_iter().chain([now]).chain(before).collect();
    let publishers: Vec<Ends> = servers.iter().map(|server| clip.publish(server.rtmp, "s")).collect();
    std::thread::sleep(Duration::from_secs(4));
    cost(&servers, seconds, rounds, count);
    drop(publishers);
}

fn cost(servers: &[Server], seconds: Duration, rounds: u64, count: usize) {
    let mut each: Vec<Vec<f64>> = vec![Vec::new(); servers.len()];
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); servers.len()];
    let mut memory: Vec<Vec<f64>> = vec![Vec::new(); servers.len()];
    for round in 0..rounds {
        for (i, server) in servers.iter().enumerate() {
            // One viewer stays, so that what is done once for all is not counted.
            let _one = Viewers::start(server.web, PATH, 1);
            std::thread::sleep(Duration::from_secs(2));
            let (idle, rss) = (used(server.pid, seconds / 2), rss_kb(server.pid));
            let viewers = Viewers::start(server.web, PATH, count);
            std::thread::sleep(Duration::from_secs(4));
            let (began, before) = (Instant::now(), viewers.counts.packets.load(Ordering::Relaxed));
            let busy = used(server.pid, seconds);
            let packets = viewers.counts.packets.load(Ordering::Relaxed) - before;
            let rate = packets as f64 / began.elapsed().as_secs_f64() / count as f64;
            let connected = viewers.counts.connected.load(Ordering::Relaxed);
            memory[i].push(rss_kb(server.pid).saturating_sub(rss) as f64 / 1024.0 / count as f64);
            each[i].push((busy - idle) / count as f64);
            rates[i].push(rate);
            eprintln!(
                "round {round} {}: {:.2} % of a core with {count} more viewers ({connected} connected), {:.2} % with one, {rate:.0} packets a second each",
                server.name,
                busy * 100.0,
                idle * 100.0
            );
        }
    }
    println!(
        "\n| {count} viewers over WebRTC, 720p30, 2.5 Mb/s | CPU per viewer, % of a core | of {} | packets a second each | memory each |",
        servers[0].name
    );
    println!("|---|---|---|---|---|");
    let base = median(each[0].clone());
    for (i, server) in servers.iter().enumerate() {
        let own = median(each[i].clone());
        println!(
            "| {} | {:.3} | {:.2} | {:.0} | {:.2} MB |",
            server.name,
            own * 100.0,
            own / base,
            median(rates[i].clone()),
            median(memory[i].clone())
        );
    }
}
