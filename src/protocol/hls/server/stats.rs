//! What all ladders that are served have in common: the memory that they may take together, and counts for the metrics.

use super::airing::Airing;
use crate::model::LadderName;
use crate::protocol::hls::ladder::Ladder;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Segments of all ladders together, in bytes.
pub const MOST_BYTES: usize = 256 << 20;

/// The ladders that are served. Cloning shares them.
#[derive(Clone, Default)]
pub struct Airings(Arc<Mutex<BTreeMap<LadderName, Arc<Airing>>>>);

impl Airings {
    /// All of them.
    pub fn lock(&self) -> MutexGuard<'_, BTreeMap<LadderName, Arc<Airing>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> usize {
        self.lock().values().map(|airing| airing.look(Ladder::bytes)).sum()
    }
}

/// Keeps the segments of all ladders within the memory that they may take.
#[derive(Clone)]
pub struct Budget {
    /// The ladders.
    pub airings: Airings,
    /// Bytes.
    pub most: usize,
}

impl Budget {
    /// Forgets the oldest segments of the ladder that holds most, until there is room. One that holds nothing but a segment
    /// that is still open gives nothing; then it is the next one's turn.
    pub fn keep(&self) {
        let mut held = self.airings.bytes();
        while held > self.most {
            let mut airings: Vec<Arc<Airing>> = self.airings.lock().values().cloned().collect();
            airings.sort_by_key(|airing| std::cmp::Reverse(airing.look(Ladder::bytes)));
            let Some(freed) = airings.iter().map(|airing| airing.drop_oldest()).find(|freed| *freed > 0)
            else {
                return;
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
