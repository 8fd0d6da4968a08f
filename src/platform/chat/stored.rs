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

#[cfg(test)]
mod tests {
    use super::super::person::{Author, PersonId, Role};
    use super::super::{Ban, id_of};
    use super::*;
    use crate::store::Place;

    fn said(seq: u64, text: &str) -> Entry {
        let id = PersonId::of("ann");
        let from = Author { id, name: "Ann".into(), colour: id.colour(), role: Role::Viewer };
        let message = Message { seq, id: id_of(seq), from, text: text.into(), at: 1, reference: None };
        Entry { seq, at: 1, what: What::Message(message) }
    }

    async fn texts(log: &Stored) -> Vec<String> {
        let messages = log.messages("cam", None, 10).await.unwrap();
        messages.iter().map(|message| message.text.to_string()).collect()
    }

    #[tokio::test]
    async fn what_is_written_while_the_database_is_away_is_stored_when_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let place = Place::Folder(data.clone());
        let platform = || Platform::new(Store::lazy(&place).unwrap());
        // Another life of the server has written.
        let before = platform();
        before.open().await.unwrap();
        let log = Stored::new(before.clone(), &[1; 32], Log::silent());
        assert_eq!(log.load("cam").await.unwrap().seq, 0);
        log.append("cam", [said(1, "before")].into()).await.unwrap();
        let address = "192.0.2.1".parse().unwrap();
        let hashed = log.salts().place(address);
        before.close().await;

        // Nothing was asked of it yet: it is away.
        let platform = platform();
        let log = Stored::new(platform.clone(), &[2; 32], Log::silent());
        let begun = log.load("cam").await.unwrap();
        assert!(begun.seq > 1_000_000_000_000 && texts(&log).await.is_empty());
        assert_ne!(log.salts().place(address), hashed);
        let seq = begun.seq + 1;
        let author = PersonId::of("troll");
        let ban = Ban { author, name: "Troll".into(), place: Some(hashed), until: None };
        let banned = Entry { seq: seq + 1, at: 2, what: What::Banned { ban: ban.clone(), by: author } };
        log.append("cam", [said(seq, "meanwhile"), banned].into()).await.unwrap();
        assert_eq!(texts(&log).await, ["meanwhile"]);
        assert!(!log.begins_anew("cam").await);
        assert_eq!(log.load("cam").await.unwrap().bans, vec![ban.clone()], "known as long as it is away");

        platform.open().await.unwrap();
        assert_eq!(texts(&log).await, ["before", "meanwhile"]);
        assert!(log.begins_anew("cam").await);
        let anew = log.load("cam").await.unwrap();
        assert_eq!((anew.seq, anew.bans), (seq + 1, vec![ban]));
        assert_eq!(log.salts().place(address), hashed, "the salt is as old as the bans");
        assert!(!log.begins_anew("cam").await);
        log.append("cam", [said(seq + 2, "after")].into()).await.unwrap();
        assert_eq!(log.after("cam", 1, 10).await.unwrap(), [said(seq, "meanwhile"), said(seq + 2, "after")]);
        // Another process was quicker with the number.
        assert_eq!(log.append("cam", [said(seq + 2, "again")].into()).await, Err(Unavailable));
        log.forget("cam").await;
        assert!(texts(&log).await.is_empty());
    }

    #[tokio::test]
    async fn what_waits_is_bounded_and_bans_go_last() {
        let folder = tempfile::tempdir().unwrap();
        let platform = Platform::new(Store::lazy(&Place::Folder(folder.path().join("data"))).unwrap());
        let log = Stored::new(platform.clone(), &[1; 32], Log::silent());
        let author = PersonId::of("troll");
        let lifted = Entry { seq: 1, at: 2, what: What::Lifted { author, by: author } };
        log.append("cam", [lifted.clone()].into()).await.unwrap();
        let batch: Arc<[Entry]> = (2..1002).map(|seq| said(seq, "x")).collect();
        for _ in 0..11 {
            log.append("cam", batch.clone()).await.unwrap();
        }
        let behind = log.0.behind();
        assert_eq!(behind["cam"].waiting.len(), WAITING);
        assert_eq!(behind["cam"].waiting[0], lifted);
    }
}
