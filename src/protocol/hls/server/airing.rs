//! A ladder while it is served: tasks read the frames of its renditions out of the hub and give them to the segmenter,
//! and whoever waits for a part or a playlist is woken by its version.

use crate::base::clock::Now;
use crate::hub::event::{Event, Heard};
use crate::hub::tap::Item;
use crate::hub::{FrameReader, Hub, Kind, OnAir, Policy};
use crate::media::Tracks;
use crate::model::LadderName;
use crate::model::ladder_fact::MOST_RENDITIONS;
use crate::protocol::hls::ladder::{About, Arrival, Ladder, Settings};
use crate::protocol::hls::playlist::media_playlist;
use crate::telemetry::Log;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The segmenter's own entries in the registry.
const SEGMENTER: Kind = Kind { name: "hls", connection: false };
/// What may wait for the segmenter: it keeps everything, and runs on a thread that may be busy for a moment.
const WAITING: Policy = Policy::Whole { most_bytes: 32 << 20, most_time: Duration::from_secs(10) };
/// How long a ladder is kept without a publisher: who comes back within it goes on.
pub const KEPT: Duration = Duration::from_secs(60);
/// Playlists that are kept as they were written: of each rendition that a ladder may have, whole and as a delta update.
const MOST_WRITTEN: usize = 2 * MOST_RENDITIONS;
/// How often it is looked after.
const TICK: Duration = Duration::from_millis(100);

/// See the module.
pub struct Airing {
    /// The ladder's name.
    pub name: LadderName,
    state: Mutex<State>,
    version: watch::Sender<u64>,
}

struct State {
    ladder: Ladder,
    /// Labels whose tracks have not been seen yet.
    awaited: BTreeSet<String>,
    /// Which run of its publisher each label is in.
    runs: BTreeMap<String, u64>,
    /// Playlists as they were last written, by label and whether they are delta updates.
    written: BTreeMap<(String, bool), Written>,
}

/// A playlist, as many viewers get it.
#[derive(Clone)]
pub struct Written {
    version: u64,
    /// As it is.
    pub plain: Bytes,
    /// Gzipped.
    pub gzipped: Bytes,
}

impl Airing {
    /// A ladder that has just been asked for.
    pub fn new(name: LadderName, settings: Settings) -> Airing {
        // Names of files must not mean two things, also over restarts.
        let epoch = uuid::Uuid::new_v4().as_fields().0;
        let state = State {
            ladder: Ladder::new(settings, epoch),
            awaited: BTreeSet::new(),
            runs: BTreeMap::new(),
            written: BTreeMap::new(),
        };
        Airing { name, state: Mutex::new(state), version: watch::Sender::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the ladder. Nothing is waited for meanwhile.
    pub fn look<T>(&self, look: impl FnOnce(&Ladder) -> T) -> T {
        look(&self.state().ladder)
    }

    /// Changes the ladder, and wakes who waits.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (changed, version) = {
            let mut state = self.state();
            let changed = change(&mut state);
            (changed, state.ladder.version())
        };
        self.version.send_if_modified(|last| std::mem::replace(last, version) != version);
        changed
    }

    /// Waits until `look` gives something, but not longer than `patience`.
    pub async fn wait<T>(&self, patience: Duration, mut look: impl FnMut(&Ladder) -> Option<T>) -> Option<T> {
        let mut versions = self.version.subscribe();
        let found = async {
            loop {
                versions.borrow_and_update();
                if let Some(found) = self.look(&mut look) {
                    return Some(found);
                }
                versions.changed().await.ok()?;
            }
        };
        tokio::time::timeout(patience, found).await.ok().flatten()
    }

    /// Waits until the tracks of all renditions that are on the air are known and there is something to play.
    pub async fn ready(&self, patience: Duration) -> bool {
        let mut versions = self.version.subscribe();
        let wait = async {
            loop {
                versions.borrow_and_update();
                {
                    let state = self.state();
                    let listed = |(label, _)| state.ladder.listing(label).is_some_and(|l| l.last().is_some());
                    if state.awaited.is_empty() && state.ladder.renditions().any(listed) {
                        return;
                    }
                }
                if versions.changed().await.is_err() {
                    return;
                }
            }
        };
        let in_time = tokio::time::timeout(patience, wait).await.is_ok();
        in_time || self.look(|ladder| ladder.renditions().next().is_some())
    }

    /// The playlist of a rendition; none if there is none of this label.
    pub fn playlist(&self, label: &str, skip: bool) -> Option<Written> {
        let mut state = self.state();
        let (key, version) = ((label.to_string(), skip), state.ladder.version());
        if let Some(written) = state.written.get(&key).filter(|written| written.version == version) {
            return Some(written.clone());
        }
        let others: Vec<(String, String)> = state
            .ladder
            .renditions()
            .filter(|(other, _)| *other != label)
            .map(|(other, _)| (other.to_string(), format!("../{other}/i.m3u8")))
            .collect();
        let others: Vec<(&str, String)> =
            others.iter().map(|(other, uri)| (other.as_str(), uri.clone())).collect();
        let plain = Bytes::from(media_playlist(&state.ladder, label, skip, &others)?);
        let written = Written { version, gzipped: gzipped(&plain), plain };
        if state.written.len() >= MOST_WRITTEN {
            // Labels come and go, and a name is anybody's choice.
            let State { ladder, written, .. } = &mut *state;
            written.retain(|(label, _), _| ladder.rendition(label).is_some());
        }
        state.written.insert(key, written.clone());
        Some(written)
    }

