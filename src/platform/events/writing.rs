//! Writes events down, as many at once as wait, and passes them on to those who listen. Without the database they are passed on all the
//! same; what could not be stored is counted and said once.

use super::{Event, Events, Queued, Type, locked};
use crate::base::clock;
use crate::store::Store;
use crate::telemetry::Log;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::oneshot;

/// Events that are written at once.
const BATCH: usize = 256;
/// How long they are kept.
const KEPT_MS: i64 = 30 * 24 * 3600 * 1000;
/// How many are kept.
const MOST: i64 = 100_000;
/// After so many it is seen to what is too old.
const FORGETS: u64 = 1000;

/// Called with the stream, whether it went live, and when.
pub type Notes = Arc<dyn Fn(&str, bool, i64) + Send + Sync>;

/// Writes until `over` says that nothing more comes, and then what is left.
pub async fn write(
    events: Events,
    store: Store,
    reachable: impl Fn() -> bool,
    notes: Notes,
    log: Log,
    mut over: oneshot::Receiver<()>,
) {
    let Some(mut queue) = locked(&events.0.waiting).take() else { return };
    let mut writer = Writer { events, store, notes, log, written: 0, lost: 0 };
    let mut ending = false;
    loop {
        let mut batch = Vec::new();
        tokio::select! {
            biased;
            count = queue.recv_many(&mut batch, BATCH) => if count == 0 { return },
            _ = &mut over, if !ending => {
                ending = true;
                queue.close();
                continue;
            }
        }
        let mut marks = Vec::new();
        let mut told = Vec::new();
        for queued in batch {
            match queued {
                Queued::Event(event) => told.push(event),
                Queued::Mark(mark) => marks.push(mark),
            }
        }
        writer.store(told, reachable()).await;
        for mark in marks {
            let _ = mark.send(());
        }
    }
}

struct Writer {
    events: Events,
    store: Store,
    notes: Notes,
    log: Log,
    written: u64,
    /// Events that were not stored since it was said.
    lost: u64,
}

impl Writer {
    async fn store(&mut self, mut told: Vec<Event>, reachable: bool) {
        let count = u64::try_from(told.len()).unwrap_or(u64::MAX);
        let unheard = self.events.0.lost.swap(0, Ordering::Relaxed);
        if unheard > 0 {
            self.log.warn(format_args!("events: {unheard} were lost: more happened at once than can wait"));
        }
        if told.is_empty() {
            return;
        }
        let rows: Vec<_> = told.iter().map(Event::row).collect();
        let stored = if reachable { self.store.add_events(&rows).await.ok() } else { None };
        match stored {
            Some(first) => {
                (first..).zip(&mut told).for_each(|(seq, event)| event.seq = Some(seq));
                if self.lost > 0 {
                    self.log.info(format_args!("events: they are stored again; {} were not", self.lost));
                }
                self.lost = 0;
            }
            None => {
                if self.lost == 0 {
                    self.log.warn(format_args!(
                        "events: they cannot be stored without the database; who listens still hears of them"
                    ));
                }
                self.lost = self.lost.saturating_add(count);
            }
        }
        for event in told {
            if stored.is_some() {
                self.note(&event).await;
            }
            // Nobody listening is no fault.
            let _ = self.events.0.live.send(Arc::new(event));
        }
        let before = self.written;
        self.written = self.written.saturating_add(count);
        if stored.is_some() && (before == 0 || before / FORGETS != self.written / FORGETS) {
            let _ = self.store.forget_events(clock::now_ms().saturating_sub(KEPT_MS), MOST).await;
        }
    }

    /// When a registered stream went live, or ended, stands beside it as well.
    async fn note(&self, event: &Event) {
        let live = event.kind == Type::StreamLive.word();
        if let Some(id) = event.public_id.as_ref().filter(|_| live || event.kind == Type::StreamEnded.word())
        {
            (self.notes)(id, live, event.at_ms);
            let _ = self.store.note_air(id, live, event.at_ms).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Place;
    use serde_json::json;
    use tokio::sync::broadcast::error::TryRecvError;

    fn event(n: i64) -> Event {
        Event::new(Type::StreamLive, None, json!({ "n": n }))
    }

    #[tokio::test]
    async fn events_are_stored_in_their_order_and_passed_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Place::Folder(folder.path().into())).await.unwrap();
        let events = Events::default();
        let mut heard = events.listen();
        for n in 0..1000 {
            events.tell(event(n));
        }
        let (done, over) = oneshot::channel();
        let writing =
            write(events.clone(), store.clone(), || true, Arc::new(|_, _, _| ()), Log::silent(), over);
        let writing = tokio::spawn(writing);
        events.written().await;
        events.tell(event(1000));
        drop(done);
        writing.await.unwrap();
        assert_eq!(store.last_event().await.unwrap(), 1001);
        for n in 0..=1000 {
            let event = heard.recv().await.unwrap();
            assert_eq!((event.seq, &event.data["n"]), (Some(n + 1), &json!(n)));
        }
        let rows = store.events_after(998, &[], 10).await.unwrap();
        assert_eq!(rows.into_iter().map(|row| row.seq).collect::<Vec<_>>(), [999, 1000, 1001]);
    }

    #[tokio::test]
    async fn without_the_database_they_are_passed_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::lazy(&Place::Folder(folder.path().join("none"))).unwrap();
        let events = Events::default();
        let mut heard = events.listen();
        let (done, over) = oneshot::channel();
        let nothing: Notes = Arc::new(|_, _, _| ());
        let writing = tokio::spawn(write(events.clone(), store, || false, nothing, Log::silent(), over));
        events.tell(event(0));
        assert_eq!(heard.recv().await.unwrap().seq, None);
        // More than can wait; the rest is heard of.
        for n in 0..10_000 {
            events.tell(event(n));
        }
        events.written().await;
        let mut count = 0;
        loop {
            match heard.try_recv() {
                Ok(event) => {
                    assert_eq!(event.seq, None);
                    count += 1;
                }
                Err(TryRecvError::Lagged(_)) => {}
                Err(_) => break,
            }
        }
        assert_eq!(count, 1024);
        drop(done);
        writing.await.unwrap();
    }
}
