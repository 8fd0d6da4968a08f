//! `msconv serve` on free ports, and the smallest HTTP client that shows whole answers.

use super::run::Running;
use super::wait::wait_for;
use super::{PATIENCE, Stage};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A server in the foreground.
pub struct Serve {
    running: Running,
    ready: serde_json::Value,
}

impl Serve {
    /// With these flags, on free ports, once it listens.
    pub fn start(stage: &Stage, more: &[&str]) -> Serve {
        let free =
            ["rtmp", "rtsp", "rtp", "stat", "api", "metrics", "web"].map(|name| format!("--{name}-port=0"));
        let free: Vec<&str> = free.iter().map(String::as_str).collect();
        Serve::of(stage, &[&free, more].concat())
    }

    /// On the ports of the stage's addresses.
    pub fn start_at_stage(stage: &Stage) -> Serve {
        Serve::start_at_stage_with(stage, &[])
    }

    /// The same with these flags.
    pub fn start_at_stage_with(stage: &Stage, more: &[&str]) -> Serve {
        Serve::of(stage, &[&["--rtp-port=0", "--metrics-port=0", "--web-port=0"], more].concat())
    }

    /// Whether it says that an endpoint listens.
    pub fn has(&self, name: &str) -> bool {
        self.ready.get(name).is_some()
    }

    fn of(stage: &Stage, more: &[&str]) -> Serve {
        let args = [&["serve", "--json"], more].concat();
        let running = stage.spawn_msconv(&args);
        let ready = wait_for("the server to listen", PATIENCE, || {
            let said = running.stdout();
            serde_json::from_str::<serde_json::Value>(&said)
                .map_err(|e| format!("{e}: {said}\n{}", running.stderr()))
        });
        Serve { running, ready }
    }

    /// Where an endpoint listens: `stat`, `api`, `metrics`, `rtmp`, `rtsp`, `rtp`.
    pub fn address(&self, name: &str) -> SocketAddr {
        let text = self.ready[name].as_str().unwrap_or_else(|| panic!("{name} is not in {}", self.ready));
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    /// Its process, and what it has said.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Gives the process away.
    pub fn into_running(self) -> Running {
        self.running
    }

    /// One GET at an endpoint.
    pub fn get(&self, endpoint: &str, target: &str) -> Answer {
        self.ask(endpoint, "GET", target, "")
    }

    /// One request; `fields` are whole header lines.
    pub fn ask(&self, endpoint: &str, method: &str, target: &str, fields: &str) -> Answer {
        ask(self.address(endpoint), method, target, fields)
    }
}

/// One request at an address; `fields` are whole header lines.
pub fn ask(address: SocketAddr, method: &str, target: &str, fields: &str) -> Answer {
    let request =
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\r\n");
    Answer::of(raw(address, request.as_bytes()))
}

/// One POST of JSON at an address.
pub fn post(address: SocketAddr, target: &str, body: &str) -> Answer {
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    Answer::of(raw(address, format!("{head}{body}").as_bytes()))
}

/// Sends bytes and reads until the other side closes.
pub fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut peer = TcpStream::connect_timeout(&address, Duration::from_secs(5)).expect("it listens");
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may close while a large request is still being written.
    let _ = peer.write_all(bytes);
    let mut answer = Vec::new();
    let _ = peer.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A body that came in pieces (RFC 9112, 7.1).
fn unchunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap_or_else(|e| panic!("{e}: {rest:?}"));
        body.push_str(&after[..length]);
        rest = after[length..].trim_start_matches("\r\n");
    }
    body
}

/// An answer taken apart.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The head, as it came.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// Takes one apart.
    pub fn of(text: String) -> Answer {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("{head}"));
        let chunked = head.to_ascii_lowercase().contains("\r\ntransfer-encoding: chunked");
        let body = if chunked { unchunked(body) } else { body.to_string() };
        Answer { status, head: head.to_string(), body }
    }

    /// A field of the head.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// The stream of this name in the usual application.
pub fn stream(name: &str) -> msconv::model::StreamName {
    msconv::model::StreamName::new("live", name)
}
