//! The server with all of it, and nothing to do.

use super::against::{msconv, used};
use super::figures::row;
use super::http::Http;
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

pub fn measure(folder: &Path) {
    let program = OsStr::new(env!("CARGO_BIN_EXE_msconv"));
    let server = msconv("msconv", program, &folder.join("idle"), &["--web-port", "0"]);
    let mut http = Http::open(server.web);
    let (id, _) = http.register("cam");
    http.json("GET", &format!("/api/v1/streams/{id}/chat/messages"), None);
    drop(http);
    std::thread::sleep(Duration::from_secs(5));
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid)).unwrap();
    let mb = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|kb| kb.parse::<f64>().ok()).unwrap_or_default() / 1024.0
    };
    row(
        "memory of the server with web port, database, chat and hooks, idle",
        &format!(
            "{:.1} MB ({:.1} MB of it its own, {:.1} MB the program's file)",
            mb("VmRSS:"),
            mb("RssAnon:"),
            mb("RssFile:")
        ),
        "30 MB",
    );
    let idle = used(server.pid, Duration::from_secs(10));
    row("its CPU", &format!("{:.2} % of a core", idle * 100.0), "");
}
