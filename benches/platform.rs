//! The platform under load: keys, lists, requests, events, chat. Run by `scripts/bench.sh platform`; never part of the tests. CPU is
//! that of the server's process alone, from its scheduler statistics; the load runs beside it on the same machine.
#![allow(clippy::unwrap_used, missing_docs, reason = "a measurement that cannot go on says so by panicking")]

#[allow(dead_code, reason = "shared with the benchmark of the web port")]
#[path = "web/against.rs"]
mod against;
#[path = "platform/chat.rs"]
mod chat;
#[path = "platform/events.rs"]
mod events;
#[path = "platform/figures.rs"]
mod figures;
#[path = "platform/http.rs"]
mod http;
#[path = "platform/idle.rs"]
mod idle;
#[path = "platform/keys.rs"]
mod keys;
#[path = "platform/live.rs"]
mod live;
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../tests/it/stage/postgres.rs"]
mod postgres;
#[path = "platform/requests.rs"]
mod requests;
#[allow(dead_code, reason = "shared with the benchmark of the relay")]
#[path = "relay/rtmp_peer.rs"]
mod rtmp_peer;
#[allow(dead_code, reason = "shared with the benchmark of the relay")]
#[path = "relay/rtsp_peer.rs"]
mod rtsp_peer;
#[allow(dead_code, reason = "shared with the benchmark of the relay")]
#[path = "relay/servers.rs"]
mod servers;

fn main() {
    let only = std::env::var("MSCONV_BENCH_ONLY").unwrap_or_default();
    let wanted = |name: &str| only.is_empty() || only.split(',').any(|word| word == name);
    let folder = tempfile::tempdir().unwrap();
    against::raise_files();
    figures::head();
    if wanted("idle") {
        idle::measure(folder.path());
    }
    if wanted("keys") {
        keys::measure(folder.path());
    }
    if wanted("live") {
        live::measure(folder.path());
    }
    if wanted("requests") {
        let clip = servers::Clip::make(folder.path(), "requests.flv", "1000k", 640, 360);
        requests::measure(folder.path(), &clip);
    }
    if wanted("events") {
        events::measure(folder.path());
    }
    if wanted("chat") {
        chat::measure();
    }
}
