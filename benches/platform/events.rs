//! Events: how soon a webhook has one, and whether all that are kept come again in order.

use super::against::{msconv, setting};
use super::figures::{part, row, sorted};
use super::http::Http;
use msconv::store::events::EventRow;
use msconv::store::{Place, Store};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const KEPT: i64 = 100_000;

pub fn measure(folder: &Path) {
    webhook(folder);
    replay(folder);
}

/// From the request that changes a stream to the event at the webhook.
fn webhook(folder: &Path) {
    let program = OsStr::new(env!("CARGO_BIN_EXE_msconv"));
    let server = msconv("msconv", program, &folder.join("hooks"), &["--web-port", "0"]);
    let mut http = Http::open(server.web);
    let (id, _) = http.register("cam");
    let (address, heard) = receiver();
    http.json("POST", "/api/v1/hooks", Some(&json!({ "url": address, "types": ["stream.updated"] })));
    let mut took = Vec::new();
    for round in 0..setting("MSCONV_BENCH_EVENTS", 100) {
        let begun = Instant::now();
        let title = format!("title {round}");
        http.json("PATCH", &format!("/api/v1/streams/{id}"), Some(&json!({ "name": title })));
        let (event, at) = heard.recv_timeout(Duration::from_secs(20)).expect("the event comes");
        assert_eq!(event["data"]["title"], title, "{event}");
        took.push(at.saturating_duration_since(begun).as_secs_f64() * 1000.0);
        std::thread::sleep(Duration::from_millis(30));
    }
    let took = sorted(took);
    row(
        "request that changes a stream to its event at the webhook",
        &format!(
            "median {:.1} ms, p99 {:.1} ms, worst {:.1} ms",
            part(&took, 0.5),
            part(&took, 0.99),
            part(&took, 1.0)
        ),
        "100 ms",
    );
}

/// A webhook that thanks for everything.
fn receiver() -> (String, Receiver<(Value, Instant)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let (told, heard) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let told = told.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.unwrap());
                while let Some(body) = request(&mut reader) {
                    let at = Instant::now();
                    let _ = told.send((serde_json::from_slice(&body).unwrap(), at));
                    if reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, heard)
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

/// As many events as are kept, by server-sent events.
fn replay(folder: &Path) {
    let home = folder.join("replay");
    let program = OsStr::new(env!("CARGO_BIN_EXE_msconv"));
    // It makes the database.
    drop(msconv("msconv", program, &home, &["--web-port", "0"]));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let last = runtime.block_on(async {
        let store = Store::lazy(&Place::Folder(home.join("data"))).unwrap();
        let data = json!({ "name": "cam", "application": "live", "label": "720p", "stream": "cam_720p" })
            .to_string();
        let before = store.last_event().await.unwrap();
        for batch in 0..KEPT / 250 {
            let rows: Vec<_> = (0..250)
                .map(|n| EventRow {
                    event_id: format!("evt_{batch}_{n}"),
                    kind: "rendition.up".into(),
                    public_id: Some("cam".into()),
                    at_ms: 1_700_000_000_000 + batch * 250 + n,
                    data: data.clone(),
                    ..EventRow::default()
                })
                .collect();
            store.add_events(&rows).await.unwrap();
        }
        before + KEPT
    });
    let server = msconv("msconv", program, &home, &["--web-port", "0"]);
    let first = last - KEPT;
    let begun = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", server.web)).unwrap();
    let port = server.web;
    let ask = format!(
        "GET /api/v1/events?after={first} HTTP/1.1\r\nHost: localhost:{port}\r\nAccept: text/event-stream\r\n\r\n"
    );
    stream.write_all(ask.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut expected = first + 1;
    for line in BufReader::with_capacity(256 << 10, stream).split(b'\n') {
        let line = line.unwrap();
        let Some(id) = line.strip_prefix(b"id: ") else { continue };
        let id: i64 = std::str::from_utf8(id).unwrap().trim().parse().unwrap();
        assert_eq!(id, expected, "in order, none left out");
        expected += 1;
        if id == last {
            break;
        }
    }
    row(
        &format!("{KEPT} events that are kept, replayed in order over server-sent events"),
        &format!("all in {:.1} s", begun.elapsed().as_secs_f64()),
        "all, in order",
    );
}
