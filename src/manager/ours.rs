//! Our own streams: those of the home folder, and those of other folders through the index in the runtime folder.

use crate::config::{Environment, Paths, Settings};
use crate::model::StreamKey;
use crate::process::run_record::RunRecord;
use crate::process::{identity, index, stream_lock};
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

/// Every stream that a record is found of, sorted by key; home folder first where a key stands twice.
pub fn ours(settings: &Settings, environment: &Environment) -> Vec<Ours> {
    let boot_id = identity::boot_id();
    let own = settings.paths.home().to_path_buf();
    let mut found: Vec<Ours> = keys_of(&settings.paths)
        .into_iter()
        .filter_map(|key| look_up(&settings.paths, &key, &boot_id))
        .collect();
    for entry in index::entries(&environment.runtime_dir()) {
        if entry.home != own {
            found.extend(look_up(&Paths::new(entry.home), &entry.key, &boot_id));
        }
    }
    found.sort_by(|a, b| {
        let home = |o: &Ours| o.record.home != own;
        a.record.key.cmp(&b.record.key).then(home(a).cmp(&home(b))).then(a.record.home.cmp(&b.record.home))
    });
    found
}

/// The stream `key`: of the home folder, or of another folder if only that one runs it.
pub fn find(settings: &Settings, environment: &Environment, key: &StreamKey) -> Option<Ours> {
    let mut candidates: Vec<Ours> =
        ours(settings, environment).into_iter().filter(|o| o.record.key == key.as_str()).collect();
    let at = candidates.iter().position(|o| o.alive).unwrap_or(0);
    (at < candidates.len()).then(|| candidates.swap_remove(at))
}

/// Keys with a record in a home folder.
fn keys_of(paths: &Paths) -> Vec<StreamKey> {
    let Ok(files) = std::fs::read_dir(paths.state()) else { return Vec::new() };
    files
        .flatten()
        .take(4 * MOST)
        .filter_map(|f| f.file_name().to_str()?.strip_suffix(".json")?.parse().ok())
        .take(MOST)
        .collect()
}

fn look_up(paths: &Paths, key: &StreamKey, boot_id: &str) -> Option<Ours> {
    let record = RunRecord::read(&paths.record(key)).filter(|r| r.key == key.as_str())?;
    // The record's word is checked against the kernel's: the supervisor lives, or somebody holds the lock.
    let alive =
        record.supervisor_alive(boot_id) || !record.state.ended() && stream_lock::is_held(&paths.lock(key));
    let pid = record.child_pid(boot_id);
    let rebooted = !alive && !record.state.ended() && record.boot_id != boot_id;
    Some(Ours { alive, pid, log: paths.ffmpeg_log(key), rebooted, record })
}
