//! A ladder while it is served: tasks read the frames of its renditions out of the hub and give them to the segmenter,
//! and whoever waits for a part or a playlist is woken by its version.

use crate::base::clock::Now;
use crate::hub::event::{Event, Heard};
use crate::hub::tap::Item;
use crate::hub::{FrameReader, Hub, Kind, OnAir, Policy};
use crate::media::Tracks;
use crate::model::LadderName;
use crate::model::ladder_fact::MOST_RENDITIONS;
use crate::protocol::hls::ladder::{About, Arrival, Due, Ladder, Settings, Unaligned};
use crate::protocol::hls::playlist::media_playlist;
use crate::protocol::hls::window::Stored;
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
/// How long the renditions of a ladder that has just begun may come one after the other.
const GATHERING: Duration = Duration::from_secs(2);
/// Playlists that are kept as they were written: of each rendition that a ladder may have, whole and as a delta update.
const MOST_WRITTEN: usize = 2 * MOST_RENDITIONS;
/// How often it is looked after.
const TICK: Duration = Duration::from_millis(100);

/// See the module.
pub struct Airing {
    /// The ladder's name.
    pub name: LadderName,
    begun: Instant,
    state: Mutex<State>,
    version: watch::Sender<u64>,
}

struct State {
    /// The renditions that are cut together.
    ladder: Ladder,
    /// Those whose keyframes stand elsewhere (another encoder), each as a ladder of its own.
    apart: BTreeMap<String, Ladder>,
    /// Those of them that come of another encoder by intention: they may be chosen too.
    strangers: BTreeSet<String>,
    settings: Settings,
    version: u64,
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

impl State {
    /// The ladder that a rendition is in.
    fn of(&self, label: &str) -> &Ladder {
        self.apart.get(label).unwrap_or(&self.ladder)
    }

    fn of_mut(&mut self, label: &str) -> &mut Ladder {
        self.apart.get_mut(label).unwrap_or(&mut self.ladder)
    }

    fn ladders(&self) -> impl Iterator<Item = &Ladder> {
        std::iter::once(&self.ladder).chain(self.apart.values())
    }

    fn ladders_mut(&mut self) -> impl Iterator<Item = &mut Ladder> {
        std::iter::once(&mut self.ladder).chain(self.apart.values_mut())
    }

    /// Changes whenever one of the ladders does.
    fn versions(&self) -> u64 {
        self.ladders().fold(0, |sum, ladder| sum.wrapping_add(ladder.version()).wrapping_add(1))
    }

    /// Forgets the runs of labels that are in no ladder: a name is anybody's choice.
    fn forget_runs(&mut self) {
        let State { ladder, apart, runs, .. } = self;
        runs.retain(|label, _| ladder.rendition(label).is_some() || apart.contains_key(label));
    }

    /// Decides whether a rendition is cut with the others: what is not of their encoder is a ladder of its own.
    fn place(&mut self, rendition: &OnAir, now: Instant) {
        let label = &rendition.label;
        if !rendition.stranger {
            if self.strangers.remove(label) {
                self.apart.remove(label);
            }
            return;
        }
        if self.strangers.insert(label.clone()) && self.ladder.rendition(label).is_some() {
            self.ladder.set_apart(label, now);
            self.set_apart(now);
        }
        let alone = || Ladder::new(self.settings, epoch());
        self.apart.entry(label.clone()).or_insert_with(alone);
    }

    /// Gives renditions that are not in step a ladder of their own; their labels.
    fn set_apart(&mut self, now: Instant) -> Vec<String> {
        let mut labels = Vec::new();
        for Unaligned { label, tracks, about } in self.ladder.take_unaligned() {
            let mut alone = Ladder::new(self.settings, epoch());
            // Its tracks were fit for the ladder that it came from.
            let _ = alone.join(&label, tracks, about, now);
            self.written.retain(|(of, _), _| *of != label);
            self.apart.insert(label.clone(), alone);
            labels.push(label);
        }
        labels
    }
}

/// Whether there is something to play of a rendition.
fn plays(ladder: &Ladder, label: &str) -> bool {
    ladder.listing(label).is_some_and(|listing| listing.last().is_some())
}

/// Names of files must not mean two things, also over restarts, and nobody who has seen no playlist may guess them.
fn epoch() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().1
}

