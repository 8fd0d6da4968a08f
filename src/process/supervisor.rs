//! One stream's supervisor: starts the program, drains it, watches it, starts it again, ends it. One task owns the
//! child; everybody else sends requests and receives events.
//!
//! What must be known about the program (what its lines mean, which end is clean) and about the server (its byte
//! counters) arrives as [`Program`] and [`Looker`], so nothing in here names ffmpeg or a protocol.

use super::child_log::Lines;
use super::identity::{self, Identity};
use super::pid_file;
use super::restart::{Decision, Policy, Verdict};
use super::run_record::{OutputRecord, RunRecord};
use super::spawn::{Exit, Pipes, Supervised};
use super::stream_lock::{self, StreamLock};
use super::watchdog::{Look, Watchdog};
use crate::base::atomic_file::Durability;
use crate::base::{CommandLine, Kind, clock};
use crate::model::{Order, State};
use log::Log;
use nix::sys::signal::Signal;
use std::io;
use std::time::Duration;
use stopping::Stopping;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

mod job;
mod log;
mod stopping;

pub use job::{Control, Ended, Event, Fallback, Job, Looker, Meaning, OutputSpec, Program, Renewal, Seen};
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

/// Runs the stream to its end. `locks` are held until then; the program inherits them.
pub async fn supervise<P: Program, L: Looker>(
    job: Job,
    locks: Vec<StreamLock>,
    program: P,
    looker: L,
    control: mpsc::Receiver<Control>,
    tell: impl FnMut(&Event),
) -> Ended {
    let (target, targets) = watch::channel(None);
    let (looks_in, looks) = mpsc::channel(4);
    let looking = tokio::spawn(keep_looking(looker, targets, looks_in));
    let mut supervisor = Supervisor {
        began: Instant::now(),
        log: Log::new(&job),
        policy: Policy::new(job.when),
        record: first_record(&job),
        watchdog: None,
        live_since: None,
        live_before: false,
        written: None,
        fault: None,
        by_hand: false,
        job,
        locks,
        program,
        control,
        target,
        looks,
        tell,
    };
    supervisor.tell_locked();
    let ended = supervisor.run().await;
    looking.abort();
    supervisor.close(&ended);
    ended
}

