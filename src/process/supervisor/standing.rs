//! Where the stream stands: its state, and the record that tells it to others.

use super::{Event, Program, RECORD_EVERY, Supervisor};
use crate::base::atomic_file::Durability;
use crate::base::clock;
use crate::model::State;
use tokio::time::Instant;

impl<P: Program, F: FnMut(&Event)> Supervisor<P, F> {
    pub(super) fn move_to(&mut self, state: State, reason: Option<String>) {
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

    pub(super) fn record_now_and_then(&mut self) {
        if self.written.is_none_or(|at| at.elapsed() >= RECORD_EVERY) {
            self.publish_record(Durability::Cached);
        }
    }

    /// Tells the record and writes it down, and keeps the stream's files where others look for them; a full disk costs the
    /// files, not the stream. What is no change of state is
    /// not written each time: the reason of a slow encoder holds its speed, which is another one every second.
    pub(super) fn publish_record(&mut self, durability: Durability) {
        let due = self.written.is_none_or(|at| at.elapsed() >= RECORD_EVERY / 2);
        if due || matches!(durability, Durability::Synced) {
            self.record.written_at_ms = clock::now_ms();
            self.written = Some(Instant::now());
            for told in self.place.keep(&mut self.record, durability) {
                self.log.stays_at(&self.place.spots().log);
                self.log.own(&told);
            }
        }
        let update = Event::Update(Box::new(self.record.clone()));
        (self.tell)(&update);
    }
}
