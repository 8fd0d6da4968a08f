//! The platform under load: chat. Run by `scripts/bench.sh platform`; never part of the tests. CPU is that of the server's
//! process alone, from its scheduler statistics; the load runs beside it on the same machine.
#![allow(clippy::unwrap_used, missing_docs, reason = "a measurement that cannot go on says so by panicking")]

#[allow(dead_code, reason = "shared with the benchmark of the web port")]
#[path = "web/against.rs"]
mod against;
#[path = "platform/chat.rs"]
mod chat;
#[allow(dead_code, reason = "shared with the benchmark of the relay")]
#[path = "relay/servers.rs"]
mod servers;

fn main() {
    let wanted = std::env::var("MSCONV_BENCH_ONLY").unwrap_or_default();
    if wanted.is_empty() || wanted == "chat" {
        chat::measure();
    }
}
