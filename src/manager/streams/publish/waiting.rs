//! The wait for the first bytes of every rendition, and what happens if they do not come.

use super::Step;
use super::endings::{ended_early, not_in_time};
use super::messages::{EventLines, Message};
use crate::base::{Failure, Kind, Outcome};
use crate::config::Settings;
use crate::model::{State, StreamKey};
use crate::process::run_record::RunRecord;
use crate::process::supervisor::Event;
use crate::process::sys;

use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// The detached supervisor as its parent sees it.
pub(super) struct Supervisor {
    child: std::sync::Mutex<std::process::Child>,
    pidfd: std::os::fd::OwnedFd,
}

impl Supervisor {
    /// The process just started.
    pub(super) fn new(child: std::process::Child) -> Outcome<Supervisor> {
        let pidfd = sys::pidfd_open(child.id() as i32)
            .map_err(|e| Failure::internal("the supervisor did not start").why(e.to_string()))?;
        Ok(Supervisor { child: std::sync::Mutex::new(child), pidfd })
    }

    /// Asks it to end and waits until it has; its own escalation takes at most 5 s.
    fn end(&self) {
        let _ = sys::pidfd_signal(&self.pidfd, nix::sys::signal::Signal::SIGTERM);
        if !sys::pidfd_wait(&self.pidfd, Duration::from_secs(9)) {
            let _ = sys::pidfd_signal(&self.pidfd, nix::sys::signal::Signal::SIGKILL);
        }
        if let Ok(mut child) = self.child.lock() {
            let _ = child.wait();
        }
    }
}

/// What may end the wait. Made before the supervisor is started, so that no request is lost in between.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to listen.
    pub(super) fn listen() -> Outcome<Signals> {
        let listen = |kind| {
            signal(kind).map_err(|e| Failure::internal("cannot listen for signals").why(e.to_string()))
        };
        Ok(Signals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for the first, as the failure that it is.
    pub(super) async fn asked(&mut self) -> Failure {
        let how = tokio::select! {
            _ = self.interrupt.recv() => "interrupted",
            _ = self.terminate.recv() => "ended",
        };
        Failure::new(Kind::Interrupted, format!("{how} before it was live; nothing is left running"))
    }
}

/// Reads the supervisor's events until every rendition is live, or what is published only once has been published to its
/// end; otherwise ends it and says why.
pub(super) async fn wait_for_bytes(
    settings: &Settings,
    key: &StreamKey,
    pipe: tokio::net::unix::pipe::Receiver,
    supervisor: &Supervisor,
    began: Instant,
    signals: &mut Signals,
    step: &mut impl FnMut(Step<'_>),
) -> Outcome<RunRecord> {
    let deadline = (!settings.wait.is_zero()).then(|| began + settings.wait);
    let mut lines = EventLines::new(pipe);
    let mut last: Option<RunRecord> = None;
    loop {
        let event = tokio::select! {
            event = lines.next() => event,
            () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                supervisor.end();
                let words = lines.words_to_the_end().await;
                return Err(not_in_time(settings, key, last.as_ref(), &words));
            }
            failure = signals.asked() => {
                supervisor.end();
                return Err(failure);
            }
        };
        match event {
            Some(Message::Event(Event::Locked)) => {}
            Some(Message::Event(Event::Update(record))) => {
                step(Step::Update(&record));
                let all = record.renditions.iter().all(|r| r.state == State::Live);
                if settings.wait.is_zero() {
                    return Ok(*record);
                }
                if record.state == State::Live || record.state == State::Weak && all {
                    return Ok(*record);
                }
                last = Some(*record);
            }
            Some(Message::Event(Event::Ended(ended))) => {
                supervisor.end();
                let finished = last.filter(|record| record.state == State::Finished && !ended.stopped);
                return finished.ok_or_else(|| ended_early(settings, key, &ended));
            }
            Some(Message::Refused(failure)) => {
                supervisor.end();
                return Err(failure);
            }
            None => {
                supervisor.end();
                return Err(Failure::internal("the supervisor died before the stream was live")
                    .log(settings.paths.ffmpeg_log(key).display().to_string()));
            }
        }
    }
}
