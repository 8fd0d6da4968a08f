//! Reads the end of a log with its rotated parts, forward and line by line, whatever its size: memory holds one line,
//! and no more than [`MOST_SEARCHED`] bytes of the end are looked at.

use super::line::{LONGEST, Line};
use super::{ROTATED, rotated};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// How far back from the end a log is searched, in bytes, rotated parts included.
pub const MOST_SEARCHED: u64 = 64 * 1024 * 1024;

const BLOCK: usize = 64 * 1024;

/// What to show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// At most this many lines from the end; `None` for all.
    pub lines: Option<usize>,
    /// Nothing before this time, milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// Leave out a last line without a line end: more of it will come.
    pub whole_lines: bool,
}

/// The lines that were asked for, and where the newest part ended.
pub struct Lines {
    merged: Vec<Source>,
    skip: usize,
    /// For each file: where reading ended, to go on from there.
    pub ends: Vec<Option<End>>,
    /// Whether the log goes back further than was searched.
    pub cut: bool,
}

/// How far a file was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Device and inode of the file.
    pub identity: (u64, u64),
    /// Bytes from its start.
    pub offset: u64,
}

/// Opens the logs `files`, each with its rotated parts, and finds where the wanted lines begin.
///
/// # Errors
/// What the system says about a file that is there and cannot be read.
pub fn open(files: &[impl AsRef<Path>], wanted: Wanted) -> io::Result<Lines> {
    let mut merged = Vec::new();
    let mut ends = Vec::new();
    let mut cut = false;
    let mut total = 0usize;
    for (index, file) in files.iter().enumerate() {
        let mut source = Source::open(index, file.as_ref(), wanted.whole_lines)?;
        ends.push(source.newest_end());
        cut |= source.cut;
        if let Some(since) = wanted.since_ms {
            source.keep_since(since)?;
        }
        if let Some(lines) = wanted.lines {
            source.keep_last(lines)?;
        }
        if files.len() > 1 && wanted.lines.is_some() {
            total = total.saturating_add(source.count()?);
        }
        source.rewind()?;
        merged.push(source);
    }
    let skip = wanted.lines.map_or(0, |lines| total.saturating_sub(lines));
    Ok(Lines { merged, skip, ends, cut })
}

impl Lines {
    /// The next line of all files, in the order of their stamps; a line without one goes with the line before it.
    ///
    /// # Errors
    /// What the system says.
    pub fn read_next(&mut self) -> io::Result<Option<Line>> {
        loop {
            for source in &mut self.merged {
                source.peek()?;
            }
            let next = self
                .merged
                .iter_mut()
                .filter(|s| s.ahead.is_some())
                .min_by_key(|s| s.ahead.as_ref().and_then(|l| l.time_ms).unwrap_or(s.last_ms));
            let Some(line) = next.and_then(Source::take) else { return Ok(None) };
            if self.skip == 0 {
                return Ok(Some(line));
            }
            self.skip -= 1;
        }
    }
}

/// One file with its rotated parts, oldest first.
struct Source {
    index: usize,
    parts: Vec<Part>,
    /// The part that is being read.
    current: usize,
    reader: Option<BufReader<io::Take<File>>>,
    ahead: Option<Line>,
    last_ms: i64,
    cut: bool,
}

struct Part {
    file: File,
    start: u64,
    end: u64,
    newest: bool,
}

impl Source {
    fn open(index: usize, path: &Path, whole_lines: bool) -> io::Result<Source> {
        let mut parts: Vec<Part> = Vec::new();
        let mut left = MOST_SEARCHED;
        let mut cut = false;
        // Newest first: a rotation between two opens then shows a part twice at worst, and the inode tells.
        for number in 0..=ROTATED {
            let name = if number == 0 { path.to_path_buf() } else { rotated(path, number) };
            let Some(file) = open_plain(&name)? else { continue };
            let facts = file.metadata()?;
            let twice =
                parts.iter().any(|p| p.file.metadata().is_ok_and(|m| identity(&m) == identity(&facts)));
            if twice {
                continue;
            }
            if left == 0 {
                cut |= facts.len() > 0;
                break;
            }
            let mut end = facts.len();
            if whole_lines && number == 0 {
                end = after_last_line(&file, end)?;
            }
            let start = end.saturating_sub(left);
            cut |= start > 0;
            left -= end - start;
            parts.push(Part { file, start, end, newest: number == 0 });
        }
        parts.reverse();
        // Where the search was cut, the first line is only the tail of one.
        if let Some(first) = parts.first_mut().filter(|p| p.start > 0) {
            first.start = next_line_start(&first.file, first.start, first.end)?;
        }
        Ok(Source { index, parts, current: 0, reader: None, ahead: None, last_ms: i64::MIN, cut })
    }

