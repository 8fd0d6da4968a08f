//! One stream's supervisor: starts the program, drains it, watches it, starts it again, ends it. One task owns the
//! child; everybody else sends requests and receives events.
//!
//! What must be known about the program (what its lines mean, which end is clean) and about the server (its byte
//! counters) arrives as [`Program`] and [`ServerProbe`], so nothing in here names ffmpeg or a protocol.

use super::restart::{Decision, EQUAL_ENDS, Ends, Policy, Verdict};
use super::run_record::{OutputRecord, RunRecord};
use super::stream_lock;
use super::stream_place::StreamPlace;
use super::watchdog::{Reading, Watchdog};
use crate::base::atomic_file::Durability;
use crate::base::{CommandLine, Kind, clock};
use crate::model::{Order, State};
use log::Log;
use nix::sys::signal::Signal;
use sharing::Sharing;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval, sleep_until};

mod attempt;
mod job;
mod log;
mod sharing;
mod standing;
mod stopping;
mod successor;

pub use job::{
    Control, Ended, Event, Fallback, Job, Meaning, OutputSpec, Program, Renewal, Seen, ServerProbe, Speaker,
    Way,
};
pub use stopping::{KILL_AFTER, SECOND_TERM_AFTER};

/// How often the stream is judged.
const TICK: Duration = Duration::from_millis(250);
/// How often the server is looked at until the stream is live.
const LOOK_FAST: Duration = Duration::from_millis(100);
/// How often after that.
const LOOK_CALM: Duration = Duration::from_secs(2);
/// How often the record is written while nothing changes.
const RECORD_EVERY: Duration = Duration::from_secs(3);
/// A program that has been too slow for this long, since it was first seen, is started again in its cheaper way.
const STEP_DOWN_AFTER: Duration = Duration::from_secs(20);

/// Runs the stream to its end. The locks of its `place` are held until then; the program inherits them.
pub async fn supervise<P: Program, L: ServerProbe>(
    job: Job,
    place: StreamPlace,
    program: P,
    probe: L,
    control: mpsc::Receiver<Control>,
    tell: impl FnMut(&Event),
) -> Ended {
    let (target, targets) = watch::channel(None);
    let (looks_in, looks) = mpsc::channel(4);
    let looking = tokio::spawn(keep_looking(probe, targets, looks_in));
    let mut supervisor = Supervisor {
        began: Instant::now(),
        log: Log::new(&job),
        policy: Policy::new(job.when),
        ends: Ends::default(),
        by_source: false,
        came_to_end: false,
        record: first_record(&job),
        watchdog: None,
        live_since: None,
        live_before: false,
        written: None,
        fault: None,
        by_hand: false,
        sharing: Sharing::default(),
        turn: None,
        next_call: None,
        job,
        place,
        program,
        control,
        target,
        looks,
        tell,
    };
    supervisor.declare();
    supervisor.tell_locked();
    let ended = supervisor.run().await;
    looking.abort();
    supervisor.close(&ended);
    ended
}

fn first_record(job: &Job) -> RunRecord {
    let rendition = |output: &OutputSpec| OutputRecord {
        label: output.label.clone(),
        name: output.name.clone(),
        size: output.size,
        state: State::Pending,
        bytes_in: None,
        bitrate_bps: None,
        viewers: None,
        last_byte_at_ms: None,
    };
    let spots = &job.spots;
    RunRecord {
        renditions: job.outputs.iter().map(rendition).collect(),
        argv: shown(&job.command, job),
        cost: job.cost,
        spec: job.spec.clone(),
        ..RunRecord::begun(&spots.key, &spots.home, job.redactor.clean(&job.source), job.endpoint.clone())
    }
}

/// A command for the record, secrets masked.
fn shown(command: &CommandLine, job: &Job) -> Vec<String> {
    std::iter::once(command.program.display().to_string())
        .chain(command.shown_args())
        .map(|a| job.redactor.clean(&a))
        .collect()
}

/// The target that is looked at: the child's number, and how often.
type Target = Option<(i32, Duration)>;

async fn keep_looking<L: ServerProbe>(
    mut probe: L,
    mut targets: watch::Receiver<Target>,
    looks: mpsc::Sender<(i32, Reading)>,
) {
    loop {
        let target = *targets.borrow_and_update();
        let pause = match target {
            None => Duration::from_secs(3600),
            Some((child, pause)) => {
                let look = probe.look(child).await;
                if looks.send((child, look)).await.is_err() {
                    return;
                }
                pause
            }
        };
        tokio::select! {
            changed = targets.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(pause) => {}
        }
    }
}

struct Supervisor<P, F> {
    job: Job,
    place: StreamPlace,
    program: P,
    control: mpsc::Receiver<Control>,
    target: watch::Sender<Target>,
    looks: mpsc::Receiver<(i32, Reading)>,
    tell: F,
    began: Instant,
    log: Log,
    policy: Policy,
    ends: Ends,
    /// The last end came of what was read, not of a signal or of the server.
    by_source: bool,
    /// The program ended without a fault.
    came_to_end: bool,
    record: RunRecord,
    watchdog: Option<Watchdog>,
    live_since: Option<Instant>,
    live_before: bool,
    written: Option<Instant>,
    fault: Option<String>,
    by_hand: bool,
    sharing: Sharing,
    /// The way that the program was ended for, and whether it is a better one.
    turn: Option<(usize, bool)>,
    /// The call of the next start, where it is another than that of all later ones.
    next_call: Option<CommandLine>,
}