impl Airing {
    /// A ladder that has just been asked for.
    pub fn new(name: LadderName, settings: Settings) -> Airing {
        let state = State {
            ladder: Ladder::new(settings, epoch()),
            apart: BTreeMap::new(),
            strangers: BTreeSet::new(),
            settings,
            version: 0,
            awaited: BTreeSet::new(),
            runs: BTreeMap::new(),
            written: BTreeMap::new(),
        };
        Airing { name, begun: Instant::now(), state: Mutex::new(state), version: watch::Sender::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the renditions that are cut together. Nothing is waited for meanwhile.
    pub fn look<T>(&self, look: impl FnOnce(&Ladder) -> T) -> T {
        look(&self.state().ladder)
    }

    /// Looks at the ladder that a rendition is in.
    pub fn look_at<T>(&self, label: &str, look: impl FnOnce(&Ladder) -> T) -> T {
        look(self.state().of(label))
    }

    /// The renditions that are ladders of their own.
    pub fn apart(&self) -> Vec<String> {
        self.state().apart.keys().cloned().collect()
    }

    /// Those of them that may be chosen beside the others.
    pub fn strangers(&self) -> Vec<String> {
        self.state().strangers.iter().cloned().collect()
    }

    /// Bytes of all that is held.
    pub fn bytes(&self) -> usize {
        let state = self.state();
        let written: usize = state
            .written
            .values()
            .map(|written| written.plain.len().saturating_add(written.gzipped.len()))
            .sum();
        state.ladders().map(Ladder::bytes).fold(written, usize::saturating_add)
    }

    /// The most bytes that [`Airing::give_up_largest`] frees of media.
    pub fn largest(&self) -> usize {
        self.state().ladders().map(Ladder::largest).max().unwrap_or(0)
    }

    /// Forgets the last segment of the rendition in which it is the largest, and playlists that can be written again; the
    /// bytes that were freed.
    pub fn give_up_largest(&self) -> usize {
        let before = self.bytes();
        self.change(|state| {
            state.written.clear();
            if let Some(ladder) = state.ladders_mut().max_by_key(|ladder| ladder.largest()) {
                ladder.give_up_largest(Instant::now());
            }
        });
        before.saturating_sub(self.bytes())
    }

    /// When the oldest segment began that may be forgotten, Unix milliseconds.
    pub fn oldest_ms(&self) -> Option<i64> {
        self.state().ladders().filter_map(Ladder::oldest_ms).min()
    }

    /// Changes the ladder, and wakes who waits.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (changed, version) = {
            let mut state = self.state();
            let before = state.versions();
            let changed = change(&mut state);
            if state.versions() != before {
                state.version = state.version.wrapping_add(1);
            }
            (changed, state.version)
        };
        self.version.send_if_modified(|last| std::mem::replace(last, version) != version);
        changed
    }

    /// Waits until `look` gives something of the ladder that a rendition is in, but not longer than `patience`.
    pub async fn wait<T>(
        &self,
        label: &str,
        patience: Duration,
        mut look: impl FnMut(&Ladder) -> Option<T>,
    ) -> Option<T> {
        self.until(patience, |state| look(state.of(label))).await
    }

    /// Waits until the tracks of all renditions that are on the air are known and there is something to play.
    pub async fn ready(&self, patience: Duration) {
        let plays = |ladder: &Ladder| ladder.renditions().any(|(label, _)| plays(ladder, label));
        let ready = |state: &State| state.awaited.is_empty() && state.ladders().any(plays);
        self.until(patience, |state| ready(state).then_some(())).await;
    }

    /// Waits until there is something to play of each of these renditions, or it has been on the air for so long that
    /// one that is missing will not come: players read the list of renditions once.
    pub async fn complete(&self, labels: &[String]) {
        let patience = GATHERING.saturating_sub(self.begun.elapsed());
        let complete = |state: &State| labels.iter().all(|label| plays(state.of(label), label));
        self.until(patience, |state| complete(state).then_some(())).await;
    }

    /// Looks at each version until `look` gives something, but not longer than `patience`.
    async fn until<T>(&self, patience: Duration, mut look: impl FnMut(&State) -> Option<T>) -> Option<T> {
        let mut versions = self.version.subscribe();
        let found = async {
            loop {
                versions.borrow_and_update();
                let found = look(&self.state());
                if found.is_some() {
                    return found;
                }
                versions.changed().await.ok()?;
            }
        };
        tokio::time::timeout(patience, found).await.ok().flatten()
    }

