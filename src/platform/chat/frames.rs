//! The protocol: objects of JSON, each with its `type`. Absent fields that have a default may be left out, unknown ones are
//! ignored, so both sides may learn more.

use super::bounds::FRAME_BYTES;
use super::entry::{Entry, What};
use super::message::{Message, id_of};
use super::person::{Author, PersonId};
use super::refusal::{Code, Refusal};
use super::settings::{Patch, Settings};
use crate::base::clock::rfc3339;
use serde::{Deserialize, Serialize};

/// The most characters of what a client calls its message.
const REFERENCE: usize = 64;

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientFrame {
    /// A message.
    Say {
        /// The text.
        text: String,
        /// What the client calls it.
        #[serde(rename = "ref", default)]
        reference: Option<String>,
    },
    /// Chooses a name.
    Name {
        /// Which.
        name: String,
    },
    /// Deletes a message.
    Delete {
        /// Which.
        id: String,
    },
    /// Deletes all messages.
    Clear {},
    /// Bans an author.
    Ban {
        /// Who.
        author: PersonId,
        /// For so many seconds; absent is for good, 0 lifts the ban.
        #[serde(default)]
        seconds: Option<u64>,
    },
    /// Changes the room.
    Room(Patch),
}

impl ClientFrame {
    /// Reads one.
    ///
    /// # Errors
    /// Too long, or no frame of the protocol.
    pub fn read(text: &str) -> Result<ClientFrame, Code> {
        if text.len() > FRAME_BYTES {
            return Err(Code::TooLong);
        }
        let frame = serde_json::from_str(text).map_err(|_| Code::BadFrame)?;
        match &frame {
            ClientFrame::Say { reference: Some(reference), .. } if reference.chars().count() > REFERENCE => {
                Err(Code::BadFrame)
            }
            _ => Ok(frame),
        }
    }

    /// What the client calls its message.
    pub fn reference(&self) -> Option<&str> {
        match self {
            ClientFrame::Say { reference, .. } => reference.as_deref(),
            _ => None,
        }
    }
}

/// What the server sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// The first one.
    Hello {
        /// Who the viewer is.
        you: Author,
        /// The room.
        room: Settings,
        /// The last messages, oldest first.
        history: Vec<Message>,
        /// The number of what happened last.
        seq: u64,
        /// How many are here.
        viewers: usize,
        /// Whether the stream is on the air.
        state: &'static str,
    },
    /// A message.
    Message(Message),
    /// Messages are gone.
    Delete {
        /// The number of this.
        seq: u64,
        /// Which.
        ids: Vec<String>,
    },
    /// All messages before are gone.
    Clear {
        /// The number of this.
        seq: u64,
    },
    /// The viewer may not write.
    Banned {
        /// Until when, by RFC 3339; null is for good. In the past: he may again.
        until: Option<String>,
    },
    /// The room has other settings.
    Room(Settings),
    /// How many are here.
    Viewers {
        /// So many.
        count: usize,
    },
    /// Whether the stream is on the air.
    Stream {
        /// `live` or `ended`.
        state: &'static str,
    },
    /// The viewer is somebody else from now on.
    You {
        /// Who.
        you: Author,
    },
    /// What the client sent was refused.
    Error {
        /// Why.
        code: Code,
        /// The same in words.
        detail: String,
        /// After how many milliseconds it may be tried again.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        /// What the client called it.
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
    },
    /// The viewer was too slow and missed what has these numbers.
    Gap {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
}

impl ServerFrame {
    /// What all viewers are told of an entry, if they are told of it.
    pub fn of(entry: &Entry) -> Option<ServerFrame> {
        let seq = entry.seq;
        match &entry.what {
            What::Message(message) => Some(ServerFrame::Message(message.clone())),
            What::Deleted { seqs, .. } => {
                Some(ServerFrame::Delete { seq, ids: seqs.iter().copied().map(id_of).collect() })
            }
            What::Cleared { .. } => Some(ServerFrame::Clear { seq }),
            What::Banned { .. } | What::Lifted { .. } | What::Changed { .. } | What::Named { .. } => None,
        }
    }

