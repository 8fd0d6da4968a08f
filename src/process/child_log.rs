//! The supervised program's log: always drained, one stamp a line, rotated, bounded in rate and size.
//!
//! A log pipe that nobody drains blocks the program, and one SIGTERM then has no effect (measured). So whatever fails
//! here, reading goes on: a full disk is counted and the line dropped.

use crate::base::{clock, printable::bounded, sieve::Sieve};
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// Size at which a log is rotated, in bytes.
pub const ROTATE_AT: u64 = 10 * 1024 * 1024;
/// How many files are kept: the log, `.1` and `.2`.
pub const KEPT: u32 = 3;
/// Lines that are kept in memory for messages.
pub const RING: usize = 200;
/// Lines a second that are written down in the long run.
pub const LINES_PER_SECOND: f64 = 50.0;
/// Lines that may come at once.
pub const BURST: f64 = 500.0;
/// Longest line that is read as one, in bytes; a longer one is cut.
pub const LONGEST_LINE: u64 = 8 * 1024;

/// What lets a child's lines through.
pub fn sieve() -> Sieve {
    Sieve::new(LINES_PER_SECOND, BURST)
}

/// The log file with its rotation.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    home: Option<PathBuf>,
    file: Option<File>,
    size: u64,
    lost: u64,
}

impl LogFile {
    /// A log at `path`; opened at the first line.
    pub fn new(path: &Path) -> LogFile {
        LogFile { path: path.to_path_buf(), home: None, file: None, size: 0, lost: 0 }
    }

    /// The same in a home that is not made again when it is gone.
    pub fn below(self, home: &Path) -> LogFile {
        LogFile { home: Some(home.to_path_buf()), ..self }
    }

    /// The log is at `path` from now on, its home having been moved.
    pub fn stays_at(&mut self, path: &Path) {
        if self.path != path {
            self.path = path.to_path_buf();
            self.home = None;
            self.file = None;
        }
    }

    /// Makes sure that the log can be written, so that a publish fails early and clearly.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn check(&mut self) -> io::Result<()> {
        self.open()
    }

    fn open(&mut self) -> io::Result<()> {
        if self.home.as_ref().is_some_and(|home| !home.is_dir()) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if let Some(folder) = self.path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
        }
        let file = appended(&self.path)?;
        self.size = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }

    /// Writes one line with a stamp. What cannot be written is counted, and told when writing works again.
    pub fn line(&mut self, text: &str) {
        let stamp = clock::log_stamp(clock::now_ms());
        let lost = self.lost;
        let mut bytes = String::new();
        if lost > 0 {
            bytes.push_str(&format!(
                "{stamp} [msconv] {lost} lines were lost: the log could not be written\n"
            ));
        }
        bytes.push_str(&format!("{stamp} {}\n", bounded(text, LONGEST_LINE as usize)));
        match self.append(bytes.as_bytes()) {
            Ok(()) => self.lost = self.lost.saturating_sub(lost),
            Err(_) => {
                self.lost = self.lost.saturating_add(1);
                self.file = None;
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() || self.gone() {
            self.open()?;
        }
        if self.size.saturating_add(bytes.len() as u64) > ROTATE_AT {
            self.rotate()?;
        }
        let Some(file) = self.file.as_mut() else { return Err(io::Error::other("the log is closed")) };
        let before = self.size;
        match file.write_all(bytes) {
            Ok(()) => {
                self.size = self.size.saturating_add(bytes.len() as u64);
                Ok(())
            }
            Err(e) => {
                // Half a line on a full disk is taken back, so that the next one begins at a line's start.
                let _ = file.set_len(before);
                Err(e)
            }
        }
    }

    /// Whether somebody removed or replaced the file under us.
    fn gone(&self) -> bool {
        let Some(file) = &self.file else { return true };
        match (file.metadata(), fs::symlink_metadata(&self.path)) {
            (Ok(open), Ok(now)) => open.ino() != now.ino() || open.dev() != now.dev(),
            _ => true,
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        shift(&self.path)?;
        self.open()
    }
}

/// Opens a log to add to it, making it (0600) where needed; links are not followed.
///
/// # Errors
/// Any I/O error; `InvalidData` for what is no plain file.
pub fn appended(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_CLOEXEC | nix::libc::O_NONBLOCK)
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "not a plain file"))
    }
}

