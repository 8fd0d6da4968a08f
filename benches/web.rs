//! Low-latency HLS of the embedded server against a real MediaMTX in one run: CPU and memory for each viewer, requests,
//! and how long the first viewer of all waits. Run by `scripts/bench.sh web`; never part of the tests.
//!
//! Both servers carry the same stream (one ffmpeg each, copying the same file in real time), cut alike: segments of 2 s,
//! parts of 100 ms. CPU is that of the server's process alone, from its scheduler statistics; what it costs without
//! viewers is measured in every round and taken off.
#![allow(clippy::unwrap_used, missing_docs, reason = "a measurement that cannot go on says so by panicking")]

#[path = "web/against.rs"]
mod against;
#[allow(dead_code, reason = "shared with the benchmark of the relay")]
#[path = "relay/servers.rs"]
mod servers;
#[path = "web/viewer.rs"]
mod viewer;

use against::{Server, mediamtx, median, msconv, setting, used};
use servers::{Clip, Ends, rss_kb};
use std::ffi::OsStr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use viewer::Viewers;

const CROWDS: [usize; 2] = [20, 40];
const FRESH: usize = 5;

const FLAGS: [&str; 2] = ["--web-port", "0"];

/// HLS as msconv serves it.
fn settings(web: u16) -> String {
    format!(
        "hls: yes\nhlsAddress: 127.0.0.1:{web}\nhlsVariant: lowLatency\nhlsSegmentCount: 7\nhlsSegmentDuration: 2s\n\
         hlsPartDuration: 100ms\nwebrtc: no\n"
    )
}

fn main() {
    let seconds = Duration::from_secs(setting("MSCONV_BENCH_SECONDS", 15));
    let rounds = setting("MSCONV_BENCH_ROUNDS", 3);
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
    std::thread::sleep(Duration::from_secs(5));
    cost(&servers, seconds, rounds);
    drop(publishers);
    first_viewer(&servers, &clip);
}

fn cost(servers: &[Server], seconds: Duration, rounds: u64) {
    for count in CROWDS {
        let mut each: Vec<Vec<f64>> = vec![Vec::new(); servers.len()];
        let mut whole: Vec<Vec<f64>> = vec![Vec::new(); servers.len()];
        let mut requests: Vec<Vec<f64>> = vec![Vec::new(); servers.len()];
        let mut memory = vec![0.0_f64; servers.len()];
        for round in 0..rounds {
            for (i, server) in servers.iter().enumerate() {
                let path = "/live/s/index.m3u8";
                // Whoever divides on demand divides from now on.
                drop(Viewers::start(server.web, path, 1));
                std::thread::sleep(Duration::from_secs(1));
                let (idle, rss) = (used(server.pid, seconds / 3), rss_kb(server.pid));
                let viewers = Viewers::start(server.web, path, count);
                std::thread::sleep(Duration::from_secs(3));
                let asked = || {
                    let (lists, parts) = (&viewers.counts.playlists, &viewers.counts.parts);
                    (lists.load(Ordering::Relaxed) + parts.load(Ordering::Relaxed)) as f64
                };
                let (began, before) = (Instant::now(), asked());
                let busy = used(server.pid, seconds);
                let rate = (asked() - before) / began.elapsed().as_secs_f64() / count as f64;
                let failed = viewers.counts.failed.load(Ordering::Relaxed);
                memory[i] = memory[i].max(rss_kb(server.pid).saturating_sub(rss) as f64 / 1024.0);
                each[i].push((busy - idle) / count as f64);
                whole[i].push(busy);
                requests[i].push(rate);
                eprintln!(
                    "round {round} {}: {:.2} % of a core with {count} viewers, {:.2} % with none, {rate:.1} requests a second each, {failed} failed",
                    server.name,
                    busy * 100.0,
                    idle * 100.0
                );
            }
        }
        println!(
            "\n| {count} viewers of low-latency HLS | CPU, % of a core | per viewer | of {}, per viewer | requests a second, per viewer | memory for the viewers |",
            servers[0].name
        );
        println!("|---|---|---|---|---|---|");
        let base = median(each[0].clone());
        for (i, server) in servers.iter().enumerate() {
            let own = median(each[i].clone());
            println!(
                "| {} | {:.2} | {:.3} | {:.2} | {:.1} | {:.1} MB |",
                server.name,
                median(whole[i].clone()) * 100.0,
                own * 100.0,
                own / base,
                median(requests[i].clone()),
                memory[i]
            );
        }
    }
}

/// Streams that nobody has asked for yet, each asked for at another moment of its group of pictures.
fn first_viewer(servers: &[Server], clip: &Clip) {
    println!("\n| first viewer of all, request to a playable part | median | worst of {FRESH} |");
    println!("|---|---|---|");
    for server in servers {
        let mut times = Vec::new();
        for n in 0..FRESH {
            let name = format!("fresh{n}");
            let _publisher = clip.publish(server.rtmp, &name);
            std::thread::sleep(Duration::from_millis(5000 + 410 * n as u64));
            times.push(
                viewer::first_part(server.web, &format!("/live/{name}/index.m3u8")).as_secs_f64() * 1e3,
            );
        }
        let worst = times.iter().copied().fold(0.0, f64::max);
        println!("| {} | {:.0} ms | {worst:.0} ms |", server.name, median(times));
    }
}
