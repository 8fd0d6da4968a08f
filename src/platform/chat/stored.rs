//! The log in the store. What is acknowledged is stored while the database is there. While it is away chat goes on in memory
//! and without history, and what was written meanwhile is stored when it is back.
//!
//! A room that began meanwhile knows nothing of what is stored. It counts from the time on, in milliseconds, so that its numbers
//! are above all that were given before, and begins anew as soon as it can.

use super::entry::{Entry, What};
use super::log::{ChatLog, Kept, Later, Unavailable};
use super::memory::InMemory;
use super::message::Message;
use super::place::{Salt, Salts};
use super::rows;
use crate::base::clock;
use crate::platform::Kept as Platform;
use crate::store::{Fault, Store};
use crate::telemetry::Log;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most entries of all rooms that wait for the database; then the room that is written to forgets its oldest.
const WAITING: usize = 10_000;
/// The most bans and names that a room begins with: as many as it remembers.
const BANS: i64 = 4096;
const NAMES: i64 = 16 << 10;

/// What the database does not know of a room.
#[derive(Default)]
struct Behind {
    waiting: VecDeque<Entry>,
    /// The room began without what is stored of it.
    blind: bool,
}

struct Inside {
    platform: Platform,
    /// What is written while the database is away.
    memory: InMemory,
    salts: Salts,
    /// The salt of a database that has none.
    salt: String,
    behind: Mutex<HashMap<String, Behind>>,
    /// One at a time writes what waits.
    catching_up: tokio::sync::Mutex<()>,
    log: Log,
}

/// See the module. Cloning shares it.
#[derive(Clone)]
pub struct Stored(Arc<Inside>);

impl Stored {
    /// In the store of `platform`. Addresses are hashed with these random bytes until the stored salt is known.
    pub fn new(platform: Platform, random: &[u8; 32], log: Log) -> Stored {
        let salt: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Stored(Arc::new(Inside {
            platform,
            memory: InMemory::default(),
            salts: Salts::new(Salt::of(&salt)),
            salt,
            behind: Mutex::default(),
            catching_up: tokio::sync::Mutex::default(),
            log,
        }))
    }

    /// What addresses are hashed with, once a room was read.
    pub fn salts(&self) -> Salts {
        self.0.salts.clone()
    }
}

impl Inside {
    fn behind(&self) -> MutexGuard<'_, HashMap<String, Behind>> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn begin(&self, room: &str) -> Kept {
        let read = self.read(room, async |store| {
            self.salts.set(Salt::of(&store.chat_salt(&self.salt).await?));
            let found = store.chat_room(room).await?;
            Ok(rows::kept(found, store.chat_bans(room, BANS).await?, store.chat_names(room, NAMES).await?))
        });
        let read = read.await;
        let mut behind = self.behind();
        if let Some(kept) = read {
            if behind.get(room).is_some_and(|behind| behind.waiting.is_empty()) {
                behind.remove(room);
            }
            return kept;
        }
        behind.entry(room.to_string()).or_default().blind = true;
        drop(behind);
        let mut kept = self.memory.kept(room);
        kept.seq = kept.seq.max(u64::try_from(clock::now_ms()).unwrap_or(0));
        kept
    }

    /// Asks the store of a room, once it has what waited; nothing if it is away.
    async fn read<T>(&self, room: &str, ask: impl AsyncFnOnce(&Store) -> Result<T, Fault>) -> Option<T> {
        let store = self.platform.store().ok()?;
        self.catch_up(store, room).await.ok()?;
        ask(store).await.ok()
    }

    /// Writes what waits.
    async fn catch_up(&self, store: &Store, room: &str) -> Result<(), Fault> {
        let waits = || self.behind().get(room).is_some_and(|behind| !behind.waiting.is_empty());
        if !waits() {
            return Ok(());
        }
        let _alone = self.catching_up.lock().await;
        let waiting: Vec<Entry> = self
            .behind()
            .get(room)
            .map(|behind| behind.waiting.iter().cloned().collect())
            .unwrap_or_default();
        if waiting.is_empty() {
            return Ok(());
        }
        write(store, room, &waiting, true).await?;
        let mut all = self.behind();
        if let Some(behind) = all.get_mut(room) {
            // More may wait meanwhile, and some may have been given up.
            let last = waiting.last().map_or(0, |entry| entry.seq);
            behind.waiting.retain(|entry| entry.seq > last);
            if behind.waiting.is_empty() {
                self.memory.forget(room);
                if !behind.blind {
                    all.remove(room);
                }
            }
        }
        Ok(())
    }

    async fn append(&self, room: &str, batch: &[Entry]) -> Result<(), Unavailable> {
        let outcome = match self.platform.store() {
            Ok(store) => match self.catch_up(store, room).await {
                Ok(()) => write(store, room, batch, false).await,
                Err(fault) => Err(fault),
            },
            Err(_) => Err(Fault::Away(String::new())),
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(fault) if fault.passes() => {
                self.wait(room, batch);
                Ok(())
            }
            Err(fault) => {
                self.log.warn(format_args!("chat: {room}: {fault}"));
                Err(Unavailable)
            }
        }
    }

    /// Keeps entries until the database is back.
    fn wait(&self, room: &str, batch: &[Entry]) {
        self.memory.add(room, batch);
        let mut all = self.behind();
        let total: usize = all.values().map(|behind| behind.waiting.len()).sum();
        let waiting = &mut all.entry(room.to_string()).or_default().waiting;
        waiting.extend(batch.iter().cloned());
        let over = total.saturating_add(batch.len()).saturating_sub(WAITING);
        for _ in 0..over {
            // What moderators decided rather stays than what was said.
            let said = waiting.iter().position(|entry| matches!(entry.what, What::Message(_)));
            waiting.remove(said.unwrap_or(0));
        }
        if over > 0 {
            self.log.warn(format_args!(
                "chat: {room}: {over} entries are not stored: the database is away too long"
            ));
        }
    }

    async fn anew(&self, room: &str) -> bool {
        if !self.behind().contains_key(room) {
            return false;
        }
        let Ok(store) = self.platform.store() else { return false };
        self.catch_up(store, room).await.is_ok() && self.behind().get(room).is_some_and(|behind| behind.blind)
    }
}

