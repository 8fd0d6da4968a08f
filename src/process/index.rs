//! The user's index of running streams: which folder each was published from, so that `stop`, `status` and `list`
//! work from anywhere. Lives in the runtime folder and is gone after a reboot. A hint only: the record and the lock
//! in the named folder decide.

use super::run_record::RunRecord;
use super::stream_lock::FileId;
use crate::base::atomic_file::{self, Durability};
use crate::model::StreamKey;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Most entries that are read.
const MOST: usize = 4096;

/// Largest entry that is read, in bytes: it may hold a record.
const LARGEST_ENTRY: u64 = super::run_record::LARGEST + 16 * 1024;

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The stream.
    pub key: StreamKey,
    /// The folder that holds its `pids/` and `logs/`.
    pub home: PathBuf,
    /// The lock's file, by which the stream is found when that folder is gone.
    #[serde(default)]
    pub lock: Option<FileId>,
    /// The record, where it cannot be written into that folder.
    #[serde(default)]
    pub record: Option<Box<RunRecord>>,
}

/// Where the entry of a stream stands.
pub fn path(runtime: &Path, key: &StreamKey, home: &Path) -> PathBuf {
    runtime.join("streams").join(name(key, home))
}

fn name(key: &StreamKey, home: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    // FNV-1a of the folder: two folders may publish the same key to different servers.
    let hash = home
        .as_os_str()
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    format!("{key}.{hash:016x}.json")
}

/// Where the entry of a stream stands that is in the same index as another.
pub fn beside(path: &Path, key: &StreamKey, home: &Path) -> PathBuf {
    path.with_file_name(name(key, home))
}

/// The entry at `path`, if it can be read.
pub fn read(path: &Path) -> Option<Entry> {
    serde_json::from_slice(&atomic_file::read_small(path, LARGEST_ENTRY).ok()?).ok()
}

/// The entry of a stream, if there is one; one in a folder that is not ours alone is not believed.
pub fn entry(runtime: &Path, key: &StreamKey, home: &Path) -> Option<Entry> {
    let believed = private(runtime) && private(&runtime.join("streams"));
    read(&path(runtime, key, home)).filter(|entry| believed && entry.key == *key && entry.home == home)
}

impl Entry {
    /// What is known of the stream whose home holds `record`: the newer of that and what is noted here, which is written
    /// where the home takes no writes.
    pub fn or_newer(self, record: Option<RunRecord>) -> Option<RunRecord> {
        let noted = self.record.map(|noted| *noted);
        record.into_iter().chain(noted).max_by_key(|record| record.written_at_ms)
    }
}

/// Writes an entry.
///
/// # Errors
/// If the runtime folder cannot be made, or belongs to somebody else (anyone may create folders in `/tmp`).
pub fn add(path: &Path, entry: &Entry) -> io::Result<()> {
    let streams = path.parent().ok_or_else(|| io::Error::other("the index has no folder"))?;
    let runtime = streams.parent().ok_or_else(|| io::Error::other("the index has no folder"))?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(streams)?;
    if !private(runtime) || !private(streams) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the runtime folder is not ours alone"));
    }
    let bytes = serde_json::to_vec(entry).map_err(io::Error::other)?;
    atomic_file::write(path, &bytes, 0o600, Durability::Cached)
}

/// Every readable entry, sorted. Entries of a folder that is not ours alone are not believed.
pub fn entries(runtime: &Path) -> Vec<Entry> {
    let streams = runtime.join("streams");
    if !private(runtime) || !private(&streams) {
        return Vec::new();
    }
    let Ok(files) = fs::read_dir(&streams) else { return Vec::new() };
    let mut entries: Vec<Entry> = files
        .flatten()
        .take(MOST)
        .filter(|f| f.path().extension().is_some_and(|e| e == "json"))
        .filter_map(|f| read(&f.path()))
        .filter(|e: &Entry| e.home.is_absolute())
        .collect();
    entries.sort_by(|a, b| (&a.key, &a.home).cmp(&(&b.key, &b.home)));
    entries
}

/// Whether a folder is a real one, ours, and closed to others.
pub fn private(folder: &Path) -> bool {
    fs::symlink_metadata(folder)
        .is_ok_and(|m| m.is_dir() && m.uid() == nix::unistd::geteuid().as_raw() && m.mode() & 0o022 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = dir.path().join("msconv");
        let entry = Entry { key: "a".parse().unwrap(), home: "/home/x".into(), lock: None, record: None };
        let file = path(&runtime, &entry.key, &entry.home);
        add(&file, &entry).unwrap();
        fs::write(runtime.join("streams/garbage.json"), b"{{{").unwrap();
        assert_eq!(entries(&runtime), [entry]);
    }

    #[test]
    fn a_folder_that_others_may_write_is_not_believed() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let runtime = dir.path().join("msconv");
        let entry = Entry { key: "a".parse().unwrap(), home: "/home/x".into(), lock: None, record: None };
        let file = path(&runtime, &entry.key, &entry.home);
        add(&file, &entry).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(entries(&runtime).is_empty());
        assert!(add(&file, &entry).is_err());
    }
}
