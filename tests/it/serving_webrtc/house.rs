//! A server, a stream that ffmpeg publishes to it over RTMP, and what a test asks of WHEP and WHIP.

use crate::live::SOON;
use crate::stage::{Answer, PATIENCE, Running, Serve, Stage, missing, needs, raw, wait_for};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// An offer that sends (`sendonly`) or receives (`recvonly`) H.264 and Opus.
pub fn offer(direction: &str) -> String {
    let line = |kind: &str, mid: u8, codec: &str| {
        format!(
            "m={kind} 9 UDP/TLS/RTP/SAVPF 10{mid}\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:peer\r\n\
             a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa\r\na=fingerprint:sha-256 {}\r\na=setup:actpass\r\na=mid:{mid}\r\n\
             a={direction}\r\na=rtcp-mux\r\na=rtpmap:10{mid} {codec}\r\n",
            ["AA"; 32].join(":")
        )
    };
    format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n{}\
         a=fmtp:100 packetization-mode=1;profile-level-id=42e01f\r\n{}",
        line("video", 0, "H264/90000"),
        line("audio", 1, "opus/48000/2")
    )
}

/// See the module.
pub struct House {
    /// What publishes and what reads, each dropped before the server.
    pub serve: Serve,
    pub stage: Stage,
}

impl House {
    /// A server with these flags, and nobody on it.
    pub fn new(name: &str, flags: &[&str]) -> House {
        let stage = Stage::new(name);
        House { serve: Serve::start_at_stage_with(&stage, flags), stage }
    }

    /// The address of a path at the web port.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.serve.address("web"))
    }

    /// Publishes test video and a tone of 440 Hz as AAC over RTMP, and waits until it is ready. `video` is for x264.
    pub fn publish(&self, name: &str, video: &[&str]) -> Running {
        let target = format!("rtmp://{}/live/{name}", self.serve.address("rtmp"));
        let source = ["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=25"];
        let tone = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"];
        let coded = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-pix_fmt", "yuv420p"];
        let audio = ["-c:a", "aac", "-f", "flv", &target];
        let args = [&source[..], &tone, &coded, video, &audio].concat();
        let running = self.stage.spawn("ffmpeg", &args);
        self.ready(name, &running);
        running
    }

    /// Waits until somebody's stream is ready.
    pub fn ready(&self, name: &str, publisher: &Running) {
        wait_for(&format!("{name} to be ready"), SOON, || {
            let answer = self.serve.get("api", &format!("/v3/paths/get/live/{name}"));
            let ready = answer.status == 200 && answer.json()["ready"] == true;
            if ready { Ok(()) } else { Err(format!("{}\n{}", answer.body, publisher.stderr())) }
        });
    }

    /// Waits until nobody publishes this name.
    pub fn gone(&self, name: &str) {
        wait_for(&format!("{name} to be gone"), SOON, || {
            let answer = self.serve.get("api", &format!("/v3/paths/get/live/{name}"));
            let gone = answer.status == 404 || answer.json()["online"] == false;
            if gone { Ok(()) } else { Err(answer.body) }
        });
    }

    /// One request at the web port with a body; `fields` are whole header lines.
    pub fn send(&self, method: &str, target: &str, fields: &str, body: &str) -> Answer {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}Content-Length: {}\r\n\r\n",
            body.len()
        );
        Answer::of(raw(self.serve.address("web"), format!("{head}{body}").as_bytes()))
    }

    /// An offer.
    pub fn offer(&self, target: &str, body: &str) -> Answer {
        self.send("POST", target, "Content-Type: application/sdp\r\n", body)
    }

    /// The sessions of WebRTC that there are.
    pub fn sessions(&self) -> Vec<Value> {
        self.serve.get("api", "/v3/webrtcsessions/list").json()["items"].as_array().unwrap().clone()
    }

    /// A number of the metrics.
    pub fn metric(&self, name: &str) -> f64 {
        let page = self.serve.get("metrics", "/metrics?type=msconv").body;
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name}: {page}")).parse().unwrap()
    }

    /// Decodes four seconds of an address with this ffmpeg, and says what it printed. Some servers wait for a keyframe first.
    pub fn decodes(&self, ffmpeg: &str, input: &[&str]) -> String {
        let map = ["-map", "0:v:0", "-map", "0:a:0", "-t", "4", "-f", "null", "-"];
        let args = [&["-nostdin", "-hide_banner"][..], input, &map].concat();
        let said = self.stage.spawn(ffmpeg, &args).wait(PATIENCE).expect(0).stderr;
        let frames =
            said.rsplit("frame=").next().and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        assert!(frames.is_some_and(|frames: u32| frames > 40), "{frames:?} frames: {said}");
        said
    }
}

/// The python that has aiortc: `MSCONV_TEST_AIORTC`, or where scripts/test.sh puts it.
pub fn aiortc() -> Option<PathBuf> {
    if !needs("ffmpeg") {
        return None;
    }
    let named = std::env::var_os("MSCONV_TEST_AIORTC").filter(|n| !n.is_empty()).map(PathBuf::from);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let found = named.into_iter().chain([target.join("peers/bin/python")]).find(|path| path.is_file());
    if found.is_none() {
        missing("aiortc");
    }
    found
}

impl House {
    /// The peer of `peer.py`, at work.
    pub fn peer(&self, python: &Path, verb: &str, url: &str, seconds: &str) -> Running {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/serving_webrtc/peer.py");
        self.stage.spawn(python, &[script, verb, url, seconds])
    }
}
