//! What keeps a room: a trait, so that a store can be behind it.

use super::bans::Ban;
use super::entry::Entry;
use super::message::Message;
use super::person::PersonId;
use super::settings::Settings;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;

/// What has to be waited for.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The log cannot be read or written now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chat's log cannot be reached")]
pub struct Unavailable;

/// What a room begins with.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The number of the last entry.
    pub seq: u64,
    /// The settings.
    pub settings: Settings,
    /// The bans.
    pub bans: Vec<Ban>,
    /// Names that were chosen.
    pub names: Vec<(PersonId, Arc<str>)>,
}

/// The log of all rooms. A room is called as its stream is: a public id, or the key of an open stream.
///
/// Entries of a room come in the order of their numbers, several at once where many write. What they say of messages,
/// bans, names and settings holds when `append` is done, and is there after a restart. A message that is deleted is no longer
/// pinned either.
pub trait ChatLog: Send + Sync {
    /// What a room begins with; the default for one that there has not been.
    fn load(&self, room: &str) -> Later<Result<Kept, Unavailable>>;

    /// Keeps entries. Numbers may be missing: one whose append failed is not used again.
    fn append(&self, room: &str, batch: Arc<[Entry]>) -> Later<Result<(), Unavailable>>;

    /// The last messages with a number below `before` that are not deleted, oldest first.
    fn messages(
        &self,
        room: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Later<Result<Vec<Message>, Unavailable>>;

    /// The first public entries ([`super::What::is_public`]) with a number above `after`, without messages that are deleted.
    fn after(&self, room: &str, after: u64, limit: usize) -> Later<Result<Vec<Entry>, Unavailable>>;

    /// Keeps what could not be kept before; whether a room began without what is kept of it and is to begin anew, because that
    /// can be read now.
    fn begins_anew(&self, _room: &str) -> Later<bool> {
        Box::pin(ready(false))
    }

    /// Forgets a room whose stream was removed.
    fn forget(&self, room: &str) -> Later<()>;
}
