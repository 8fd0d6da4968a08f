//! The frames of a rendition since its last keyframe, so that whoever comes or changes over begins at once and not with the
//! next keyframe. Pure.

use super::packing::Unit;
use crate::media::MediaTime;
use std::time::Duration;

/// The most that is kept, in bytes: what lies further back waits for the next keyframe.
const MOST_BYTES: usize = 8 << 20;
/// And the most frames.
const MOST_FRAMES: usize = 2000;
/// Frames after which it is known whether they are reordered.
const ENOUGH: usize = 12;

/// See the module.
#[derive(Debug, Default)]
pub struct Recent {
    units: Vec<Unit>,
    bytes: usize,
    highest: Option<MediaTime>,
    seen: usize,
    /// Whether frames were seen that are shown before others that came earlier (B-frames).
    reorders: bool,
    /// Of the whole groups of pictures: bytes and length of the last one.
    rate_bps: Option<u64>,
}

impl Recent {
    /// A frame.
    pub fn push(&mut self, unit: &Unit) {
        self.seen = self.seen.saturating_add(1);
        if unit.keyframe {
            if let (Some(first), false) = (self.units.first(), self.units.is_empty()) {
                let length = unit.pts.since(first.pts);
                if length >= Duration::from_millis(200) {
                    let bits = (self.bytes as f64) * 8.0;
                    self.rate_bps = Some((bits / length.as_secs_f64()) as u64);
                }
            }
            self.forget();
        } else if self.highest.is_some_and(|highest| unit.pts < highest) {
            self.reorders = true;
        }
        self.highest = Some(self.highest.map_or(unit.pts, |highest| highest.max(unit.pts)));
        let begun = unit.keyframe || !self.units.is_empty();
        let room = self.bytes.saturating_add(unit.size) <= MOST_BYTES && self.units.len() < MOST_FRAMES;
        if begun && room {
            self.bytes = self.bytes.saturating_add(unit.size);
            self.units.push(unit.clone());
        } else {
            self.forget();
        }
    }

    /// Nothing is known any more: another publisher, or frames are missing.
    pub fn forget(&mut self) {
        self.units.clear();
        self.bytes = 0;
        self.highest = None;
    }

    /// The frames from the last keyframe on; none if that is not known.
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    /// Bytes of [`Recent::units`].
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether frames are reordered: seen, or, before enough were seen, as the track `says`.
    pub fn reorders(&self, says: bool) -> bool {
        self.reorders || (says && self.seen < ENOUGH)
    }

    /// Bits a second of the last whole group of pictures.
    pub fn rate_bps(&self) -> Option<u64> {
        self.rate_bps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Instant;

    fn unit(ms: i64, keyframe: bool, size: usize) -> Unit {
        Unit { pts: MediaTime::from_millis(ms), at: Instant::now(), keyframe, size, payloads: Arc::from([]) }
    }

    #[test]
    fn it_begins_with_the_last_keyframe() {
        let mut recent = Recent::default();
        recent.push(&unit(0, false, 10));
        assert!(recent.units().is_empty(), "nothing can be decoded yet");
        for n in 0..75 {
            recent.push(&unit(n * 40, n % 50 == 0, 1000));
        }
        let times: Vec<i64> = recent.units().iter().map(|unit| unit.pts.millis()).collect();
        assert_eq!((times[0], times.len(), recent.bytes()), (2000, 25, 25_000));
        assert_eq!(recent.rate_bps(), Some(200_000));
        recent.push(&unit(3000, false, MOST_BYTES));
        assert!(recent.units().is_empty(), "too much to begin with");
    }

    #[test]
    fn what_is_seen_counts_more_than_what_is_said() {
        let mut recent = Recent::default();
        assert!(recent.reorders(true) && !recent.reorders(false));
        for n in 0..ENOUGH as i64 {
            recent.push(&unit(n * 40, n == 0, 10));
        }
        assert!(!recent.reorders(true), "no frame of it was reordered");
        recent.push(&unit(40, false, 10));
        assert!(recent.reorders(false));
    }
}
