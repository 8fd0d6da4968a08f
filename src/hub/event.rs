//! What happens in the hub, for whoever listens: the log, metrics, hooks. Listeners never hold a stream up; one that is
//! too slow misses the oldest events and is told how many.

use super::client::Client;
use crate::model::{LadderName, StreamName};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

/// Events that may wait for a listener.
const WAITING: usize = 1024;

/// How a publisher's time on a name ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishEnd {
    /// It said so.
    Unpublished,
    /// Its connection broke; readers wait for a while.
    Lost,
}

/// Something that happened. Streams are named as viewers know them.
#[derive(Clone, Debug)]
pub enum Event {
    /// A publisher took the name.
    Published {
        /// The stream.
        stream: StreamName,
        /// Its ladder.
        ladder: LadderName,
        /// Who.
        client: Arc<Client>,
        /// Whether readers had waited for it.
        resumed: bool,
    },
    /// Its tracks are known.
    Ready {
        /// The stream.
        stream: StreamName,
        /// Its ladder.
        ladder: LadderName,
    },
    /// Its publisher is gone.
    Ended {
        /// The stream.
        stream: StreamName,
        /// Its ladder.
        ladder: LadderName,
        /// Who it was.
        client: Arc<Client>,
        /// How.
        end: PublishEnd,
        /// How long it was on.
        lasted: Duration,
    },
    /// A reader came.
    Joined {
        /// The stream.
        stream: StreamName,
        /// Who.
        client: Arc<Client>,
    },
    /// A reader left.
    Left {
        /// The stream.
        stream: StreamName,
        /// Who it was.
        client: Arc<Client>,
    },
    /// A supervisor told of a ladder, or of another run of it.
    Told {
        /// The ladder.
        ladder: LadderName,
    },
    /// A ladder has been without a publisher for so long that it is forgotten.
    Forgotten {
        /// The ladder.
        ladder: LadderName,
    },
    /// Somebody ran into a limit.
    LimitReached {
        /// Which, as in the metrics.
        limit: &'static str,
    },
}

/// Where events go. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Events(broadcast::Sender<Arc<Event>>);

impl Default for Events {
    fn default() -> Events {
        Events(broadcast::Sender::new(WAITING))
    }
}

impl Events {
    /// Tells all listeners.
    pub fn send(&self, event: Event) {
        // Nobody listening is no fault.
        let _ = self.0.send(Arc::new(event));
    }

    /// Listens from now on.
    pub fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

/// One listener.
#[derive(Debug)]
pub struct Listener(broadcast::Receiver<Arc<Event>>);

/// What a listener gets.
#[derive(Clone, Debug)]
pub enum Heard {
    /// An event.
    Event(Arc<Event>),
    /// It was too slow and missed so many.
    Missed(u64),
    /// The hub is gone.
    Closed,
}

impl Listener {
    /// Waits for the next event.
    pub async fn next(&mut self) -> Heard {
        match self.0.recv().await {
            Ok(event) => Heard::Event(event),
            Err(broadcast::error::RecvError::Lagged(missed)) => Heard::Missed(missed),
            Err(broadcast::error::RecvError::Closed) => Heard::Closed,
        }
    }
}