/// The stream was told to stop.
struct Stopped;

/// Why we ended the program ourselves.
enum StopReason {
    Stalled(String),
    Slow(String),
    Anew(String),
    Fatal(Kind, String),
}

impl<P: Program, F: FnMut(&Event)> Supervisor<P, F> {
    fn tell_locked(&mut self) {
        (self.tell)(&Event::Locked);
        self.log.own(&format!("started: {} to {}", self.job.source, self.job.endpoint));
    }

    async fn run(&mut self) -> Ended {
        let mut again = false;
        loop {
            let absent = match self.look_again(again && self.next_call.is_none()).await {
                Ok(absent) => absent,
                Err(Stopped) => return self.ended(None, None),
            };
            again = true;
            let verdict = match absent {
                Some(why) => Verdict::Transient(why),
                None => {
                    let verdict = self.run_once().await;
                    self.noticed(verdict)
                }
            };
            let healthy_for = self.live_since.take().map_or(Duration::ZERO, |at| at.elapsed());
            if self.taken_other_way(&verdict) {
                continue;
            }
            let decision =
                self.policy.decide(self.record.order, verdict, self.began.elapsed(), healthy_for, chance());
            match decision {
                Decision::Finish => return self.ended(None, None),
                Decision::Fail(kind, why) => return self.ended(Some(kind), Some(why)),
                Decision::Again(pause) => {
                    let why = self.fault.clone().or(self.record.last_error.clone());
                    if self.policy.newly_failing() {
                        self.log.own("failing: it ended 5 times within a minute; trying on");
                    }
                    self.log.own(&format!("starting again in {}", clock::spoken(pause)));
                    self.move_to(State::Restarting, why);
                    if self.pause(pause).await {
                        return self.ended(None, None);
                    }
                    self.record.restarts = self.record.restarts.saturating_add(1);
                }
            }
        }
    }

    /// Notices when the same command ends in the same way at the same place: then another way to read is due, and where
    /// there is none and the source stays what it is, the end.
    fn noticed(&mut self, verdict: Verdict) -> Verdict {
        let why = match &verdict {
            Verdict::Transient(why) if self.by_source && self.record.order != Order::Stop => {
                why.trim_end_matches('.').to_string()
            }
            _ => return verdict,
        };
        let place = self.watchdog.as_ref().map_or(Duration::ZERO, |dog| dog.place());
        let times = self.ends.ended(&why, place);
        let at = clock::spoken(place);
        if times >= 2 && self.job.if_stuck.is_some() {
            return Verdict::Stuck(format!("{why}, {times} times at {at} of the source"));
        }
        if times < EQUAL_ENDS {
            return verdict;
        }
        let told = format!("{why}, {times} times at {at} of the source");
        // What only came to its end begins anew, with a seam.
        if self.job.fixed_source && !self.came_to_end {
            return Verdict::Permanent(Kind::Input, told);
        }
        if times == EQUAL_ENDS {
            self.log.own(&format!("{told}; trying on"));
        }
        self.record.last_error = Some(self.job.redactor.clean(&told));
        Verdict::Transient(told)
    }

    /// Changes to the other way to run that this end asks for, if there still is one.
    fn taken_other_way(&mut self, verdict: &Verdict) -> bool {
        let turn = self.turn.take();
        let told = match verdict {
            _ if self.record.order == Order::Stop => return false,
            Verdict::Unfit(why) | Verdict::Stuck(why) => {
                let unfit = matches!(verdict, Verdict::Unfit(_));
                let other = if unfit { &mut self.job.if_unfit } else { &mut self.job.if_stuck };
                let Some(other) = other.take() else { return false };
                // What the other ways are is not known of this one.
                (self.job.ways, self.job.command, self.job.cost) = (Vec::new(), other.command, other.cost);
                self.record.argv = shown(&self.job.command, &self.job);
                self.record.cost = self.job.cost;
                format!("{why}: {}", other.words)
            }
            Verdict::Slow(why) => {
                let cheaper = || self.cheaper_way().map(|way| (way, false));
                let Some((way, better)) = turn.or_else(cheaper) else { return false };
                if turn.is_none() {
                    self.sharing.was_too_slow();
                }
                self.go_on_in(way);
                let told = format!("{why}: went on at {}", self.way_words(way));
                if better {
                    self.log.own(&told);
                    return true;
                }
                self.next_call = Some(self.program.resumed(&self.job.command));
                told
            }
            _ => return false,
        };
        self.ends.forget();
        self.move_to(State::Restarting, Some(told.clone()));
        self.record.last_error = Some(self.job.redactor.clean(&told));
        self.record.restarts = self.record.restarts.saturating_add(1);
        true
    }

