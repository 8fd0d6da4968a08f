//! One run of the program: started, drained, judged, and ended where it must be.

use super::stopping::Stopping;
use super::successor::{self, Next, Running, Successor};
use super::{
    Control, Event, LOOK_CALM, LOOK_FAST, Meaning, Program, STEP_DOWN_AFTER, Speaker, StopReason, Supervisor,
    TICK,
};
use crate::base::atomic_file::Durability;
use crate::base::{CommandLine, Kind, clock};
use crate::model::{Order, State};
use crate::process::pid_file;
use crate::process::restart::Verdict;
use crate::process::spawn::Exit;
use crate::process::watchdog::{Reading, Watchdog};
use nix::sys::signal::Signal;
use std::io;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

/// For the server to learn what a run publishes, before it does.
const ANNOUNCED: Duration = Duration::from_millis(500);

impl<P: Program, F: FnMut(&Event)> Supervisor<P, F> {
    fn announce(&mut self) -> Option<oneshot::Receiver<()>> {
        let sizes: Vec<(u32, u32)> = self.record.renditions.iter().map(|r| r.size).collect();
        self.program.announce(&sizes)
    }

    /// Starts the program and stays with it to its end.
    pub(super) async fn run_once(&mut self) -> Verdict {
        self.move_to(State::Starting, None);
        self.fault = None;
        self.log.begin_run();
        let command = self.next_call.take().unwrap_or_else(|| self.job.command.clone());
        self.program.started(&command);
        if let Some(announced) = self.announce() {
            let _ = timeout(ANNOUNCED, announced).await;
        }
        let mut running = match self.start(&command) {
            Ok(running) => running,
            Err(e) => return start_failed(&command, &e),
        };
        self.watchdog =
            Some(Watchdog::new(self.began.elapsed(), self.job.outputs.iter().map(|o| o.label.clone())));
        let mut look = LOOK_FAST;
        let (exit, cut) = loop {
            self.is_on_the_air(&running, look);
            let (exit, cut, successor) = self.stay_with(&mut running).await;
            let Some(successor) = successor else { break (exit, cut) };
            self.taken_over(successor.way);
            (running, look) = (successor.running, LOOK_CALM);
        };
        let _ = self.target.send(None);
        self.record.child = None;
        self.place.remove_pid_file();
        // A killed program and a silent server say nothing of what is read.
        self.by_source = match (&exit, &cut) {
            (Ok(exit), None) => exit.signal.is_none(),
            (_, Some(StopReason::Stalled(_))) => {
                self.watchdog.as_ref().is_some_and(|dog| dog.is_stuck(self.began.elapsed()))
            }
            _ => false,
        };
        self.came_to_end = matches!((&exit, &cut), (Ok(exit), None) if exit.code == Some(0));
        let verdict = match (exit, cut) {
            (_, Some(StopReason::Fatal(kind, why))) => Verdict::Permanent(kind, why),
            (_, Some(StopReason::Stalled(why) | StopReason::Anew(why))) => Verdict::Transient(why),
            (_, Some(StopReason::Slow(why))) => Verdict::Slow(why),
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

    /// Tells others who publishes now, and looks at the server for it.
    fn is_on_the_air(&mut self, running: &Running, look: Duration) {
        let identity = running.child.identity();
        self.record.child = Some(identity);
        // Where it cannot be written, that is told with all else of the place that could not.
        let _ = pid_file::write(&self.place.spots().pid_file, identity.pid);
        self.publish_record(Durability::Synced);
        let _ = self.target.send(Some((identity.pid, look)));
    }

    /// Drains, watches and obeys until the program has ended; with who has taken over from it, if somebody has.
    pub(super) async fn stay_with(
        &mut self,
        running: &mut Running,
    ) -> (io::Result<Exit>, Option<StopReason>, Option<Successor>) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut cut: Option<StopReason> = None;
        let mut stopping: Option<Stopping> = None;
        let mut successor: Option<Successor> = None;
        let Running { child, progress, progress_open, log_lines, drain } = running;
        let exit = loop {
            let escalation = stopping.as_ref().map(Stopping::next);
            tokio::select! {
                exit = child.ended() => break exit,
                line = progress.next(), if *progress_open => match line {
                    Some(line) => self.progress_line(&line),
                    None => *progress_open = false,
                },
                Some((by, line)) = log_lines.recv() => {
                    if let Some(ends) = self.log_line(&line, by)
                        && stopping.is_none()
                    {
                        cut = Some(ends);
                        stopping = Some(Stopping::begin(child));
                    }
                }
                Some((pid, look)) = self.looks.recv() => {
                    if pid == child.identity().pid {
                        self.looked(look);
                    }
                }
                heard = successor::heard(&mut successor) => {
                    if self.successor_said(&mut successor, heard) {
                        // It goes on trying for the names meanwhile.
                        let _ = self.announce();
                        child.signal(Signal::SIGKILL);
                    }
                }
                _ = tick.tick() => {
                    let judged = self.judge(child.identity().pid);
                    if stopping.is_none()
                        && successor.is_none()
                        && let Some(why) = judged
                    {
                        let (StopReason::Stalled(words) | StopReason::Slow(words) | StopReason::Anew(words) | StopReason::Fatal(_, words)) = &why;
                        self.log.own(&format!("ending the program: {words}"));
                        stopping = Some(match why {
                            StopReason::Slow(_) => Stopping::broken_off(child),
                            _ => Stopping::begin(child),
                        });
                        cut = Some(why);
                    }
                    if stopping.is_none() && successor.is_none() {
                        match self.next(child.identity().pid) {
                            Some(Next::Beside(next)) => successor = Some(*next),
                            Some(Next::Instead(why)) => {
                                cut = Some(StopReason::Slow(why.into()));
                                stopping = Some(Stopping::broken_off(child));
                            }
                            None => {}
                        }
                    }
                    self.record_now_and_then();
                }
                Some(asked) = self.control.recv() => {
                    successor = None;
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
        // One that was not ripe when the old one ended by itself would be a start at the wrong moment.
        let successor = successor.filter(|successor| successor.is_ripe && cut.is_none());
        if successor.is_none() {
            self.declare();
        }
        // A stray could keep the pipe open; with it gone, what was still to be said has an end.
        self.end_strays(successor.as_ref().map(|successor| successor.running.child.identity().pid));
        let last_words = async {
            while let Some((by, line)) = log_lines.recv().await {
                self.log_line(&line, by);
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), last_words).await;
        drain.abort_all();
        (exit, cut, successor)
    }

    pub(super) fn progress_line(&mut self, line: &str) {
        let now = self.began.elapsed();
        if let (Some(beat), Some(dog)) = (self.program.progress(line), self.watchdog.as_mut()) {
            dog.beat(now, beat);
        }
    }

    pub(super) fn log_line(&mut self, line: &str, by: Speaker) -> Option<StopReason> {
        match self.program.log_line(line, by, self.live_before) {
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
                Some(StopReason::Fatal(kind, self.job.redactor.clean(&why)))
            }
            Meaning::Anew(why) => {
                self.log.child(line);
                Some(StopReason::Anew(why))
            }
        }
    }

    pub(super) fn looked(&mut self, look: Reading) {
        let now = self.began.elapsed();
        if let Some(dog) = self.watchdog.as_mut() {
            dog.look(now, look);
        }
    }

    /// Judges the stream, moves its state; the reason to end the program, if there is one.
    pub(super) fn judge(&mut self, pid: i32) -> Option<StopReason> {
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
        self.record.duplicated_frames = dog.duplicated();
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
        let cheaper = self.job.steps_down && self.job.way.saturating_add(1) < self.job.ways.len();
        if slow_for.is_some_and(|time| time >= STEP_DOWN_AFTER) && cheaper {
            return assessment.reason.map(StopReason::Slow);
        }
        assessment.end.map(StopReason::Stalled)
    }
}

fn start_failed(command: &CommandLine, error: &io::Error) -> Verdict {
    let what = format!("cannot start {}: {error}", command.program.display());
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Verdict::Permanent(Kind::Missing, what),
        _ => Verdict::Transient(what),
    }
}