    fn newest_end(&self) -> Option<End> {
        let part = self.parts.last().filter(|p| p.newest)?;
        Some(End { identity: identity(&part.file.metadata().ok()?), offset: part.end })
    }

    /// Moves the start so that `lines` lines are left.
    fn keep_last(&mut self, lines: usize) -> io::Result<()> {
        let mut missing = lines;
        for at in (0..self.parts.len()).rev() {
            let Some(part) = self.parts.get_mut(at) else { break };
            let (start, found) = start_of_last(part, missing)?;
            part.start = start;
            missing = missing.saturating_sub(found);
            if missing == 0 {
                // `missing` is 0 only when all wanted lines are in the parts from here on.
                self.parts.drain(..at);
                break;
            }
        }
        Ok(())
    }

    /// Moves the start to the first line of `since` or later.
    fn keep_since(&mut self, since: i64) -> io::Result<()> {
        self.rewind()?;
        while self.current < self.parts.len() {
            let Some(line) = self.read_line()? else { continue };
            if line.line.time_ms.is_some_and(|t| t >= since) {
                if let Some(part) = self.parts.get_mut(line.part) {
                    part.start = line.offset;
                }
                self.parts.drain(..line.part.min(self.parts.len()));
                return Ok(());
            }
        }
        self.parts.clear();
        Ok(())
    }

    fn count(&mut self) -> io::Result<usize> {
        self.rewind()?;
        let mut lines = 0usize;
        while self.current < self.parts.len() {
            lines += usize::from(self.read_line()?.is_some());
        }
        Ok(lines)
    }

    fn rewind(&mut self) -> io::Result<()> {
        self.current = 0;
        self.reader = None;
        self.ahead = None;
        self.last_ms = i64::MIN;
        Ok(())
    }

    fn peek(&mut self) -> io::Result<()> {
        while self.ahead.is_none() && self.current < self.parts.len() {
            self.ahead = self.read_line()?.map(|read| read.line);
        }
        Ok(())
    }

    fn take(&mut self) -> Option<Line> {
        let line = self.ahead.take()?;
        self.last_ms = line.time_ms.unwrap_or(self.last_ms);
        Some(line)
    }

    /// The next line; `None` at the end of a part, with the next part chosen.
    fn read_line(&mut self) -> io::Result<Option<Read>> {
        let Some(part) = self.parts.get(self.current) else { return Ok(None) };
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => {
                let mut file = part.file.try_clone()?;
                file.seek(SeekFrom::Start(part.start))?;
                self.reader.insert(BufReader::with_capacity(
                    BLOCK,
                    io::Read::take(file, part.end.saturating_sub(part.start)),
                ))
            }
        };
        let before = reader.get_ref().limit() + reader.buffer().len() as u64;
        let offset = part.end.saturating_sub(before);
        match bounded_line(reader)? {
            Some(bytes) => Ok(Some(Read { line: Line::new(self.index, &bytes), part: self.current, offset })),
            None => {
                self.reader = None;
                self.current += 1;
                Ok(None)
            }
        }
    }
}

struct Read {
    line: Line,
    part: usize,
    offset: u64,
}

