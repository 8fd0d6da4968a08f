//! `pids/<key>.pid`: the supervised program's process id in plain digits. Output only; nobody is signalled for
//! standing in it.

use crate::base::atomic_file::{self, Durability};
use std::io;
use std::path::Path;

/// Largest PID file that is read, in bytes.
pub const LARGEST: u64 = 32;

/// What stands at a PID file's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PidFile {
    /// Nothing.
    Absent,
    /// A number between 2 and 4194304.
    Pid(i32),
    /// Anything else, with what is wrong.
    Unusable(String),
}

/// Reads the bytes of a PID file: digits and at most one newline.
pub fn parse(bytes: &[u8]) -> Result<i32, String> {
    let digits = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if digits.is_empty() {
        return Err("it is empty".into());
    }
    if digits.len() > 10 || !digits.iter().all(u8::is_ascii_digit) {
        return Err("it holds no process id".into());
    }
    let number = digits.iter().fold(0i64, |n, d| n * 10 + i64::from(d - b'0'));
    match i32::try_from(number) {
        Ok(pid) if (2..=4_194_304).contains(&pid) => Ok(pid),
        _ => Err(format!("{number} is no process id")),
    }
}

/// Reads the file at `path`; links are not followed, FIFOs do not block.
pub fn read(path: &Path) -> PidFile {
    match atomic_file::read_small(path, LARGEST) {
        Ok(bytes) => parse(&bytes).map_or_else(PidFile::Unusable, PidFile::Pid),
        Err(e) if e.kind() == io::ErrorKind::NotFound => PidFile::Absent,
        Err(e) if e.raw_os_error() == Some(nix::libc::ELOOP) => {
            PidFile::Unusable("it is a symbolic link".into())
        }
        Err(e) => PidFile::Unusable(crate::base::failure::io_words(&e)),
    }
}

/// Writes `pid` and a newline.
///
/// # Errors
/// Any I/O error; an old file is then untouched.
pub fn write(path: &Path, pid: i32) -> io::Result<()> {
    atomic_file::write(path, format!("{pid}\n").as_bytes(), 0o644, Durability::Cached)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_digits_only() {
        assert_eq!(parse(b"41233\n"), Ok(41233));
        assert_eq!(parse(b"2"), Ok(2));
        for bad in [
            &b""[..],
            b"\n",
            b"0",
            b"1",
            b"-5",
            b"12 34",
            b"4194305",
            b"99999999999999999999",
            b"12\n\n",
            b"0x10",
            "١٢".as_bytes(),
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sets_a_link_aside_without_following_it() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        std::fs::write(&target, "7\n").unwrap();
        let path = dir.path().join("a.pid");
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert_eq!(read(&path), PidFile::Unusable("it is a symbolic link".into()));
        atomic_file::set_aside(&path).unwrap();
        assert_eq!(read(&path), PidFile::Absent);
        assert_eq!(std::fs::read(&target).unwrap(), b"7\n");
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_number_in_range_or_a_reason(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(pid) = parse(&bytes) {
                prop_assert!((2..=4_194_304).contains(&pid));
            }
        }
    }
}
