//! A stream on a real nginx-rtmp, as the tests of publishing, stopping and faults need it.

use crate::stage::{Nginx, Run, Stage, film, needs, wait_for};
use msconv::model::State;
use msconv::process::identity::Identity;
use msconv::process::run_record::RunRecord;
use nix::sys::signal::Signal;
use std::path::PathBuf;
use std::time::Duration;

/// Longer than anything here may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(60);
/// A ladder that costs next to nothing.
pub const SMALL: &str = "240p:300k:426:240,120p:150k:214:120";
/// The names of that ladder for the key `a`.
pub const NAMES: [&str; 2] = ["a_240p", "a_120p"];

/// Whether the real parts are here.
pub fn ready() -> bool {
    needs("ffmpeg") && needs("nginx-rtmp")
}

/// A stage with a server.
pub struct Air {
    /// Declared after the server so that it is dropped last.
    pub nginx: Nginx,
    /// The world.
    pub stage: Stage,
}

impl Air {
    /// A server on the air.
    pub fn new(name: &str) -> Air {
        let stage = Stage::new(name);
        let nginx = Nginx::start(&stage);
        Air { nginx, stage }
    }

    /// A short film.
    pub fn film(&self) -> PathBuf {
        film(8, 426, 240)
    }

    /// `msconv publish -s a -f FILM --variants SMALL` and more.
    pub fn publish_with(&self, more: &[&str]) -> Run {
        let film = self.film();
        let mut args = vec!["publish", "-s", "a", "-f", film.to_str().unwrap(), "--variants", SMALL];
        args.extend(more);
        self.stage.msconv(&args)
    }

    /// The stream `a`, live.
    pub fn publish(&self) -> RunRecord {
        self.publish_with(&["--wait", "50s"]).expect(0);
        self.record().expect("a record")
    }

    /// Its record.
    pub fn record(&self) -> Option<RunRecord> {
        RunRecord::read(&self.stage.file("pids/.state/a.json"))
    }

    /// Waits until its record satisfies `wanted`.
    #[track_caller]
    pub fn wait_record(&self, what: &str, wanted: impl Fn(&RunRecord) -> bool) -> RunRecord {
        wait_for(what, SOON, || {
            let record = self.record().ok_or_else(|| "no record".to_string())?;
            if wanted(&record) { Ok(record) } else { Err(format!("{record:#?}\n{}", self.log())) }
        })
    }

    /// Waits until it is live under another process than `before`.
    #[track_caller]
    pub fn wait_restarted(&self, before: &RunRecord) -> RunRecord {
        self.wait_record("a new ffmpeg, live", |r| {
            r.state == State::Live && r.child.is_some() && r.child != before.child
        })
    }

    /// msconv's log of it.
    pub fn log(&self) -> String {
        self.stage.read("logs/ffmpeg/a.log")
    }

    /// `msconv stop -s a`, and nothing of it is left.
    #[track_caller]
    pub fn stop(&self) -> Run {
        let run = self.stage.msconv(&["stop", "-s", "a"]).expect(0);
        self.gone();
        run
    }

    /// Nothing of the stream is left: no file, no process, no name.
    #[track_caller]
    pub fn gone(&self) {
        wait_for("the files to be gone", SOON, || {
            !self.stage.file("pids/a.pid").exists() && !self.stage.file("pids/.state/a.json").exists()
        });
        wait_for("ffmpeg to be gone", SOON, || {
            let left: Vec<String> = self
                .stage
                .still_running()
                .into_iter()
                .filter(|l| !l.contains("nginx") && !l.contains("sleep 300"))
                .collect();
            if left.is_empty() { Ok(()) } else { Err(left.join("\n")) }
        });
    }
}

/// Signals a process that must still be the one it was.
pub fn signal(identity: Option<Identity>, signal: Signal) {
    let identity = identity.expect("a process");
    assert!(identity.alive(), "{identity:?} lives");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(identity.pid), signal).unwrap();
}

/// Waits until a process has ended.
#[track_caller]
pub fn ended(identity: Option<Identity>) {
    let identity = identity.expect("a process");
    wait_for("the process to end", SOON, || !identity.alive());
}