/// One line without its end, at most [`LONGEST`] bytes of it; `None` at the end of the input.
fn bounded_line(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut any = false;
    loop {
        let block = reader.fill_buf()?;
        if block.is_empty() {
            return Ok(any.then_some(line));
        }
        any = true;
        let end = block.iter().position(|b| *b == b'\n');
        let piece = block.get(..end.unwrap_or(block.len())).unwrap_or_default();
        let room = LONGEST.saturating_sub(line.len());
        line.extend(piece.iter().take(room));
        let used = piece.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}

/// Where the last `lines` lines of a part begin, and how many there are.
fn start_of_last(part: &Part, lines: usize) -> io::Result<(u64, usize)> {
    if lines == 0 || part.end <= part.start {
        return Ok((part.end, 0));
    }
    let mut found = 0usize;
    let mut at = part.end;
    let mut block = vec![0u8; BLOCK];
    while at > part.start {
        let size = (at - part.start).min(BLOCK as u64);
        at -= size;
        let Some(space) = block.get_mut(..size as usize) else { break };
        part.file.read_exact_at(space, at)?;
        for (i, byte) in space.iter().enumerate().rev() {
            let after = at + i as u64 + 1;
            // The line end that closes the last line begins no further one.
            if *byte == b'\n' && after < part.end {
                found += 1;
                if found == lines {
                    return Ok((after, found));
                }
            }
        }
    }
    // The line at the very start has no line end before it.
    Ok((part.start, found + 1))
}

/// The end of the last whole line at or before `end`.
fn after_last_line(file: &File, end: u64) -> io::Result<u64> {
    let mut at = end;
    let mut block = vec![0u8; BLOCK];
    while at > 0 && end - at < MOST_SEARCHED {
        let size = at.min(BLOCK as u64);
        at -= size;
        let Some(space) = block.get_mut(..size as usize) else { break };
        file.read_exact_at(space, at)?;
        if let Some(i) = space.iter().rposition(|b| *b == b'\n') {
            return Ok(at + i as u64 + 1);
        }
    }
    Ok(at)
}

/// The start of the first line that begins at or after `from`.
fn next_line_start(file: &File, from: u64, end: u64) -> io::Result<u64> {
    let mut at = from;
    let mut block = vec![0u8; BLOCK];
    while at < end {
        let size = (end - at).min(BLOCK as u64);
        let Some(space) = block.get_mut(..size as usize) else { break };
        file.read_exact_at(space, at)?;
        if let Some(i) = space.iter().position(|b| *b == b'\n') {
            return Ok(at + i as u64 + 1);
        }
        at += size;
    }
    Ok(end)
}

/// Device and inode.
pub fn identity(facts: &std::fs::Metadata) -> (u64, u64) {
    (facts.dev(), facts.ino())
}

/// Opens a plain file for reading, without ever blocking; `None` if there is nothing.
///
/// # Errors
/// What the system says; `InvalidData` for what is no plain file.
pub fn open_plain(path: &Path) -> io::Result<Option<File>> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC | nix::libc::O_NOCTTY)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
    };
    if !file.metadata()?.is_file() {
        let what = format!("{} is not a plain file", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(Some(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::PathBuf;

    fn texts(files: &[&Path], wanted: Wanted) -> Vec<String> {
        let mut lines = open(files, wanted).unwrap();
        std::iter::from_fn(|| lines.read_next().unwrap()).map(|l| l.text).collect()
    }

    fn last(n: usize) -> Wanted {
        Wanted { lines: Some(n), ..Wanted::default() }
    }

    fn log(parts: &[&str]) -> (PathBuf, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        for (number, text) in parts.iter().enumerate() {
            let name = if number == 0 { path.clone() } else { rotated(&path, number) };
            std::fs::write(name, text).unwrap();
        }
        (path, dir)
    }

    #[test]
    fn the_last_lines_reach_back_over_rotated_parts() {
        let (path, _dir) = log(&["5\n6\n", "3\n4\n", "1\n2\n"]);
        for n in 0..9 {
            let wanted: Vec<String> = (1..=6).skip(6usize.saturating_sub(n)).map(|i| i.to_string()).collect();
            assert_eq!(texts(&[&path], last(n)), wanted, "-n {n}");
        }
        assert_eq!(texts(&[&path], Wanted::default()).len(), 6);
    }

    #[test]
    fn unfinished_and_empty_files_are_no_trouble() {
        let (path, _dir) = log(&["5\n6\nhalf", "", "1\n2"]);
        assert_eq!(texts(&[&path], last(4)), ["2", "5", "6", "half"]);
        let wanted = Wanted { whole_lines: true, ..last(2) };
        assert_eq!(texts(&[&path], wanted), ["5", "6"]);
        assert_eq!(open(&[&path], wanted).unwrap().ends[0].unwrap().offset, 4);
        let (path, _dir) = log(&["half"]);
        assert_eq!(texts(&[&path], wanted), [""; 0]);
        assert_eq!(texts(&[&path], last(2)), ["half"]);
        assert_eq!(texts(&[Path::new("/nonexistent/x.log")], last(2)), [""; 0]);
        assert!(open(&[path.parent().unwrap()], last(2)).is_err());
    }

    #[test]
    fn a_huge_file_is_read_from_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("huge.log");
        let file = File::create(&path).unwrap();
        // Sparse: 20 GB of zero bytes without a line end, then two lines.
        file.write_all_at(b"\nx\ny\n", 20 << 30).unwrap();
        assert_eq!(texts(&[&path], last(2)), ["x", "y"]);
        let mut lines = open(&[&path], last(100)).unwrap();
        assert!(lines.cut);
        assert_eq!(lines.read_next().unwrap().unwrap().text, "x");
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_one_whole() {
        let long = "z".repeat(300_000);
        let (path, _dir) = log(&[&format!("a\n{long}\nb\n")]);
        let lines = texts(&[&path], last(3));
        assert_eq!((lines[0].as_str(), lines[1].len(), lines[2].as_str()), ("a", LONGEST, "b"));
    }

    #[test]
    fn since_begins_at_a_time() {
        let (path, _dir) = log(&[
            "2026-11-21T12:00:02.000Z c\n  more of c\n2026-11-21T12:00:03.000Z d\n",
            "2026-11-21T12:00:00.000Z a\n2026-11-21T12:00:01.000Z b\n",
        ]);
        let at = |text: &str| crate::base::clock::parse_stamp(text);
        let since = |ms| Wanted { since_ms: ms, ..Wanted::default() };
        assert_eq!(texts(&[&path], since(at("2026-11-21T12:00:01Z"))).len(), 4);
        assert_eq!(texts(&[&path], since(at("2026-11-21T12:00:01.500Z"))).len(), 3);
        assert_eq!(texts(&[&path], since(at("2026-11-21T12:00:09Z"))).len(), 0);
        let both = Wanted { since_ms: at("2026-11-21T12:00:00Z"), ..last(2) };
        assert_eq!(texts(&[&path], both), ["  more of c", "2026-11-21T12:00:03.000Z d"]);
    }

    #[test]
    fn several_files_are_joined_by_time() {
        let dir = tempfile::tempdir().unwrap();
        let (access, error) = (dir.path().join("access.log"), dir.path().join("error.log"));
        std::fs::write(&access, "x [21/Nov/2026:12:00:01 +0000] 1\nx [21/Nov/2026:12:00:03 +0000] 3\n")
            .unwrap();
        std::fs::write(&error, "2026-11-21T12:00:02Z 2\nof 2\n2026-11-21T12:00:04Z 4\n").unwrap();
        let files: [&Path; 2] = [&access, &error];
        let order =
            |wanted| -> String { texts(&files, wanted).iter().map(|l| l.chars().last().unwrap()).collect() };
        assert_eq!(order(Wanted::default()), "12234");
        assert_eq!(order(last(3)), "234");
        assert_eq!(order(last(0)), "");
    }

    proptest! {
        #[test]
        fn the_last_lines_are_those_of_the_whole(
            parts in proptest::collection::vec("([a-c]{0,3}\n){0,6}", 1..4),
            tail in "[a-c]{0,3}",
            n in 0usize..12,
        ) {
            let mut parts = parts;
            parts[0].push_str(&tail);
            let refs: Vec<&str> = parts.iter().map(String::as_str).collect();
            let (path, _dir) = log(&refs);
            let whole: String = parts.iter().rev().map(String::as_str).collect();
            let all: Vec<&str> = whole.lines().collect();
            let expected = all.get(all.len().saturating_sub(n)..).unwrap();
            prop_assert_eq!(texts(&[&path], last(n)), expected);
        }
    }
}
