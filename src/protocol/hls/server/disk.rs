//! What of a long window does not stay in memory: a file for each segment, in a folder of this process, written and
//! removed by a thread of its own. The files are no archive: they go with the window, and what a server left that was
//! killed goes when the next one starts.

use super::stats::Airings;
use crate::base::failure::io_words;
use crate::process::blocking;
use crate::process::identity::Identity;
use crate::protocol::hls::ladder::Due;
use crate::protocol::hls::window::Stored;
use crate::telemetry::Log;
use bytes::Bytes;
use nix::sys::statvfs::statvfs;
use std::fs::File;
use std::future::Future;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The most that all files take together, in bytes.
const MOST_BYTES: u64 = 64 << 30;
/// What stays free of the disk: so many bytes, or a twentieth of it if that is less.
const FREE_BYTES: u64 = 1 << 30;
/// How often is looked for segments to store.
const LOOK: Duration = Duration::from_millis(250);
/// How long nothing is stored after the disk has failed.
const RECOVERS: Duration = Duration::from_secs(30);
/// The largest file that is read, in bytes.
const MOST_READ: u64 = 512 << 20;

/// How much may be stored. A value, so that tests can shorten it.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// All files together, in bytes.
    pub most: u64,
    /// What stays free of the disk, in bytes.
    pub free: u64,
}

impl Default for Room {
    fn default() -> Room {
        Room { most: MOST_BYTES, free: FREE_BYTES }
    }
}

/// A segment in a file, which is removed with the last handle.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    bytes: u64,
    used: Arc<AtomicU64>,
    gone: Sender<PathBuf>,
}

impl Stored for Kept {
    fn read(&self) -> io::Result<Bytes> {
        use io::Read;
        let mut bytes = Vec::with_capacity(usize::try_from(self.bytes).unwrap_or(0));
        File::open(&self.path)?.take(MOST_READ).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == self.bytes {
            Ok(bytes.into())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
        // Once the thread is over the whole folder is gone.
        let _ = self.gone.send(std::mem::take(&mut self.path));
    }
}

/// See the module.
pub struct Disk {
    folder: PathBuf,
    room: Room,
    used: Arc<AtomicU64>,
    gone: Sender<PathBuf>,
    goes: Receiver<PathBuf>,
    next: u64,
    log: Log,
}

impl Disk {
    /// A folder of this process in `folder`, which is made. What dead processes left there is removed.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: &Path, room: Room, log: Log) -> io::Result<Disk> {
        std::fs::create_dir_all(folder)?;
        remove_leftovers(folder)?;
        let own = Identity::own().ok_or(io::ErrorKind::NotFound)?;
        let folder = folder.join(name(own));
        match std::fs::create_dir(&folder) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
        let (gone, goes) = mpsc::channel();
        Ok(Disk { folder, room, used: Arc::default(), gone, goes, next: 0, log })
    }

    /// Stores what is due of `airings` until `shutdown` says so, on a thread of its own; then removes everything. The
    /// future is over when that is done.
    pub fn keep(
        self,
        airings: Airings,
        shutdown: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let done = blocking::begin(move || self.work(&airings, &shutdown));
        async move {
            let _ = done.await;
        }
    }

