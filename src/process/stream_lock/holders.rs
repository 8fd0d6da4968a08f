//! Who holds a lock, by the kernel's word.

use super::FileId;
use crate::process::identity::Identity;
use crate::process::sys;
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A process that holds the lock, with a handle that cannot slip to another process.
#[derive(Debug)]
pub struct Holder {
    /// Number and start time.
    pub identity: Identity,
    pidfd: OwnedFd,
    lock: FileId,
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

/// What the kernel puts behind the path of a removed file.
pub(super) const DELETED: &[u8] = b" (deleted)";

/// What a lock is known by: its path, and the file that was there last, if anybody wrote that down.
pub(super) struct Sought {
    here: Option<FileId>,
    last: Option<FileId>,
    /// The path as the kernel shows it when the file was removed.
    removed: OsString,
    name: OsString,
}

impl Sought {
    pub(super) fn new(path: &Path, last: Option<FileId>) -> Sought {
        let mut removed = resolved(path).into_os_string();
        removed.push(OsStr::from_bytes(DELETED));
        let here = fs::symlink_metadata(path).ok().as_ref().map(FileId::from);
        Sought { here, last, removed, name: path.file_name().unwrap_or_default().to_os_string() }
    }

    /// Whether an open file is the one, by what `/proc/PID/fd` shows of it.
    fn is(&self, shown: &Path, id: FileId) -> bool {
        let bytes = shown.as_os_str().as_bytes();
        let name = Path::new(OsStr::from_bytes(bytes.strip_suffix(DELETED).unwrap_or(bytes))).file_name();
        // An inode is given out again when nobody has it open any more: the name must be right as well.
        self.here == Some(id)
            || shown.as_os_str() == self.removed
            || self.last == Some(id) && name == Some(&self.name)
    }

    /// The lock file of a process, if it has it open through a description that holds the lock.
    fn held_by(&self, pid: i32) -> Option<FileId> {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
        descriptors.flatten().find_map(|fd| {
            let shown = fs::read_link(fd.path()).ok().filter(|shown| shown.is_absolute())?;
            let id = FileId::from(&fs::metadata(fd.path()).ok()?);
            (self.is(&shown, id) && locks(pid, &fd.file_name())).then_some(id)
        })
    }
}

/// The path with all links on the way to it followed, as far as it exists.
pub(super) fn resolved(path: &Path) -> PathBuf {
    let mut rest = PathBuf::new();
    for ancestor in path.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
        let Some(name) = ancestor.file_name() else { break };
        rest = if rest.as_os_str().is_empty() { name.into() } else { Path::new(name).join(rest) };
    }
    path.to_path_buf()
}

/// Every process other than ourselves that holds the lock whose file is at `path`, in ascending order of start.
pub fn holders(path: &Path) -> Vec<Holder> {
    let here = Sought::new(path, None);
    found(|pid| here.held_by(pid).filter(|id| here.here == Some(*id)))
}

/// As [`holders`], and whoever holds one whose file was removed from there, or is `last`, the file that was last known to
/// be the lock.
pub fn holders_of(path: &Path, last: Option<FileId>) -> Vec<Holder> {
    let sought = Sought::new(path, last);
    found(|pid| sought.held_by(pid))
}

/// The processes of which `held` says what lock they hold.
fn found(held: impl Fn(i32) -> Option<FileId>) -> Vec<Holder> {
    let own = std::process::id() as i32;
    let mut found: Vec<Holder> = pids()
        .into_iter()
        .filter(|pid| *pid != own)
        .filter_map(|pid| {
            let lock = held(pid)?;
            let pidfd = sys::pidfd_open(pid).ok()?;
            let identity = Identity::of(pid)?;
            // Checked again through the handle: the number may have changed hands in between.
            holds(pid, lock).then_some(Holder { identity, pidfd, lock })
        })
        .collect();
    found.sort_by_key(|h| (h.identity.start, h.identity.pid));
    found
}

/// As [`is_held`], or one whose file was removed from there, or is `last`, the file that was last known to be the lock.
pub fn is_held_of(path: &Path, last: Option<FileId>) -> bool {
    is_held(path) || held_elsewhere(&Sought::new(path, last))
}

/// Whether anybody (ourselves included) holds the lock whose file is at `path`. Asks the kernel's list of locks; takes
/// nothing, so it cannot make a publish fail that runs at the same moment.
pub fn is_held(path: &Path) -> bool {
    let Ok(meta) = fs::symlink_metadata(path) else { return false };
    let seen = || holds(std::process::id() as i32, FileId::from(&meta)) || !holders(path).is_empty();
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

/// Whether another process holds a lock whose file is not at its path any more. Only whoever took some lock is looked at,
/// unless it may be that only children hold what was taken.
pub(super) fn held_elsewhere(sought: &Sought) -> bool {
    let own = std::process::id() as i32;
    let away = |pid: i32| pid != own && sought.held_by(pid).is_some_and(|id| sought.here != Some(id));
    let Ok(text) = fs::read_to_string("/proc/locks") else { return false };
    let takers = takers(&text);
    if takers.iter().any(|pid| away(*pid)) {
        return true;
    }
    // Children of ours hold what we took, and those of a process that is gone what it took.
    let inherited = takers.iter().any(|pid| *pid == own || Identity::of(*pid).is_none());
    inherited && pids().into_iter().any(away)
}

/// Who took the flocks of the kernel's list; some may be gone, and their children hold them.
fn takers(text: &str) -> BTreeSet<i32> {
    let taker = |line: &str| {
        let mut fields = line.split_ascii_whitespace().filter(|field| *field != "->");
        (fields.nth(1)? == "FLOCK").then(|| fields.nth(2)?.parse().ok())?
    };
    text.lines().filter_map(taker).filter(|pid| *pid > 0).collect()
}

fn pids() -> Vec<i32> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// How long the threads of a killed program may take to let go of the lock after its first thread is gone.
pub const LINGERING: Duration = Duration::from_secs(2);

/// As [`is_held_of`], but a lock that is held by nobody who can be named is waited for, up to [`LINGERING`]: the first
/// thread of a killed program may be gone while others still hold its files.
pub fn is_held_for_good(path: &Path, last: Option<FileId>) -> bool {
    let deadline = std::time::Instant::now() + LINGERING;
    loop {
        if !is_held_of(path, last) {
            return false;
        }
        if !holders_of(path, last).is_empty() || std::time::Instant::now() >= deadline {
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

/// Whether a process has this file open through a description that holds the lock.
fn holds(pid: i32, id: FileId) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors.flatten().any(|fd| {
        fs::metadata(fd.path()).is_ok_and(|meta| FileId::from(&meta) == id) && locks(pid, &fd.file_name())
    })
}

/// Whether a descriptor of a process holds a flock.
fn locks(pid: i32, descriptor: &OsStr) -> bool {
    let Some(number) = descriptor.to_str() else { return false };
    fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}"))
        .is_ok_and(|info| info.lines().any(|line| line.starts_with("lock:") && line.contains("FLOCK")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takers_of_locks_are_read() {
        let text = "1: FLOCK  ADVISORY  WRITE 12 00:01:3 0 EOF\n1: -> FLOCK ADVISORY WRITE 13 00:01:3 0 EOF\n\
                    2: POSIX  ADVISORY  READ 14 00:01:4 0 EOF\n3: FLOCK ADVISORY WRITE -1 00:01:5 0 EOF\ngarbage\n";
        assert_eq!(takers(text), BTreeSet::from([12, 13]));
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