fn first_record(job: &Job) -> RunRecord {
    RunRecord {
        schema: 1,
        key: job.key.to_string(),
        home: job.home.clone(),
        boot_id: identity::boot_id(),
        pid_namespace: identity::pid_namespace(),
        supervisor: Identity::own(),
        child: None,
        started_at_ms: clock::now_ms(),
        live_since_ms: None,
        written_at_ms: 0,
        order: Order::Run,
        state: State::Pending,
        reason: None,
        restarts: 0,
        last_error: None,
        source: job.redactor.clean(&job.source),
        endpoint: job.endpoint.clone(),
        speed: None,
        fps: None,
        dropped_frames: 0,
        renditions: job
            .outputs
            .iter()
            .map(|o| OutputRecord {
                label: o.label.clone(),
                name: o.name.clone(),
                size: o.size,
                state: State::Pending,
                bytes_in: None,
                bitrate_bps: None,
                viewers: None,
                last_byte_at_ms: None,
            })
            .collect(),
        argv: shown(&job.command, job),
        cost: job.cost,
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

async fn keep_looking<L: Looker>(
    mut looker: L,
    mut targets: watch::Receiver<Target>,
    looks: mpsc::Sender<(i32, Look)>,
) {
    loop {
        let target = *targets.borrow_and_update();
        let pause = match target {
            None => Duration::from_secs(3600),
            Some((child, pause)) => {
                let look = looker.look(child).await;
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
    locks: Vec<StreamLock>,
    program: P,
    control: mpsc::Receiver<Control>,
    target: watch::Sender<Target>,
    looks: mpsc::Receiver<(i32, Look)>,
    tell: F,
    began: Instant,
    log: Log,
    policy: Policy,
    record: RunRecord,
    watchdog: Option<Watchdog>,
    live_since: Option<Instant>,
    live_before: bool,
    written: Option<Instant>,
    fault: Option<String>,
    by_hand: bool,
}

/// The stream was told to stop.
struct Stopped;

/// Why we ended the program ourselves.
enum Cut {
    Stalled(String),
    Slow(String),
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
            let absent = match self.look_again(again).await {
                Ok(absent) => absent,
                Err(Stopped) => return self.ended(None, None),
            };
            again = true;
            let verdict = match absent {
                Some(why) => Verdict::Transient(why),
                None => self.run_once().await,
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

    /// Changes to the other way to run that this end asks for, if there still is one.
    fn taken_other_way(&mut self, verdict: &Verdict) -> bool {
        let (why, other) = match verdict {
            _ if self.record.order == Order::Stop => return false,
            Verdict::Unfit(why) => (why, self.job.if_unfit.take()),
            Verdict::Slow(why) => (why, self.cheaper_way()),
            _ => return false,
        };
        let Some(other) = other else { return false };
        let told = format!("{why}: {}", other.words);
        self.record.argv = shown(&other.command, &self.job);
        self.record.cost = other.cost;
        self.job.command = other.command;
        self.move_to(State::Restarting, Some(told.clone()));
        self.record.last_error = Some(self.job.redactor.clean(&told));
        self.record.restarts = self.record.restarts.saturating_add(1);
        true
    }

    /// The dearest of the cheaper ways that would have kept up, with a little room; the cheapest if none would.
    fn cheaper_way(&mut self) -> Option<Fallback> {
        let ways = std::mem::take(&mut self.job.if_slow);
        let affordable = self.record.cost.zip(self.record.speed).map(|(cost, speed)| cost * speed * 0.9);
        let fits = |way: &&Fallback| way.cost.zip(affordable).is_some_and(|(cost, most)| cost <= most);
        ways.iter().find(fits).or(ways.last()).cloned()
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
        Ended { failure: kind.map(Kind::exit_code), reason, words: self.log.recent() }
    }

    /// Starts the program and stays with it to its end.
    async fn run_once(&mut self) -> Verdict {
        self.move_to(State::Starting, None);
        self.fault = None;
        self.log.begin_run();
        self.program.started();
        let keep = self.locks.iter().map(StreamLock::descriptor).collect();
        let (mut child, pipes) = match Supervised::start(&self.job.command, keep) {
            Ok(started) => started,
            Err(e) => return start_failed(&self.job.command, &e),
        };
        let identity = child.identity();
        self.record.child = Some(identity);
        if let Err(e) = pid_file::write(&self.job.pid_file, identity.pid) {
            self.log.own(&format!("cannot write {}: {e}", self.job.pid_file.display()));
        }
        self.watchdog =
            Some(Watchdog::new(self.began.elapsed(), self.job.outputs.iter().map(|o| o.label.clone())));
        self.publish_record(Durability::Synced);
        let _ = self.target.send(Some((identity.pid, LOOK_FAST)));
        let (exit, cut) = self.stay_with(&mut child, pipes).await;
        let _ = self.target.send(None);
        self.record.child = None;
        let _ = std::fs::remove_file(&self.job.pid_file);
        let verdict = match (exit, cut) {
            (_, Some(Cut::Fatal(kind, why))) => Verdict::Permanent(kind, why),
            (_, Some(Cut::Stalled(why))) => Verdict::Transient(why),
            (_, Some(Cut::Slow(why))) => Verdict::Slow(why),
            (Ok(exit), None) => {
                let recent = self.log.recent();
                let verdict = self.program.verdict(&exit, &recent);
                self.log.own(&format!("the program {exit}"));
                verdict
            }
            (Err(e), None) => Verdict::Transient(format!("lost sight of the program: {e}")),
        };
        self.by_hand = verdict == Verdict::OperatorStop;
        if let Verdict::Transient(why) = &verdict {
            self.record.last_error = Some(self.job.redactor.clean(why));
        }
        verdict
    }

    /// Drains, watches and obeys until the program has ended.
    async fn stay_with(&mut self, child: &mut Supervised, pipes: Pipes) -> (io::Result<Exit>, Option<Cut>) {
        let mut progress = Lines::new(pipes.out);
        let (mut log_lines, drain) = log::drain(pipes.err);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut cut: Option<Cut> = None;
        let mut stopping: Option<Stopping> = None;
        let mut progress_open = true;
        let exit = loop {
            let escalation = stopping.as_ref().map(Stopping::next);
            tokio::select! {
                exit = child.ended() => break exit,
                line = progress.next(), if progress_open => match line {
                    Some(line) => self.progress_line(&line),
                    None => progress_open = false,
                },
                Some(line) = log_lines.recv() => {
                    if let Some(fatal) = self.log_line(&line)
                        && stopping.is_none()
                    {
                        cut = Some(fatal);
                        stopping = Some(Stopping::begin(child));
                    }
                }
                Some((pid, look)) = self.looks.recv() => {
                    if pid == child.identity().pid {
                        self.looked(look);
                    }
                }
                _ = tick.tick() => {
                    if stopping.is_none()
                        && let Some(why) = self.judge(child.identity().pid)
                    {
                        let (Cut::Stalled(words) | Cut::Slow(words) | Cut::Fatal(_, words)) = &why;
                        self.log.own(&format!("ending the program: {words}"));
                        cut = Some(why);
                        stopping = Some(Stopping::begin(child));
                    }
                    self.record_now_and_then();
                }
                Some(asked) = self.control.recv() => {
                    if self.record.order != Order::Stop {
                        self.record.order = Order::Stop;
                        self.log.own("asked to stop");
                        self.move_to(State::Stopping, None);
                        stopping.get_or_insert_with(|| Stopping::begin(child));
                    }
                    if asked == Control::Kill {
                        child.signal(Signal::SIGKILL);
                    }
                }
                () = sleep_until(escalation.unwrap_or_else(Instant::now)), if escalation.is_some() => {
                    if let Some(stopping) = stopping.as_mut() {
                        stopping.escalate(child);
                    }
                }
            }
        };
        // A stray could keep the pipe open; with it gone, what was still to be said has an end.
        self.end_strays();
        let last_words = async {
            while let Some(line) = log_lines.recv().await {
                self.log_line(&line);
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), last_words).await;
        drain.abort();
        (exit, cut)
    }

    fn progress_line(&mut self, line: &str) {
        let now = self.began.elapsed();
        if let (Some(beat), Some(dog)) = (self.program.progress(line), self.watchdog.as_mut()) {
            dog.beat(now, beat);
        }
    }

    fn log_line(&mut self, line: &str) -> Option<Cut> {
        match self.program.log_line(line, self.live_before) {
            Meaning::Noise => None,
            Meaning::Ordinary => {
                self.log.child(line);
                None
            }
            Meaning::Fault(why) => {
                self.log.child(line);
                self.fault = Some(self.job.redactor.clean(&why));
                None
            }
            Meaning::Fatal(kind, why) => {
                self.log.child(line);
                Some(Cut::Fatal(kind, self.job.redactor.clean(&why)))
            }
        }
    }

    fn looked(&mut self, look: Look) {
        let now = self.began.elapsed();
        if let Some(dog) = self.watchdog.as_mut() {
            dog.look(now, look);
        }
    }

    /// Judges the stream, moves its state; the reason to end the program, if there is one.
    fn judge(&mut self, pid: i32) -> Option<Cut> {
        let now = self.began.elapsed();
        let dog = self.watchdog.as_ref()?;
        let assessment = dog.assess(now);
        for (index, output) in self.record.renditions.iter_mut().enumerate() {
            let (bytes, rate, viewers) = dog.output(index);
            output.bytes_in = bytes;
            output.bitrate_bps = rate;
            output.viewers = viewers;
            output.state = dog.output_state(now, index);
            // A program that was started anew has not sent anything yet; what its predecessor sent stays told.
            if let Some(age) = dog.last_growth(now, index) {
                let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
                output.last_byte_at_ms = Some(clock::now_ms().saturating_sub(age));
            }
        }
        self.record.speed = dog.speed();
        self.record.fps = dog.fps();
        self.record.dropped_frames = dog.dropped();
        let slow_for = dog.slow_for(now).filter(|_| assessment.slow);
        let reason = match (&assessment.reason, &self.fault) {
            (Some(reason), _) if assessment.slow => {
                let way_out = self.job.slow_hint.as_ref().map(|hint| format!("; try: {hint}"));
                Some(format!("{reason}{}", way_out.unwrap_or_default()))
            }
            (Some(reason), Some(fault)) if assessment.state != State::Live => {
                Some(format!("{reason}: {fault}"))
            }
            (reason, _) => reason.clone(),
        };
        if assessment.state == State::Live {
            self.fault = None;
        }
        if assessment.state != self.record.state || reason != self.record.reason {
            self.move_to(assessment.state, reason);
            let pause = if self.record.state == State::Starting { LOOK_FAST } else { LOOK_CALM };
            self.target.send_if_modified(|target| {
                let wanted = Some((pid, pause));
                let differs = *target != wanted;
                *target = wanted;
                differs
            });
        }
        if slow_for.is_some_and(|time| time >= STEP_DOWN_AFTER) && !self.job.if_slow.is_empty() {
            return assessment.reason.map(Cut::Slow);
        }
        assessment.end.map(Cut::Stalled)
    }

    fn move_to(&mut self, state: State, reason: Option<String>) {
        let before = self.record.state;
        if state != before && !before.may_become(state) {
            // A live stream whose renditions begin anew is weak, not starting.
            if state == State::Starting && before.may_become(State::Weak) {
                return self.move_to(State::Weak, reason);
            }
            return;
        }
        let reason = reason.map(|r| self.job.redactor.clean(&r));
        if state != before {
            match &reason {
                Some(why) => self.log.own(&format!("{state}: {why}")),
                None => self.log.own(state.word()),
            }
        }
        if state.on_air() {
            if !before.on_air() {
                self.live_since = Some(Instant::now());
                self.record.live_since_ms.get_or_insert_with(clock::now_ms);
            }
            self.live_before |= state == State::Live;
        } else {
            self.live_since = None;
            self.record.live_since_ms = None;
        }
        self.record.state = state;
        self.record.reason = reason;
        self.publish_record(if state == before { Durability::Cached } else { Durability::Synced });
    }

    fn record_now_and_then(&mut self) {
        if self.written.is_none_or(|at| at.elapsed() >= RECORD_EVERY) {
            self.publish_record(Durability::Cached);
        }
    }

    /// Tells the record and writes it down; a full disk costs the file, not the stream. What is no change of state is
    /// not written each time: the reason of a slow encoder holds its speed, which is another one every second.
    fn publish_record(&mut self, durability: Durability) {
        let due = self.written.is_none_or(|at| at.elapsed() >= RECORD_EVERY / 2);
        if due || matches!(durability, Durability::Synced) {
            self.record.written_at_ms = clock::now_ms();
            self.written = Some(Instant::now());
            let _ = self.record.write(&self.job.record, durability);
        }
        let update = Event::Update(Box::new(self.record.clone()));
        (self.tell)(&update);
    }

    /// Kills what a program left behind outside its group: whoever still holds our lock is ours.
    fn end_strays(&mut self) {
        let Some(lock) = self.locks.first() else { return };
        for stray in stream_lock::holders(lock.path()) {
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
        let _ = std::fs::remove_file(&self.job.pid_file);
        // Stopped by a person, or never on the air: nothing to remember. Otherwise `list -a` can tell what became of it.
        if self.record.order == Order::Stop || self.by_hand || !self.live_before {
            let _ = std::fs::remove_file(&self.job.record);
            if let Some(index) = &self.job.index {
                let _ = std::fs::remove_file(index);
            }
        }
        (self.tell)(&Event::Ended(ended.clone()));
    }
}

fn start_failed(command: &CommandLine, error: &io::Error) -> Verdict {
    let what = format!("cannot start {}: {error}", command.program.display());
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Verdict::Permanent(Kind::Missing, what),
        _ => Verdict::Transient(what),
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
