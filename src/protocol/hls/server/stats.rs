//! What all ladders that are served have in common: the memory that they may take together, and counts for the metrics.

use super::airing::Airing;
use crate::model::LadderName;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All that ladders hold together, in bytes: segments, open ones too, and what waits to become a part of one.
pub const MOST_BYTES: usize = 256 << 20;

/// The ladders that are served. Cloning shares them.
#[derive(Clone, Default)]
pub struct Airings(Arc<Mutex<BTreeMap<LadderName, Arc<Airing>>>>);

impl Airings {
    /// All of them.
    pub fn lock(&self) -> MutexGuard<'_, BTreeMap<LadderName, Arc<Airing>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of all that ladders hold.
    pub fn bytes(&self) -> usize {
        self.lock().values().map(|airing| airing.bytes()).sum()
    }
}

/// Keeps all ladders within the memory that they may take.
#[derive(Clone)]
pub struct Budget {
    /// The ladders.
    pub airings: Airings,
    /// Bytes.
    pub most: usize,
}

impl Budget {
    /// Forgets the oldest segments, whichever ladder they are of, until there is room; and if that is not enough, the
    /// largest of those that are left, since a segment that is open may be as large as many others.
    pub fn keep(&self) {
        let mut held = self.airings.bytes();
        if held <= self.most {
            return;
        }
        let airings: Vec<Arc<Airing>> = self.airings.lock().values().cloned().collect();
        while held > self.most {
            let aged = airings.iter().filter_map(|airing| Some((airing.oldest_ms()?, airing)));
            let freed = match aged.min_by_key(|(began_ms, _)| *began_ms) {
                Some((_, oldest)) => oldest.drop_oldest(),
                None => {
                    let largest = airings.iter().max_by_key(|airing| airing.largest());
                    match largest.filter(|airing| airing.largest() > 0) {
                        Some(largest) => largest.give_up_largest(),
                        None => return,
                    }
                }
            };
            held = held.saturating_sub(freed);
        }
    }
}

/// What was asked for. The words are those of `msconv_hls_requests_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A list of renditions.
    Multivariant,
    /// A playlist of media.
    Playlist,
    /// An initialisation segment.
    Init,
    /// A part.
    Part,
    /// A segment.
    Segment,
    /// Anything that was refused or is not there.
    Refused,
}

const WORDS: [(Asked, &str); 6] = [
    (Asked::Multivariant, "multivariant"),
    (Asked::Playlist, "playlist"),
    (Asked::Init, "init"),
    (Asked::Part, "part"),
    (Asked::Segment, "segment"),
    (Asked::Refused, "refused"),
];

/// Counts since the start. Cloning shares them.
#[derive(Clone, Default)]
pub struct Counts(Arc<Inner>);

#[derive(Default)]
struct Inner {
    requests: [AtomicU64; WORDS.len()],
    bytes: AtomicU64,
}

impl Counts {
    /// A request was answered with a body of so many bytes.
    pub fn add(&self, asked: Asked, bytes: u64) {
        let at = WORDS.iter().position(|(what, _)| *what == asked);
        if let Some(count) = at.and_then(|at| self.0.requests.get(at)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Requests by kind.
    pub fn requests(&self) -> BTreeMap<&'static str, u64> {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        WORDS.iter().zip(&self.0.requests).map(|((_, word), count)| (*word, read(count))).collect()
    }

    /// Bytes of all bodies.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }
}
