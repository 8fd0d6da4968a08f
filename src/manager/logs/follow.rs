//! Goes on reading a log while it grows: over rotation, truncation, deletion and re-creation. Asked from time to time;
//! never waits itself.

use super::line::{LONGEST, Line};
use super::read::{End, identity, open_plain};
use super::{ROTATED, rotated};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const BLOCK: usize = 64 * 1024;

/// Most bytes taken from one file in one [`Follower::poll`], so that a flood leaves room for Ctrl-C.
const MOST_AT_ONCE: usize = 4 * 1024 * 1024;

/// One growing file.
pub struct Follower {
    index: usize,
    path: PathBuf,
    open: Option<Open>,
    /// The beginning of a line whose end has not come yet, at most [`LONGEST`] bytes of it.
    unfinished: Vec<u8>,
}

struct Open {
    file: File,
    identity: (u64, u64),
    offset: u64,
}

impl Follower {
    /// Follows `path`, number `index` of its log, from where reading ended; from its start if it was not there.
    pub fn new(index: usize, path: &Path, end: Option<End>) -> Follower {
        let mut follower = Follower { index, path: path.to_path_buf(), open: None, unfinished: Vec::new() };
        if let Some(end) = end {
            follower.open = follower.reopen(end);
        }
        follower
    }

    /// The very file that was read before, wherever it has been moved to since.
    fn reopen(&self, end: End) -> Option<Open> {
        (0..=ROTATED).find_map(|n| {
            let open = self.open_part(n)?;
            (open.identity == end.identity).then_some(Open { offset: end.offset, ..open })
        })
    }

    fn part(&self, number: usize) -> PathBuf {
        if number == 0 { self.path.clone() } else { rotated(&self.path, number) }
    }

    fn open_part(&self, number: usize) -> Option<Open> {
        let file = open_plain(&self.part(number)).ok()??;
        let identity = identity(&file.metadata().ok()?);
        Some(Open { file, identity, offset: 0 })
    }

    /// The whole lines that were added since the last time. An unreadable file is the same as none: it may come back.
    pub fn poll(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut budget = MOST_AT_ONCE;
        // One round per rotated part that has to be caught up with, and one for the newest.
        for _ in 0..=ROTATED + 1 {
            if self.open.is_none() {
                self.open = self.open_part(0);
            }
            if self.drain(&mut budget, &mut lines).is_err() || budget == 0 {
                break;
            }
            let Some(next) = self.successor() else { break };
            // What was written between the last read and the rename is still in the old file.
            if self.drain(&mut budget, &mut lines).is_err() || budget == 0 {
                break;
            }
            self.finish(&mut lines);
            self.open = Some(next);
        }
        lines
    }

    /// The file that follows the open one, if it has been replaced: the next newer rotated part or the newest.
    fn successor(&self) -> Option<Open> {
        let current = self.open.as_ref()?.identity;
        let mut newer = None;
        for number in 0..=ROTATED {
            match self.open_part(number) {
                Some(part) if part.identity == current => return newer,
                Some(part) => newer = Some(part),
                None => {}
            }
        }
        // Gone altogether (deleted, or rotated past the last part): only the newest is surely unread.
        self.open_part(0)
    }

    fn drain(&mut self, budget: &mut usize, lines: &mut Vec<Line>) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if open.file.metadata()?.len() < open.offset {
            open.offset = 0;
            self.unfinished.clear();
        }
        open.file.seek(SeekFrom::Start(open.offset))?;
        let mut block = vec![0u8; BLOCK];
        while *budget > 0 {
            let size = open.file.read(&mut block)?;
            if size == 0 {
                break;
            }
            open.offset += size as u64;
            *budget = budget.saturating_sub(size);
            let mut rest = block.get(..size).unwrap_or_default();
            while let Some(end) = rest.iter().position(|b| *b == b'\n') {
                let (head, tail) = rest.split_at(end);
                keep(&mut self.unfinished, head);
                lines.push(Line::new(self.index, &self.unfinished));
                self.unfinished.clear();
                rest = tail.get(1..).unwrap_or_default();
            }
            keep(&mut self.unfinished, rest);
        }
        Ok(())
    }

    /// The last line of a file that will not grow any more.
    fn finish(&mut self, lines: &mut Vec<Line>) {
        if !self.unfinished.is_empty() {
            lines.push(Line::new(self.index, &self.unfinished));
            self.unfinished.clear();
        }
    }
}