    /// A refusal of what the client called so.
    pub fn refused(refusal: Refusal, reference: Option<&str>) -> ServerFrame {
        let retry = refusal.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        ServerFrame::Error {
            code: refusal.code,
            detail: refusal.code.to_string(),
            retry_after_ms: retry,
            reference: reference.map(str::to_string),
        }
    }

    /// Whether the stream is on the air.
    pub fn stream(live: bool) -> ServerFrame {
        ServerFrame::Stream { state: state(live) }
    }

    /// A ban that ends then, in milliseconds since 1970; none is for good.
    pub fn banned(until: Option<i64>) -> ServerFrame {
        ServerFrame::Banned { until: until.map(rfc3339) }
    }

    /// As it is sent.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The word for a stream that is on the air or not.
pub fn state(live: bool) -> &'static str {
    if live { "live" } else { "ended" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_of_clients_are_read() {
        let say = |text: &str, reference: Option<&str>| ClientFrame::Say {
            text: text.into(),
            reference: reference.map(str::to_string),
        };
        let author = PersonId::of("a");
        for (text, frame) in [
            (r#"{"type":"say","text":"hi","ref":"1"}"#.to_string(), say("hi", Some("1"))),
            (r#"{"text":"hi","type":"say","new":[1]}"#.into(), say("hi", None)),
            (r#"{"type":"name","name":"ann"}"#.into(), ClientFrame::Name { name: "ann".into() }),
            (r#"{"type":"delete","id":"m1"}"#.into(), ClientFrame::Delete { id: "m1".into() }),
            (r#"{"type":"clear"}"#.into(), ClientFrame::Clear {}),
            (
                format!(r#"{{"type":"ban","author":"{author}","seconds":60}}"#),
                ClientFrame::Ban { author, seconds: Some(60) },
            ),
            (
                r#"{"type":"room","slow_s":5}"#.into(),
                ClientFrame::Room(Patch { slow_s: Some(5), ..Patch::default() }),
            ),
        ] {
            assert_eq!(ClientFrame::read(&text), Ok(frame), "{text}");
        }
        let long = format!(r#"{{"type":"say","text":"{}"}}"#, "a".repeat(FRAME_BYTES));
        assert_eq!(ClientFrame::read(&long), Err(Code::TooLong));
        let reference = format!(r#"{{"type":"say","text":"a","ref":"{}"}}"#, "a".repeat(65));
        for bad in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"type":"say"}"#,
            r#"{"type":"shout","text":"a"}"#,
            r#"{"type":"say","text":5}"#,
            r#"{"type":"ban","author":"ann"}"#,
            r#"{"type":"say","text":"\ud800"}"#,
            r#"{"type":"say","text":"a"} x"#,
            &reference,
            &"[".repeat(4000),
        ] {
            assert_eq!(ClientFrame::read(bad), Err(Code::BadFrame), "{bad}");
        }
    }

    #[test]
    fn frames_of_the_server_have_a_form() {
        let refusal = Refusal::after(Code::SlowMode, std::time::Duration::from_millis(1500));
        let error = ServerFrame::refused(refusal, Some("7")).text();
        assert_eq!(
            error,
            r#"{"type":"error","code":"slow_mode","detail":"this room is in slow mode","retry_after_ms":1500,"ref":"7"}"#
        );
        assert_eq!(ServerFrame::Gap { from: 1, to: 2 }.text(), r#"{"type":"gap","from":1,"to":2}"#);
        assert_eq!(ServerFrame::banned(None).text(), r#"{"type":"banned","until":null}"#);
        assert_eq!(
            ServerFrame::banned(Some(0)).text(),
            r#"{"type":"banned","until":"1970-01-01T00:00:00Z"}"#
        );
        let room = ServerFrame::Room(Settings::default()).text();
        let fields = r#""slow_s":0,"open":true,"newcomers_wait_s":0,"max_chars":500,"pinned":null"#;
        assert_eq!(room, format!(r#"{{"type":"room",{fields}}}"#));
    }

    proptest! {
        #[test]
        fn whatever_a_client_sends_is_read_or_refused(text in ".{0,200}") {
            let _ = ClientFrame::read(&text);
            let say = serde_json::json!({ "type": "say", "text": text }).to_string();
            prop_assert_eq!(ClientFrame::read(&say), Ok(ClientFrame::Say { text, reference: None }));
        }
    }
}
