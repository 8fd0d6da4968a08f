//! A registered stream as everything but the store knows it.

use super::sources::Source;
use crate::store::streams::StreamRow;
use serde::{Deserialize, Serialize};

/// Who may watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadPolicy {
    /// Whoever may watch anything of the server.
    #[default]
    Anyone,
    /// The owner, by the private id, and the operator.
    Owner,
}

impl ReadPolicy {
    /// As it is stored and written.
    pub const fn word(self) -> &'static str {
        match self {
            ReadPolicy::Anyone => "anyone",
            ReadPolicy::Owner => "owner",
        }
    }

    /// Of a word.
    pub fn of(word: &str) -> Option<ReadPolicy> {
        [ReadPolicy::Anyone, ReadPolicy::Owner].into_iter().find(|policy| policy.word() == word)
    }
}

/// See the module. Secrets are there as hashes alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// What others know it by for ever.
    pub public_id: String,
    /// Its name in addresses.
    pub slug: String,
    /// Its title.
    pub name: String,
    /// A few words about it.
    pub description: String,
    /// Whether it is listed.
    pub listed: bool,
    /// What ladder it is given: `off`, `auto`, a list; empty where the server's setting decides.
    pub ladder: String,
    /// Whether it is recorded.
    pub record: bool,
    /// Whether it has a chat.
    pub chat: bool,
    /// Who may watch.
    pub read: ReadPolicy,
    /// Where it comes from, if msconv publishes it.
    pub source: Option<Source>,
    /// When it was registered, milliseconds since 1970, as all times here.
    pub created_ms: i64,
    /// When it was changed.
    pub updated_ms: i64,
    /// When it went live last.
    pub live_ms: Option<i64>,
    /// When it ended last.
    pub ended_ms: Option<i64>,
    /// When its key stops opening it.
    pub expires_ms: Option<i64>,
    /// The number of its last change.
    pub version: i64,
    /// SHA-256 of its key.
    pub key_hash: String,
    /// SHA-256 of its private id.
    pub private_hash: String,
}

impl Stream {
    /// Whether its key opens nothing any more.
    pub fn has_expired(&self, now_ms: i64) -> bool {
        self.expires_ms.is_some_and(|at| at <= now_ms)
    }

    /// As it is stored.
    pub fn row(&self) -> StreamRow {
        let flag = |on: bool| if on { "on" } else { "off" }.to_string();
        StreamRow {
            public_id: self.public_id.clone(),
            private_hash: self.private_hash.clone(),
            key_hash: self.key_hash.clone(),
            slug: self.slug.clone(),
            name: self.name.clone(),
            description: self.description.clone(),
            listed: i64::from(self.listed),
            ladder: self.ladder.clone(),
            record: flag(self.record),
            chat: flag(self.chat),
            read_policy: self.read.word().into(),
            source: Source::stored(self.source.as_ref()),
            created_ms: self.created_ms,
            updated_ms: self.updated_ms,
            live_ms: self.live_ms,
            ended_ms: self.ended_ms,
            expires_ms: self.expires_ms,
            deleted_ms: None,
            version: self.version,
        }
    }
}

impl From<StreamRow> for Stream {
    fn from(row: StreamRow) -> Stream {
        Stream {
            public_id: row.public_id,
            slug: row.slug,
            name: row.name,
            description: row.description,
            listed: row.listed != 0,
            ladder: row.ladder,
            record: row.record == "on",
            chat: row.chat != "off",
            // A policy of a later version is the narrowest that is known here.
            read: ReadPolicy::of(&row.read_policy).unwrap_or(ReadPolicy::Owner),
            source: Source::of_stored(&row.source),
            created_ms: row.created_ms,
            updated_ms: row.updated_ms,
            live_ms: row.live_ms,
            ended_ms: row.ended_ms,
            expires_ms: row.expires_ms,
            version: row.version,
            key_hash: row.key_hash,
            private_hash: row.private_hash,
        }
    }
}
