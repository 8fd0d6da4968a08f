//! Stopping a stream: prove who holds its lock, ask the supervisor, escalate, own the lock (the proof that nothing
//! lives), remove the files.

use crate::base::next::{Advice, By};
use crate::base::{Failure, Kind, Outcome, atomic_file, clock, failure::io_words};
use crate::config::{Environment, Paths, Settings};
use crate::manager::records::ours;
use crate::model::StreamKey;
use crate::process::blocking::blocking;
use crate::process::identity::{self, Identity};
use crate::process::pid_file::{self, PidFile};
use crate::process::run_record::RunRecord;
use crate::process::stream_lock::{self, FileId, Holder, StreamLock};
use crate::process::{index, sys};
use nix::sys::signal::Signal;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How a stop ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It ran and has ended.
    Ended(End),
    /// It was not running; as the failure that this is to whoever asked, with what was tidied up.
    NotRunning(Failure),
    /// Something stands in its PID file that is not ours, as a failure; nothing was signalled.
    NotOurs(Failure),
}

/// The end of a stream that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// How long it had been running.
    pub after: Option<Duration>,
    /// How long the end took.
    pub took: Duration,
    /// Whether it had to be killed.
    pub killed: bool,
    /// The folder it was published from, if not the home folder.
    pub elsewhere: Option<String>,
}

/// The failure of a stop whose stream does not run.
fn not_running(key: &StreamKey, why: Option<String>) -> Stopped {
    let failure = Failure::new(Kind::NotRunning, format!("{key} is not running"));
    let failure = why.into_iter().fold(failure, Failure::why);
    Stopped::NotRunning(failure.hint(Advice::ShowStreams.in_column("shows our streams")))
}

/// As [`not_running`], where its PID file is none of ours.
fn not_ours(key: &StreamKey, why: String) -> Stopped {
    let failure = Failure::new(Kind::NotRunning, format!("{key} is not running")).why(why);
    Stopped::NotOurs(
        failure.hint(Advice::Examine { fix: true }.behind("clears up what else was left or forged")),
    )
}

/// Stops the stream `key`, at most within about `timeout`.
///
/// # Errors
/// Internal, if it cannot be ended or its files cannot be handled.
pub async fn stop(
    settings: &Settings,
    environment: &Environment,
    key: &StreamKey,
    timeout: Duration,
) -> Outcome<Stopped> {
    let (own, runtime, key) = (settings.paths.clone(), environment.runtime_dir(), key.clone());
    blocking("stop a stream", move || stop_now(&own, &runtime, &key, timeout)).await?
}

/// As [`stop`]; waits for processes and locks without an event loop.
fn stop_now(own: &Paths, runtime: &Path, key: &StreamKey, timeout: Duration) -> Outcome<Stopped> {
    let here = Found::at(own.clone(), runtime, key);
    if here.runs() {
        return here.stop(timeout, None);
    }
    for entry in index::entries(runtime) {
        if entry.key == *key && entry.home != own.home() {
            let there = Found::at(Paths::new(&entry.home), runtime, key);
            if there.runs() {
                return there.stop(timeout, Some(entry.home.display().to_string()));
            }
        }
    }
    // From within a container its lock and its processes cannot be seen, so its files would look like leftovers.
    if here.record.is_some_and(|r| r.lives_out_of_sight(&identity::boot_id(), clock::now_ms())) {
        return Err(Failure::internal(format!("{key} runs, but its processes cannot be reached"))
            .why("its supervisor runs outside this container, or in another one, and has just reported")
            .hint(Advice::stop(key).behind("where it was published")));
    }
    stop_unheld(own, runtime, key, timeout)
}

/// A stream as it is found: by what stands in its home, or by what the index remembers of it.
struct Found<'a> {
    paths: Paths,
    key: &'a StreamKey,
    entry: PathBuf,
    lock: PathBuf,
    /// The lock's file, wherever it is.
    last: Option<FileId>,
    record: Option<RunRecord>,
}

