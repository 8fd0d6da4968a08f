//! The live exchange: publishers put frames in, readers take packed bytes out. It knows no protocol: a front end
//! brings a [`Format`] (how frames become bytes) and an [`Outlet`] (where they go).
//!
//! Frames go out from the publisher's own task: it writes to every reader's socket itself, one write for each reader,
//! and wakes a reader's task only when that reader's socket is full. A frame thus costs no task switch per reader. Where many
//! read, audio waits some milliseconds for the video that follows it.

mod broadcast;
pub mod client;
mod cursor;
pub mod event;
pub mod format;
mod format_group;
mod frame_reader;
mod gathering;
pub mod group;
mod limits;
mod position;
mod publisher;
mod reader;
pub mod registry;
mod ring;
mod stamp;
mod stream;
mod stream_writer;
pub mod tap;
#[cfg(test)]
mod tests;
mod timeline;

pub use broadcast::Totals;
pub use client::{Client, Counters, Kind, Leaves, Role};
pub use cursor::{ReaderEnd, Wake};
pub use event::{Event, Events};
pub use format::{
    Datagrams, Format, FormatKey, Headers, MOST_CHANNELS, Metadata, Misfit, Outlet, Packed, PacketSpan, Sink,
    Targets,
};
pub use frame_reader::FrameReader;
pub use group::{Group, OnAir, Worker};
pub use limits::Limits;
pub use publisher::Publisher;
pub use reader::Reader;
pub use registry::Registry;
pub use stamp::Stamp;
pub use stream::View;
pub use tap::Policy;

use crate::base::clock::Now;
use crate::media::Tracks;
use crate::model::{LadderFact, LadderName, StreamName};
use client::locked;
use group::Groups;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use stream::Stream;

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
    streams: Mutex<BTreeMap<StreamName, Arc<Stream>>>,
    groups: Mutex<Groups>,
}

/// All streams of the server. Cloning shares it.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

impl Hub {
    /// An empty one, used by one thread.
    pub fn new(registry: Registry, limits: Limits) -> Hub {
        Hub::on(NonZeroUsize::MIN, registry, limits)
    }

    /// An empty one, used by so many threads that carry media.
    ///
    /// Locks are taken in this order and never over a wait: all streams, all ladders or one stream, one ladder, then
    /// events, clients and their details.
    pub fn on(workers: NonZeroUsize, registry: Registry, limits: Limits) -> Hub {
        let groups = Mutex::new(Groups::new(workers));
        Hub(Arc::new(Inner { registry, limits, streams: Mutex::default(), groups }))
    }

    /// Where `name` is to be published. Its ladder is there from now on.
    pub fn publishing_worker(&self, name: &StreamName, now: Instant) -> Worker {
        locked(&self.0.groups).of(name, now).worker
    }

    /// Where `name` is, if it is.
    pub fn reading_worker(&self, name: &StreamName) -> Option<Worker> {
        let stream = self.stream(name)?;
        let state = locked(&stream.state);
        Some(state.group().worker)
    }

    /// The ladder and the label of a name, whether anybody publishes it or not.
    pub fn place_of(&self, name: &StreamName) -> (LadderName, String) {
        locked(&self.0.groups).place_of(name)
    }

    /// The renditions of a ladder that have a publisher.
    pub fn on_air(&self, ladder: &LadderName) -> Vec<OnAir> {
        locked(&self.0.groups).published(ladder)
    }

    /// The labels of a ladder that its supervisor plans, on the air or not; none if it tells nothing.
    pub fn planned(&self, ladder: &LadderName) -> Vec<String> {
        locked(&self.0.groups).planned(ladder)
    }

    /// Who is connected.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// What happens.
    pub fn events(&self) -> &Events {
        self.0.registry.events()
    }

    fn limits(&self) -> &Limits {
        &self.0.limits
    }

    fn stream(&self, name: &StreamName) -> Option<Arc<Stream>> {
        locked(&self.0.streams).get(name).cloned()
    }