    fn work(mut self, airings: &Airings, shutdown: &watch::Receiver<bool>) {
        let mut pauses_until = None::<Instant>;
        while !*shutdown.borrow() && shutdown.has_changed().is_ok() {
            match self.goes.recv_timeout(LOOK) {
                Ok(path) => {
                    let _ = std::fs::remove_file(path);
                    continue;
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            if pauses_until.is_some_and(|until| Instant::now() < until) {
                continue;
            }
            pauses_until = self.store_all(airings).err().map(|error| {
                self.log.error(format_args!(
                    "hls: cannot store segments in {}: {}; windows stay short for {} s",
                    self.folder.display(),
                    io_words(&error),
                    RECOVERS.as_secs()
                ));
                // Without the disk the memory is all there is, and its bounds hold again.
                each(airings).iter().for_each(|airing| airing.forget_stored());
                Instant::now() + RECOVERS
            });
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }

    fn store_all(&mut self, airings: &Airings) -> io::Result<()> {
        for airing in each(airings) {
            while let Some(due) = airing.due() {
                self.make_room(airings, &due)?;
                let kept = self.write(&due)?;
                airing.store(&due, Arc::new(kept));
            }
        }
        Ok(())
    }

    fn write(&mut self, due: &Due) -> io::Result<Kept> {
        let path = self.folder.join(format!("{}.m4s", self.next));
        self.next = self.next.wrapping_add(1);
        let mut file = File::create(&path)?;
        let written = due.pieces.iter().try_for_each(|piece| file.write_all(piece));
        if let Err(error) = written {
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        let bytes = length(due);
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Ok(Kept { path, bytes, used: self.used.clone(), gone: self.gone.clone() })
    }

    /// Forgets the oldest segments of all until there is room for another one.
    fn make_room(&self, airings: &Airings, due: &Due) -> io::Result<()> {
        loop {
            let wanted = self.used.load(Ordering::Relaxed).saturating_add(length(due));
            if wanted <= self.room.most && self.is_free(length(due))? {
                return Ok(());
            }
            let all = each(airings);
            let aged = all.iter().filter_map(|airing| Some((airing.oldest_stored_ms()?, airing)));
            match aged.min_by_key(|(began_ms, _)| *began_ms) {
                Some((_, oldest)) => oldest.drop_oldest_stored(),
                None => return Err(io::ErrorKind::StorageFull.into()),
            }
            while let Ok(path) = self.goes.try_recv() {
                let _ = std::fs::remove_file(path);
            }
        }
    }

    /// Whether so many more bytes leave enough of the disk.
    fn is_free(&self, more: u64) -> io::Result<bool> {
        let stat = statvfs(&self.folder)?;
        let unit = stat.fragment_size();
        let free = stat.blocks_available().saturating_mul(unit);
        let whole = stat.blocks().saturating_mul(unit);
        Ok(free.saturating_sub(more) >= self.room.free.min(whole / 20))
    }
}

fn each(airings: &Airings) -> Vec<Arc<super::airing::Airing>> {
    airings.lock().values().cloned().collect()
}

fn length(due: &Due) -> u64 {
    due.pieces.iter().fold(0, |sum, piece| sum.saturating_add(piece.len() as u64))
}

fn name(process: Identity) -> String {
    format!("{}.{}", process.pid, process.start)
}

/// Removes the folders of processes that live no more.
fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)?.flatten() {
        let whose = entry.file_name().to_str().and_then(|name| {
            let (pid, start) = name.split_once('.')?;
            Some(Identity { pid: pid.parse().ok()?, start: start.parse().ok()? })
        });
        if whose.is_some_and(|process| !process.alive()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dead_processes_left_goes_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("hls");
        for name in ["1999999.7", "notes", "1.x"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
        }
        std::fs::write(folder.join("1999999.7/0.m4s"), "old").unwrap();
        let _disk = Disk::open(&folder, Room::default(), Log::silent()).unwrap();
        let mut left: Vec<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let mut wanted = vec!["1.x".to_string(), name(Identity::own().unwrap()), "notes".to_string()];
        wanted.sort();
        assert_eq!(left, wanted);
    }

    #[test]
    fn files_go_with_their_last_handle() {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = Disk::open(dir.path(), Room::default(), Log::silent()).unwrap();
        let pieces = vec![Bytes::from_static(b"ab"), Bytes::from_static(b"c")];
        let kept = disk.write(&Due { label: "720p".into(), msn: 7, pieces }).unwrap();
        assert_eq!(kept.read().unwrap(), "abc");
        assert_eq!(disk.used.load(Ordering::Relaxed), 3);
        let path = kept.path.clone();
        drop(kept);
        assert_eq!(disk.goes.try_recv(), Ok(path));
        assert_eq!(disk.used.load(Ordering::Relaxed), 0);
        // A file that somebody cut is not served.
        let kept =
            disk.write(&Due { label: "a".into(), msn: 8, pieces: vec![Bytes::from_static(b"abc")] }).unwrap();
        std::fs::write(&kept.path, "a").unwrap();
        assert!(kept.read().is_err());
    }

    #[test]
    fn a_full_disk_is_an_error_where_nothing_can_go() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path(), Room { most: 2, free: 0 }, Log::silent()).unwrap();
        let due = Due { label: "a".into(), msn: 1, pieces: vec![Bytes::from_static(b"abc")] };
        assert_eq!(disk.make_room(&Airings::default(), &due).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
