//! The lock that is the truth about a stream: free means that nothing of it lives.
//!
//! flock on a file that is never removed. The supervisor holds it and the supervised program inherits the descriptor
//! on purpose, so the lock outlives a killed supervisor exactly as long as its child. Who holds it is read from
//! `/proc/PID/fd` and `fdinfo`; nobody else can qualify, whatever a PID file says.

use super::identity::{self, Identity};
use super::sys;
use nix::sys::signal::Signal;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A lock we hold. Dropping it closes our copy of the descriptor; a child that inherited one still holds the lock.
#[derive(Debug)]
pub struct StreamLock {
    file: File,
    path: PathBuf,
}

/// Why a lock was not taken.
#[derive(Debug)]
pub enum Error {
    /// Somebody holds it.
    Held(PathBuf),
    /// Locks on this file system are not to be trusted (its name).
    Network(PathBuf, &'static str),
    /// The file could not be opened or locked.
    Io(PathBuf, io::Error),
}

impl StreamLock {
    /// Takes the lock at `path` without waiting, creating the file (0600) and its folder (0700) where needed.
    ///
    /// # Errors
    /// [`Error`].
    pub fn acquire(path: &Path) -> Result<StreamLock, Error> {
        let failed = |e: io::Error| Error::Io(path.to_path_buf(), e);
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
            if let Some(kind) = network_file_system(folder) {
                return Err(Error::Network(folder.to_path_buf(), kind));
            }
        }
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_CLOEXEC | nix::libc::O_NONBLOCK)
                .open(path)
                .map_err(failed)?;
            let ours = file.metadata().map_err(failed)?;
            if !ours.is_file() {
                return Err(failed(io::Error::new(io::ErrorKind::InvalidData, "not a plain file")));
            }
            if !sys::flock_exclusive(&file).map_err(failed)? {
                return Err(Error::Held(path.to_path_buf()));
            }
            // Somebody may have removed or replaced the file between open and lock; then ours guards nothing.
            match fs::symlink_metadata(path) {
                Ok(now) if now.ino() == ours.ino() && now.dev() == ours.dev() => {
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

/// A process that holds the lock, with a handle that cannot slip to another process.
#[derive(Debug)]
pub struct Holder {
    /// Number and start time.
    pub identity: Identity,
    pidfd: OwnedFd,
    lock: (u64, u64),
}

impl Holder {
    /// Signals this process if it still holds the lock; true if it was sent.
    pub fn signal(&self, signal: Signal) -> bool {
        holds(self.identity.pid, self.lock) && sys::pidfd_signal(&self.pidfd, signal).is_ok()
    }

    /// Waits until it has ended; false if it still lives after `timeout`.
    pub fn wait(&self, timeout: Duration) -> bool {
        sys::pidfd_wait(&self.pidfd, timeout)
    }
}

/// Every process other than ourselves that holds the lock at `path`, in ascending order of start.
pub fn holders(path: &Path) -> Vec<Holder> {
    let Ok(meta) = fs::symlink_metadata(path) else { return Vec::new() };
    let lock = (meta.dev(), meta.ino());
    let own = std::process::id() as i32;
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let mut found: Vec<Holder> = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| *pid != own && holds(*pid, lock))
        .filter_map(|pid| {
            let pidfd = sys::pidfd_open(pid).ok()?;
            let identity = Identity::of(pid)?;
            // Checked again through the handle: the number may have changed hands in between.
            holds(pid, lock).then_some(Holder { identity, pidfd, lock })
        })
        .collect();
    found.sort_by_key(|h| (h.identity.start, h.identity.pid));
    found
}

/// Whether anybody (ourselves included) holds the lock at `path`. Asks the kernel's list of locks; takes nothing, so
/// it cannot make a publish fail that runs at the same moment.
pub fn is_held(path: &Path) -> bool {
    let Ok(meta) = fs::symlink_metadata(path) else { return false };
    let seen = || own_holds(meta.dev(), meta.ino()) || !holders(path).is_empty();
    match fs::read_to_string("/proc/locks") {
        // The device in the list is that of the file system; overlays and btrfs show another one in stat, so a match
        // is believed as it is (the holder may belong to another user) and a mismatch is looked into.
        Ok(text) => match locks_name(&text, &meta) {
            Named::No => false,
            Named::Inode => seen(),
            Named::InodeAndDevice => true,
        },
        Err(_) => seen(),
    }
}

/// How long the threads of a killed program may take to let go of the lock after its first thread is gone.
pub const LINGERING: Duration = Duration::from_secs(2);

/// As [`is_held`], but a lock that is held by nobody who can be named is waited for, up to [`LINGERING`]: the first
/// thread of a killed program may be gone while others still hold its files.
pub fn is_held_for_good(path: &Path) -> bool {
    let deadline = std::time::Instant::now() + LINGERING;
    loop {
        if !is_held(path) {
            return false;
        }
        if !holders(path).is_empty() || std::time::Instant::now() >= deadline {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How well the kernel's list of locks names a file.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    No,
    Inode,
    InodeAndDevice,
}

fn own_holds(dev: u64, ino: u64) -> bool {
    holds(std::process::id() as i32, (dev, ino))
}

/// Whether `/proc/locks` has a flock on this file.
fn locks_name(text: &str, meta: &fs::Metadata) -> Named {
    let device = format!("{:02x}:{:02x}", nix::libc::major(meta.dev()), nix::libc::minor(meta.dev()));
    let inode = meta.ino().to_string();
    let mut named = Named::No;
    for line in text.lines() {
        let mut fields = line.split_ascii_whitespace();
        if fields.nth(1) != Some("FLOCK") {
            continue;
        }
        match fields.nth(3).and_then(|f| f.rsplit_once(':')) {
            Some((dev, ino)) if ino == inode && dev == device => return Named::InodeAndDevice,
            Some((_, ino)) if ino == inode => named = Named::Inode,
            _ => {}
        }
    }
    named
}

/// Whether a process has the lock file open through a description that holds the lock.
fn holds(pid: i32, (dev, ino): (u64, u64)) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors.flatten().any(|fd| {
        let same = fs::metadata(fd.path()).is_ok_and(|m| m.ino() == ino && m.dev() == dev);
        same && fd.file_name().to_str().is_some_and(|n| {
            fs::read_to_string(format!("/proc/{pid}/fdinfo/{n}"))
                .is_ok_and(|info| info.lines().any(|l| l.starts_with("lock:") && l.contains("FLOCK")))
        })
    })
}

/// Whether a process of this number runs `program` (by file name), for reading what a PID file without a lock names.
pub fn runs(pid: i32, program: &str) -> bool {
    identity::executable(pid)
        .and_then(|p| p.file_name().map(|n| n.to_string_lossy().into_owned()))
        .is_some_and(|name| name == program || name.trim_end_matches(" (deleted)") == program)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

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

    #[test]
    fn reads_the_kernels_list() {
        let dir = tempfile::tempdir().unwrap();
        let meta = fs::metadata(dir.path()).unwrap();
        let device = format!("{:02x}:{:02x}", nix::libc::major(meta.dev()), nix::libc::minor(meta.dev()));
        let line =
            |kind: &str, dev: &str| format!("1: {kind}  ADVISORY  WRITE 12 {dev}:{} 0 EOF\n", meta.ino());
        assert_eq!(locks_name(&line("FLOCK", &device), &meta), Named::InodeAndDevice);
        assert_eq!(locks_name(&line("FLOCK", "ff:ff"), &meta), Named::Inode);
        assert_eq!(locks_name(&line("POSIX", &device), &meta), Named::No);
        assert_eq!(locks_name("garbage\n\n", &meta), Named::No);
    }
}
