//! What happened, for other programs: told by whoever knows, written down by one task, heard by whoever listens. Telling
//! never waits: what finds no room is counted.

pub mod event;
pub mod following;
pub mod on_air;
pub mod running;
mod writing;

pub use event::{Event, Type};
pub use writing::{Notes, write};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{broadcast, mpsc, oneshot};

/// Events that may wait to be written down.
const WAITING: usize = 4096;
/// Events that may wait for one who listens; so many are kept in memory.
const LIVE: usize = 1024;

/// See the module. Cloning shares it.
#[derive(Clone)]
pub struct Events(Arc<Inside>);

struct Inside {
    queue: mpsc::Sender<Queued>,
    /// For the one who writes them down.
    waiting: Mutex<Option<mpsc::Receiver<Queued>>>,
    live: broadcast::Sender<Arc<Event>>,
    /// Events that found no room.
    lost: AtomicU64,
    asked: Mutex<Asked>,
}

/// Who asks for what is told only if somebody does.
#[derive(Default)]
struct Asked {
    listeners: BTreeMap<Type, usize>,
    hooks: BTreeSet<Type>,
}

enum Queued {
    Event(Event),
    /// Says that everything before it is written down.
    Mark(oneshot::Sender<()>),
}

impl Default for Events {
    fn default() -> Events {
        let (queue, waiting) = mpsc::channel(WAITING);
        Events(Arc::new(Inside {
            queue,
            waiting: Mutex::new(Some(waiting)),
            live: broadcast::Sender::new(LIVE),
            lost: AtomicU64::new(0),
            asked: Mutex::default(),
        }))
    }
}

impl Events {
    /// Tells of an event.
    pub fn tell(&self, event: Event) {
        if self.0.queue.try_send(Queued::Event(event)).is_err() {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hears of events from now on, once each is written down, or cannot be.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Event>> {
        self.0.live.subscribe()
    }

    /// Waits until everything told so far is written down, or cannot be; not if nobody writes.
    pub async fn written(&self) {
        if locked(&self.0.waiting).is_some() {
            return;
        }
        let (mark, marked) = oneshot::channel();
        if self.0.queue.send(Queued::Mark(mark)).await.is_ok() {
            let _ = marked.await;
        }
    }

    /// Asks for events of these types for as long as what is returned lives.
    pub fn ask(&self, types: &[Type]) -> Asking {
        let types: Vec<Type> = types.iter().copied().filter(|of| of.only_if_asked()).collect();
        let mut asked = locked(&self.0.asked);
        for of in &types {
            let count = asked.listeners.entry(*of).or_default();
            *count = count.saturating_add(1);
        }
        drop(asked);
        Asking { events: self.clone(), types }
    }

    /// The types that all webhooks together ask for.
    pub fn hooks_ask(&self, types: BTreeSet<Type>) {
        locked(&self.0.asked).hooks = types;
    }

    /// Whether events of a type are to be told.
    pub fn wants(&self, of: Type) -> bool {
        let asked = locked(&self.0.asked);
        !of.only_if_asked() || asked.hooks.contains(&of) || asked.listeners.get(&of).is_some_and(|n| *n > 0)
    }
}

/// Somebody asks for types that are told only then.
pub struct Asking {
    events: Events,
    types: Vec<Type>,
}

impl Drop for Asking {
    fn drop(&mut self) {
        let mut asked = locked(&self.events.0.asked);
        for of in &self.types {
            if let Some(count) = asked.listeners.get_mut(of) {
                *count = count.saturating_sub(1);
            }
        }
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_types_are_told_only_while_somebody_asks() {
        let events = Events::default();
        assert!(events.wants(Type::StreamLive) && !events.wants(Type::Stats));
        let (one, two) = (events.ask(&[Type::Stats, Type::StreamLive]), events.ask(&[Type::Stats]));
        assert!(events.wants(Type::Stats) && !events.wants(Type::ViewerLeft));
        drop(one);
        assert!(events.wants(Type::Stats));
        drop(two);
        assert!(!events.wants(Type::Stats));
        events.hooks_ask(BTreeSet::from([Type::ViewerLeft]));
        assert!(events.wants(Type::ViewerLeft));
    }
}