    /// Forgets the oldest segments; the bytes that were freed.
    pub fn drop_oldest(&self) -> usize {
        self.change(|state| state.ladder.drop_oldest())
    }

    /// Takes what the hub has of one rendition, to the end of its stream.
    async fn follow(self: Arc<Airing>, rendition: OnAir, mut reader: FrameReader, log: Log) -> OnAir {
        let planned = rendition.planned.as_ref();
        let about = planned.map_or(About::default(), |planned| About {
            width: planned.width,
            height: planned.height,
            bitrate_bps: planned.bitrate_bps,
        });
        let mut taking = Taking { label: &rendition.label, about, tracks: None, live: false, log: &log };
        let mut items = Vec::new();
        while reader.next(&mut items).await.is_ok() {
            let now = Instant::now();
            self.change(|state| items.drain(..).for_each(|item| taking.take(state, item, now)));
        }
        self.change(|state| taking.leave(state, Instant::now()));
        rendition
    }
}

/// One rendition on its way into the ladder.
struct Taking<'a> {
    label: &'a str,
    about: About,
    tracks: Option<Tracks>,
    live: bool,
    log: &'a Log,
}

impl Taking<'_> {
    fn take(&mut self, state: &mut State, item: Item, now: Instant) {
        match item {
            Item::Tracks(headers) => {
                self.tracks = Some(headers.tracks);
                self.join(state, now);
            }
            Item::Frame(frame, stamp) => {
                if !self.live {
                    self.join(state, now);
                }
                if state.runs.insert(self.label.to_string(), stamp.run).is_some_and(|run| run != stamp.run) {
                    state.ladder.interrupt(self.label, true, now);
                }
                state.ladder.frame(self.label, frame, Arrival { at: stamp.at, wall_ms: stamp.wall_ms });
            }
            Item::Gap(_) => state.ladder.interrupt(self.label, false, now),
            Item::Interrupted => self.leave(state, now),
        }
    }

    fn join(&mut self, state: &mut State, now: Instant) {
        let Some(tracks) = self.tracks.clone() else { return };
        self.live = true;
        state.awaited.remove(self.label);
        if let Err(error) = state.ladder.join(self.label, tracks, self.about, now) {
            self.log.warn(format_args!("hls: the rendition '{}' cannot be served: {error}", self.label));
        }
    }

    fn leave(&mut self, state: &mut State, now: Instant) {
        self.live = false;
        state.awaited.remove(self.label);
        state.ladder.leave(self.label, now);
    }
}

/// Looks after a ladder, now and then after the memory of all of them, until it has been without a publisher for so long that it is over, or `shutdown` says so.
pub async fn look_after(
    airing: Arc<Airing>,
    hub: Hub,
    keep_within_budget: impl Fn() + Send + 'static,
    log: Log,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut events = hub.events().listen();
    let mut renditions = Renditions { airing, hub, log, readers: JoinSet::new(), names: BTreeSet::new() };
    renditions.attach_all();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last_on_air = tokio::time::Instant::now();
    loop {
        tokio::select! {
            heard = events.next() => match heard {
                Heard::Event(event) => renditions.heard(&event),
                Heard::Missed(_) => renditions.attach_all(),
                Heard::Closed => return,
            },
            Some(ended) = renditions.readers.join_next() => {
                if let Ok(rendition) = ended {
                    renditions.names.remove(&rendition.name);
                    // Somebody else may have taken the name before this was noticed.
                    renditions.attach_all();
                }
            }
            _ = ticks.tick() => {
                renditions.tick();
                keep_within_budget();
                if renditions.names.is_empty() {
                    if last_on_air.elapsed() > KEPT {
                        return;
                    }
                } else {
                    last_on_air = tokio::time::Instant::now();
                }
            }
            // An error means that whoever would say so is gone, which says the same.
            _ = shutdown.wait_for(|down| *down) => return,
        }
    }
}

struct Renditions {
    airing: Arc<Airing>,
    hub: Hub,
    log: Log,
    readers: JoinSet<OnAir>,
    /// Names that are being read.
    names: BTreeSet<crate::model::StreamName>,
}

impl Renditions {
    /// Acts upon what concerns this ladder.
    fn heard(&mut self, event: &Event) {
        if let Event::Published { ladder, .. } | Event::Told { ladder } = event
            && *ladder == self.airing.name
        {
            self.attach_all();
        }
    }

    /// Reads every rendition that is on the air and not read yet.
    fn attach_all(&mut self) {
        for rendition in self.hub.on_air(&self.airing.name) {
            if self.names.contains(&rendition.name) {
                continue;
            }
            let now = Now::read();
            let client =
                self.hub.registry().enter(SEGMENTER, ([127, 0, 0, 1], 0).into(), now.mono, now.wall_ms);
            let Ok(reader) = self.hub.subscribe_frames(&rendition.name, &client, WAITING) else { continue };
            self.names.insert(rendition.name.clone());
            self.airing.change(|state| state.awaited.insert(rendition.label.clone()));
            self.readers.spawn(self.airing.clone().follow(rendition, reader, self.log.clone()));
        }
    }

    fn tick(&self) {
        let unaligned = self.airing.change(|state| {
            state.ladder.tick(Instant::now());
            state.ladder.take_unaligned()
        });
        for label in unaligned {
            self.log.warn(format_args!(
                "hls: {}/{}: the rendition '{label}' has its keyframes at other times than the others, and is left out",
                self.airing.name.application, self.airing.name.key
            ));
        }
    }
}

fn gzipped(text: &[u8]) -> Bytes {
    let mut into = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing into memory does not fail.
    let _ = into.write_all(text);
    into.finish().unwrap_or_default().into()
}
