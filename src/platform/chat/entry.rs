//! What happens in a room, one thing after the other: what the log keeps and the hooks are told.

use super::bans::Ban;
use super::message::Message;
use super::person::{PersonId, Role};
use super::settings::Settings;
use std::sync::Arc;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number in the room, from 1 on.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Somebody wrote.
    Message(Message),
    /// Messages are gone, by their numbers; the log forgets their text.
    Deleted {
        /// Which.
        seqs: Vec<u64>,
        /// By whom.
        by: PersonId,
    },
    /// All messages before are gone.
    Cleared {
        /// By whom.
        by: PersonId,
    },
    /// Somebody may not write for a while.
    Banned {
        /// Who, and how long.
        ban: Ban,
        /// By whom.
        by: PersonId,
    },
    /// He may again.
    Lifted {
        /// Who.
        author: PersonId,
        /// By whom.
        by: PersonId,
    },
    /// The room has other settings.
    Changed {
        /// All of them.
        settings: Settings,
        /// By whom.
        by: PersonId,
    },
    /// Somebody has chosen a name.
    Named {
        /// Who.
        person: PersonId,
        /// Which.
        name: Arc<str>,
        /// What he is.
        role: Role,
    },
}

impl What {
    /// Whether viewers are told of it by its number. The rest is told to whom it concerns.
    pub fn is_public(&self) -> bool {
        matches!(self, What::Message(_) | What::Deleted { .. } | What::Cleared { .. })
    }
}
