//! One server's place in the private prefix: its lock, its record, and how it is ended.
//!
//! The lock is the truth, as with streams: the server inherits the descriptor, so the lock is held exactly as long as
//! any process of it lives, and only its holders are ever signalled. The record is help for people.

use crate::base::atomic_file::{self, Durability};
use crate::base::failure::io_words;
use crate::base::next::Advice;
use crate::base::{Failure, Kind, Outcome, clock};
use crate::process::blocking::blocking;
use crate::process::identity::{self, Identity};
use crate::process::stream_lock::{self, Holder, StreamLock};
use crate::process::sys;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a server may take to end when asked.
const POLITE: Duration = Duration::from_secs(5);
/// How long the kernel may take to end it when it is killed.
const KILLED: Duration = Duration::from_secs(5);
/// Largest record that is read, in bytes.
const LARGEST: u64 = 64 * 1024;

/// What is written down about a running server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this form, 1.
    pub schema: u32,
    /// The boot in which the process number is valid.
    #[serde(default)]
    pub boot_id: String,
    /// The server's first process.
    pub process: Identity,
    /// When it was started, milliseconds since 1970.
    #[serde(default)]
    pub started_at_ms: i64,
    /// Its program.
    #[serde(default)]
    pub program: PathBuf,
    /// Where it listens.
    #[serde(default)]
    pub addresses: Vec<String>,
}

impl Record {
    /// A record of the process `pid`, which runs now.
    pub fn new(pid: i32, program: &Path, addresses: Vec<String>) -> Record {
        Record {
            schema: 1,
            boot_id: identity::boot_id(),
            process: Identity::of(pid).unwrap_or(Identity { pid, start: 0 }),
            started_at_ms: clock::now_ms(),
            program: program.to_path_buf(),
            addresses,
        }
    }

    /// Reads the bytes of a record.
    pub fn parse(bytes: &[u8]) -> Option<Record> {
        serde_json::from_slice(bytes).ok()
    }

    /// Whether the recorded process lives.
    pub fn alive(&self) -> bool {
        self.boot_id == identity::boot_id() && self.process.alive()
    }
}

/// How a server was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// It ended when asked.
    Stopped,
    /// It had to be killed.
    Killed,
    /// It was not running.
    NotRunning,
}

/// Files of one server.
#[derive(Clone, Debug)]
pub struct Place {
    /// `serve`, `nginx` or `mediamtx`.
    pub name: &'static str,
    /// The file name of its program.
    pub program: String,
    /// The private prefix.
    pub prefix: PathBuf,
}

