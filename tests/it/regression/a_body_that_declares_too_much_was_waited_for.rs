//! A body in chunks that said at once that it was too large was answered only when its bytes had come, or its time was
//! over.

use crate::stage::{PATIENCE, Serve, Stage, raw, wait_for};
use std::net::SocketAddr;

/// Requests of which no more comes than this.
fn requests(path: &str) -> Vec<String> {
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n");
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    vec![
        format!("{chunked}10001\r\n"),
        format!("{chunked}7fffffff\r\n"),
        format!("{chunked}FFFFFFFFFFFFFFFF\r\n"),
        format!("{chunked}3\r\nabc\r\nffff;name=value\r\n"),
        format!("{chunked}8000\r\n{}\r\n8001\r\n", "x".repeat(0x8000)),
        format!("{chunked}1;{}", "e".repeat(6000)),
        format!("{chunked}0\r\nTrailer: {}", "t".repeat(6000)),
        format!("{head}Content-Length: 65537\r\n\r\n"),
        format!("{head}Content-Length: 1000000000000\r\nExpect: 100-continue\r\n\r\n"),
    ]
}

fn refused_at_once(address: SocketAddr, path: &str) {
    for request in requests(path) {
        let said = raw(address, request.as_bytes());
        let shown = &request[..request.len().min(120)];
        // One that was waited for would end with 408.
        assert!(said.starts_with("HTTP/1.1 413 "), "{shown:?}: {said:?}");
        assert!(said.contains("\r\nConnection: close\r\n"), "{said:?}");
    }
}

#[test]
fn every_endpoint_refuses_it_at_once() {
    let stage = Stage::new("declares-too-much");
    let serve = Serve::start(&stage, &[]);
    for (endpoint, path) in [("stat", "/stat"), ("api", "/v3/paths/list"), ("metrics", "/metrics")] {
        refused_at_once(serve.address(endpoint), path);
    }
    let metrics = serve.get("metrics", "/metrics").body;
    let count = requests("/").len() * 3;
    let line = format!("msconv_limit_exceeded_total{{limit=\"http_body\"}} {count}");
    assert!(metrics.contains(&line), "{metrics}");
    let exporter = stage.spawn_msconv(&["exporter", "--listen", "127.0.0.1:0", "--json"]);
    let address = wait_for("the exporter to listen", PATIENCE, || {
        let said = exporter.stdout() + &exporter.stderr();
        let found = said.split(['"', ' ', '/', '=', '\n']).find_map(|word| word.parse::<SocketAddr>().ok());
        found.ok_or(said)
    });
    refused_at_once(address, "/metrics");
}
