//! The rounds of a repeated file. A short one is kept in memory: to start a program for each second of film would cost more
//! than the film.

use crate::media::feed::{Feed, Kind};
use crate::media::nut::Frame;

/// Largest round that is kept, in bytes.
const LARGEST: usize = 8 * 1024 * 1024;

/// What is kept of a round, and where it stands.
#[derive(Debug)]
pub(super) struct Rounds {
    /// The first round as it was read; `None` if it is not repeated or too large.
    frames: Option<Vec<(Kind, Frame)>>,
    bytes: usize,
    /// The first round is whole, and what comes next of it.
    next: Option<usize>,
}

impl Rounds {
    pub(super) fn new(repeat: bool) -> Rounds {
        Rounds { frames: repeat.then(Vec::new), bytes: 0, next: None }
    }

    /// A packet of the first round.
    pub(super) fn remember(&mut self, kind: Kind, frame: &Frame) {
        if self.next.is_some() {
            return;
        }
        self.bytes += frame.data.len() + size_of::<(Kind, Frame)>();
        match &mut self.frames {
            Some(frames) if self.bytes <= LARGEST => frames.push((kind, frame.clone())),
            _ => self.frames = None,
        }
    }

    /// The first round is over.
    pub(super) fn keep(&mut self) {
        self.next = self.frames.as_ref().map(|_| 0);
    }

    /// Whether further rounds come from memory.
    pub(super) fn are_kept(&self) -> bool {
        self.next.is_some()
    }

    /// Gives `feed` as much of the kept round, over and over, as it has room for.
    pub(super) fn fill(&mut self, feed: &mut Feed) {
        let (Some(frames), Some(next)) = (&self.frames, &mut self.next) else { return };
        while feed.has_room() {
            match frames.get(*next) {
                Some((kind, frame)) => {
                    feed.frame(*kind, frame.clone());
                    *next += 1;
                }
                None if frames.is_empty() => return,
                None => {
                    feed.begin_round();
                    *next = 0;
                }
            }
        }
    }
}
