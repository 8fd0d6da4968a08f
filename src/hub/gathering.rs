//! Where many read, audio waits a moment for video. Each write wakes a reader, which is most of what a frame costs, and two
//! frames in one write wake it once. Video never waits: it is the larger part, and what ffmpeg publishes comes with its
//! audio anyway. No clock of its own.

use std::time::{Duration, Instant};

/// Where fewer read, nothing waits.
pub const MANY: usize = 10;
/// The longest wait. A timer may be a millisecond or two late, and the whole is to stay below 15.
pub const WAIT: Duration = Duration::from_millis(12);

/// Whether something waits in one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gathering {
    due: Option<Instant>,
}

impl Gathering {
    /// Whether what has come and has not gone out may wait still. `audio_alone`: it is audio of a stream that has video.
    /// So many `readers` would get it.
    pub fn waits(&mut self, audio_alone: bool, readers: usize, now: Instant) -> bool {
        let due = self.due.or_else(|| now.checked_add(WAIT));
        self.due = due.filter(|due| audio_alone && readers >= MANY && now < *due);
        self.due.is_some()
    }

    /// When it has waited long enough; none if nothing waits.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// It has gone out.
    pub fn end(&mut self) {
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_few_read_nothing_waits() {
        let (mut gathering, now) = (Gathering::default(), Instant::now());
        assert!(!gathering.waits(true, MANY - 1, now));
        assert_eq!(gathering.due(), None);
    }

    #[test]
    fn video_takes_what_waits_with_it() {
        let (mut gathering, now) = (Gathering::default(), Instant::now());
        assert!(!gathering.waits(false, MANY, now));
        assert!(gathering.waits(true, MANY, now));
        assert!(!gathering.waits(false, MANY, now + Duration::from_millis(3)));
        assert_eq!(gathering.due(), None);
    }

    #[test]
    fn where_many_read_the_first_frame_says_how_long() {
        let (mut gathering, now) = (Gathering::default(), Instant::now());
        let at = |ms: u64| now + Duration::from_millis(ms);
        assert!(gathering.waits(true, MANY, now));
        // More that comes does not make it longer, however much of it there is.
        for ms in 1..12 {
            assert!(gathering.waits(true, MANY, at(ms)));
            assert_eq!(gathering.due(), Some(now + WAIT));
        }
        assert!(!gathering.waits(true, MANY, at(12)));
        assert_eq!(gathering.due(), None);
        assert!(gathering.waits(true, MANY, at(20)));
        assert_eq!(gathering.due(), Some(at(20) + WAIT), "the next ones wait for themselves");
    }

    #[test]
    fn readers_that_leave_take_the_wait_with_them() {
        let (mut gathering, now) = (Gathering::default(), Instant::now());
        assert!(gathering.waits(true, MANY, now));
        assert!(!gathering.waits(true, MANY - 1, now));
        assert_eq!(gathering.due(), None);
    }
}
