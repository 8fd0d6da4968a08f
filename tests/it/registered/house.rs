//! A server with registered streams, and JSON asked of its web port.

use crate::stage::{PATIENCE, Running, Serve, Stage, raw, wait_for};
use serde_json::Value;

/// A server and its stage.
pub struct House {
    // Ended first.
    pub serve: Serve,
    pub stage: Stage,
}

/// Status, head and JSON of an answer.
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub json: Value,
}

impl Reply {
    pub fn text(&self, field: &str) -> &str {
        self.json[field]
            .as_str()
            .unwrap_or_else(|| panic!("{field} is no text: {} {}", self.status, self.json))
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The same, if it is this status.
    pub fn expect(self, status: u16) -> Reply {
        assert_eq!(self.status, status, "{}", self.json);
        self
    }
}

impl House {
    pub fn new(name: &str, more: &[&str]) -> House {
        let stage = Stage::new(name);
        let serve = Serve::start_at_stage_with(&stage, more);
        House { stage, serve }
    }

    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, "", None)
    }

    pub fn post(&self, path: &str, body: Value) -> Reply {
        self.ask("POST", path, "", Some(body))
    }

    /// `fields` are whole header lines.
    pub fn ask(&self, method: &str, path: &str, fields: &str, body: Option<Value>) -> Reply {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let typed = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        self.bytes(method, path, &format!("{typed}{fields}"), body.as_bytes())
    }

    pub fn bytes(&self, method: &str, path: &str, fields: &str, body: &[u8]) -> Reply {
        let address = self.serve.address("web");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}Content-Length: {}\r\n\r\n",
            body.len()
        );
        let answer = crate::stage::Answer::of(raw(address, &[head.as_bytes(), body].concat()));
        let json = serde_json::from_str(&answer.body).unwrap_or(Value::String(answer.body));
        Reply { status: answer.status, head: answer.head, json }
    }

    /// Registers a stream.
    pub fn registered(&self, body: Value) -> Reply {
        self.post("/api/v1/streams", body).expect(201)
    }

    /// ffmpeg publishes a test picture at `url`, in this form.
    pub fn publish(&self, form: &str, url: &str) -> Running {
        let args = [
            "-loglevel",
            "error",
            "-re",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=320x180:rate=25",
            "-f",
            "lavfi",
            "-i",
            "sine=sample_rate=48000",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-g",
            "25",
            "-c:a",
            "aac",
            "-f",
        ];
        self.stage.spawn("ffmpeg", &[&args[..], &[form, url]].concat())
    }

    /// Waits until a stream is in this state.
    pub fn until(&self, id: &str, state: &str) -> Reply {
        wait_for(&format!("{id} to be {state}"), PATIENCE, || {
            let reply = self.get(&format!("/api/v1/streams/{id}"));
            if reply.json["state"] == state { Ok(reply) } else { Err(reply.json.to_string()) }
        })
    }

    /// Waits until nobody publishes it any more.
    pub fn until_off(&self, id: &str) {
        wait_for(&format!("{id} to be off the air"), PATIENCE, || {
            let reply = self.get(&format!("/api/v1/streams/{id}"));
            if reply.json["state"] == "live" { Err(reply.json.to_string()) } else { Ok(()) }
        });
    }

    /// Everything that anybody is shown or that is written down: none of it may hold a secret.
    pub fn everywhere(&self) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = [
            ("stat", "/stat"),
            ("api", "/v3/paths/list"),
            ("api", "/v3/rtmpconns/list"),
            ("api", "/v3/rtspsessions/list"),
            ("api", "/v3/webrtcsessions/list"),
            ("api", "/msconv/v1/server"),
            ("metrics", "/metrics"),
            ("web", "/streams?state=all"),
            ("web", "/api/v1/streams"),
        ]
        .map(|(endpoint, path)| (path.to_string(), self.serve.get(endpoint, path).body))
        .into();
        all.push(("log".into(), self.serve.running().stderr()));
        all
    }
}
