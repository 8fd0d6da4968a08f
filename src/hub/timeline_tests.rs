//! Tests of `timeline`.

use super::*;

struct Clock {
    timeline: Timeline,
    began: Instant,
}

impl Clock {
    fn new() -> Clock {
        Clock { timeline: Timeline::default(), began: Instant::now() }
    }

    fn at(&self, ms: u64) -> Instant {
        self.began + Duration::from_millis(ms)
    }

    fn enter(&mut self, first: i64, own_last: Option<i64>, others: bool, ms: u64) -> (i64, u64) {
        let ms = self.at(ms);
        let own_last = own_last.map(MediaTime::from_millis);
        let entered = self.timeline.enter(MediaTime::from_millis(first), own_last, others, ms);
        (entered.shift.millis(), entered.run)
    }

    fn tell(&mut self, run: u64, published: bool, ms: u64) {
        let at = self.at(ms);
        self.timeline.tell(run, published, at);
    }

    fn note(&mut self, time: i64, ms: u64) {
        let at = self.at(ms);
        self.timeline.note(MediaTime::from_millis(time), at);
    }
}

#[test]
fn renditions_of_one_run_get_one_shift() {
    let mut clock = Clock::new();
    assert_eq!(clock.enter(1000, None, false, 0), (0, 1));
    clock.note(1000, 0);
    assert_eq!(clock.enter(1000, None, true, 30), (0, 1));
    clock.note(61_000, 60_000);
    // The encoder was killed and is back 4 s later, 61 ms apart in its names.
    assert_eq!(clock.enter(1000, Some(61_000), false, 64_000), (64_000, 2));
    clock.note(65_000, 64_000);
    assert_eq!(clock.enter(1000, Some(61_000), true, 64_061), (64_000, 2));
    // One of them alone reconnects within the run.
    clock.note(75_000, 74_000);
    assert_eq!(clock.enter(11_500, Some(70_000), true, 74_500), (64_000, 2));
}

#[test]
fn a_quick_return_is_no_step_back() {
    let mut clock = Clock::new();
    clock.enter(1000, None, false, 0);
    clock.note(2000, 1000);
    let (shift, run) = clock.enter(1000, Some(2000), false, 1300);
    assert_eq!(run, 2);
    assert!(1000 + shift > 2000);
}

#[test]
fn what_was_told_decides() {
    let mut clock = Clock::new();
    clock.tell(7, false, 0);
    assert_eq!(clock.enter(1000, None, false, 0), (0, 1));
    clock.note(4500, 3500);
    // Another run, though its times would fit, and though an old connection still seems to be there.
    clock.tell(8, true, 3600);
    assert_eq!(clock.enter(4600, Some(4500), true, 3600), (0, 2));
    // The same run though its times are far away: a rendition that was blocked for a minute.
    clock.note(6600, 5600);
    assert_eq!(clock.enter(66_600, Some(4500), true, 5700), (0, 2));
}

#[test]
fn a_word_that_comes_late_is_about_the_run_that_has_just_begun() {
    let mut clock = Clock::new();
    clock.tell(7, false, 0);
    clock.enter(1000, None, false, 0);
    clock.note(61_000, 60_000);
    assert_eq!(clock.enter(80, Some(61_000), false, 64_000), (64_920, 2));
    clock.tell(8, true, 64_010);
    assert_eq!(clock.enter(80, Some(60_990), true, 64_020), (64_920, 2));
}

#[test]
fn a_run_that_ends_at_once_is_not_the_next_one() {
    let mut clock = Clock::new();
    clock.tell(7, false, 0);
    assert_eq!(clock.enter(1000, None, false, 0), (0, 1));
    clock.note(1500, 500);
    clock.tell(8, false, 1500);
    // Nobody watched: what the names had before is forgotten.
    assert_eq!(clock.enter(1000, None, false, 2000), (2000, 2));
    assert_eq!(clock.enter(1000, None, true, 2010), (2000, 2));
}

#[test]
fn a_stranger_in_the_ladder_does_not_move_the_others() {
    let mut clock = Clock::new();
    clock.enter(1000, None, false, 0);
    clock.note(2000, 1000);
    let (shift, run) = clock.enter(500_000, None, true, 1000);
    assert_eq!((500_000 + shift, run), (2001, 1));
    assert_eq!(clock.enter(1100, None, true, 1100), (0, 1));
}
