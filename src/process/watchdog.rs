//! Judges from progress and from the server's byte counters how a stream is doing. Alive means bytes move, on both
//! ends: a program that writes into a dead server goes on reporting progress for more than half a minute (measured),
//! because the kernel's buffers swallow the data. Pure: time comes in as an argument.

use crate::model::State;
use std::collections::VecDeque;
use std::time::Duration;

/// No progress for this long: the program is stuck.
pub const STUCK_AFTER: Duration = Duration::from_secs(10);
/// No progress at all since the start for this long: the program never got going. Opening a network source may take
/// its `rw_timeout` of 10 s.
pub const NEVER_STARTED_AFTER: Duration = Duration::from_secs(20);
/// An output whose bytes stand still for this long is told as weak.
pub const QUIET_AFTER: Duration = Duration::from_secs(5);
/// Window in which the speed is measured, and how long it must be low to be told.
pub const SPEED_WINDOW: Duration = Duration::from_secs(10);
/// Below this speed the encoder is slower than real time (a little under 1: reports come once a second).
pub const SLOW_BELOW: f64 = 0.97;

/// Above this speed it does not show what happens now: it makes frames that nobody sent, or takes a recording for a live
/// source. A burst after a pause stays below it.
pub const FAST_ABOVE: f64 = 2.0;

/// What the supervised program reported of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Heartbeat {
    /// Media time written so far.
    pub out_time: Duration,
    /// Frames so far.
    pub frames: u64,
    /// Frames dropped so far.
    pub dropped: u64,
    /// Frames repeated so far.
    pub duplicated: u64,
}

/// One look at the server, by output in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// It answered: bytes taken in and readers of each output, `None` where it does not have that name.
    Counters(Vec<Option<Counter>>),
    /// It should answer and does not; why.
    Silent(String),
    /// There is no counter to look at; instead, how many connections to the server are open, if that is known.
    Blind(Option<usize>),
}

/// The server's view of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// Bytes taken in.
    pub bytes: u64,
    /// Readers.
    pub viewers: u64,
}

/// How the stream is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    /// Starting, live, weak or stalled.
    pub state: State,
    /// Why it is not live.
    pub reason: Option<String>,
    /// The program must be ended and started again, because of this.
    pub end: Option<String>,
    /// The reason is that the program is slower than real time.
    pub slow: bool,
}

/// One output as it is watched.
#[derive(Clone, Debug, Default)]
struct Watched {
    label: String,
    samples: VecDeque<(Duration, u64)>,
    viewers: Option<u64>,
    last_growth: Option<Duration>,
}

/// Everything remembered since the program was started.
#[derive(Clone, Debug)]
pub struct Watchdog {
    started: Duration,
    beats: VecDeque<(Duration, Heartbeat)>,
    advanced: Option<Duration>,
    outputs: Vec<Watched>,
    look: Option<Reading>,
    server_back: Duration,
    slow_since: Option<Duration>,
    fast_since: Option<Duration>,
}

impl Watchdog {
    /// A watchdog over outputs with these labels, the program having been started at `now`.
    pub fn new(now: Duration, labels: impl IntoIterator<Item = String>) -> Watchdog {
        Watchdog {
            started: now,
            beats: VecDeque::new(),
            advanced: None,
            outputs: labels.into_iter().map(|label| Watched { label, ..Watched::default() }).collect(),
            look: None,
            server_back: now,
            slow_since: None,
            fast_since: None,
        }
    }

    /// Another program has taken the outputs over at `now`; the server's counters go on.
    pub fn taken_over(&mut self, now: Duration) {
        (self.started, self.advanced, self.slow_since) = (now, Some(now), None);
        self.beats.clear();
        // It counts from nothing, which the next look takes for no growth.
        for output in self.outputs.iter_mut().filter(|output| output.last_growth.is_some()) {
            output.last_growth = Some(now);
        }
    }

