//! What a supervisor is given, what it must know about its program and the server, and what it tells.

use crate::base::{CommandLine, Kind, secret::Redactor};
use crate::process::cpu::Load;
use crate::process::restart::{Verdict, When};
use crate::process::run_record::RunRecord;
use crate::process::spawn::Exit;
use crate::process::stream_place::Spots;
use crate::process::watchdog::{Heartbeat, Reading};
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::path::PathBuf;
use tokio::sync::oneshot;

/// Everything a supervisor needs, as a value that travels through a pipe. Holds secrets: it never goes into a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Where others find the stream.
    pub spots: Spots,
    /// The stream's own lock.
    pub lock: PathBuf,
    /// One for each name on the server.
    pub name_locks: Vec<PathBuf>,
    /// What to run.
    pub command: CommandLine,
    /// What it puts out, in the order in which the [`ServerProbe`] counts.
    pub outputs: Vec<OutputSpec>,
    /// Restart policy.
    pub when: When,
    /// What was asked for, as JSON, secrets masked: for the record.
    #[serde(default)]
    pub spec: serde_json::Value,
    /// The source in words.
    pub source: String,
    /// The publish endpoint in words, secrets masked.
    pub endpoint: String,
    /// Takes secrets out of every line.
    pub redactor: Redactor,
    /// How to run if the program says that this way does not work here.
    #[serde(default)]
    pub if_unfit: Option<Fallback>,
    /// The ways to make the same outputs that the machine may choose from, dearest first, the command's among them; none
    /// where the way was asked for.
    #[serde(default)]
    pub ways: Vec<Way>,
    /// Which of them the command is.
    #[serde(default)]
    pub way: usize,
    /// Whether a way that is slower than real time is left for a cheaper one: not where the source may be what is slow.
    #[serde(default)]
    pub steps_down: bool,
    /// Where the streams of this user share the processors.
    #[serde(default)]
    pub budget: Option<PathBuf>,
    /// How to run if this way ends in the same way at the same place of the source. Taken once.
    #[serde(default)]
    pub if_stuck: Option<Fallback>,
    /// The source is the same at every start: what ends in the same way at the same place always will.
    #[serde(default)]
    pub fixed_source: bool,
    /// What a person can do about a program that is too slow.
    #[serde(default)]
    pub slow_hint: Option<String>,
    /// CPU-seconds a second that this is thought to cost, for whoever else wants to start something.
    #[serde(default)]
    pub cost: Option<f64>,
    /// Nobody waits for the first bytes, so a failure before them is remembered.
    #[serde(default)]
    pub unwatched: bool,
}

/// Another way to make the same outputs, taken at most once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fallback {
    /// What to run.
    pub command: CommandLine,
    /// What changes, for log and status: `went on with x264`.
    pub words: String,
    /// CPU-seconds a second that this is thought to cost.
    #[serde(default)]
    pub cost: Option<f64>,
}

/// A way to make the outputs, with more or less work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Way {
    /// What to run.
    pub command: CommandLine,
    /// Which, for log and status: `quality fast`.
    pub words: String,
    /// CPU-seconds a second that it is thought to cost.
    pub cost: f64,
    /// CPUs that must be free for it to be chosen.
    pub needs: f64,
}

/// What another look at the source, before the program is started again, found.
#[derive(Debug)]
pub enum Seen {
    /// What was there before, or nothing that matters.
    Same,
    /// Something else: it is run in another way from now on.
    Changed(Box<Renewal>),
    /// It is not there, or cannot be used now.
    Absent(String),
}

/// Another way to make the same outputs, because the source is another.
#[derive(Clone, Debug, PartialEq)]
pub struct Renewal {
    /// What to run.
    pub command: CommandLine,
    /// The source in words.
    pub source: String,
    /// Width and height of each output, in their order.
    pub sizes: Vec<(u32, u32)>,
    /// As [`Job::ways`], for this source; the command is the one in the same place as before.
    pub ways: Vec<Way>,
}

