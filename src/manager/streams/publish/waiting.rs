//! The wait for the first bytes of every rendition, and what happens if they do not come.

use super::Step;
use super::endings::{ended_early, not_in_time};
use super::messages::{EventLines, Message};
use crate::base::{Failure, Kind, Outcome};
use crate::config::Settings;
use crate::model::{State, StreamKey};
use crate::process::blocking::blocking;
use crate::process::run_record::RunRecord;
use crate::process::supervisor::Event;
use crate::process::sys;
use nix::sys::signal::Signal;
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The detached supervisor as its parent sees it.
pub(super) struct Supervisor {
    child: std::process::Child,
    pidfd: std::os::fd::OwnedFd,
}

impl Supervisor {
    /// The process just started.
    pub(super) fn new(child: std::process::Child) -> Outcome<Supervisor> {
        let pidfd = sys::pidfd_open(child.id() as i32)
            .map_err(|e| Failure::internal("the supervisor did not start").why(e.to_string()))?;
        Ok(Supervisor { child, pidfd })
    }

    /// Asks it to end and waits until it has; its own escalation takes at most 5 s.
    async fn end(mut self) {
        let _ = sys::pidfd_signal(&self.pidfd, Signal::SIGTERM);
        // Where no thread can be had to wait in, it ends all the same.
        let _ = blocking("wait for the supervisor", move || {
            if !sys::pidfd_wait(&self.pidfd, Duration::from_secs(9)) {
                let _ = sys::pidfd_signal(&self.pidfd, Signal::SIGKILL);
            }
            self.child.wait()
        })
        .await;
    }
}

/// The failure of a publish that was cancelled.
pub(super) fn cancelled() -> Failure {
    Failure::new(Kind::Interrupted, "interrupted before it was live; nothing is left running")
}

/// Who waits for what.
pub(super) struct Wait<'a> {
    pub(super) settings: &'a Settings,
    pub(super) key: &'a StreamKey,
    pub(super) began: Instant,
    pub(super) wait: Duration,
    pub(super) cancel: &'a CancellationToken,
}

impl Wait<'_> {
    /// Reads the supervisor's events until every rendition is live, or what is published only once has been published to
    /// its end; otherwise ends it and says why.
    pub(super) async fn for_bytes(
        &self,
        (supervisor, pipe): (Supervisor, pipe::Receiver),
        step: &mut impl FnMut(Step<'_>),
    ) -> Outcome<RunRecord> {
        let mut lines = EventLines::new(pipe);
        let mut last = None;
        let end = self.live_or_over(&mut lines, &mut last, step).await;
        let over = match end {
            Ok(record) => return Ok(record),
            Err(over) => over,
        };
        supervisor.end().await;
        match over {
            Over::Finished(record) => Ok(*record),
            Over::Failed(failure) => Err(failure),
            Over::TooLate => {
                let words = lines.words_to_the_end().await;
                Err(not_in_time((self.settings, self.wait), self.key, last.as_ref(), &words))
            }
        }
    }

    /// The record once it is live, and in `last` the last one before. `step` hears how it is doing.
    async fn live_or_over(
        &self,
        lines: &mut EventLines,
        last: &mut Option<RunRecord>,
        step: &mut impl FnMut(Step<'_>),
    ) -> Result<RunRecord, Over> {
        let deadline = (!self.wait.is_zero()).then(|| self.began + self.wait);
        loop {
            let event = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(cancelled().into()),
                event = lines.next() => event,
                () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    return Err(Over::TooLate);
                }
            };
            match event {
                Some(Message::Event(Event::Locked)) => {}
                Some(Message::Event(Event::Update(record))) => {
                    step(Step::Update(&record));
                    let all = record.renditions.iter().all(|r| r.state == State::Live);
                    if self.wait.is_zero()
                        || record.state == State::Live
                        || record.state == State::Weak && all
                    {
                        return Ok(*record);
                    }
                    *last = Some(*record);
                }
                Some(Message::Event(Event::Ended(ended))) => {
                    let finished = last.take().filter(|r| r.state == State::Finished && !ended.stopped);
                    return Err(match finished {
                        Some(record) => Over::Finished(Box::new(record)),
                        None => ended_early(self.settings, self.key, &ended).into(),
                    });
                }
                Some(Message::Refused(failure)) => return Err(failure.into()),
                None => {
                    let log = self.settings.paths.ffmpeg_log(self.key);
                    let failure = Failure::internal("the supervisor died before the stream was live");
                    return Err(failure.log(log.display().to_string()).into());
                }
            }
        }
    }
}

/// Why the wait is over, and the supervisor with it, though the stream is not live.
enum Over {
    /// What is published once came to its end.
    Finished(Box<RunRecord>),
    /// It cannot be.
    Failed(Failure),
    /// Not within the time.
    TooLate,
}

impl From<Failure> for Over {
    fn from(failure: Failure) -> Over {
        Over::Failed(failure)
    }
}