impl Found<'_> {
    fn at<'a>(paths: Paths, runtime: &Path, key: &'a StreamKey) -> Found<'a> {
        let entry = index::entry(runtime, key, paths.home());
        Found {
            key,
            entry: index::path(runtime, key, paths.home()),
            lock: paths.lock(key),
            last: entry.as_ref().and_then(|entry| entry.lock),
            record: ours::recorded(&paths, key, entry),
            paths,
        }
    }

    fn runs(&self) -> bool {
        stream_lock::is_held_for_good(&self.lock, self.last)
    }

    fn holders(&self) -> Vec<Holder> {
        stream_lock::holders_of(&self.lock, self.last)
    }

    /// Takes a lock of this home; one that is gone is not made again.
    fn take(&self, lock: &Path) -> Result<StreamLock, stream_lock::Error> {
        match self.paths.home().is_dir() {
            true => StreamLock::acquire(lock),
            false => Err(stream_lock::Error::Io(lock.to_path_buf(), io::ErrorKind::NotFound.into())),
        }
    }

    /// Stops a stream that runs.
    fn stop(self, timeout: Duration, elsewhere: Option<String>) -> Outcome<Stopped> {
        let (began, key) = (Instant::now(), self.key);
        // Of several stops at once one does the work; the others wait for the end and find nothing running. Where no claim
        // can be written (no room, no right) each does it.
        let claim = self.take(&self.paths.state().join(format!("{key}.stop")));
        let held = matches!(claim, Err(stream_lock::Error::Held(_)));
        // The other may have been done between our look and our claim.
        let first = !held && stream_lock::is_held_of(&self.lock, self.last);
        let patience = timeout.mul_f64(0.8);
        let mut killed = false;
        if first {
            let holders = supervisor_first(self.holders(), self.record.as_ref());
            if holders.is_empty() && stream_lock::is_held_of(&self.lock, self.last) {
                return Err(out_of_reach(key, self.record.as_ref()));
            }
            if let Some(supervisor) = holders.first() {
                supervisor.signal(Signal::SIGTERM);
                // One that was stopped takes the request only when it goes on.
                supervisor.signal(Signal::SIGCONT);
                supervisor.wait(patience);
            }
            // Whoever holds the lock now did not listen, or was left alone by a killed supervisor.
            killed = end_rest(|| self.holders(), began, timeout);
        }
        let limit = timeout.max(Duration::from_secs(1)) + Duration::from_secs(2);
        let proof = self.nothing_lives(began, limit, first)?;
        if !first {
            return Ok(not_running(key, Some("another stop was ending it".into())));
        }
        let _ = std::fs::remove_file(self.paths.pid_file(key));
        let _ = std::fs::remove_file(self.paths.record(key));
        let _ = std::fs::remove_file(&self.entry);
        drop(proof);
        let ran = self.record.and_then(|r| u64::try_from(clock::now_ms() - r.started_at_ms).ok());
        let after = ran.map(Duration::from_millis);
        Ok(Stopped::Ended(End { after, took: began.elapsed(), killed, elsewhere }))
    }

    /// The proof that nothing of the stream lives: its lock in our hands, and nobody with what was its lock before. Where a
    /// lock cannot be made, or another stop is at work (which would take us for the stream), the kernel's word has to do.
    ///
    /// # Errors
    /// Internal, if something still lives after `limit`.
    fn nothing_lives(&self, began: Instant, limit: Duration, first: bool) -> Outcome<Option<StreamLock>> {
        loop {
            if !stream_lock::is_held_of(&self.lock, self.last) {
                if !first {
                    return Ok(None);
                }
                match self.take(&self.lock) {
                    Ok(lock) => return Ok(Some(lock)),
                    Err(stream_lock::Error::Held(_)) => {}
                    Err(_) => return Ok(None),
                }
            }
            if began.elapsed() >= limit {
                let limit = clock::spoken(limit);
                return Err(Failure::internal(format!("{} could not be ended within {limit}", self.key)));
            }
            // The kernel frees the lock a moment after the last holder ended.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Ends every holder that is left: an orphaned program gets its two requests, then everything is killed.
fn end_rest(holders: impl Fn() -> Vec<Holder>, began: Instant, timeout: Duration) -> bool {
    let left = |until: Duration| until.saturating_sub(began.elapsed());
    let patience = timeout.mul_f64(0.8);
    for (signal, until) in
        [(Signal::SIGTERM, patience.min(Duration::from_secs(3))), (Signal::SIGTERM, patience)]
    {
        let holders = holders();
        if holders.is_empty() {
            return false;
        }
        if left(until).is_zero() {
            continue;
        }
        for holder in &holders {
            holder.signal(signal);
            holder.signal(Signal::SIGCONT);
        }
        for holder in &holders {
            holder.wait(left(until));
        }
    }
    let holders = holders();
    for holder in &holders {
        holder.signal(Signal::SIGKILL);
    }
    for holder in &holders {
        holder.wait(Duration::from_secs(2));
    }
    !holders.is_empty()
}

/// The supervisor in front: the one the record names, else the oldest.
fn supervisor_first(mut holders: Vec<Holder>, record: Option<&RunRecord>) -> Vec<Holder> {
    let named = record.and_then(|r| r.supervisor);
    holders.sort_by_key(|h| (Some(h.identity) != named, h.identity.start, h.identity.pid));
    holders
}

fn out_of_reach(key: &StreamKey, record: Option<&RunRecord>) -> Failure {
    let failure = Failure::internal(format!("{key} runs, but its processes cannot be reached"))
        .why("they belong to another user");
    match record.and_then(|r| r.supervisor).and_then(|s| identity::owner(s.pid)) {
        Some(uid) => failure.hint(Advice::StopStream { key: key.to_string(), by: By::User(uid) }),
        None => failure.hint(Advice::StopStream { key: key.to_string(), by: By::Root }),
    }
}

/// A stream whose lock is free: nothing of ours lives. What is left are files, and perhaps a program that the
/// historic tool started.
fn stop_unheld(paths: &Paths, runtime: &Path, key: &StreamKey, timeout: Duration) -> Outcome<Stopped> {
    let file = paths.pid_file(key);
    let shown = file.display();
    let record = RunRecord::read(&paths.record(key));
    let outcome = match pid_file::read(&file) {
        PidFile::Absent => {
            let before = record.as_ref().map(|r| match &r.reason {
                _ if !r.state.ended() => format!("it was {} when its supervisor died", r.state),
                Some(why) => format!("it had {}: {why}", r.state),
                None => format!("it had {}", r.state),
            });
            not_running(key, before)
        }
        PidFile::Unusable(why) => {
            not_ours(key, format!("{shown} is no PID file ({why}); it {}", set_aside(&file)))
        }
        PidFile::Pid(pid) => match Identity::of(pid) {
            None => {
                let done = match std::fs::remove_file(&file) {
                    Ok(()) => "was removed".to_string(),
                    Err(e) => format!("cannot be removed: {}", io_words(&e)),
                };
                not_running(key, Some(format!("the stale {shown} (process {pid} is gone) {done}")))
            }
            Some(identity) => match historic(&file, &identity, key) {
                Ok(()) => return stop_historic(&file, &identity, key, timeout),
                Err(why) => {
                    let left = format!("process {pid} in {shown} is not ours ({why}) and was left alone");
                    not_ours(key, format!("{left}; the file {}", set_aside(&file)))
                }
            },
        },
    };
    let stale_record = paths.record(key);
    if std::fs::symlink_metadata(&stale_record).is_ok_and(|m| !m.is_dir()) {
        let _ = std::fs::remove_file(&stale_record);
    }
    let _ = std::fs::remove_file(index::path(runtime, key, paths.home()));
    Ok(outcome)
}

/// Sets a file aside; what became of it.
fn set_aside(file: &Path) -> String {
    match atomic_file::set_aside(file) {
        Ok(aside) => format!("was set aside as {}", aside.file_name().unwrap_or_default().to_string_lossy()),
        Err(e) => format!("cannot be set aside: {}", io_words(&e)),
    }
}

/// Whether the process in a PID file without a lock is an ffmpeg of ours for this stream: our user, ffmpeg by its
/// program file, the key in its arguments, started before the file was written.
///
/// # Errors
/// Why it is not.
pub fn historic(file: &Path, identity: &Identity, key: &StreamKey) -> Result<(), String> {
    let pid = identity.pid;
    if identity::owner(pid) != Some(nix::unistd::geteuid().as_raw()) {
        return Err("it belongs to another user".into());
    }
    if !stream_lock::runs(pid, "ffmpeg") {
        return Err("it is no ffmpeg".into());
    }
    let carries = |arg: &String| {
        arg.split(['/', '|', ']', '\'']).any(|part| {
            part == key.as_str() || part.strip_prefix(key.as_str()).is_some_and(|rest| rest.starts_with('_'))
        })
    };
    if !identity::arguments(pid).unwrap_or_default().iter().any(carries) {
        return Err("it does not publish this stream".into());
    }
    let written = std::fs::metadata(file).and_then(|m| m.modified()).ok();
    let written_ms = written
        .and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok())
        .and_then(|d| i64::try_from(d.as_millis()).ok());
    match (identity::started_at_ms(identity), written_ms) {
        // A second of slack: the boot time is known in whole seconds.
        (Some(started), Some(written)) if started <= written + 1_500 => Ok(()),
        _ => Err("it started after the file was written".into()),
    }
}

fn stop_historic(file: &Path, identity: &Identity, key: &StreamKey, timeout: Duration) -> Outcome<Stopped> {
    let began = Instant::now();
    let gone = || not_running(key, None);
    let Ok(pidfd) = sys::pidfd_open(identity.pid) else { return Ok(gone()) };
    if !identity.alive() {
        return Ok(gone());
    }
    let patience = timeout.mul_f64(0.8);
    let steps = [
        (Signal::SIGTERM, patience.min(Duration::from_secs(3))),
        (Signal::SIGTERM, patience),
        (Signal::SIGKILL, timeout + Duration::from_secs(2)),
    ];
    for (signal, until) in steps {
        let _ = sys::pidfd_signal(&pidfd, signal);
        if sys::pidfd_wait(&pidfd, until.saturating_sub(began.elapsed())) {
            let _ = std::fs::remove_file(file);
            let killed = signal == Signal::SIGKILL;
            let end = End { after: None, took: began.elapsed(), killed, elsewhere: None };
            return Ok(Stopped::Ended(end));
        }
    }
    Err(Failure::internal(format!("process {} could not be ended", identity.pid)))
}
