//! What happened in a room as rows of the store, and back. What cannot be read, as a newer version may have written it, is
//! left out.

use super::bans::Ban;
use super::entry::{Entry, What};
use super::log::Kept;
use super::message::Message;
use super::person::PersonId;
use super::settings::Settings;
use crate::store::chat::{BanRow, EntryRow, NameRow, RoomRow, Written};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const MESSAGE: &str = "message";
const DELETED: &str = "deleted";
const CLEARED: &str = "cleared";

#[derive(Serialize, Deserialize)]
struct Deleted {
    #[serde(default)]
    seqs: Vec<u64>,
    by: PersonId,
}

/// A number as the store has it.
pub fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn seq(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn json(of: &impl Serialize) -> String {
    serde_json::to_string(of).unwrap_or_default()
}

/// What is written of an entry.
pub fn written(entry: &Entry) -> Vec<Written> {
    let row = |kind: &str, data| {
        Written::Entry(EntryRow { seq: number(entry.seq), kind: kind.into(), data, at_ms: entry.at })
    };
    match &entry.what {
        What::Message(message) => vec![row(MESSAGE, json(message))],
        What::Deleted { seqs, by } => {
            let gone = seqs.iter().map(|seq| Written::Gone(number(*seq)));
            gone.chain([row(DELETED, json(&Deleted { seqs: seqs.clone(), by: *by }))]).collect()
        }
        What::Cleared { by } => {
            let data = json(&Deleted { seqs: Vec::new(), by: *by });
            vec![Written::Cleared(number(entry.seq)), row(CLEARED, data)]
        }
        What::Banned { ban, .. } => vec![Written::Ban(BanRow {
            author: ban.author.to_string(),
            seq: number(entry.seq),
            name: ban.name.clone(),
            place: ban.place.as_ref().map(json),
            until_ms: ban.until,
        })],
        What::Lifted { author, .. } => vec![Written::Lifted(author.to_string())],
        What::Changed { settings, .. } => {
            let pinned = settings.pinned.as_ref().map(|message| (number(message.seq), json(message)));
            let settings = json(&Settings { pinned: None, ..settings.clone() });
            vec![Written::Settings { settings, pinned }]
        }
        What::Named { person, name, .. } => vec![Written::Name(NameRow {
            author: person.to_string(),
            seq: number(entry.seq),
            name: name.to_string(),
        })],
    }
}

/// An entry of the store.
pub fn entry(row: &EntryRow) -> Option<Entry> {
    let what = match row.kind.as_str() {
        MESSAGE => What::Message(message(row)?),
        kind => {
            let Deleted { seqs, by } = serde_json::from_str(&row.data).ok()?;
            match kind {
                DELETED => What::Deleted { seqs, by },
                CLEARED => What::Cleared { by },
                _ => return None,
            }
        }
    };
    Some(Entry { seq: seq(row.seq), at: row.at_ms, what })
}

/// A message of the store.
pub fn message(row: &EntryRow) -> Option<Message> {
    serde_json::from_str(&row.data).ok()
}

/// What a room begins with.
pub fn kept(room: Option<RoomRow>, bans: Vec<BanRow>, names: Vec<NameRow>) -> Kept {
    let room = room.unwrap_or_default();
    let pinned = room.pinned.and_then(|text| serde_json::from_str(&text).ok());
    let settings: Settings = serde_json::from_str(&room.settings).unwrap_or_default();
    let ban = |row: BanRow| {
        let place = row.place.and_then(|text| serde_json::from_str(&text).ok());
        Some(Ban { author: row.author.parse().ok()?, name: row.name, place, until: row.until_ms })
    };
    let name = |row: NameRow| Some((row.author.parse().ok()?, Arc::from(row.name)));
    Kept {
        seq: seq(room.seq),
        settings: Settings { pinned, ..settings },
        bans: bans.into_iter().filter_map(ban).collect(),
        names: names.into_iter().filter_map(name).collect(),
    }
}