async fn write(store: &Store, room: &str, entries: &[Entry], again: bool) -> Result<(), Fault> {
    let Some(last) = entries.last() else { return Ok(()) };
    let written: Vec<_> = entries.iter().flat_map(rows::written).collect();
    store.add_chat(room, (rows::number(last.seq), last.at), &written, again).await
}

impl ChatLog for Stored {
    fn load(&self, room: &str) -> Later<Result<Kept, Unavailable>> {
        let (inside, room) = (self.0.clone(), room.to_string());
        Box::pin(async move { Ok(inside.begin(&room).await) })
    }

    fn append(&self, room: &str, batch: Arc<[Entry]>) -> Later<Result<(), Unavailable>> {
        let (inside, room) = (self.0.clone(), room.to_string());
        Box::pin(async move { inside.append(&room, &batch).await })
    }

    fn messages(
        &self,
        room: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Later<Result<Vec<Message>, Unavailable>> {
        let (inside, room) = (self.0.clone(), room.to_string());
        Box::pin(async move {
            let below = before.map_or(i64::MAX, rows::number);
            let most = i64::try_from(limit).unwrap_or(i64::MAX);
            match inside.read(&room, async |store| store.chat_messages(&room, below, most).await).await {
                Some(found) => Ok(found.iter().rev().filter_map(rows::message).collect()),
                None => inside.memory.messages(&room, before, limit).await,
            }
        })
    }

    fn after(&self, room: &str, after: u64, limit: usize) -> Later<Result<Vec<Entry>, Unavailable>> {
        let (inside, room) = (self.0.clone(), room.to_string());
        Box::pin(async move {
            let most = i64::try_from(limit).unwrap_or(i64::MAX);
            let above = rows::number(after);
            match inside.read(&room, async |store| store.chat_after(&room, above, most).await).await {
                Some(found) => Ok(found.iter().filter_map(rows::entry).collect()),
                None => inside.memory.after(&room, after, limit).await,
            }
        })
    }

    fn begins_anew(&self, room: &str) -> Later<bool> {
        let (inside, room) = (self.0.clone(), room.to_string());
        Box::pin(async move { inside.anew(&room).await })
    }

    fn forget(&self, room: &str) -> Later<()> {
        let (inside, room) = (self.0.clone(), room.to_string());
        Box::pin(async move {
            inside.behind().remove(&room);
            inside.memory.forget(&room);
            if let Ok(store) = inside.platform.store() {
                // What is left goes with all that is too old.
                let _ = store.forget_chat(&room).await;
            }
        })
    }
}
