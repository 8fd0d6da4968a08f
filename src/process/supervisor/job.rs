//! What a supervisor is given, what it must know about its program and the server, and what it tells.

use crate::base::{CommandLine, Kind, secret::Redactor};
use crate::process::restart::{Verdict, When};
use crate::process::run_record::RunRecord;
use crate::process::spawn::Exit;
use crate::process::stream_place::Spots;
use crate::process::watchdog::{Heartbeat, Look};
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
    /// What it puts out, in the order in which the [`Looker`] counts.
    pub outputs: Vec<OutputSpec>,
    /// Restart policy.
    pub when: When,
    /// The source in words.
    pub source: String,
    /// The publish endpoint in words, secrets masked.
    pub endpoint: String,
    /// Takes secrets out of every line.
    pub redactor: Redactor,
    /// How to run if the program says that this way does not work here.
    #[serde(default)]
    pub if_unfit: Option<Fallback>,
    /// How to run if this way is slower than real time: ways that cost less, dearest first. One is taken, once.
    #[serde(default)]
    pub if_slow: Vec<Fallback>,
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
}

/// What must be known about the supervised program.
pub trait Program {
    /// It was started (again).
    fn started(&mut self);
    /// A line of its stdout.
    fn progress(&mut self, line: &str) -> Option<Heartbeat>;
    /// A line of its stderr; `live_before` tells whether this stream was ever on the air.
    fn log_line(&mut self, line: &str, live_before: bool) -> Meaning;
    /// What its end means; `recent` are its last log lines.
    fn verdict(&mut self, exit: &Exit, recent: &[String]) -> Verdict;
    /// Looks at the source anew before the program is started again, where it may have become another; what is found
    /// arrives in its own time. `current` is what is run if nothing changed.
    fn look_again(&mut self, current: &CommandLine) -> Option<oneshot::Receiver<Seen>> {
        let _ = current;
        None
    }
}

/// Looks at the server's byte counters.
pub trait Looker: Send + 'static {
    /// One look; `child` is the program's process id.
    fn look(&mut self, child: i32) -> impl Future<Output = Look> + Send;
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
