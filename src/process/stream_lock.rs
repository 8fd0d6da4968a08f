//! The lock that is the truth about a stream: free means that nothing of it lives.
//!
//! flock on a file that we never remove. The supervisor holds it and the supervised program inherits the descriptor
//! on purpose, so the lock outlives a killed supervisor exactly as long as its child. Who holds it is read from
//! `/proc/PID/fd` and `fdinfo`; nobody else can qualify, whatever a PID file says.
//!
//! Somebody else may remove it (`rm -rf pids`). The kernel still has the lock, and tells under which path its file was;
//! so a lock is held as long as anybody holds a file that is or was at its path. Where the folder went elsewhere, the
//! index of running streams knows the file itself.

use super::{identity, sys};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

mod holders;

use holders::{DELETED, Sought, held_elsewhere};
pub use holders::{Holder, LINGERING, holders, holders_of, is_held, is_held_for_good, is_held_of};

/// A file itself, whatever its name: file system and inode. Valid while somebody has it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileId {
    dev: u64,
    ino: u64,
}

impl From<&fs::Metadata> for FileId {
    fn from(meta: &fs::Metadata) -> FileId {
        FileId { dev: meta.dev(), ino: meta.ino() }
    }
}

/// A lock we hold. Dropping it closes our copy of the descriptor; a child that inherited one still holds the lock.
#[derive(Debug)]
pub struct StreamLock {
    file: File,
    path: PathBuf,
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody holds it.
    #[error("{} is held", .0.display())]
    Held(PathBuf),
    /// Locks on this file system are not to be trusted (its name).
    #[error("{} is on {}", .0.display(), .1)]
    Network(PathBuf, &'static str),
    /// The file could not be opened or locked.
    #[error("{}", crate::base::failure::io_words(.1))]
    Io(PathBuf, io::Error),
}

impl StreamLock {
    /// As [`StreamLock::take`], and nobody holds a lock whose file was removed from there.
    ///
    /// # Errors
    /// [`Error`].
    pub fn acquire(path: &Path) -> Result<StreamLock, Error> {
        let lock = StreamLock::take(path)?;
        match held_elsewhere(&Sought::new(path, None)) {
            true => Err(Error::Held(path.to_path_buf())),
            false => Ok(lock),
        }
    }

    /// Takes the lock at `path` without waiting, creating the file (0600) and its folder (0700) where needed.
    ///
    /// # Errors
    /// [`Error`].
    pub fn take(path: &Path) -> Result<StreamLock, Error> {
        let failed = |e: io::Error| Error::Io(path.to_path_buf(), e);
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
            if let Some(kind) = network_file_system(folder) {
                return Err(Error::Network(folder.to_path_buf(), kind));
            }
        }
        loop {
            let file = opened(path).map_err(failed)?;
            let ours = file.metadata().map_err(failed)?;
            if !ours.is_file() {
                return Err(failed(io::Error::new(io::ErrorKind::InvalidData, "not a plain file")));
            }
            if !sys::flock_exclusive(&file).map_err(failed)? {
                return Err(Error::Held(path.to_path_buf()));
            }
            // Somebody may have removed or replaced the file between open and lock; then ours guards nothing.
            match fs::symlink_metadata(path) {
                Ok(now) if FileId::from(&now) == FileId::from(&ours) => {
                    return Ok(StreamLock { file, path: path.to_path_buf() });
                }
                _ => continue,
            }
        }
    }

    /// The descriptor that a child must inherit to hold the lock with us.
    pub fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the lock is elsewhere now, and its file with it.
    pub fn now_at(&mut self, path: PathBuf) {
        self.path = path;
    }

    /// The file itself, for whoever seeks it when its path leads nowhere.
    pub fn id(&self) -> Option<FileId> {
        self.file.metadata().ok().as_ref().map(FileId::from)
    }

    /// Whether the file is still at its path, so that whoever looks there finds the lock.
    pub fn in_place(&self) -> bool {
        let now = fs::symlink_metadata(&self.path).ok();
        now.as_ref().map(FileId::from) == self.id()
    }

    /// Where the file is now, by the kernel's word; `None` if it was removed.
    pub fn moved_to(&self) -> Option<PathBuf> {
        let now = fs::read_link(format!("/proc/self/fd/{}", self.file.as_raw_fd())).ok()?;
        (!now.as_os_str().as_bytes().ends_with(DELETED)).then_some(now)
    }

    /// Takes the lock at the same path anew, where its file was removed; this one goes on being held by whoever
    /// inherited it.
    ///
    /// # Errors
    /// As [`StreamLock::take`].
    pub fn renewed(&self) -> Result<StreamLock, Error> {
        StreamLock::take(&self.path)
    }
}

