//! Many streams live at once, in one process: what the list costs.

use super::against::msconv;
use super::figures::{part, row, sorted};
use super::http::Http;
use super::rtmp_peer::{self, message, video};
use super::servers::rss_kb;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const STREAMS: usize = 1000;
/// Registered ones among them.
const REGISTERED: usize = 500;
const ROUNDS: usize = 200;

pub fn measure(folder: &Path) {
    let program = OsStr::new(env!("CARGO_BIN_EXE_msconv"));
    let server = msconv("msconv", program, &folder.join("live"), &["--web-port", "0"]);
    let mut http = Http::open(server.web);
    let names: Vec<String> = (0..STREAMS)
        .map(|n| if n < REGISTERED { http.register(&format!("r{n}")).1 } else { format!("open{n}") })
        .collect();
    let publishers: Vec<TcpStream> =
        names.iter().map(|name| rtmp_peer::publish_video(server.rtmp, name).unwrap()).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let sending = std::thread::spawn({
        let stop = stop.clone();
        move || keep_sending(publishers, &stop)
    });
    let began = Instant::now();
    let count = |http: &mut Http| http.json("GET", "/streams", None).as_array().map_or(0, Vec::len);
    while count(&mut http) < STREAMS {
        assert!(began.elapsed() < Duration::from_secs(60), "{} are live", count(&mut http));
        std::thread::sleep(Duration::from_millis(200));
    }
    for (path, goal) in [("/streams", "20 ms"), ("/api/v1/streams?limit=500", ""), ("/api/v1/streams/r7", "")]
    {
        let took = (0..ROUNDS).map(|_| {
            let begun = Instant::now();
            let (status, _) = http.ask("GET", path, None).unwrap();
            assert_eq!(status, 200);
            begun.elapsed().as_secs_f64() * 1000.0
        });
        let took = sorted(took.collect());
        let measured = format!("median {:.2} ms, p99 {:.2} ms", part(&took, 0.5), part(&took, 0.99));
        row(
            &format!("`GET {path}` with {STREAMS} streams live, {REGISTERED} of them registered"),
            &measured,
            goal,
        );
    }
    row(
        &format!("memory with {STREAMS} streams live"),
        &format!("{:.1} MB", rss_kb(server.pid) as f64 / 1024.0),
        "",
    );
    stop.store(true, Ordering::Relaxed);
    sending.join().unwrap();
}

/// A small keyframe each second of every stream, until told to stop.
fn keep_sending(mut publishers: Vec<TcpStream>, stop: &AtomicBool) {
    publishers.iter().for_each(|publisher| publisher.set_nonblocking(true).unwrap());
    let frame = video(1, true, 200);
    for second in 0_u32.. {
        for publisher in &mut publishers {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let _ = publisher.read(&mut [0; 4096]);
            let _ = publisher.write_all(&message(6, 9, 1, second * 1000, &frame, 65536));
            std::thread::sleep(Duration::from_micros(500));
        }
        std::thread::sleep(Duration::from_millis(400));
    }
}