    /// The program reported progress.
    pub fn beat(&mut self, now: Duration, beat: Heartbeat) {
        let before = self.beats.back().map(|(_, b)| b.out_time);
        if before.is_none_or(|b| beat.out_time > b) && !beat.out_time.is_zero() {
            self.advanced = Some(now);
        }
        self.beats.push_back((now, beat));
        // The window plus one older sample to measure from.
        while self.beats.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) > SPEED_WINDOW)
            || self.beats.len() > 256
        {
            self.beats.pop_front();
        }
        let since = |is: bool, before: Option<Duration>| is.then(|| before.unwrap_or(now));
        let speed = self.speed();
        self.slow_since = since(speed.is_some_and(|speed| speed < SLOW_BELOW), self.slow_since);
        self.fast_since = since(speed.is_some_and(|speed| speed > FAST_ABOVE), self.fast_since);
    }

    /// The server was looked at.
    pub fn look(&mut self, now: Duration, look: Reading) {
        if let Reading::Counters(counters) = &look {
            if !matches!(self.look, Some(Reading::Counters(_))) {
                // While it was silent nothing could be seen to grow; the clock of growth begins anew.
                self.server_back = now;
            }
            for (output, counter) in self.outputs.iter_mut().zip(counters) {
                output.viewers = counter.map(|c| c.viewers);
                let Some(counter) = counter else { continue };
                match output.samples.back() {
                    // A new connection under the same name counts from nothing.
                    Some((_, last)) if counter.bytes < *last => output.samples.clear(),
                    Some((_, last)) if counter.bytes > *last => output.last_growth = Some(now),
                    // The first bytes are headers; only what comes after them is video or audio.
                    _ => {}
                }
                output.samples.push_back((now, counter.bytes));
                while output.samples.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) > SPEED_WINDOW)
                    || output.samples.len() > 256
                {
                    output.samples.pop_front();
                }
            }
        }
        self.look = Some(look);
    }

    /// Media seconds per second over the last [`SPEED_WINDOW`]; `None` until half of it has been seen.
    pub fn speed(&self) -> Option<f64> {
        let ((from, first), (to, last)) = (self.beats.front()?, self.beats.back()?);
        let wall = to.saturating_sub(*from);
        (wall >= SPEED_WINDOW / 2)
            .then(|| last.out_time.saturating_sub(first.out_time).as_secs_f64() / wall.as_secs_f64())
    }

    /// For how long it has been slower than real time; `None` if it is not.
    pub fn slow_for(&self, now: Duration) -> Option<Duration> {
        self.slow_since.map(|since| now.saturating_sub(since))
    }

    /// Frames per second over the last [`SPEED_WINDOW`].
    pub fn fps(&self) -> Option<f64> {
        let ((from, first), (to, last)) = (self.beats.front()?, self.beats.back()?);
        let wall = to.saturating_sub(*from);
        (wall >= Duration::from_secs(1))
            .then(|| last.frames.saturating_sub(first.frames) as f64 / wall.as_secs_f64())
    }

    /// Frames repeated so far.
    pub fn duplicated(&self) -> u64 {
        self.beats.back().map_or(0, |(_, b)| b.duplicated)
    }

    /// Frames dropped so far.
    pub fn dropped(&self) -> u64 {
        self.beats.back().map_or(0, |(_, b)| b.dropped)
    }

    /// Bytes, bits per second over the last [`SPEED_WINDOW`] and readers of output `index`.
    pub fn output(&self, index: usize) -> (Option<u64>, Option<u64>, Option<u64>) {
        let Some(output) = self.outputs.get(index) else { return (None, None, None) };
        let bytes = output.samples.back().map(|(_, b)| *b);
        let rate = output.samples.front().zip(output.samples.back()).and_then(|((from, a), (to, b))| {
            let wall = to.saturating_sub(*from).as_secs_f64();
            (wall >= 0.9).then(|| (b.saturating_sub(*a) as f64 * 8.0 / wall) as u64)
        });
        (bytes, rate, output.viewers)
    }

    /// Media time that the program has come to.
    pub fn place(&self) -> Duration {
        self.beats.back().map_or(Duration::ZERO, |(_, beat)| beat.out_time)
    }

    /// Whether the program itself does not go on.
    pub fn is_stuck(&self, now: Duration) -> bool {
        match self.advanced {
            None => now.saturating_sub(self.started) >= NEVER_STARTED_AFTER,
            Some(at) => now.saturating_sub(at) >= STUCK_AFTER,
        }
    }

    /// How long ago the server's count of output `index` was last seen to grow; `None` if it never was.
    pub fn last_growth(&self, now: Duration, index: usize) -> Option<Duration> {
        Some(now.saturating_sub(self.outputs.get(index)?.last_growth?))
    }

    /// What output `index` is doing.
    pub fn output_state(&self, now: Duration, index: usize) -> State {
        let growth = self.outputs.get(index).and_then(|o| o.last_growth);
        match (&self.look, growth) {
            (Some(Reading::Counters(_)), Some(at)) if now.saturating_sub(at) < QUIET_AFTER => State::Live,
            (Some(Reading::Counters(_)), Some(_)) => State::Stalled,
            (Some(Reading::Silent(_)), Some(_)) => State::Weak,
            (Some(Reading::Blind(_)), _) => self.assess(now).state,
            _ => State::Starting,
        }
    }

    /// The judgement at `now`.
    pub fn assess(&self, now: Duration) -> Assessment {
        let verdict = |state, reason: Option<String>| Assessment { state, reason, end: None, slow: false };
        let ended = |reason: String| Assessment {
            state: State::Stalled,
            reason: Some(reason.clone()),
            end: Some(reason),
            slow: false,
        };
        if self.is_stuck(now) {
            return ended(match self.advanced {
                None => format!("nothing was read from the source for {} s", NEVER_STARTED_AFTER.as_secs()),
                Some(_) => format!("the encoder made no progress for {} s", STUCK_AFTER.as_secs()),
            });
        }
        match &self.look {
            None => verdict(State::Starting, None),
            Some(Reading::Silent(why)) => {
                if self.outputs.iter().all(|o| o.last_growth.is_some()) {
                    verdict(State::Stalled, Some(why.clone()))
                } else {
                    verdict(State::Starting, Some(why.clone()))
                }
            }
            Some(Reading::Blind(connections)) => self.assess_blind(now, *connections),
            Some(Reading::Counters(_)) => self.assess_counters(now),
        }
    }

    fn assess_blind(&self, now: Duration, connections: Option<usize>) -> Assessment {
        let verdict = |state, reason: Option<String>| Assessment { state, reason, end: None, slow: false };
        let going = self.advanced.is_some()
            && self.beats.back().is_some_and(|(_, b)| b.out_time >= Duration::from_secs(1));
        match connections {
            Some(open) if open < self.outputs.len() => {
                let missing = self.outputs.len() - open;
                let why =
                    format!("{missing} of {} connections to the server are missing", self.outputs.len());
                let state = if !going {
                    State::Starting
                } else if open == 0 {
                    State::Stalled
                } else {
                    State::Weak
                };
                verdict(state, Some(why))
            }
            _ if !going => verdict(State::Starting, None),
            _ => self.assess_speed(now),
        }
    }

    fn assess_counters(&self, now: Duration) -> Assessment {
        let verdict = |state, reason: Option<String>| Assessment { state, reason, end: None, slow: false };
        let age = |o: &Watched| o.last_growth.map(|at| now.saturating_sub(at.max(self.server_back)));
        let waiting: Vec<&str> =
            self.outputs.iter().filter(|o| o.last_growth.is_none()).map(|o| o.label.as_str()).collect();
        let quiet: Vec<&str> = self
            .outputs
            .iter()
            .filter(|o| age(o).is_some_and(|a| a >= QUIET_AFTER))
            .map(|o| o.label.as_str())
            .collect();
        let seen = self.outputs.len() - waiting.len();
        let stopped_all = |limit: Duration| self.outputs.iter().all(|o| age(o).is_none_or(|a| a >= limit));
        if seen > 0 && stopped_all(STUCK_AFTER) {
            let why = format!("the server has received nothing for {} s", STUCK_AFTER.as_secs());
            return Assessment {
                state: State::Stalled,
                reason: Some(why.clone()),
                end: Some(why),
                slow: false,
            };
        }
        if seen > 0 && quiet.len() == seen {
            return verdict(State::Stalled, Some("the server receives nothing".into()));
        }
        if !waiting.is_empty() {
            let why = format!("{} not on the server yet", waiting.join(", "));
            // Long after the others it is a defect, not a start.
            let late =
                now.saturating_sub(self.started.max(self.server_back)) >= NEVER_STARTED_AFTER && seen > 0;
            return verdict(if late { State::Weak } else { State::Starting }, Some(why));
        }
        if !quiet.is_empty() {
            return verdict(
                State::Weak,
                Some(format!("the server receives nothing of {}", quiet.join(", "))),
            );
        }
        self.assess_speed(now)
    }

    fn is_fast(&self, now: Duration) -> bool {
        self.fast_since.is_some_and(|since| now.saturating_sub(since) >= SPEED_WINDOW / 2)
    }

    fn assess_speed(&self, now: Duration) -> Assessment {
        match (self.slow_since, self.speed()) {
            (Some(since), Some(speed)) if now.saturating_sub(since) >= SPEED_WINDOW => Assessment {
                state: State::Weak,
                reason: Some(format!("the encoder is slower than real time ({speed:.2}x)")),
                end: None,
                slow: true,
            },
            (None, Some(speed)) if self.is_fast(now) => Assessment {
                state: State::Weak,
                reason: Some(format!("it runs ahead of real time ({speed:.1}x)")),
                end: None,
                slow: false,
            },
            _ => Assessment { state: State::Live, reason: None, end: None, slow: false },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    struct Run {
        dog: Watchdog,
        bytes: [u64; 2],
    }

    impl Run {
        fn new() -> Run {
            Run { dog: Watchdog::new(s(0.0), ["720p".to_string(), "360p".to_string()]), bytes: [0, 0] }
        }

        /// One second per step from `from` to `to`, at `speed`, with bytes growing by `grow` per output.
        fn go(&mut self, from: u32, to: u32, speed: f64, grow: [u64; 2]) -> Assessment {
            for t in from..to {
                let now = s(f64::from(t));
                let last = self.dog.beats.back().map_or(s(0.0), |(_, b)| b.out_time);
                self.dog.beat(
                    now,
                    Heartbeat {
                        out_time: last + s(speed),
                        frames: u64::from(t) * 25,
                        dropped: 0,
                        duplicated: 0,
                    },
                );
                for (bytes, grow) in self.bytes.iter_mut().zip(grow) {
                    *bytes += grow;
                }
                let counters = self.bytes.map(|bytes| Some(Counter { bytes, viewers: 1 }));
                self.dog.look(now, Reading::Counters(counters.to_vec()));
            }
            self.dog.assess(s(f64::from(to.max(1) - 1)))
        }
    }

    #[test]
    fn healthy_is_live_with_rates() {
        let mut run = Run::new();
        assert_eq!(run.go(0, 30, 1.0, [125_000, 12_500]).state, State::Live);
        assert_eq!(run.dog.output(0).1, Some(1_000_000));
        assert_eq!(run.dog.output(1).2, Some(1));
        assert!((run.dog.speed().unwrap() - 1.0).abs() < 0.01);
        assert!((run.dog.fps().unwrap() - 25.0).abs() < 0.5);
    }

    #[test]
    fn far_ahead_of_real_time_is_not_live() {
        let mut run = Run::new();
        run.go(0, 30, 1.0, [1000, 1000]);
        let fast = run.go(30, 50, 40.0, [1000, 1000]);
        assert_eq!((fast.state, fast.end), (State::Weak, None));
        assert!(fast.reason.unwrap().starts_with("it runs ahead of real time (40"));
        assert_eq!(run.go(50, 70, 1.0, [1000, 1000]).state, State::Live);
        // A burst of 8 s after a pause of as long, and the second of a file that is read at once.
        run.go(70, 78, 0.0, [0, 0]);
        run.go(78, 79, 8.0, [1000, 1000]);
        for t in 79..95 {
            let reason = run.go(t, t + 1, 1.0, [1000, 1000]).reason.unwrap_or_default();
            assert!(!reason.contains("ahead"), "{reason}");
        }
    }

    #[test]
    fn ten_seconds_below_real_time_are_weak_and_told_as_slow() {
        let mut run = Run::new();
        run.go(0, 30, 1.0, [1000, 1000]);
        let slow = run.go(30, 45, 0.7, [1000, 1000]);
        assert_eq!((slow.state, slow.slow, slow.end), (State::Weak, true, None));
        assert!(slow.reason.unwrap().contains("slower than real time (0.7"));
        assert!(run.dog.slow_for(s(44.0)).unwrap() >= s(10.0));
        let well = run.go(45, 70, 1.0, [1000, 1000]);
        assert_eq!((well.state, well.slow, run.dog.slow_for(s(69.0))), (State::Live, false, None));
    }

    #[test]
    fn one_quiet_output_is_weak_and_never_ends_the_others() {
        let mut run = Run::new();
        run.go(0, 10, 1.0, [1000, 1000]);
        let assessment = run.go(10, 100, 1.0, [1000, 0]);
        assert_eq!(assessment.state, State::Weak);
        assert_eq!(assessment.end, None);
        assert!(assessment.reason.unwrap().contains("360p"));
    }

    #[test]
    fn a_server_that_receives_nothing_ends_the_program() {
        let mut run = Run::new();
        run.go(0, 10, 1.0, [1000, 1000]);
        assert_eq!(run.go(10, 17, 1.0, [0, 0]).state, State::Stalled);
        assert_eq!(run.dog.assess(s(17.0)).end, None);
        assert!(run.go(17, 22, 1.0, [0, 0]).end.is_some());
    }

    #[test]
    fn a_silent_server_only_stalls_and_its_return_begins_a_new_clock() {
        let mut run = Run::new();
        run.go(0, 10, 1.0, [1000, 1000]);
        for t in 10..60 {
            let now = s(f64::from(t));
            run.dog.beat(now, Heartbeat { out_time: now, ..Default::default() });
            run.dog.look(now, Reading::Silent("no answer".into()));
            let assessment = run.dog.assess(now);
            assert_eq!((assessment.state, assessment.end), (State::Stalled, None));
        }
        run.dog.look(s(60.0), Reading::Counters(vec![None, None]));
        assert_eq!(run.dog.assess(s(61.0)).end, None);
    }

    #[test]
    fn a_stuck_program_is_ended() {
        let mut run = Run::new();
        run.go(0, 10, 1.0, [1000, 1000]);
        assert_eq!(run.dog.assess(s(18.9)).end, None);
        assert!(run.dog.assess(s(19.1)).end.is_some());
        let dog = Watchdog::new(s(0.0), ["a".to_string()]);
        assert_eq!(dog.assess(s(19.0)).end, None);
        assert!(dog.assess(s(20.0)).end.is_some());
    }

    #[test]
    fn slow_for_ten_seconds_is_weak_and_recovers() {
        let mut run = Run::new();
        run.go(0, 20, 1.0, [1000, 1000]);
        assert_eq!(run.go(20, 25, 0.7, [1000, 1000]).state, State::Live);
        let assessment = run.go(25, 45, 0.7, [1000, 1000]);
        assert_eq!(assessment.state, State::Weak);
        assert!(assessment.reason.unwrap().contains("0.70x"));
        assert_eq!(run.go(45, 60, 1.0, [1000, 1000]).state, State::Live);
    }

    #[test]
    fn without_counters_connections_and_progress_have_to_do() {
        let mut dog = Watchdog::new(s(0.0), ["a".to_string(), "b".to_string()]);
        dog.look(s(0.5), Reading::Blind(Some(2)));
        assert_eq!(dog.assess(s(0.5)).state, State::Starting);
        dog.beat(s(2.0), Heartbeat { out_time: s(1.5), ..Default::default() });
        assert_eq!(dog.assess(s(2.0)).state, State::Live);
        dog.look(s(3.0), Reading::Blind(Some(1)));
        assert_eq!(dog.assess(s(3.0)).state, State::Weak);
        dog.look(s(4.0), Reading::Blind(Some(0)));
        assert_eq!(dog.assess(s(4.0)).state, State::Stalled);
    }

    #[test]
    fn a_counter_that_begins_anew_and_grows_is_live() {
        let mut run = Run::new();
        run.go(0, 10, 1.0, [1000, 1000]);
        run.bytes = [0, 0];
        assert_eq!(run.go(10, 14, 1.0, [10, 10]).state, State::Live);
    }

    #[test]
    fn who_takes_over_is_live_while_it_counts_from_nothing() {
        let mut run = Run::new();
        run.go(0, 10, 1.0, [1000, 1000]);
        run.dog.taken_over(s(13.0));
        run.bytes = [0, 0];
        assert_eq!(run.dog.assess(s(14.0)).state, State::Live);
        assert_eq!(run.go(17, 19, 1.0, [10, 10]).state, State::Live);
        let mut silent = Run::new();
        silent.go(0, 10, 1.0, [1000, 1000]);
        silent.dog.taken_over(s(13.0));
        silent.bytes = [0, 0];
        assert_eq!(silent.go(14, 20, 1.0, [10, 0]).state, State::Weak);
    }

    #[test]
    fn headers_alone_are_not_live() {
        let mut run = Run::new();
        assert_eq!(run.go(0, 1, 1.0, [58, 58]).state, State::Starting);
        assert_eq!(run.go(1, 2, 1.0, [0, 0]).state, State::Starting);
        assert_eq!(run.go(2, 3, 1.0, [900, 900]).state, State::Live);
    }
}