/// One output of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputSpec {
    /// `720p`, `original`, `audio`.
    pub label: String,
    /// The name on the server.
    pub name: String,
    /// Width and height of the picture, 0 without one.
    pub size: (u32, u32),
}

/// What one line of the program's log means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing; it is not written down.
    Noise,
    /// It is written down.
    Ordinary,
    /// It is written down and is the likely cause if something goes wrong now.
    Fault(String),
    /// Going on makes no sense: the stream ends with this.
    Fatal(Kind, String),
    /// The source has become another: the program is started again.
    Anew(String),
}

/// Who wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The program, which reads its source itself.
    Program,
    /// The program, which another one feeds: what it says of its input is only what became of that one.
    Fed,
    /// The program that feeds it.
    Feeder,
}

/// What must be known about the supervised program.
pub trait Program {
    /// It was started (again), with this command.
    fn started(&mut self, command: &CommandLine);
    /// A run begins to publish outputs of these sizes: tells whoever should know before it does. What is given back
    /// arrives when it has been told.
    fn announce(&mut self, sizes: &[(u32, u32)]) -> Option<oneshot::Receiver<()>> {
        let _ = sizes;
        None
    }
    /// A line of its stdout.
    fn progress(&mut self, line: &str) -> Option<Heartbeat>;
    /// A line of its stderr, or of the program that feeds it; `live_before` tells whether this stream was ever on the air.
    fn log_line(&mut self, line: &str, by: Speaker, live_before: bool) -> Meaning;
    /// What its end means; `recent` are its last log lines.
    fn verdict(&mut self, exit: &Exit, recent: &[String]) -> Verdict;
    /// Looks at the source anew before the program is started again, where it may have become another; what is found
    /// arrives in its own time. `current` is what is run if nothing changed.
    fn look_again(&mut self, current: &CommandLine) -> Option<oneshot::Receiver<Seen>> {
        let _ = current;
        None
    }
    /// The call that begins now `beside` the run `child`, or in its place, and takes its names over, so that those who
    /// watch see no more than a keyframe; none if this is not the moment. Asked often.
    fn successor(&mut self, way: &CommandLine, child: i32, beside: bool) -> Option<CommandLine> {
        let _ = (way, child, beside);
        None
    }
    /// Whether two runs can read the source at once.
    fn runs_beside(&self) -> bool {
        true
    }
    /// A line of the successor's stdout, or none several times a tenth of a second: whether the old run is to let go now.
    fn is_ripe(&mut self, line: Option<&str>, successor: i32) -> bool {
        let _ = (line, successor);
        false
    }
    /// The successor has taken over.
    fn taken(&mut self) {}
    /// What the processors have done over the last seconds, whenever enough of them have passed.
    fn load(&mut self) -> Option<Load> {
        None
    }
    /// It goes on in this one of its ways.
    fn goes_on_in(&mut self, way: usize) {
        let _ = way;
    }
    /// The call that takes the stream up where a run was that is ended for it.
    fn resumed(&mut self, way: &CommandLine) -> CommandLine {
        way.clone()
    }
    /// Whether the server keeps those who watch while one run takes over from another.
    fn keeps_viewers(&self) -> bool {
        false
    }
}

/// Looks at the server's byte counters.
pub trait ServerProbe: Send + 'static {
    /// One look; `child` is the program's process id.
    fn look(&mut self, child: i32) -> impl Future<Output = Reading> + Send;
}

/// What a supervisor tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// The stream is ours.
    Locked,
    /// How it is doing, at every change and every few seconds.
    Update(Box<RunRecord>),
    /// It is over.
    Ended(Ended),
}

/// How a stream ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Exit code of the kind of failure; `None` if it ended as it should.
    pub failure: Option<u8>,
    /// Whether somebody ended it; otherwise it ended by itself.
    #[serde(default)]
    pub stopped: bool,
    /// Why.
    pub reason: Option<String>,
    /// The program's last words.
    pub words: Vec<String>,
}

/// A request to the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// End the stream; asking again changes nothing.
    Stop,
    /// End it now, without grace.
    Kill,
}
