//! A real MediaMTX, of the version that the docker stack has: built by scripts/mediamtx.sh.

use super::ports::Port;
use super::run::Running;
use super::serve::{Answer, ask};
use super::wait::wait_for;
use super::{PATIENCE, Stage};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The program: `MSCONV_TEST_MEDIAMTX`, or where scripts/mediamtx.sh puts it. Without it the test says so and is
/// skipped, also where nothing else may be: no package has it, and not every machine can build it.
pub fn mediamtx() -> Option<PathBuf> {
    if super::needs::quick() {
        return None;
    }
    let named = std::env::var_os("MSCONV_TEST_MEDIAMTX").filter(|n| !n.is_empty()).map(PathBuf::from);
    if let Some(named) = &named {
        assert!(named.is_file(), "MSCONV_TEST_MEDIAMTX names {}, which is no file", named.display());
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let found = named.into_iter().chain([target.join("mediamtx/mediamtx")]).find(|p| p.is_file());
    if found.is_none() {
        eprintln!("skipped: no MediaMTX (scripts/mediamtx.sh builds it where there is a go)");
    }
    found
}

/// A MediaMTX that runs until it is dropped.
pub struct Mediamtx {
    running: Running,
    ports: Vec<(&'static str, Port)>,
}

impl Mediamtx {
    /// RTSP (TCP and UDP), RTMP, API and metrics on free ports, everything else off, and `more`, which has to say what
    /// paths there are.
    pub fn start(stage: &Stage, program: &Path, more: &str) -> Mediamtx {
        let ports: Vec<_> = ["rtsp", "rtmp", "api", "metrics"].map(|name| (name, Port::free())).into();
        Mediamtx::on(stage, program, ports, more)
    }

    /// The same on ports that were taken before: those of one that was stopped, or of the stage.
    pub fn on(stage: &Stage, program: &Path, ports: Vec<(&'static str, Port)>, more: &str) -> Mediamtx {
        let rtp = even();
        let at = |name: &str| {
            let (_, port) = ports.iter().find(|(n, _)| *n == name).expect("it has this port");
            format!("127.0.0.1:{port}")
        };
        let text = format!(
            "logLevel: info\napi: yes\napiAddress: {}\nmetrics: yes\nmetricsAddress: {}\npprof: no\nplayback: no\n\
             rtspAddress: {}\nrtspTransports: [tcp, udp]\nrtpAddress: 127.0.0.1:{rtp}\n\
             rtcpAddress: 127.0.0.1:{}\nrtmpAddress: {}\nhls: no\nwebrtc: no\nsrt: no\nmoq: no\n{more}",
            at("api"),
            at("metrics"),
            at("rtsp"),
            rtp.number() + 1,
            at("rtmp"),
        );
        Mediamtx::of(stage, program, &text, ports)
    }

    /// With a whole configuration, once it has opened its API.
    pub fn of(stage: &Stage, program: &Path, text: &str, ports: Vec<(&'static str, Port)>) -> Mediamtx {
        let (_, api) = ports.iter().find(|(name, _)| *name == "api").expect("it has an API");
        let file = stage.root().join(format!("mediamtx-{api}.yml"));
        std::fs::write(&file, text).unwrap();
        let running = stage.spawn(program, &[file.as_os_str()]);
        let server = Mediamtx { running, ports };
        wait_for("MediaMTX to open its API", PATIENCE, || {
            let said = server.said();
            if said.contains("[API] started") { Ok(()) } else { Err(said) }
        });
        server
    }

    /// Where a part of it listens: `rtsp`, `rtmp`, `api`, `metrics`.
    pub fn address(&self, name: &str) -> SocketAddr {
        let (_, port) = self.ports.iter().find(|(n, _)| *n == name).expect("it has this port");
        SocketAddr::from(([127, 0, 0, 1], port.number()))
    }

    /// Its ports, for one that takes its place.
    pub fn ports(&self) -> Vec<(&'static str, Port)> {
        self.ports.clone()
    }

    /// One GET at an endpoint.
    pub fn get(&self, endpoint: &str, target: &str) -> Answer {
        ask(self.address(endpoint), "GET", target, "")
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        self.running.stdout() + &self.running.stderr()
    }

    /// Its process, and what it has said.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Its complaints: warnings and errors, but for those about questions at its API.
    pub fn complaints(&self) -> Vec<String> {
        complaints(&self.said())
    }
}

/// The warnings and errors in a log of MediaMTX, but for those about questions at its API.
pub fn complaints(log: &str) -> Vec<String> {
    let bad = |line: &&str| line.contains(" WAR ") || line.contains("ERR");
    log.lines().filter(bad).filter(|line| !line.contains("[API]")).map(str::to_string).collect()
}

/// An even port: RTP stands below RTCP.
fn even() -> Port {
    loop {
        let port = Port::free();
        if port.number().is_multiple_of(2) {
            return port;
        }
    }
}
