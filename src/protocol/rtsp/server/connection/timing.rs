//! What is due on a connection, and when: silence, reports, limits of time.

use super::{Connection, End, Part};
use crate::base::clock::Now;
use crate::hub::client::{add, get};
use crate::protocol::rtsp::wire::Status;
use std::pin::Pin;
use std::time::{Duration, Instant};
use tokio::time::Sleep;

impl Connection {
    /// The earliest moment at which something is due.
    pub(super) fn due(&self) -> Instant {
        let limits = &self.shared.limits;
        let after = |at: Instant, wait: Duration| at.checked_add(wait).unwrap_or(at);
        let mut due = after(self.alive, limits.idle);
        if let Some(since) = self.partial {
            due = due.min(after(since, limits.message));
        }
        if let Part::Publishes(publishes) = &self.part {
            due = due.min(after(publishes.heard, limits.silence)).min(after(self.reported, limits.reports));
            let of_frames = [publishes.due(), publishes.publisher.due()];
            due = of_frames.into_iter().flatten().fold(due, Instant::min);
        }
        if let Some(later) = self.later {
            due = due.min(later);
        }
        if let Some(since) = self.vanished {
            due = due.min(after(since, limits.vanished));
        }
        due
    }

    /// Sets the timer. It is let run into the past and then set again: a publisher's deadline moves with every packet.
    pub(super) fn wind(&self, timer: Pin<&mut Sleep>) {
        let due = tokio::time::Instant::from_std(self.due());
        if timer.is_elapsed() || due < timer.deadline() {
            timer.reset(due);
        }
    }

    pub(super) fn tick(&mut self) -> Result<(), End> {
        let now = Now::read();
        let limits = self.shared.limits;
        let passed = |since: Instant, wait: Duration| now.mono.saturating_duration_since(since) >= wait;
        if self.later.is_some_and(|later| now.mono >= later) {
            self.later = None;
            if let Part::Reads(reads) = &self.part {
                reads.reader.flush(now);
            }
        }
        if let (Part::Reads(reads), Some(session)) = (&self.part, &self.session) {
            // A reader of datagrams shows by its reports that it is there. One that reads through the connection need
            // say nothing: what it takes is a sign of life, and the hub ends it soon if it takes nothing. The latest
            // sign came since the last look, which is near enough.
            let signs = match reads.link() {
                Some(link) => link.signs(),
                None => get(&session.counters.bytes_out),
            };
            if signs != self.signs {
                (self.signs, self.alive) = (signs, now.mono);
            }
        }
        self.count_carried();
        if let Part::Publishes(publishes) = &mut self.part {
            if publishes.due().is_some_and(|due| now.mono >= due) {
                publishes.finish(now);
            }
            publishes.publisher.flush(now);
            if passed(publishes.heard, limits.silence) {
                self.shared.hub.registry().broke("publish_silence");
                return Err(End::Silent);
            }
            if passed(self.reported, limits.reports) {
                self.reported = now.mono;
                if let Some(session) = &self.session {
                    let bytes = publishes.report(&self.shared, session, now);
                    self.out.extend_from_slice(&bytes);
                }
            }
        }
        if self.partial.is_some_and(|since| passed(since, limits.message)) && !self.closing {
            let reason = "the request did not come in time";
            self.dialog.dismiss(Status::REQUEST_TIMEOUT, reason, Some("rtsp_message_time"));
            return Ok(());
        }
        if self.vanished.is_some_and(|since| passed(since, limits.vanished)) {
            return Err(End::Gone);
        }
        if passed(self.alive, limits.idle) {
            self.shared.hub.registry().broke("rtsp_idle");
            return Err(End::Idle);
        }
        Ok(())
    }

    /// Adds to the connection what its session's packets added to it.
    pub(super) fn count_carried(&mut self) {
        let Some(session) = &self.session else { return };
        if let Part::Reads(reads) = &self.part
            && reads.interleaved()
        {
            let sent = get(&session.counters.bytes_out);
            add(&self.client.counters.bytes_out, sent.saturating_sub(self.carried.1));
            self.carried.1 = sent;
        }
    }
}