    /// The dearest of the cheaper ways that would have kept up, with a little room; the cheapest if none would.
    fn cheaper_way(&self) -> Option<usize> {
        let affordable = self.record.cost.zip(self.record.speed).map(|(cost, speed)| cost * speed * 0.9);
        let cheaper = self.job.way.saturating_add(1)..self.job.ways.len();
        let cost = |way: usize| self.job.ways.get(way).map(|way| way.cost);
        let fits = |way: &usize| cost(*way).zip(affordable).is_some_and(|(cost, most)| cost <= most);
        cheaper.clone().find(fits).or(cheaper.last())
    }

    /// Before a start that is not the first, looks at a source that may have become another, and runs in another way if
    /// it has; why there is nothing to start for, if there is none.
    async fn look_again(&mut self, again: bool) -> Result<Option<String>, Stopped> {
        if !again {
            return Ok(None);
        }
        let Some(mut seen) = self.program.look_again(&self.job.command) else { return Ok(None) };
        let mut every = interval(RECORD_EVERY);
        let seen = loop {
            tokio::select! {
                seen = &mut seen => break seen,
                _ = every.tick() => self.publish_record(Durability::Cached),
                order = self.control.recv() => {
                    if order.is_some() {
                        self.record.order = Order::Stop;
                        return Err(Stopped);
                    }
                }
                Some(_) = self.looks.recv() => {}
            }
        };
        match seen {
            // A look that broke off found nothing; the program itself will say what is wrong.
            Ok(Seen::Same) | Err(_) => Ok(None),
            Ok(Seen::Changed(renewal)) => {
                self.renew(*renewal);
                Ok(None)
            }
            Ok(Seen::Absent(why)) => {
                self.fault = None;
                self.record.last_error = Some(self.job.redactor.clean(&why));
                Ok(Some(why))
            }
        }
    }

    fn renew(&mut self, renewal: Renewal) {
        if renewal.source != self.job.source {
            self.log.own(&format!("the source changed: {}", renewal.source));
        }
        self.record.source = self.job.redactor.clean(&renewal.source);
        self.record.argv = shown(&renewal.command, &self.job);
        for (index, size) in renewal.sizes.into_iter().enumerate() {
            if let (Some(output), Some(record)) =
                (self.job.outputs.get_mut(index), self.record.renditions.get_mut(index))
            {
                (output.size, record.size) = (size, size);
            }
        }
        self.job.source = renewal.source;
        self.job.command = renewal.command;
        self.ends.forget();
        if renewal.ways.len() == self.job.ways.len() {
            self.job.ways = renewal.ways;
        }
    }

    /// Waits before the next start; true if the stream was told to stop meanwhile.
    async fn pause(&mut self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut every = interval(RECORD_EVERY);
        loop {
            tokio::select! {
                () = sleep_until(until) => return false,
                _ = every.tick() => self.publish_record(Durability::Cached),
                order = self.control.recv() => {
                    if order.is_some() {
                        self.record.order = Order::Stop;
                        return true;
                    }
                }
                Some(_) = self.looks.recv() => {}
            }
        }
    }

    fn ended(&mut self, kind: Option<Kind>, why: Option<String>) -> Ended {
        let reason = why.map(|w| self.job.redactor.clean(&w));
        match (&kind, &reason) {
            (Some(_), Some(why)) => self.log.own(&format!("failed: {why}")),
            _ => self.log.own("ended"),
        }
        let stopped = self.record.order == Order::Stop || self.by_hand;
        Ended { failure: kind.map(Kind::exit_code), stopped, reason, words: self.log.recent() }
    }

    /// Kills what a program left behind outside its group: whoever still holds our lock is ours. `kept` leads the group of
    /// the program that has taken over.
    fn end_strays(&mut self, kept: Option<i32>) {
        let Some(lock) = self.place.locks().first() else { return };
        for stray in stream_lock::holders_of(lock.path(), lock.id()) {
            let group = nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(stray.identity.pid)));
            if kept.is_some() && group.ok().map(nix::unistd::Pid::as_raw) == kept {
                continue;
            }
            if stray.signal(Signal::SIGKILL) {
                self.log.own(&format!("killed process {} that it left behind", stray.identity.pid));
            }
        }
    }

    /// The last act: files away (the record stays where the stream was on the air and ended by itself), end told.
    fn close(&mut self, ended: &Ended) {
        let end = if ended.failure.is_some() { State::Failed } else { State::Finished };
        if self.record.state != State::Stopping && !self.record.state.may_become(end) {
            self.record.state = State::Stopping;
        }
        self.record.supervisor = None;
        self.move_to(end, ended.reason.clone());
        self.place.remove_pid_file();
        // Stopped by a person, or never on the air and whoever waited for it is told: nothing to remember. Otherwise
        // `list -a` can tell what became of it.
        let untold = self.live_before || self.job.unwatched && ended.failure.is_some();
        if ended.stopped || !untold {
            self.place.forget();
        }
        (self.tell)(&Event::Ended(ended.clone()));
    }
}

/// A number in 0..1, to spread restarts; std's hasher is seeded by the system.
fn chance() -> f64 {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (random % 10_000) as f64 / 10_000.0
}

#[cfg(test)]
mod tests;