    /// The playlist of a rendition; none if there is none of this label.
    pub fn playlist(&self, label: &str, skip: bool) -> Option<Written> {
        let mut state = self.state();
        let ladder = state.of(label);
        let (key, version) = ((label.to_string(), skip), ladder.version());
        if let Some(written) = state.written.get(&key).filter(|written| written.version == version) {
            return Some(written.clone());
        }
        let others: Vec<(&str, String)> = ladder
            .renditions()
            .filter(|(other, _)| *other != label)
            .map(|(other, _)| (other, format!("../{other}/i.m3u8")))
            .collect();
        let plain = Bytes::from(media_playlist(ladder, label, skip, &others)?);
        let written = Written { version, gzipped: gzipped(&plain), plain };
        if state.written.len() >= MOST_WRITTEN {
            // Labels come and go, and a name is anybody's choice.
            let State { ladder, apart, written, .. } = &mut *state;
            written.retain(|(label, _), _| ladder.rendition(label).is_some() || apart.contains_key(label));
        }
        state.written.insert(key, written.clone());
        Some(written)
    }

    /// The next segment that is to be stored.
    pub fn due(&self) -> Option<Due> {
        self.state().ladders().find_map(Ladder::due)
    }

    /// A segment is stored now.
    pub fn store(&self, due: &Due, stored: Arc<dyn Stored>) {
        self.change(|state| state.of_mut(&due.label).store(&due.label, due.msn, stored));
    }

    /// When the oldest segment began that is stored, Unix milliseconds.
    pub fn oldest_stored_ms(&self) -> Option<i64> {
        self.state().ladders().filter_map(Ladder::oldest_stored_ms).min()
    }

    /// Forgets the oldest segment that is stored of each rendition.
    pub fn drop_oldest_stored(&self) {
        self.change(|state| {
            let stored = state.ladders_mut().filter(|ladder| ladder.oldest_stored_ms().is_some());
            stored.min_by_key(|ladder| ladder.oldest_stored_ms()).map_or(0, Ladder::drop_oldest)
        });
    }

    /// Forgets everything that is stored.
    pub fn forget_stored(&self) {
        self.change(|state| state.ladders_mut().for_each(Ladder::forget_stored));
    }

    /// Forgets the oldest segments; the bytes that were freed.
    pub fn drop_oldest(&self) -> usize {
        self.change(|state| {
            let oldest = state.ladders_mut().filter(|ladder| ladder.oldest_ms().is_some());
            oldest.min_by_key(|ladder| ladder.oldest_ms()).map_or(0, Ladder::drop_oldest)
        })
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
                    state.of_mut(self.label).interrupt(self.label, true, now);
                }
                state.of_mut(self.label).frame(
                    self.label,
                    frame,
                    Arrival { at: stamp.at, wall_ms: stamp.wall_ms },
                );
            }
            Item::Gap(_) => state.of_mut(self.label).interrupt(self.label, false, now),
            Item::Interrupted => self.leave(state, now),
        }
    }

    fn join(&mut self, state: &mut State, now: Instant) {
        let Some(tracks) = self.tracks.clone() else { return };
        self.live = true;
        state.awaited.remove(self.label);
        if let Err(error) = state.of_mut(self.label).join(self.label, tracks, self.about, now) {
            self.log.warn(format_args!("hls: the rendition '{}' cannot be served: {error}", self.label));
        }
    }

    fn leave(&mut self, state: &mut State, now: Instant) {
        self.live = false;
        state.awaited.remove(self.label);
        state.of_mut(self.label).leave(self.label, now);
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
            let now = Now::read();
            // What belongs together may be told after a name was taken.
            self.airing.change(|state| state.place(&rendition, now.mono));
            if self.names.contains(&rendition.name) {
                continue;
            }
            let client =
                self.hub.registry().enter(SEGMENTER, ([127, 0, 0, 1], 0).into(), now.mono, now.wall_ms);
            let Ok(reader) = self.hub.subscribe_frames(&rendition.name, &client, WAITING) else { continue };
            self.names.insert(rendition.name.clone());
            self.airing.change(|state| state.awaited.insert(rendition.label.clone()));
            self.readers.spawn(self.airing.clone().follow(rendition, reader, self.log.clone()));
        }
    }

    fn tick(&self) {
        let set_apart = self.airing.change(|state| {
            let now = Instant::now();
            state.ladders_mut().for_each(|ladder| ladder.tick(now));
            state.forget_runs();
            state.set_apart(now)
        });
        for label in set_apart {
            self.log.warn(format_args!(
                "hls: {}/{}: the rendition '{label}' has its keyframes at other times than the others, and gets a playlist of its own",
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
