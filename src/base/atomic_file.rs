//! Files that are either the old one or the new one, never half of it: temporary file, fsync, rename, fsync of the
//! folder. A truncating write on a full disk leaves half a file (measured), this does not.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// How much it matters that the bytes survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// fsync of file and folder: for what changes seldom and is read after a crash.
    Synced,
    /// No fsync: for what is rewritten every few seconds.
    Cached,
}

static SERIAL: AtomicU32 = AtomicU32::new(0);

/// Replaces `path` by `bytes` with permissions `mode`. A symbolic link at `path` is replaced, not followed.
///
/// # Errors
/// Any I/O error; the old file is then untouched and no temporary file is left.
pub fn write(path: &Path, bytes: &[u8], mode: u32, durability: Durability) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| io::Error::other("the path names no file"))?;
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let temporary =
        folder.join(format!(".{}.{}.{serial}.partial", name.to_string_lossy(), std::process::id()));
    let outcome = fill(&temporary, bytes, mode, durability).and_then(|()| std::fs::rename(&temporary, path));
    if outcome.is_err() {
        let _ = std::fs::remove_file(&temporary);
        return outcome;
    }
    if durability == Durability::Synced {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Creates `path` with `bytes` and permissions `mode`; never touches what is there already, link or file.
///
/// # Errors
/// `AlreadyExists`, or any other I/O error; no half file is left then.
pub fn create(path: &Path, bytes: &[u8], mode: u32, durability: Durability) -> io::Result<()> {
    let outcome = fill(path, bytes, mode, durability);
    if outcome.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::StorageFull) {
        // Only a file that was just created can have run out of space.
        let _ = std::fs::remove_file(path);
    }
    outcome
}

fn fill(path: &Path, bytes: &[u8], mode: u32, durability: Durability) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(path)?;
    file.write_all(bytes)?;
    if durability == Durability::Synced {
        file.sync_all()?;
    }
    Ok(())
}

/// Reads a regular file of at most `most` bytes. Symbolic links, FIFOs, devices and folders are refused without
/// blocking; a larger file is an error, not a cut.
///
/// # Errors
/// `InvalidData` for what is not a plain file or too large; otherwise what the system says.
pub fn read_small(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a plain file"));
    }
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("larger than {most} bytes")));
    }
    Ok(bytes)
}

/// Moves what stands at `path` aside as `<name>.stale` (a link itself is moved, never followed); where it went.
///
/// # Errors
/// Any I/O error.
pub fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".stale");
    let aside = path.with_file_name(name);
    if aside.is_dir() && !aside.is_symlink() {
        std::fs::remove_dir_all(&aside)?;
    }
    std::fs::rename(path, &aside)?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_leaves_nothing_beside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        write(&path, b"one", 0o600, Durability::Synced).unwrap();
        write(&path, b"two", 0o600, Durability::Cached).unwrap();
        assert_eq!(read_small(&path, 10).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn replaces_a_symlink_without_following_it() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        std::fs::write(&target, "precious").unwrap();
        let link = dir.path().join("x.pid");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(read_small(&link, 100).is_err());
        write(&link, b"1\n", 0o644, Durability::Cached).unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
        assert_eq!(read_small(&link, 100).unwrap(), b"1\n");
    }

    #[test]
    fn creates_but_never_replaces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new");
        create(&path, b"one", 0o644, Durability::Cached).unwrap();
        let again = create(&path, b"two", 0o644, Durability::Cached).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read_small(&path, 10).unwrap(), b"one");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("nowhere"), &link).unwrap();
        assert!(create(&link, b"x", 0o644, Durability::Cached).is_err());
        assert!(!dir.path().join("nowhere").exists());
    }

    #[test]
    fn refuses_the_large_the_folder_and_the_fifo() {
        let dir = tempfile::tempdir().unwrap();
        let large = dir.path().join("large");
        std::fs::write(&large, vec![b'1'; 40]).unwrap();
        assert!(read_small(&large, 32).is_err());
        assert!(read_small(dir.path(), 32).is_err());
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(read_small(&fifo, 32).is_err());
    }
}