fn keep(unfinished: &mut Vec<u8>, piece: &[u8]) {
    let room = LONGEST.saturating_sub(unfinished.len());
    unfinished.extend(piece.iter().take(room));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::logs::read::{Wanted, open};
    use std::fs;
    use std::io::Write;

    struct Bench {
        path: PathBuf,
        _dir: tempfile::TempDir,
    }

    impl Bench {
        fn new(text: &str) -> (Bench, Follower) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.log");
            fs::write(&path, text).unwrap();
            let wanted = Wanted { lines: Some(0), whole_lines: true, ..Wanted::default() };
            let lines = open(&[&path], wanted).unwrap();
            let follower = Follower::new(0, &path, lines.ends[0]);
            (Bench { path, _dir: dir }, follower)
        }

        fn add(&self, text: &str) {
            let mut file = fs::OpenOptions::new().append(true).create(true).open(&self.path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn rotate(&self) {
            for n in (1..ROTATED).rev() {
                let _ = fs::rename(rotated(&self.path, n), rotated(&self.path, n + 1));
            }
            fs::rename(&self.path, rotated(&self.path, 1)).unwrap();
        }
    }

    fn texts(follower: &mut Follower) -> Vec<String> {
        follower.poll().into_iter().map(|l| l.text).collect()
    }

    #[test]
    fn shows_what_is_added_and_waits_for_line_ends() {
        let (bench, mut follower) = Bench::new("old\nha");
        assert_eq!(texts(&mut follower), [""; 0]);
        bench.add("lf\nnext");
        assert_eq!(texts(&mut follower), ["half"]);
        bench.add("\n");
        assert_eq!(texts(&mut follower), ["next"]);
        assert_eq!(texts(&mut follower), [""; 0]);
    }

    #[test]
    fn loses_nothing_over_rotation() {
        let (bench, mut follower) = Bench::new("");
        bench.add("1\n");
        assert_eq!(texts(&mut follower), ["1"]);
        bench.add("2\n");
        bench.rotate();
        assert_eq!(texts(&mut follower), ["2"], "the old file is finished though no new one is there yet");
        bench.add("3\n");
        bench.rotate();
        bench.add("4\n");
        bench.rotate();
        bench.add("5\n");
        assert_eq!(texts(&mut follower), ["3", "4", "5"], "two rotations between two looks");
    }

    #[test]
    fn starts_again_after_truncation_deletion_and_late_birth() {
        let (bench, mut follower) = Bench::new("a\nb\nc\n");
        fs::write(&bench.path, "d\n").unwrap();
        assert_eq!(texts(&mut follower), ["d"]);
        fs::remove_file(&bench.path).unwrap();
        assert_eq!(texts(&mut follower), [""; 0]);
        bench.add("e\n");
        assert_eq!(texts(&mut follower), ["e"]);
        let late = bench.path.with_extension("later");
        let mut follower = Follower::new(0, &late, None);
        assert_eq!(texts(&mut follower), [""; 0]);
        fs::write(&late, "f\n").unwrap();
        assert_eq!(texts(&mut follower), ["f"]);
    }

    #[test]
    fn a_flood_is_taken_in_pieces() {
        let (bench, mut follower) = Bench::new("");
        bench.add(&"0123456789abcde\n".repeat(MOST_AT_ONCE / 8));
        let first = follower.poll().len();
        let second = follower.poll().len();
        assert_eq!(first + second, MOST_AT_ONCE / 8);
        assert!(first <= MOST_AT_ONCE / 16 + 1);
    }

    #[test]
    fn an_endless_line_does_not_fill_the_memory() {
        let (bench, mut follower) = Bench::new("");
        for _ in 0..4 {
            bench.add(&"x".repeat(100_000));
            assert_eq!(texts(&mut follower).len(), 0);
            assert!(follower.unfinished.len() <= LONGEST);
        }
        bench.add("\nshort\n");
        assert_eq!(texts(&mut follower).last().unwrap(), "short");
    }
}