impl Place {
    /// Its name in sentences.
    pub fn words(&self) -> &'static str {
        if self.name == "serve" { "msconv serve" } else { self.name }
    }

    /// The lock.
    pub fn lock(&self) -> PathBuf {
        self.prefix.join(format!("{}.lock", self.name))
    }

    fn record_path(&self) -> PathBuf {
        self.prefix.join(format!("{}.json", self.name))
    }

    /// The record, if there is a readable one.
    pub fn record(&self) -> Option<Record> {
        Record::parse(&atomic_file::read_small(&self.record_path(), LARGEST).ok()?)
    }

    /// Writes the record.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn write_record(&self, record: &Record) -> Outcome<()> {
        let path = self.record_path();
        serde_json::to_vec_pretty(record)
            .map_err(std::io::Error::other)
            .and_then(|bytes| atomic_file::write(&path, &bytes, 0o600, Durability::Synced))
            .map_err(|e| Failure::io("write", &path, &e))
    }

    /// Takes the lock; `None` if the server lives.
    ///
    /// # Errors
    /// Internal, if the lock cannot be used.
    pub fn acquire(&self) -> Outcome<Option<StreamLock>> {
        match StreamLock::take(&self.lock()) {
            Ok(lock) => Ok(Some(lock)),
            Err(stream_lock::Error::Held(_)) => Ok(None),
            Err(e) => Err(lock_failure(e)),
        }
    }

    /// Every process of the server, oldest first.
    pub fn holders(&self) -> Vec<Holder> {
        stream_lock::holders(&self.lock())
    }

    /// Whether the server lives.
    pub fn running(&self) -> bool {
        stream_lock::is_held(&self.lock())
    }

    /// The server's first process, if it lives: of the holders the one whose parent is none of them.
    pub fn master(&self) -> Option<i32> {
        masters(&self.holders()).first().copied()
    }

    /// Ends every process of the server: SIGTERM, SIGKILL after 5 s. Also those whose lock file somebody removed.
    ///
    /// # Errors
    /// Internal, if it is another user's, or cannot be killed.
    pub async fn end(&self) -> Outcome<Ended> {
        let own = self.clone();
        blocking("end a server", move || own.end_now()).await?
    }

    fn end_now(&self) -> Outcome<Ended> {
        let holders = end_all(self.words(), || self.holders())?;
        let strays = end_all(self.words(), || self.strays())?;
        match (holders, strays) {
            (Ended::NotRunning, Ended::NotRunning) if self.running() => self.end_recorded(),
            (Ended::NotRunning, other) | (other, Ended::NotRunning) => Ok(other),
            (Ended::Stopped, Ended::Stopped) => Ok(Ended::Stopped),
            _ => Ok(Ended::Killed),
        }
    }

    /// Processes of the server that lost their lock because somebody removed the prefix under them: the program has
    /// the server's file name and works in this very folder, which nobody else's does.
    pub fn strays(&self) -> Vec<Stray> {
        let deleted = format!("{} (deleted)", self.prefix.display());
        let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
        let fits = |pid: i32| {
            let here = std::fs::read_link(format!("/proc/{pid}/cwd"))
                .is_ok_and(|cwd| cwd == self.prefix || cwd.as_os_str() == deleted.as_str());
            here && stream_lock::runs(pid, &self.program)
        };
        processes
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
            .filter(|pid| fits(*pid))
            .filter_map(|pid| {
                let handle = sys::pidfd_open(pid).ok()?;
                let identity = Identity::of(pid)?;
                // Once more through the handle: the number may have changed hands in between.
                fits(pid).then_some(Stray { identity, handle })
            })
            .collect()
    }

    /// Where the holders cannot be seen: the recorded process, if it is still that one and ours to signal.
    fn end_recorded(&self) -> Outcome<Ended> {
        let cannot = |why: String| {
            Failure::internal(format!("{} runs, but cannot be ended from here", self.words()))
                .why(why)
                .hint(Advice::StopServers.behind("as the user who started it"))
        };
        let Some(record) = self.record().filter(Record::alive) else {
            return Err(cannot("its processes cannot be seen; they belong to another user".into()));
        };
        let pid = record.process.pid;
        let handle = sys::pidfd_open(pid).map_err(|e| cannot(io_words(&e)))?;
        // Once more, now that the number cannot change hands.
        if !record.alive() {
            return Ok(Ended::NotRunning);
        }
        let mut ended = Ended::Stopped;
        for (signal, patience) in [(Signal::SIGTERM, POLITE), (Signal::SIGKILL, KILLED)] {
            match sys::pidfd_signal(&handle, signal) {
                Err(e) if e.raw_os_error() != Some(nix::libc::ESRCH) => {
                    return Err(cannot(format!("pid {pid}: {}", io_words(&e))));
                }
                _ => {}
            }
            if sys::pidfd_wait(&handle, patience) {
                return Ok(ended);
            }
            ended = Ended::Killed;
        }
        Err(cannot(format!("pid {pid} did not end after SIGKILL")))
    }
}

/// A process without the lock that is the server's all the same.
#[derive(Debug)]
pub struct Stray {
    identity: Identity,
    handle: OwnedFd,
}

