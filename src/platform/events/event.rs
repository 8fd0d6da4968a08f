//! One thing that happened, in the words that receivers know. Types are only ever added.

use crate::base::clock;
use crate::store::events::EventRow;
use aws_lc_rs::rand;
use serde_json::{Value, json};

/// The largest `data`, in bytes: with everything around it a message stays below 20 KB.
const LARGEST: usize = 16 << 10;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// A stream was registered.
    StreamCreated,
    /// What is said of it was changed, or its key.
    StreamUpdated,
    /// It was removed.
    StreamDeleted,
    /// It can be watched.
    StreamLive,
    /// It cannot be watched any more.
    StreamEnded,
    /// Its publisher broke off and is waited for.
    StreamInterrupted,
    /// Its publisher is back.
    StreamResumed,
    /// A rendition can be watched.
    RenditionUp,
    /// A rendition is gone.
    RenditionDown,
    /// Somebody may not publish.
    PublishRefused,
    /// Viewers came.
    ViewerJoined,
    /// Viewers left.
    ViewerLeft,
    /// Figures of a stream.
    Stats,
    /// Somebody wrote in a chat.
    ChatMessage,
    /// What was written was taken out of a chat.
    ChatDeleted,
    /// Somebody was banned from a chat.
    ChatBanned,
    /// A webhook was switched off.
    HookDisabled,
    /// A webhook is tried out.
    HookTest,
}

impl Type {
    /// Every type.
    pub const ALL: [Type; 18] = [
        Type::StreamCreated,
        Type::StreamUpdated,
        Type::StreamDeleted,
        Type::StreamLive,
        Type::StreamEnded,
        Type::StreamInterrupted,
        Type::StreamResumed,
        Type::RenditionUp,
        Type::RenditionDown,
        Type::PublishRefused,
        Type::ViewerJoined,
        Type::ViewerLeft,
        Type::Stats,
        Type::ChatMessage,
        Type::ChatDeleted,
        Type::ChatBanned,
        Type::HookDisabled,
        Type::HookTest,
    ];

    /// As it is written.
    pub const fn word(self) -> &'static str {
        match self {
            Type::StreamCreated => "stream.created",
            Type::StreamUpdated => "stream.updated",
            Type::StreamDeleted => "stream.deleted",
            Type::StreamLive => "stream.live",
            Type::StreamEnded => "stream.ended",
            Type::StreamInterrupted => "stream.interrupted",
            Type::StreamResumed => "stream.resumed",
            Type::RenditionUp => "rendition.up",
            Type::RenditionDown => "rendition.down",
            Type::PublishRefused => "publish.refused",
            Type::ViewerJoined => "viewer.joined",
            Type::ViewerLeft => "viewer.left",
            Type::Stats => "stats",
            Type::ChatMessage => "chat.message",
            Type::ChatDeleted => "chat.deleted",
            Type::ChatBanned => "chat.banned",
            Type::HookDisabled => "hook.disabled",
            Type::HookTest => "hook.test",
        }
    }

    /// Whether it is told only while somebody asks for it by its name.
    pub const fn only_if_asked(self) -> bool {
        matches!(self, Type::ViewerJoined | Type::ViewerLeft | Type::Stats)
    }

    /// The types that are meant by words with commas between: names, or `stream.*` for all that begin so. Nothing, or `*`, is
    /// all of them but those that have to be asked for.
    ///
    /// # Errors
    /// The first word that means none.
    pub fn chosen(words: &str) -> Result<Vec<Type>, String> {
        let mut chosen = Vec::new();
        let words: Vec<&str> = words.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
        if words.is_empty() {
            return Type::chosen("*");
        }
        for word in words {
            let before = chosen.len();
            match word.strip_suffix('*') {
                Some("") => chosen.extend(Type::ALL.into_iter().filter(|of| !of.only_if_asked())),
                Some(family) if family.ends_with('.') => {
                    chosen.extend(Type::ALL.into_iter().filter(|of| of.word().starts_with(family)));
                }
                _ => chosen.extend(Type::ALL.into_iter().filter(|of| of.word() == word)),
            }
            if chosen.len() == before {
                return Err(word.to_string());
            }
        }
        chosen.sort_unstable();
        chosen.dedup();
        Ok(chosen)
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its place among all; none if it could not be stored.
    pub seq: Option<i64>,
    /// Its name.
    pub id: String,
    /// What it is. Newer versions have more types.
    pub kind: String,
    /// Which stream it is about: the id of a registered one, of any other its name.
    pub public_id: Option<String>,
    /// When it was, milliseconds since 1970.
    pub at_ms: i64,
    /// More.
    pub data: Value,
}

