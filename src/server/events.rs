//! Listens to what happens in the hub: counts it for the metrics and writes down what no connection writes down itself.

use crate::hub::event::{Event, Heard, Listener, PublishEnd};
use crate::telemetry::Log;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// How often what has happened since the start, by the words of `msconv_events_total`.
#[derive(Clone, Debug, Default)]
pub struct EventCounts(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl EventCounts {
    /// As they are now.
    pub fn read(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, word: &'static str, times: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(word).or_default();
        *count = count.saturating_add(times);
    }
}

/// Listens until `shutdown` says so or the hub is gone.
pub async fn listen(
    mut events: Listener,
    counts: EventCounts,
    log: Log,
    mut shutdown: watch::Receiver<bool>,
) {
    loop {
        let heard = tokio::select! {
            heard = events.next() => heard,
            // An error means that whoever would say so is gone, which says the same.
            _ = shutdown.wait_for(|down| *down) => return,
        };
        match heard {
            Heard::Event(event) => {
                counts.add(word(&event), 1);
                write_down(&event, &log);
            }
            Heard::Missed(events) => {
                counts.add("missed", events);
                log.warn(format_args!("{events} events were missed: more happened at once than can wait"));
            }
            Heard::Closed => return,
        }
    }
}

const fn word(event: &Event) -> &'static str {
    match event {
        Event::Published { resumed: false, .. } => "published",
        Event::Published { resumed: true, .. } => "resumed",
        Event::Ready { .. } => "ready",
        Event::Ended { end: PublishEnd::Unpublished, .. } => "ended",
        Event::Ended { end: PublishEnd::Lost, .. } => "lost",
        Event::Joined { .. } => "reader_joined",
        Event::Left { .. } => "reader_left",
        Event::Told { .. } => "ladder_told",
        Event::Forgotten { .. } => "ladder_forgotten",
        Event::LimitReached { .. } => "limit_reached",
    }
}

fn write_down(event: &Event, log: &Log) {
    match event {
        Event::Published { stream, resumed: true, .. } => {
            log.info(format_args!("{stream} is back for those who waited"));
        }
        Event::Ended { stream, end: PublishEnd::Lost, lasted, .. } => {
            log.info(format_args!(
                "{stream} has lost its publisher after {} s; readers wait",
                lasted.as_secs()
            ));
        }
        Event::Told { ladder } => {
            log.debug(format_args!("a run of the ladder {}/{} is told", ladder.application, ladder.key));
        }
        Event::Forgotten { ladder } => {
            log.debug(format_args!("the ladder {}/{} is over", ladder.application, ladder.key));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::Hub;
    use crate::hub::{Limits, Registry};
    use crate::model::StreamName;

    #[tokio::test]
    async fn what_happens_is_counted() {
        let hub = Hub::new(Registry::default(), Limits::default());
        let counts = EventCounts::default();
        let (down, downs) = watch::channel(false);
        let listening = tokio::spawn(listen(hub.events().listen(), counts.clone(), Log::silent(), downs));
        let now = crate::base::clock::Now::read();
        let client = hub.registry().enter(crate::protocol::RTMP, "127.0.0.1:1".parse().unwrap(), now.mono, 0);
        let name = StreamName::new("live", "cam");
        hub.publish(&name, &client, now).unwrap().end();
        drop(hub.publish(&name, &client, now).unwrap());
        while counts.read().len() < 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!(counts.read(), BTreeMap::from([("published", 2), ("ended", 1), ("lost", 1)]));
        down.send(true).unwrap();
        listening.await.unwrap();
    }
}
