//! What was found out about a program file and is kept in the user's cache, so that nobody waits for it twice: an
//! answer holds until the file, what it was asked about, or this program's version is another. A cache that cannot be
//! read is empty, one that cannot be written costs time, nothing else.

use crate::base::atomic_file::{self, Durability};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How many answers a cache holds.
const REMEMBERED: usize = 16;
/// Largest cache that is read, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// What tells one program file from another, and from its own later self.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    path: PathBuf,
    size: u64,
    changed_ns: i128,
    reader: String,
    /// What else the answer depends on: devices, the processor.
    #[serde(default)]
    about: String,
}

impl Fingerprint {
    /// Of a program file, for an answer that also depends on `about`; `None` if there is no such file.
    pub fn of(program: &Path, about: &str) -> Option<Fingerprint> {
        let meta = std::fs::metadata(program).ok()?;
        Some(Fingerprint {
            path: program.to_path_buf(),
            size: meta.size(),
            changed_ns: i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec()),
            reader: env!("CARGO_PKG_VERSION").to_string(),
            about: about.to_string(),
        })
    }
}

/// Answers of one kind by fingerprint, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Memory<T> {
    known: Vec<(Fingerprint, T)>,
}

impl<T> Default for Memory<T> {
    fn default() -> Memory<T> {
        Memory { known: Vec::new() }
    }
}

impl<T: Serialize + DeserializeOwned> Memory<T> {
    /// Reads a cache; whatever cannot be read counts as empty.
    pub fn read(path: &Path) -> Memory<T> {
        atomic_file::read_small(path, LARGEST)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    /// The answer for this very fingerprint.
    pub fn get(&self, key: &Fingerprint) -> Option<&T> {
        self.known.iter().find(|(k, _)| k == key).map(|(_, answer)| answer)
    }

    /// Adds an answer, in the place of an older one about the same program.
    pub fn put(&mut self, key: Fingerprint, answer: T) {
        self.known.retain(|(k, _)| k.path != key.path);
        self.known.insert(0, (key, answer));
        self.known.truncate(REMEMBERED);
    }

    /// Writes the cache, 0600, whole or not at all.
    ///
    /// # Errors
    /// Any I/O error; the old file is then untouched.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let bytes = serde_json::to_vec(self).map_err(std::io::Error::other)?;
        atomic_file::write(path, &bytes, 0o600, Durability::Cached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_for_its_program_and_question() {
        let dir = tempfile::tempdir().unwrap();
        let (program, cache) = (dir.path().join("p"), dir.path().join("cache/x.json"));
        std::fs::write(&program, "one").unwrap();
        let key = Fingerprint::of(&program, "a").unwrap();
        let mut memory = Memory::default();
        memory.put(key.clone(), 7u32);
        memory.write(&cache).unwrap();
        let read: Memory<u32> = Memory::read(&cache);
        assert_eq!(read.get(&key), Some(&7));
        assert_eq!(read.get(&Fingerprint::of(&program, "b").unwrap()), None);
        std::fs::write(&program, "other").unwrap();
        assert_eq!(read.get(&Fingerprint::of(&program, "a").unwrap()), None);
        std::fs::write(&cache, "{\"known\":[[1]]}").unwrap();
        assert_eq!(Memory::<u32>::read(&cache).get(&key), None);
        assert!(Fingerprint::of(&dir.path().join("absent"), "").is_none());
    }
}