/// A process that may be ended.
trait Mine {
    fn pid(&self) -> i32;
    fn signal(&self, signal: Signal);
    fn wait(&self, patience: Duration) -> bool;
}

impl Mine for Holder {
    fn pid(&self) -> i32 {
        self.identity.pid
    }
    fn signal(&self, signal: Signal) {
        Holder::signal(self, signal);
    }
    fn wait(&self, patience: Duration) -> bool {
        Holder::wait(self, patience)
    }
}

impl Mine for Stray {
    fn pid(&self) -> i32 {
        self.identity.pid
    }
    fn signal(&self, signal: Signal) {
        let _ = sys::pidfd_signal(&self.handle, signal);
    }
    fn wait(&self, patience: Duration) -> bool {
        sys::pidfd_wait(&self.handle, patience)
    }
}

/// Ends what `find` finds, until it finds nothing: masters first, then what they left behind.
fn end_all<P: Mine>(name: &str, find: impl Fn() -> Vec<P>) -> Outcome<Ended> {
    if find().is_empty() {
        return Ok(Ended::NotRunning);
    }
    let begun = Instant::now();
    let mut ended = Ended::Stopped;
    loop {
        let found = find();
        if found.is_empty() {
            return Ok(ended);
        }
        let polite = begun.elapsed() < POLITE;
        if !polite {
            ended = Ended::Killed;
        }
        if begun.elapsed() > POLITE + KILLED {
            let pids: Vec<String> = found.iter().map(|p| format!("pid {}", p.pid())).collect();
            return Err(Failure::internal(format!("{name} cannot be ended"))
                .why(format!("{} did not end after SIGKILL", pids.join(", "))));
        }
        let masters = masters(&found);
        for process in &found {
            if !polite {
                process.signal(Signal::SIGKILL);
            } else if masters.contains(&process.pid()) {
                process.signal(Signal::SIGTERM);
            }
            // One that was stopped would sleep through it.
            process.signal(Signal::SIGCONT);
        }
        let patience = if polite { POLITE.saturating_sub(begun.elapsed()) } else { KILLED };
        let waited: Vec<&P> = found.iter().filter(|p| !polite || masters.contains(&p.pid())).collect();
        all_end(&waited, patience);
    }
}

/// What a lock that cannot be used means.
pub fn lock_failure(error: stream_lock::Error) -> Failure {
    match error {
        stream_lock::Error::Held(path) => {
            Failure::new(Kind::Conflict, format!("{} is locked by another msconv", path.display()))
        }
        stream_lock::Error::Network(path, kind) => {
            Failure::internal(format!("{} is on {kind}, where locks cannot be trusted", path.display()))
                .hint("choose a folder on a local disk with --home")
        }
        stream_lock::Error::Io(path, e) => Failure::io("lock", &path, &e),
    }
}

/// Of the processes of a server those that no other of them started.
fn masters<P: Mine>(processes: &[P]) -> Vec<i32> {
    let pids: Vec<i32> = processes.iter().map(Mine::pid).collect();
    pids.iter().copied().filter(|pid| identity::parent(*pid).is_none_or(|p| !pids.contains(&p))).collect()
}

fn all_end<P: Mine>(processes: &[&P], patience: Duration) {
    let deadline = Instant::now() + patience;
    for process in processes {
        process.wait(deadline.saturating_duration_since(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_there_is_not_running() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place { name: "nginx", program: "nginx".into(), prefix: dir.path().join("none") };
        assert!(!place.running());
        assert_eq!(place.end_now().unwrap(), Ended::NotRunning);
        assert_eq!(place.record(), None);
    }

    #[test]
    fn a_record_of_another_boot_is_dead() {
        let own = std::process::id() as i32;
        let mut record = Record::new(own, Path::new("/usr/sbin/nginx"), vec![]);
        assert!(record.alive());
        record.boot_id = "another".into();
        assert!(!record.alive());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_record_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::parse(&bytes);
        }
    }
}