    /// Makes `client` the publisher of `name`.
    ///
    /// # Errors
    /// Taken, or too many streams.
    pub fn publish(&self, name: &StreamName, client: &Arc<Client>, now: Now) -> Result<Publisher, Refused> {
        let mut streams = locked(&self.0.streams);
        if !streams.contains_key(name) && streams.len() >= self.0.limits.streams {
            self.0.registry.broke("streams");
            return Err(Refused::Full);
        }
        let group = locked(&self.0.groups).of(name, now.mono);
        let stream = streams
            .entry(name.clone())
            .or_insert_with(|| Arc::new(Stream::new(name.clone(), group.clone(), now)))
            .clone();
        let generation = {
            let mut state = locked(&stream.state);
            let generation = state.take(client.clone()).ok_or(Refused::Taken)?;
            state.set_group(group.clone());
            group.publish(&name.name);
            let (ladder, resumed) = (group.name.clone(), state.is_awaited());
            // Under the lock, so that it is heard after the end of the publisher before.
            self.events().send(Event::Published {
                stream: name.clone(),
                ladder,
                client: client.clone(),
                resumed,
            });
            generation
        };
        drop(streams);
        Ok(Publisher::new(self.clone(), stream, client.clone(), generation, now))
    }

    /// Whether somebody publishes `name` now.
    pub fn is_published(&self, name: &StreamName) -> bool {
        self.stream(name).is_some_and(|s| locked(&s.state).publisher().is_some())
    }

    /// A supervisor tells what it publishes from now on.
    pub fn tell(&self, fact: LadderFact, now: Now) {
        let ladder = fact.name();
        let group = locked(&self.0.groups).tell(fact, now.mono);
        // Names that were published before anything was told of them.
        for stream in locked(&self.0.streams).values() {
            let told = group.fact().is_some_and(|fact| fact.rendition(&stream.name.name).is_some());
            if told && stream.name.application == ladder.application {
                let mut state = locked(&stream.state);
                if !Arc::ptr_eq(state.group(), &group) {
                    state.group().leave(&stream.name.name, now.mono);
                    if state.publisher().is_some() {
                        group.publish(&stream.name.name);
                    }
                    state.set_group(group.clone());
                }
            }
        }
        self.events().send(Event::Told { ladder });
    }

    /// Forgets ladders that nobody has published for a while. To be called every second.
    pub fn tick(&self, now: Now) {
        for ladder in locked(&self.0.groups).forget_idle(now.mono) {
            self.events().send(Event::Forgotten { ladder });
        }
    }

    /// What stands before the frames of `name`; waits a while for a publisher that has not shown its tracks yet.
    /// `None` if nobody publishes it, or the tracks did not come.
    pub async fn headers(&self, name: &StreamName) -> Option<Headers> {
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
        name: &StreamName,
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
        self.events().send(Event::Joined { stream: name.clone(), client: client.clone() });
        Ok(Reader::new(self.clone(), stream, client.clone(), id, wake))
    }

    /// Makes `client` a reader of the frames of `name`, from the last keyframe on.
    ///
    /// # Errors
    /// Nobody publishes it.
    pub fn subscribe_frames(
        &self,
        name: &StreamName,
        client: &Arc<Client>,
        policy: Policy,
    ) -> Result<FrameReader, NotFound> {
        let stream = self.stream(name).ok_or(NotFound)?;
        let (id, wake) = {
            let mut state = locked(&stream.state);
            state.publisher().ok_or(NotFound)?;
            state.join_tap(client.clone(), policy)
        };
        Ok(FrameReader::new(self.clone(), stream, id, wake))
    }

    /// Asks the publisher of `name` for a keyframe. Those who can send one do, at most one a second.
    pub fn request_keyframe(&self, name: &StreamName, now: Instant) {
        if let Some(stream) = self.stream(name) {
            stream.request_keyframe(now);
        }
    }

    /// One stream as it is now.
    pub fn view(&self, name: &StreamName) -> Option<View> {
        self.stream(name).map(|stream| stream.view())
    }

    /// All streams as they are now, by name.
    pub fn snapshot(&self) -> Vec<View> {
        let streams: Vec<_> = locked(&self.0.streams).values().cloned().collect();
        streams.iter().map(|s| s.view()).collect()
    }

    /// The streams of the ladders with this key, by name.
    pub fn views_of(&self, key: &str) -> Vec<View> {
        let streams: Vec<_> = locked(&self.0.streams).values().cloned().collect();
        let belongs = |stream: &&Arc<Stream>| locked(&stream.state).group().name.key == key;
        streams.iter().filter(belongs).map(|stream| stream.view()).collect()
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
                    state.end_readers(ReaderEnd::Lost);
                }
            }
            hub.tidy(&stream);
        });
    }
}