/// Sets aside a log that has grown past [`ROTATE_AT`], for programs that write their own; before they are started.
///
/// # Errors
/// What renaming says.
pub fn set_aside_large(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() >= ROTATE_AT => shift(path),
        _ => Ok(()),
    }
}

/// Makes room for a new log: `path` becomes `.1`, that `.2`, the oldest goes.
fn shift(path: &Path) -> io::Result<()> {
    for n in (1..KEPT).rev() {
        let older = numbered(path, n);
        let newer = if n == 1 { path.to_path_buf() } else { numbered(path, n - 1) };
        match fs::rename(&newer, &older) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// `<path>.<n>`.
pub fn numbered(path: &Path, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(format!(".{n}"));
    PathBuf::from(name)
}

/// The last lines of a log, bounded to [`RING`].
#[derive(Clone, Debug, Default)]
pub struct Ring {
    lines: VecDeque<String>,
}

impl Ring {
    /// Adds a line.
    pub fn push(&mut self, line: String) {
        if self.lines.len() >= RING {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }

    /// Forgets everything, for a new run.
    pub fn clear(&mut self) {
        self.lines.clear();
    }
}

/// Reads lines from a pipe, each at most [`LONGEST_LINE`] bytes; what is longer comes in pieces. `None` at the end.
pub struct Lines<R> {
    reader: BufReader<R>,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of `reader`.
    pub fn new(reader: R) -> Lines<R> {
        Lines { reader: BufReader::with_capacity(LONGEST_LINE as usize, reader), buffer: Vec::new() }
    }

    /// The next line, lossily decoded, without its end. Safe to cancel: a half-read line is kept.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            let room = LONGEST_LINE.saturating_sub(self.buffer.len() as u64);
            let read = (&mut self.reader).take(room).read_until(b'\n', &mut self.buffer).await;
            let ended = matches!(read, Ok(0) | Err(_)) && room > 0;
            if self.buffer.ends_with(b"\n")
                || self.buffer.len() as u64 >= LONGEST_LINE
                || (ended && !self.buffer.is_empty())
            {
                let line = String::from_utf8_lossy(&self.buffer).trim_end_matches(['\n', '\r']).to_string();
                self.buffer.clear();
                return Some(line);
            }
            if ended {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotates_and_keeps_three() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ffmpeg/a.log");
        let mut log = LogFile::new(&path);
        let long = "x".repeat(LONGEST_LINE as usize - 10);
        for _ in 0..6000 {
            log.line(&long);
        }
        assert!(fs::metadata(&path).unwrap().len() <= ROTATE_AT);
        assert!(numbered(&path, 1).exists() && numbered(&path, 2).exists());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), KEPT as usize);
    }

    #[test]
    fn a_removed_folder_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ffmpeg/a.log");
        let mut log = LogFile::new(&path);
        log.line("one");
        fs::remove_dir_all(dir.path().join("ffmpeg")).unwrap();
        log.line("two");
        assert!(fs::read_to_string(&path).unwrap().ends_with("two\n"));
    }

    #[test]
    fn a_full_disk_is_counted_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let mut log = LogFile::new(&path);
        // /dev/full refuses every write as a full disk does.
        log.file = Some(OpenOptions::new().append(true).open("/dev/full").unwrap());
        assert!(log.file.as_mut().unwrap().write_all(b"x").is_err());
        log.lost = 3;
        log.line("after");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("3 lines were lost"), "{text}");
    }

    #[tokio::test]
    async fn lines_without_an_end_come_in_pieces() {
        let text = format!("a\r\n{}\nlast", "y".repeat(20_000));
        let mut lines = Lines::new(text.as_bytes());
        let mut seen = Vec::new();
        while let Some(line) = lines.next().await {
            seen.push(line.len());
        }
        assert_eq!(seen.first(), Some(&1));
        assert_eq!(seen.last(), Some(&4));
        assert_eq!(seen.iter().skip(1).rev().skip(1).sum::<usize>(), 20_000);
    }
}