impl Event {
    /// It happens now.
    pub fn new(kind: Type, public_id: Option<String>, data: Value) -> Event {
        let at_ms = clock::now_ms();
        let large = data.to_string().len() > LARGEST;
        let data = if large { json!({ "left_out": "it was too large" }) } else { data };
        Event { seq: None, id: id(at_ms), kind: kind.word().into(), public_id, at_ms, data }
    }

    /// As it is stored.
    pub fn row(&self) -> EventRow {
        EventRow {
            seq: self.seq.unwrap_or_default(),
            event_id: self.id.clone(),
            kind: self.kind.clone(),
            public_id: self.public_id.clone(),
            at_ms: self.at_ms,
            data: self.data.to_string(),
        }
    }

    /// The name by which people know its stream.
    pub fn stream(&self) -> &str {
        let named = self.data.get("name").and_then(Value::as_str);
        named.or(self.public_id.as_deref()).unwrap_or_default()
    }

    /// As a message (Standard Webhooks 1.0): the stream stands in its data.
    pub fn message(&self) -> Value {
        let mut data = self.data.clone();
        if let (Some(fields), Some(id)) = (data.as_object_mut(), &self.public_id) {
            fields.insert("public_id".into(), id.clone().into());
        }
        json!({ "type": self.kind, "timestamp": clock::log_stamp(self.at_ms), "seq": self.seq, "data": data })
    }
}

impl From<EventRow> for Event {
    fn from(row: EventRow) -> Event {
        Event {
            seq: Some(row.seq),
            id: row.event_id,
            kind: row.kind,
            public_id: row.public_id,
            at_ms: row.at_ms,
            data: serde_json::from_str(&row.data).unwrap_or(Value::Null),
        }
    }
}

/// A name that sorts by time: a UUID of version 7.
fn id(at_ms: i64) -> String {
    let mut random = [0; 10];
    rand::fill(&mut random).expect("the system gives random bytes");
    let at = u64::try_from(at_ms).unwrap_or(0);
    format!("evt_{}", uuid::Builder::from_unix_timestamp_millis(at, &random).into_uuid().simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_chosen_by_words() {
        let words = |text: &str| {
            Type::chosen(text).map(|all| all.into_iter().map(Type::word).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(words("stats, stream.live,stats").as_deref(), Ok("stream.live stats"));
        assert_eq!(words("viewer.*").as_deref(), Ok("viewer.joined viewer.left"));
        assert!(words("").is_ok_and(|all| all.contains("chat.banned") && !all.contains("stats")));
        assert_eq!(words(""), words(" , *"));
        for wrong in ["stream", "stream*", "x", "x.*"] {
            assert_eq!(words(&format!("stats,{wrong}")), Err(wrong.into()));
        }
        for of in Type::ALL {
            assert_eq!(Type::chosen(of.word()), Ok(vec![of]));
            assert!(of.word().bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'_'));
        }
    }

    #[test]
    fn events_are_stored_and_sent_as_they_are() {
        let event = Event::new(Type::StreamLive, Some("id1".into()), json!({ "name": "cam" }));
        assert!(event.id.starts_with("evt_") && event.id.len() == 36, "{}", event.id);
        assert_eq!(Event { seq: None, ..Event::from(event.row()) }, event);
        let message = Event { seq: Some(7), at_ms: 0, ..event.clone() }.message();
        assert_eq!(
            message,
            json!({ "type": "stream.live", "timestamp": "1970-01-01T00:00:00.000Z", "seq": 7,
                    "data": { "name": "cam", "public_id": "id1" } })
        );
        assert_eq!(event.stream(), "cam");
        let large = Event::new(Type::Stats, None, json!({ "x": "y".repeat(LARGEST) }));
        assert!(large.message().to_string().len() < 1000);
        assert_ne!(id(5), id(5));
        assert!(id(5) < id(6));
    }
}
