//! The store with what is remembered of it: opened when it can be, followed while others change it, and done without while it
//! is away.

use super::Refusal;
use super::directory::{Directory, OnAir};
use super::events::{self, Events};
use super::programs::passes::Passes;
use super::sources::Board;
use crate::base::clock;
use crate::store::{Fault, Place, Store, chat};
use crate::telemetry::Log;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, oneshot, watch};

/// Between two looks at what others changed.
const AGAIN: Duration = Duration::from_secs(1);
/// Between two attempts to reach a database that is away.
const RETRY: Duration = Duration::from_secs(3);
/// Rows that are read at once.
const ROWS: i64 = 500;
/// Unknown keys within this time are looked for once.
const MOMENT: Duration = Duration::from_millis(100);
/// After so many looks it is seen to what can be forgotten.
const FORGETS: u32 = 1024;
/// How long a removed stream is remembered, so that every process hears of its end.
const REMEMBERED_MS: i64 = 24 * 3600 * 1000;
/// How long what is said in chats is kept, and the most of each room.
const CHAT_MS: i64 = 30 * 24 * 3600 * 1000;
const CHAT_ENTRIES: i64 = 10_000;
const CHAT_NAMES: i64 = 16 << 10;
const CHAT_BANS: i64 = 4096;

/// What makes a change felt by those who are on the air.
pub type Follows = Arc<dyn Fn(OnAir) + Send + Sync>;

/// See the module. Cloning shares it.
#[derive(Clone)]
pub struct Kept(pub(super) Arc<Inside>);

pub(super) struct Inside {
    store: Store,
    directory: Directory,
    reachable: AtomicBool,
    /// One look at a time.
    looking: Mutex<()>,
    /// When it was looked at for an unknown key.
    looked: std::sync::Mutex<Option<Instant>>,
    follows: OnceLock<Follows>,
    events: Events,
    pub(super) board: Board,
    passes: Passes,
}

impl Kept {
    /// Of a store that nothing was asked of yet.
    pub fn new(store: Store) -> Kept {
        Kept(Arc::new(Inside {
            store,
            directory: Directory::default(),
            reachable: AtomicBool::new(false),
            looking: Mutex::default(),
            looked: std::sync::Mutex::default(),
            follows: OnceLock::new(),
            events: Events::default(),
            board: Board::default(),
            passes: Passes::default(),
        }))
    }

    /// What makes changes felt from now on. The first one stays.
    pub fn felt_by(&self, follows: Follows) {
        let _ = self.0.follows.set(follows);
    }

    /// Brings the store up to date and reads what is registered.
    ///
    /// # Errors
    /// As [`Store::migrate`].
    pub async fn open(&self) -> Result<(), Fault> {
        self.0.store.migrate().await?;
        self.look().await
    }

    /// What programs that this server started show it.
    pub fn passes(&self) -> &Passes {
        &self.0.passes
    }

    /// Where what happens is told, and heard of.
    pub fn events(&self) -> &Events {
        &self.0.events
    }

    /// Writes events down until `over` says that nothing more comes.
    pub async fn write_events(&self, log: Log, over: oneshot::Receiver<()>) {
        let Inside { store, directory, events, .. } = &*self.0;
        let directory = directory.clone();
        let notes: events::Notes = Arc::new(move |id, live, at_ms| directory.note_air(id, live, at_ms));
        events::write(events.clone(), store.clone(), || self.is_reachable(), notes, log, over).await;
    }

    /// Ends all connections to the store.
    pub async fn close(&self) {
        self.0.store.close().await;
    }

    /// Where it is kept.
    pub fn place(&self) -> &Place {
        self.0.store.place()
    }

    /// What is registered, as far as it was read.
    pub fn directory(&self) -> &Directory {
        &self.0.directory
    }

    /// Whether the store answered when it was asked last.
    pub fn is_reachable(&self) -> bool {
        self.0.reachable.load(Ordering::Relaxed)
    }

    /// The store, if it can be expected to answer.
    ///
    /// # Errors
    /// It was away a moment ago.
    pub fn store(&self) -> Result<&Store, Refusal> {
        if self.is_reachable() {
            Ok(&self.0.store)
        } else {
            Err(Refusal::Away("it was not there a moment ago; it is asked again every few seconds".into()))
        }
    }

    /// Reads what changed; streams that must end are ended.
    ///
    /// # Errors
    /// The store is away.
    pub async fn look(&self) -> Result<(), Fault> {
        let _alone = self.0.looking.lock().await;
        let outcome = self.read_on().await;
        self.0.reachable.store(outcome.is_ok(), Ordering::Relaxed);
        outcome
    }

    /// As [`Kept::look`], but not if it was looked at a moment ago, and without a word if it is away: for keys that are not
    /// known, which strangers can ask for as often as they like.
    pub async fn look_again(&self) {
        let due = {
            let mut looked = self.0.looked.lock().unwrap_or_else(PoisonError::into_inner);
            let due = looked.is_none_or(|at| at.elapsed() >= MOMENT);
            if due {
                *looked = Some(Instant::now());
            }
            due
        };
        if due && self.is_reachable() {
            let _ = self.look().await;
        }
    }

    async fn read_on(&self) -> Result<(), Fault> {
        let Inside { store, directory, follows, .. } = &*self.0;
        if store.streams_version().await? == directory.version() {
            return Ok(());
        }
        loop {
            let rows = store.streams_after(directory.version(), ROWS).await?;
            let last = rows.len() < usize::try_from(ROWS).unwrap_or(usize::MAX);
            let changes = directory.apply(rows);
            if let Some(follows) = follows.get() {
                changes.into_iter().for_each(|change| follows(change));
            }
            if last {
                return Ok(());
            }
        }
    }

    /// Forgets what is not kept any longer. What fails is done the next time.
    async fn forget(&self, now_ms: i64) {
        let kept = chat::Kept {
            since_ms: now_ms.saturating_sub(CHAT_MS),
            now_ms,
            entries: CHAT_ENTRIES,
            names: CHAT_NAMES,
            bans: CHAT_BANS,
        };
        // Chats first: they are known to be removed by their streams.
        let _ = self.0.store.trim_chats(kept).await;
        let _ = self.0.store.forget_streams(now_ms.saturating_sub(REMEMBERED_MS)).await;
    }

    /// Follows the store until `shutdown` says so.
    pub async fn follow(self, log: Log, mut shutdown: watch::Receiver<bool>) {
        let work = async {
            let mut opened = self.is_reachable();
            let mut looks: u32 = 0;
            loop {
                let before = self.is_reachable();
                let outcome = if opened { self.look().await } else { self.open().await };
                opened |= outcome.is_ok();
                match outcome {
                    Ok(()) if !before => log.info(format_args!("database: it is there")),
                    Err(fault) if before => {
                        log.warn(format_args!("database: {fault}; streams go on without it"))
                    }
                    _ => {}
                }
                looks = looks.wrapping_add(1);
                if self.is_reachable() && looks % FORGETS == 1 {
                    self.forget(clock::now_ms()).await;
                }
                tokio::time::sleep(if self.is_reachable() { AGAIN } else { RETRY }).await;
            }
        };
        tokio::select! {
            () = work => {}
            _ = shutdown.wait_for(|down| *down) => {}
        }
    }
}
