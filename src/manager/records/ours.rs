//! Our own streams: those of the home folder, and those of other folders through the index in the runtime folder.

use crate::base::clock;
use crate::config::{Environment, Paths, Settings};
use crate::model::{State, StreamKey};
use crate::process::identity;
use crate::process::index::{self, Entry};
use crate::process::run_record::RunRecord;
use crate::process::stream_lock::{self, FileId};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Most records that are read of one folder.
const MOST: usize = 4096;

/// A stream of ours, running or not.
#[derive(Clone, Debug)]
pub struct Ours {
    /// Its record.
    pub record: RunRecord,
    /// Whether it is supervised right now. A record without a supervisor is of a stream that ended or died.
    pub alive: bool,
    /// ffmpeg's process id, if it lives.
    pub pid: Option<i32>,
    /// Its log file.
    pub log: PathBuf,
    /// Whether it was cut off by a reboot.
    pub rebooted: bool,
}

/// Every stream that a record is found of, and how well that could be seen.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Sorted by key; home folder first where a key stands twice.
    pub streams: Vec<Ours>,
    /// Records of the home folder that are there and cannot be read, or are none.
    pub unreadable: u64,
    /// Whether the home folder's records could be listed. A home without any is well read.
    pub listed: bool,
}

/// Every stream that a record is found of, sorted by key; home folder first where a key stands twice.
pub fn ours(settings: &Settings, environment: &Environment) -> Vec<Ours> {
    survey(settings, environment).streams
}

/// As [`ours()`], telling what could not be read.
pub fn survey(settings: &Settings, environment: &Environment) -> Survey {
    let boot_id = identity::boot_id();
    let own = settings.paths.home().to_path_buf();
    let keys = keys_of(&settings.paths);
    let listed = keys.is_some();
    let (mine, others): (Vec<Entry>, Vec<Entry>) =
        index::entries(&environment.runtime_dir()).into_iter().partition(|entry| entry.home == own);
    let mut mine: BTreeMap<StreamKey, Entry> = mine.into_iter().map(|e| (e.key.clone(), e)).collect();
    let mut found = Vec::new();
    let mut unreadable = 0u64;
    for key in keys.unwrap_or_default() {
        match look_up(&settings.paths, &key, mine.remove(&key), &boot_id) {
            Some(one) => found.push(one),
            // A stream may have been stopped between listing and reading.
            None if settings.paths.record(&key).symlink_metadata().is_ok() => {
                unreadable = unreadable.saturating_add(1);
            }
            None => {}
        }
    }
    // Those left are of streams whose record is gone, or of other homes.
    for entry in mine.into_values().chain(others) {
        let (paths, key) = (Paths::new(&entry.home), entry.key.clone());
        found.extend(look_up(&paths, &key, Some(entry), &boot_id));
    }
    found.sort_by(|a, b| {
        let home = |o: &Ours| o.record.home != own;
        a.record.key.cmp(&b.record.key).then(home(a).cmp(&home(b))).then(a.record.home.cmp(&b.record.home))
    });
    Survey { streams: found, unreadable, listed }
}

/// The stream `key`: of the home folder, or of another folder if only that one runs it.
pub fn find(settings: &Settings, environment: &Environment, key: &StreamKey) -> Option<Ours> {
    let mut candidates: Vec<Ours> =
        ours(settings, environment).into_iter().filter(|o| o.record.key == key.as_str()).collect();
    let at = candidates.iter().position(|o| o.alive).unwrap_or(0);
    (at < candidates.len()).then(|| candidates.swap_remove(at))
}

/// Keys with a record in a home folder; `None` if they cannot be listed.
fn keys_of(paths: &Paths) -> Option<Vec<StreamKey>> {
    let files = match std::fs::read_dir(paths.state()) {
        Ok(files) => files,
        // Nothing has been published from here yet.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && std::fs::read_dir(paths.home()).is_ok() => {
            return Some(Vec::new());
        }
        Err(_) => return None,
    };
    let keys = files
        .flatten()
        .take(4 * MOST)
        .filter_map(|f| f.file_name().to_str()?.strip_suffix(".json")?.parse().ok())
        .take(MOST)
        .collect();
    Some(keys)
}

fn look_up(paths: &Paths, key: &StreamKey, entry: Option<Entry>, boot_id: &str) -> Option<Ours> {
    let last = entry.as_ref().and_then(|entry| entry.lock);
    let record = recorded(paths, key, entry).or_else(|| unrecorded(paths, key, last))?;
    // The record's word is checked against the kernel's: the supervisor lives, or somebody holds the lock. From within a
    // container neither can be seen.
    let alive = record.supervisor_alive(boot_id)
        || !record.state.ended() && stream_lock::is_held_of(&paths.lock(key), last)
        || record.lives_out_of_sight(boot_id, clock::now_ms());
    let pid = record.child_pid(boot_id);
    let rebooted = !alive && !record.state.ended() && record.boot_id != boot_id;
    Some(Ours { alive, pid, log: paths.ffmpeg_log(key), rebooted, record })
}

/// The record of a stream: the one in its home, or the one that the index notes where that takes no writes.
pub fn recorded(paths: &Paths, key: &StreamKey, entry: Option<Entry>) -> Option<RunRecord> {
    let own = RunRecord::read(&paths.record(key)).filter(|r| r.key == key.as_str());
    match entry {
        Some(entry) => entry.or_newer(own),
        None => own,
    }
}

/// What can be said of a stream that runs without a record, until its supervisor has written another.
fn unrecorded(paths: &Paths, key: &StreamKey, last: Option<FileId>) -> Option<RunRecord> {
    let supervisor = stream_lock::holders_of(&paths.lock(key), last).first()?.identity;
    Some(RunRecord {
        supervisor: Some(supervisor),
        started_at_ms: identity::started_at_ms(&supervisor).unwrap_or_else(clock::now_ms),
        reason: Some("its record is gone".into()),
        state: State::Weak,
        ..RunRecord::begun(key, paths.home(), String::new(), String::new())
    })
}
