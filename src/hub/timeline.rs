//! One line of time for all renditions of a ladder. A publisher that comes back begins its own times anew; here they go
//! on where the ladder stands, by the same amount in every rendition, so that the renditions agree to the millisecond
//! within a run, and readers see one gap and nothing else. Pure: the clock is an argument.

use crate::media::MediaTime;
use std::time::{Duration, Instant};

/// A name that begins this near to where the ladder stands belongs to the same run, where nobody has told. Renditions
/// of one encoder connect within moments; a publisher that began anew is seconds away.
const AGREES: Duration = Duration::from_secs(3);

/// A run that began so short a time ago is the one that is told of: the word came late.
const LATE: Duration = Duration::from_secs(2);

/// Where a publisher's times go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entered {
    /// Added to its times, whole milliseconds: RTMP has no finer ones.
    pub shift: MediaTime,
    /// Which run of the ladder it belongs to, from 1 on.
    pub run: u64,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    run: u64,
    shift: MediaTime,
    /// The latest time, and when it came.
    last: Option<(MediaTime, Instant)>,
    /// The run that was told, and the one that names have begun under.
    told: Option<u64>,
    entered: Option<u64>,
    /// When the run began.
    began: Option<Instant>,
}

impl Timeline {
    /// The publisher says that what begins from now on is this run.
    /// `published`: whether a name of the ladder is on the air; if none is, what began before is over.
    pub fn tell(&mut self, run: u64, published: bool, now: Instant) {
        if published && self.began.is_some_and(|began| now.saturating_duration_since(began) < LATE) {
            self.entered = Some(run);
        }
        self.told = Some(run);
    }

    /// A name begins with a frame at `first`. `own_last`: the latest time that it had before. `others`: whether other
    /// names of the ladder are published, and so hold its line of time.
    pub fn enter(
        &mut self,
        first: MediaTime,
        own_last: Option<MediaTime>,
        others: bool,
        now: Instant,
    ) -> Entered {
        let Some((last, at)) = self.last else {
            self.begin(now);
            return Entered { shift: self.shift, run: self.run };
        };
        let passed = now.saturating_duration_since(at).max(Duration::from_millis(1));
        let expected = last + MediaTime::from_duration(passed);
        let here = first + self.shift;
        let goes_on = own_last.is_none_or(|own| here > own);
        let same_run = match self.told {
            Some(told) => self.entered == Some(told),
            None => here.distance(expected) <= AGREES,
        };
        if same_run && goes_on {
            return Entered { shift: self.shift, run: self.run };
        }
        let shift = up_to_millis(expected - first);
        if others && self.told.is_none() {
            // Somebody else's name in this ladder: its times are its own affair.
            return Entered { shift, run: self.run };
        }
        self.begin(now);
        self.shift = shift;
        Entered { shift, run: self.run }
    }

    /// A name begins that is not in the ladder that was told: it is set where the ladder stands, and begins no run.
    pub fn join(&mut self, first: MediaTime, now: Instant) -> Entered {
        let Some((last, at)) = self.last else {
            self.begin(now);
            return Entered { shift: self.shift, run: self.run };
        };
        let passed = now.saturating_duration_since(at).max(Duration::from_millis(1));
        let shift = up_to_millis(last + MediaTime::from_duration(passed) - first);
        Entered { shift, run: self.run }
    }

    fn begin(&mut self, now: Instant) {
        self.run = self.run.saturating_add(1);
        self.entered = self.told;
        self.began = Some(now);
    }

    /// A frame stands at `time` on the ladder's line.
    pub fn note(&mut self, time: MediaTime, now: Instant) {
        if self.last.is_none_or(|(last, _)| time >= last) {
            self.last = Some((time, now));
        }
    }
}

/// The next whole millisecond.
fn up_to_millis(time: MediaTime) -> MediaTime {
    let whole = MediaTime::from_millis(time.millis());
    if whole < time { whole + MediaTime::from_millis(1) } else { whole }
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;
