//! What the look-up of a key adds to a publish: an RTMP dialog from its first byte to `NetStream.Publish.Start`, by keys of
//! registered streams and by open names in turns.

use super::against::{msconv, setting};
use super::figures::{part, row, sorted};
use super::http::Http;
use super::postgres::Postgres;
use super::rtmp_peer;
use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

/// Names that are published in turns, so that none is still taken.
const NAMES: usize = 20;
const BEGUN: &[u8] = b"NetStream.Publish.Start";

pub fn measure(folder: &Path) {
    one(folder, "SQLite", "2 ms", &[]);
    match Postgres::start() {
        Some(postgres) => one(folder, "PostgreSQL", "5 ms", &["--database", &postgres.url()]),
        None => row("publish with a key, PostgreSQL", "it is not installed", "5 ms"),
    }
}

fn one(folder: &Path, store: &str, goal: &str, more: &[&str]) {
    let program = OsStr::new(env!("CARGO_BIN_EXE_msconv"));
    let flags = [&["--web-port", "0"], more].concat();
    let server = msconv("msconv", program, &folder.join(format!("keys-{store}")), &flags);
    let mut http = Http::open(server.web);
    let keys: Vec<_> = (0..NAMES).map(|n| http.register(&format!("registered{n}")).1).collect();
    let open: Vec<_> = (0..NAMES).map(|n| format!("open{n}")).collect();
    let rounds = usize::try_from(setting("MSCONV_BENCH_PUBLISHES", 400)).unwrap();
    let mut took = [Vec::new(), Vec::new()];
    for round in 0..rounds + NAMES {
        let names = [&keys[round % NAMES], &open[round % NAMES]];
        for side in [round % 2, 1 - round % 2] {
            let time = publish(server.rtmp, names[side]);
            // The first round of each name is for the caches.
            if round >= NAMES {
                took[side].push(time.as_secs_f64() * 1000.0);
            }
        }
    }
    let [key, open] = took.map(sorted);
    row(
        &format!("publish with a key, {store}: added by the look-up, {rounds} rounds"),
        &format!(
            "{:+.2} ms in the median ({:.2} ms, open name {:.2} ms), p99 {:.2} ms against {:.2} ms",
            part(&key, 0.5) - part(&open, 0.5),
            part(&key, 0.5),
            part(&open, 0.5),
            part(&key, 0.99),
            part(&open, 0.99)
        ),
        goal,
    );
}

/// From the connection to the answer that the stream may begin.
fn publish(port: u16, name: &str) -> Duration {
    let begun = Instant::now();
    let mut stream = rtmp_peer::open(port, "publish", name).unwrap();
    let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
    while !heard.windows(BEGUN.len()).any(|some| some == BEGUN) {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "refused: {}", String::from_utf8_lossy(&heard));
        heard.extend(&piece[..read]);
    }
    let took = begun.elapsed();
    drop(stream);
    took
}
