//! A log in memory, bounded: for tests, and while the store is away.

use super::bans::Ban;
use super::entry::{Entry, What};
use super::log::{ChatLog, Kept, Later, Unavailable};
use super::message::Message;
use super::person::PersonId;
use std::collections::{BTreeMap, HashMap};
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most entries of a room; the oldest go.
const ENTRIES: usize = 10_000;
/// The most rooms; the one that was not written to for the longest time goes.
const ROOMS: usize = 256;
/// The most names of a room.
const NAMES: usize = 16 << 10;

#[derive(Default)]
struct Room {
    kept: Kept,
    bans: HashMap<PersonId, Ban>,
    names: HashMap<PersonId, Arc<str>>,
    entries: BTreeMap<u64, Entry>,
    written: u64,
}

/// See the module. Cloning shares it.
#[derive(Clone, Default)]
pub struct InMemory(Arc<Mutex<(u64, HashMap<String, Room>)>>);

impl InMemory {
    fn rooms(&self) -> MutexGuard<'_, (u64, HashMap<String, Room>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, room: &str, read: impl Fn(&Room) -> T) -> T {
        match self.rooms().1.get(room) {
            Some(room) => read(room),
            None => read(&Room::default()),
        }
    }

    /// What a room begins with.
    pub fn kept(&self, room: &str) -> Kept {
        self.read(room, |room| Kept {
            bans: room.bans.values().cloned().collect(),
            names: room.names.iter().map(|(person, name)| (*person, name.clone())).collect(),
            ..room.kept.clone()
        })
    }

    /// Adds entries.
    pub fn add(&self, room: &str, batch: &[Entry]) {
        let mut inner = self.rooms();
        let (clock, rooms) = &mut *inner;
        *clock = clock.saturating_add(1);
        if rooms.len() >= ROOMS && !rooms.contains_key(room) {
            let oldest = rooms.iter().min_by_key(|(_, room)| room.written).map(|(name, _)| name.clone());
            oldest.into_iter().for_each(|name| {
                rooms.remove(&name);
            });
        }
        let room = rooms.entry(room.to_string()).or_default();
        room.written = *clock;
        batch.iter().for_each(|entry| room.add(entry));
    }

    /// Forgets a room.
    pub fn forget(&self, room: &str) {
        self.rooms().1.remove(room);
    }
}

impl Room {
    fn add(&mut self, entry: &Entry) {
        self.kept.seq = self.kept.seq.max(entry.seq);
        match &entry.what {
            What::Message(_) => {}
            What::Deleted { seqs, .. } => {
                seqs.iter().for_each(|seq| {
                    self.entries.remove(seq);
                });
                let pinned = &mut self.kept.settings.pinned;
                pinned.take_if(|pinned| seqs.contains(&pinned.seq));
            }
            What::Cleared { .. } => {
                self.entries.clear();
                self.kept.settings.pinned = None;
            }
            What::Banned { ban, .. } => {
                self.bans.insert(ban.author, ban.clone());
            }
            What::Lifted { author, .. } => {
                self.bans.remove(author);
            }
            What::Changed { settings, .. } => self.kept.settings = settings.clone(),
            What::Named { person, name, .. } => {
                if self.names.len() < NAMES {
                    self.names.insert(*person, name.clone());
                }
            }
        }
        if entry.what.is_public() {
            self.entries.insert(entry.seq, entry.clone());
            if self.entries.len() > ENTRIES {
                self.entries.pop_first();
            }
        }
    }
}

impl ChatLog for InMemory {
    fn load(&self, room: &str) -> Later<Result<Kept, Unavailable>> {
        Box::pin(ready(Ok(self.kept(room))))
    }

    fn append(&self, room: &str, batch: Arc<[Entry]>) -> Later<Result<(), Unavailable>> {
        self.add(room, &batch);
        Box::pin(ready(Ok(())))
    }

    fn messages(
        &self,
        room: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Later<Result<Vec<Message>, Unavailable>> {
        let found = self.read(room, |room| {
            let below = room.entries.range(..before.unwrap_or(u64::MAX)).rev();
            let messages = below.filter_map(|(_, entry)| match &entry.what {
                What::Message(message) => Some(message.clone()),
                _ => None,
            });
            let mut messages: Vec<Message> = messages.take(limit).collect();
            messages.reverse();
            messages
        });
        Box::pin(ready(Ok(found)))
    }

    fn after(&self, room: &str, after: u64, limit: usize) -> Later<Result<Vec<Entry>, Unavailable>> {
        let from = after.saturating_add(1);
        let found =
            self.read(room, |room| room.entries.range(from..).take(limit).map(|(_, e)| e.clone()).collect());
        Box::pin(ready(Ok(found)))
    }

    fn forget(&self, room: &str) -> Later<()> {
        InMemory::forget(self, room);
        Box::pin(ready(()))
    }
}
