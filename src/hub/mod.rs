//! The live exchange: publishers put frames in, readers take packed bytes out. It knows no protocol: a front end
//! brings a [`Format`] (how frames become bytes) and an [`Outlet`] (where they go).
//!
//! Frames go out from the publisher's own task: it writes to every reader's socket itself, one write for each reader,
//! and wakes a reader's task only when that reader's socket is full. A frame thus costs no task switch per reader.

mod broadcast;
mod cursor;
pub mod format;
mod lane;
mod limits;
mod publisher;
mod reader;
pub mod registry;
mod ring;
mod stream;
#[cfg(test)]
mod tests;

pub use broadcast::Totals;
pub use cursor::{Event, Over};
pub use format::{Cut, Datagrams, Format, FormatKey, Headers, Misfit, Outlet, Packed, Sink, Targets};
pub use limits::Limits;
pub use publisher::Publisher;
pub use reader::Reader;
pub use registry::{Client, Counters, Kind, Registry, Role};
pub use stream::View;

use crate::base::clock::Now;
use crate::media::Tracks;
use broadcast::Broadcast;
use registry::locked;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use stream::Stream;
use tokio::sync::Notify;

/// Why a name cannot be published now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Somebody publishes it.
    #[error("somebody publishes this name already")]
    Taken,
    /// The server carries as many streams as it may.
    #[error("the server carries as many streams as it may")]
    Full,
}

/// Nobody publishes the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody publishes this name")]
pub struct NotFound;

struct Inner {
    registry: Registry,
    limits: Limits,
    streams: Mutex<BTreeMap<String, Arc<Stream>>>,
}

/// All streams of the server. Cloning shares it.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

impl Hub {
    /// An empty one.
    pub fn new(registry: Registry, limits: Limits) -> Hub {
        Hub(Arc::new(Inner { registry, limits, streams: Mutex::default() }))
    }

    /// Who is connected.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    fn limits(&self) -> &Limits {
        &self.0.limits
    }

    fn stream(&self, name: &str) -> Option<Arc<Stream>> {
        locked(&self.0.streams).get(name).cloned()
    }

    /// Makes `client` the publisher of `name`.
    ///
    /// # Errors
    /// Taken, or too many streams.
    pub fn publish(&self, name: &str, client: &Arc<Client>, now: Now) -> Result<Publisher, Refused> {
        let mut streams = locked(&self.0.streams);
        if !streams.contains_key(name) && streams.len() >= self.0.limits.streams {
            self.0.registry.broke("streams");
            return Err(Refused::Full);
        }
        let stream = streams
            .entry(name.to_string())
            .or_insert_with(|| {
                Arc::new(Stream {
                    name: name.to_string(),
                    state: Mutex::new(Broadcast::new(now)),
                    changed: Notify::new(),
                })
            })
            .clone();
        let generation = locked(&stream.state).take(client.clone()).ok_or(Refused::Taken)?;
        Ok(Publisher::new(self.clone(), stream, generation))
    }

    /// Whether somebody publishes `name` now.
    pub fn is_published(&self, name: &str) -> bool {
        self.stream(name).is_some_and(|s| locked(&s.state).publisher().is_some())
    }

    /// What stands before the frames of `name`; waits a while for a publisher that has not shown its tracks yet.
    /// `None` if nobody publishes it, or the tracks did not come.
    pub async fn headers(&self, name: &str) -> Option<Headers> {
        let stream = self.stream(name)?;
        let wait = async {
            loop {
                let changed = stream.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                {
                    let state = locked(&stream.state);
                    state.publisher()?;
                    if state.ready_ms.is_some() {
                        return Some(state.headers.clone());
                    }
                }
                changed.await;
            }
        };
        tokio::time::timeout(self.0.limits.ready, wait).await.ok().flatten()
    }

    /// Makes `client` a reader of `name` that has not begun yet. Readers with equal keys share what `make` makes of the
    /// tracks as they are now.
    ///
    /// # Errors
    /// Nobody publishes it.
    pub fn subscribe(
        &self,
        name: &str,
        client: &Arc<Client>,
        key: FormatKey,
        make: impl FnOnce(&Tracks) -> Box<dyn Format>,
        outlet: Outlet,
        now: Now,
    ) -> Result<Reader, NotFound> {
        let stream = self.stream(name).ok_or(NotFound)?;
        let (id, wake) = {
            let mut state = locked(&stream.state);
            state.publisher().ok_or(NotFound)?;
            state.subscribe(client.clone(), key, make, outlet, now)
        };
        Ok(Reader::new(self.clone(), stream, id, wake))
    }

    /// All streams as they are now, by name.
    pub fn snapshot(&self) -> Vec<View> {
        let streams: Vec<_> = locked(&self.0.streams).values().cloned().collect();
        streams.iter().map(|s| s.view()).collect()
    }

    /// Removes a stream that nobody uses.
    fn tidy(&self, stream: &Arc<Stream>) {
        let mut streams = locked(&self.0.streams);
        let ours = streams.get(&stream.name).is_some_and(|s| Arc::ptr_eq(s, stream));
        if ours && locked(&stream.state).is_empty() {
            streams.remove(&stream.name);
        }
    }

    /// Readers wait for a lost publisher; after a while they are ended.
    fn wait_for_return(&self, stream: &Arc<Stream>, generation: u64) {
        if locked(&stream.state).is_empty() {
            return self.tidy(stream);
        }
        let (hub, stream) = (self.clone(), stream.clone());
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        // Bounded by itself: it ends after one pause, whatever happens.
        runtime.spawn(async move {
            tokio::time::sleep(hub.0.limits.lost).await;
            {
                let mut state = locked(&stream.state);
                if state.generation() == generation {
                    state.end_readers(Over::Lost);
                }
            }
            hub.tidy(&stream);
        });
    }
}
