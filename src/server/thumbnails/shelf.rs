//! Where thumbnails are kept: those of now in memory, the last one of each stream on disk too.

use crate::base::atomic_file::{self, Durability};
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Most in memory, some 20 KB each.
const IN_MEMORY: usize = 256;
/// Most on disk.
const ON_DISK: usize = 2000;
/// How long one is kept on disk.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Between two looks for what is too old.
const TIDIED: Duration = Duration::from_secs(3600);
/// The largest that is read.
const LARGEST: u64 = 512 << 10;

/// A thumbnail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// The image.
    pub jpeg: Bytes,
    /// Its entity tag.
    pub tag: String,
}

impl Fresh {
    fn of(jpeg: Bytes) -> Fresh {
        let hash = digest(&SHA256, &jpeg);
        let tag: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Fresh { jpeg, tag: format!("\"{tag}\"") }
    }
}

/// One in memory; nothing if it could not be made.
struct Made {
    at: Instant,
    fresh: Option<Fresh>,
}

/// See the module.
pub struct Shelf {
    folder: PathBuf,
    made: Mutex<BTreeMap<String, Made>>,
    tidied: Mutex<Option<Instant>>,
}

impl Shelf {
    /// With the files of a folder, which need not be there yet.
    pub fn new(folder: PathBuf) -> Shelf {
        Shelf { folder, made: Mutex::default(), tidied: Mutex::default() }
    }

    /// What there is of a stream if it was seen to within this time, also if that is nothing.
    pub fn within(&self, place: &str, age: Duration, now: Instant) -> Option<Option<Fresh>> {
        let made = self.made();
        let made = made.get(place)?;
        (now.saturating_duration_since(made.at) < age).then(|| made.fresh.clone())
    }

    /// One was made.
    pub fn put(&self, place: &str, jpeg: Bytes, now: Instant) -> Fresh {
        let fresh = Fresh::of(jpeg);
        self.see_to(place, Some(fresh.clone()), now);
        fresh
    }

    /// None could be made: the one before stays.
    pub fn missed(&self, place: &str, now: Instant) -> Option<Fresh> {
        let before = self.within(place, Duration::MAX, now).flatten();
        self.see_to(place, before.clone(), now);
        before
    }

    fn see_to(&self, place: &str, fresh: Option<Fresh>, now: Instant) {
        let mut made = self.made();
        if made.len() >= IN_MEMORY
            && let Some(oldest) = made.iter().min_by_key(|(_, made)| made.at).map(|(place, _)| place.clone())
        {
            made.remove(&oldest);
        }
        made.insert(place.into(), Made { at: now, fresh });
    }

    /// Keeps one on disk. What cannot be kept is not there when its stream has ended.
    pub fn keep(&self, place: &str, fresh: &Fresh) {
        let _ = std::fs::create_dir_all(&self.folder);
        let _ = atomic_file::write(&self.file(place), &fresh.jpeg, 0o600, Durability::Cached);
        let mut tidied = self.tidied.lock().unwrap_or_else(PoisonError::into_inner);
        if tidied.is_none_or(|at| at.elapsed() >= TIDIED) {
            *tidied = Some(Instant::now());
            tidy(&self.folder, SystemTime::now());
        }
    }

    /// The last one of a stream that is not on the air.
    pub fn read(&self, place: &str) -> Option<Fresh> {
        let jpeg = atomic_file::read_small(&self.file(place), LARGEST).ok()?;
        Some(Fresh::of(jpeg.into()))
    }

    fn file(&self, place: &str) -> PathBuf {
        self.folder.join(format!("{place}.jpg"))
    }

    fn made(&self) -> MutexGuard<'_, BTreeMap<String, Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes what is too old or too much; nothing but files of our own names.
fn tidy(folder: &Path, now: SystemTime) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let ours = entries.filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (name.starts_with("id-") || name.starts_with("open-")) && name.ends_with(".jpg")
    });
    let mut files: Vec<(SystemTime, PathBuf)> =
        ours.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()))).collect();
    files.sort();
    let too_many = files.len().saturating_sub(ON_DISK);
    for (number, (at, path)) in files.iter().enumerate() {
        let old = now.duration_since(*at).is_ok_and(|age| age > KEPT);
        if old || number < too_many {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_fresh_for_a_while_and_stays_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path().join("thumbnails"));
        let (now, age) = (Instant::now(), Duration::from_secs(10));
        assert_eq!((shelf.within("id-a", age, now), shelf.read("id-a")), (None, None));
        let fresh = shelf.put("id-a", Bytes::from_static(b"one"), now);
        assert_eq!(shelf.within("id-a", age, now + Duration::from_secs(9)), Some(Some(fresh.clone())));
        assert_eq!(shelf.within("id-a", age, now + age), None);
        assert_eq!(shelf.missed("id-a", now + age), Some(fresh.clone()));
        assert_eq!(shelf.within("id-a", age, now + age), Some(Some(fresh.clone())));
        assert_eq!((shelf.missed("id-b", now), shelf.within("id-b", age, now)), (None, Some(None)));
        shelf.keep("id-a", &fresh);
        assert_eq!(Shelf::new(folder.path().join("thumbnails")).read("id-a"), Some(fresh));
    }

    #[test]
    fn memory_and_disk_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path().into());
        let now = Instant::now();
        for number in 0..=IN_MEMORY {
            let at = now + Duration::from_secs(number as u64);
            shelf.put(&format!("id-{number}"), Bytes::from_static(b"x"), at);
        }
        assert_eq!(shelf.made().len(), IN_MEMORY);
        assert!(shelf.within("id-0", Duration::MAX, now).is_none());
        shelf.keep("id-a", &Fresh::of(Bytes::from_static(b"x")));
        std::fs::write(folder.path().join("theirs.jpg"), "x").unwrap();
        tidy(folder.path(), SystemTime::now() + KEPT + Duration::from_secs(60));
        let left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
        assert_eq!(left, ["theirs.jpg"]);
    }
}
