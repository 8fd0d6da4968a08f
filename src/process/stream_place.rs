//! What others find a running stream by: its lock, its PID file, its record, and its entry in the user's index. Whoever
//! supervises it keeps them where they are looked for, also when somebody takes the folder away, the disk is full, or the
//! home moves.

use super::index::{self, Entry};
use super::pid_file::{self, PidFile};
use super::run_record::RunRecord;
use super::stream_lock::StreamLock;
use crate::base::atomic_file::Durability;
use crate::base::failure::io_words;
use crate::model::StreamKey;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where these files stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spots {
    /// The stream.
    pub key: StreamKey,
    /// The folder that holds `pids/` and `logs/`.
    pub home: PathBuf,
    /// `pids/<key>.pid`.
    pub pid_file: PathBuf,
    /// `pids/.state/<key>.json`.
    pub record: PathBuf,
    /// `logs/ffmpeg/<key>.log`.
    pub log: PathBuf,
    /// The file that names this stream in the user's index.
    pub index: Option<PathBuf>,
}

/// The files of a stream that this process supervises.
#[derive(Debug)]
pub struct StreamPlace {
    spots: Spots,
    locks: Vec<StreamLock>,
    /// What could not be written, as it was told last.
    trouble: Option<String>,
}

impl StreamPlace {
    /// The files at `spots`, the stream's own lock and those of its names being ours. Enters the stream into the index.
    pub fn new(spots: Spots, locks: Vec<StreamLock>) -> StreamPlace {
        let place = StreamPlace { spots, locks, trouble: None };
        // The index only helps others to find the stream; without it everything here works.
        let _ = place.enter(None);
        place
    }

    /// Where the files stand.
    pub fn spots(&self) -> &Spots {
        &self.spots
    }

    /// The locks, the stream's own first.
    pub fn locks(&self) -> &[StreamLock] {
        &self.locks
    }

    /// Takes more locks under its care.
    pub fn add_locks(&mut self, more: Vec<StreamLock>) {
        self.locks.extend(more);
    }

    /// Keeps everything where others look, and writes the record; what is to be told of it. What cannot be written now is
    /// tried again the next time, and until then the index holds the record.
    pub fn keep(&mut self, record: &mut RunRecord, durability: Durability) -> Vec<String> {
        let mut told = Vec::new();
        if let Some(home) = self.moved() {
            told.push(format!("its folder is {} now", home.display()));
            self.follow(&home);
            record.home = home;
        }
        let mut trouble = self.renew_locks(&mut told).err();
        if let Some(child) = record.child
            && trouble.is_none()
            && pid_file::read(&self.spots.pid_file) == PidFile::Absent
        {
            trouble = pid_file::write(&self.spots.pid_file, child.pid).err().map(|e| io_words(&e));
        }
        let written = record.write(&self.spots.record, durability).map_err(|e| io_words(&e));
        let entered = self.enter(written.is_err().then_some(&*record));
        let trouble = trouble.or(written.err()).map(|why| {
            let found = if entered { "the index of running streams" } else { "the processes" };
            format!(
                "{} cannot be written ({why}); the stream is found by {found}",
                self.spots.pid_file.display()
            )
        });
        if trouble != self.trouble {
            told.push(trouble.clone().unwrap_or_else(|| "its files can be written again".into()));
            self.trouble = trouble;
        }
        told
    }

    /// Where the home went, if it is not where it was and our lock went with it.
    fn moved(&self) -> Option<PathBuf> {
        let lock = self.locks.first().filter(|lock| !lock.in_place())?;
        if self.spots.home.exists() {
            return None;
        }
        let below = lock.path().strip_prefix(&self.spots.home).ok()?;
        let now = lock.moved_to()?;
        let home = now.ancestors().nth(below.components().count())?;
        (home.join(below) == now).then(|| home.to_path_buf())
    }

    /// Looks for everything below another home from now on.
    fn follow(&mut self, home: &Path) {
        let Spots { key, home: old, pid_file, record, log, index } = &mut self.spots;
        let there =
            |path: &Path| path.strip_prefix(&*old).map_or_else(|_| path.to_path_buf(), |p| home.join(p));
        for path in [pid_file, record, log] {
            *path = there(path);
        }
        for lock in &mut self.locks {
            let path = there(lock.path());
            lock.now_at(path);
        }
        if let Some(index) = index {
            let _ = std::fs::remove_file(&*index);
            *index = index::beside(index, key, home);
        }
        *old = home.to_path_buf();
    }

    /// Takes each lock anew whose file is gone. A folder is made again where the home is still there: a home that was
    /// removed is not wanted back.
    fn renew_locks(&mut self, told: &mut Vec<String>) -> Result<(), String> {
        let Spots { home, pid_file, .. } = &self.spots;
        let lost = |lock: &&mut StreamLock| !lock.in_place();
        let mut renewed = false;
        for lock in self.locks.iter_mut().filter(lost) {
            if !home.is_dir() {
                return Err(format!("{} is gone", home.display()));
            }
            if let Some(pids) = pid_file.parent() {
                std::fs::create_dir_all(pids).map_err(|e| io_words(&e))?;
            }
            // Whoever holds it this moment sees us as holder of the one that was removed, and lets go.
            *lock = lock.renewed().map_err(|e| e.to_string())?;
            renewed = true;
        }
        if renewed {
            told.push("its files were removed, and are made again".into());
        }
        Ok(())
    }

    /// Writes the entry in the index, with the record where that cannot stand in the home; whether it is there.
    fn enter(&self, record: Option<&RunRecord>) -> bool {
        let Some(path) = &self.spots.index else { return false };
        let entry = Entry {
            key: self.spots.key.clone(),
            home: self.spots.home.clone(),
            lock: self.locks.first().and_then(StreamLock::id),
            record: record.cloned().map(Box::new),
        };
        index::read(path).as_ref() == Some(&entry) || index::add(path, &entry).is_ok()
    }

    /// Takes away the PID file.
    pub fn remove_pid_file(&self) {
        let _ = std::fs::remove_file(&self.spots.pid_file);
    }

    /// Takes away all but the locks and the log; nothing is to be remembered.
    pub fn forget(&self) {
        self.remove_pid_file();
        let _ = std::fs::remove_file(&self.spots.record);
        if let Some(index) = &self.spots.index {
            let _ = std::fs::remove_file(index);
        }
    }
}