/// Opens a lock file. On a file system that takes no writes the one that is there will do.
fn opened(path: &Path) -> io::Result<File> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_CLOEXEC | nix::libc::O_NONBLOCK;
    let made = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags)
        .open(path);
    match made {
        Err(e) if e.kind() == io::ErrorKind::ReadOnlyFilesystem => {
            OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|_| e)
        }
        made => made,
    }
}

/// The name of a network file system, on which flock may not reach other machines or not work at all.
pub fn network_file_system(folder: &Path) -> Option<&'static str> {
    let kind = nix::sys::statfs::statfs(folder).ok()?.filesystem_type().0 as u64 & 0xffff_ffff;
    match kind {
        0x6969 => Some("NFS"),
        0x517b => Some("SMB"),
        0xff53_4d42 => Some("CIFS"),
        0xfe53_4d42 => Some("SMB2"),
        0x5346_414f => Some("AFS"),
        _ => None,
    }
}

/// Whether a process of this number runs `program` (by file name), for reading what a PID file without a lock names.
pub fn runs(pid: i32, program: &str) -> bool {
    identity::executable(pid)
        .and_then(|p| p.file_name().map(|n| n.to_string_lossy().into_owned()))
        .is_some_and(|name| name == program || name.trim_end_matches(" (deleted)") == program)
}

#[cfg(test)]
mod tests {
    use super::holders::resolved;
    use super::*;
    use nix::sys::signal::Signal;
    use std::process::Command;
    use std::time::Duration;

    #[test]
    fn one_holder_at_a_time_and_children_keep_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/a.lock");
        let lock = StreamLock::acquire(&path).unwrap();
        assert!(matches!(StreamLock::acquire(&path), Err(Error::Held(_))));
        assert!(is_held(&path));
        assert!(holders(&path).is_empty(), "ourselves do not count");
        let mut command = Command::new("sleep");
        command.arg("60");
        sys::arrange(&mut command, sys::ChildSetup { keep: vec![lock.descriptor()], ..Default::default() });
        let mut child = command.spawn().unwrap();
        drop(lock);
        assert!(matches!(StreamLock::acquire(&path), Err(Error::Held(_))), "the child holds it");
        let found = holders(&path);
        assert_eq!(found.iter().map(|h| h.identity.pid).collect::<Vec<_>>(), [child.id() as i32]);
        assert!(found[0].signal(Signal::SIGKILL));
        assert!(found[0].wait(Duration::from_secs(10)));
        child.wait().unwrap();
        assert!(!found[0].signal(Signal::SIGKILL));
        assert!(!is_held(&path));
        StreamLock::acquire(&path).unwrap();
    }

    #[test]
    fn a_lock_whose_folder_is_gone_is_still_held() {
        let dir = tempfile::tempdir().unwrap();
        let (state, path) = (dir.path().join("state"), dir.path().join("state/a.lock"));
        let lock = StreamLock::acquire(&path).unwrap();
        let id = lock.id();
        let mut command = Command::new("sleep");
        command.arg("60");
        sys::arrange(&mut command, sys::ChildSetup { keep: vec![lock.descriptor()], ..Default::default() });
        let mut child = command.spawn().unwrap();
        assert!(lock.in_place() && lock.moved_to() == Some(resolved(&path)));
        let found = |last| holders_of(&path, last).iter().map(|h| h.identity.pid).collect::<Vec<_>>();
        // Moved away, only the file itself is known; in its new place it is the lock of that place.
        let aside = dir.path().join("aside");
        fs::rename(&state, &aside).unwrap();
        assert!(!lock.in_place() && lock.moved_to() == Some(resolved(&aside.join("a.lock"))));
        assert!(!is_held_of(&path, None) && is_held_of(&path, id) && is_held(&aside.join("a.lock")));
        assert_eq!((found(None), found(id)), (vec![], vec![child.id() as i32]));
        fs::rename(&aside, &state).unwrap();
        assert!(lock.in_place());
        // Removed, its path is enough, also while another file is there.
        fs::remove_dir_all(&state).unwrap();
        assert!(!lock.in_place() && lock.moved_to().is_none());
        for _ in 0..2 {
            assert!(!is_held(&path) && is_held_of(&path, None));
            assert_eq!(found(None), [child.id() as i32]);
            assert!(matches!(StreamLock::acquire(&path), Err(Error::Held(_))), "the child holds it");
        }
        let renewed = lock.renewed().unwrap();
        assert!(renewed.in_place() && renewed.id() != id);
        drop((lock, renewed));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_held_of(&path, id));
        StreamLock::acquire(&path).unwrap();
    }

    #[test]
    fn links_folders_and_fifos_are_no_locks() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        fs::write(&target, "x").unwrap();
        let link = dir.path().join("link.lock");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(matches!(StreamLock::acquire(&link), Err(Error::Io(..))));
        assert!(matches!(StreamLock::acquire(dir.path()), Err(Error::Io(..))));
        let fifo = dir.path().join("fifo.lock");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(StreamLock::acquire(&fifo), Err(Error::Io(..))));
    }
}
