//! What happened in a room as an event for other programs: text and names, never where somebody writes from.

use super::entry::{Entry, What};
use super::message::id_of;
use crate::base::clock::rfc3339;
use crate::platform::events::{Event, Type};
use serde_json::{Value, json};

/// The event that an entry is, if it is one; `name` is what people call the stream of the room.
pub fn event(room: &str, name: &str, entry: &Entry) -> Option<Event> {
    let (of, mut data) = match &entry.what {
        What::Message(message) => (Type::ChatMessage, json!({ "message": message })),
        What::Deleted { seqs, by } => {
            let ids: Vec<String> = seqs.iter().map(|seq| id_of(*seq)).collect();
            (Type::ChatDeleted, json!({ "ids": ids, "by": by }))
        }
        What::Cleared { by } => (Type::ChatDeleted, json!({ "before": entry.seq, "by": by })),
        What::Banned { ban, by } => {
            let until = ban.until.map(rfc3339);
            (
                Type::ChatBanned,
                json!({ "author": ban.author, "author_name": ban.name, "until": until, "by": by }),
            )
        }
        // As viewers are told: until a time that is over.
        What::Lifted { author, by } => {
            (Type::ChatBanned, json!({ "author": author, "until": rfc3339(entry.at), "by": by }))
        }
        What::Changed { .. } | What::Named { .. } => return None,
    };
    if let Some(fields) = data.as_object_mut() {
        fields.insert("name".into(), Value::from(name));
    }
    Some(Event { at_ms: entry.at, ..Event::new(of, Some(room.to_string()), data) })
}

#[cfg(test)]
mod tests {
    use super::super::bans::Ban;
    use super::super::person::PersonId;
    use super::super::place::Salt;
    use super::*;

    #[test]
    fn a_ban_is_told_without_where_it_holds() {
        let place = Salt::new(&[1; 32]).place("192.0.2.1".parse().unwrap());
        let (author, by) = (PersonId::of("troll"), PersonId::of("boss"));
        let ban = Ban { author, name: "Troll".into(), place: Some(place), until: Some(0) };
        let entry = Entry { seq: 3, at: 7, what: What::Banned { ban, by } };
        let told = event("id1", "cam", &entry).unwrap();
        assert_eq!(
            (told.kind.as_str(), told.public_id.as_deref(), told.at_ms),
            ("chat.banned", Some("id1"), 7)
        );
        let expected = json!({ "name": "cam", "author": author, "author_name": "Troll", "by": by,
                               "until": "1970-01-01T00:00:00Z" });
        assert_eq!(told.data, expected);
        let lifted = Entry { seq: 4, at: 1000, what: What::Lifted { author, by } };
        assert_eq!(event("id1", "cam", &lifted).unwrap().data["until"], "1970-01-01T00:00:01Z");
    }
}
