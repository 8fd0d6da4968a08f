//! What the supervisor says through its pipe, one JSON line each.

use crate::base::next::Next;
use crate::base::{Failure, Kind};
use crate::process::child_log::Lines;
use crate::process::supervisor::Event;
use std::time::Duration;

/// What a supervisor says through its pipe: an event, or that it could not begin.
pub enum Message {
    /// An event.
    Event(Event),
    /// It could not begin.
    Refused(Failure),
}

/// The supervisor's side of a refusal, one line of JSON.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Refusal {
    exit_code: u8,
    what: String,
    why: Vec<String>,
    tries: Vec<Next>,
}

impl From<&Failure> for Refusal {
    fn from(failure: &Failure) -> Refusal {
        Refusal {
            exit_code: failure.kind().exit_code(),
            what: failure.what().to_string(),
            why: failure.reasons().to_vec(),
            tries: failure.hints().to_vec(),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        let mut failure = Failure::new(Kind::from_exit_code(refusal.exit_code), refusal.what);
        for why in refusal.why {
            failure = failure.why(why);
        }
        for hint in refusal.tries {
            failure = failure.hint(hint);
        }
        failure
    }
}

/// Reads messages from the supervisor's pipe. An update can be longer than a log line, so lines are joined.
pub(super) struct EventLines {
    lines: Lines<tokio::net::unix::pipe::Receiver>,
    pending: String,
}

impl EventLines {
    pub(super) fn new(pipe: tokio::net::unix::pipe::Receiver) -> EventLines {
        EventLines { lines: Lines::new(pipe), pending: String::new() }
    }

    pub(super) async fn next(&mut self) -> Option<Message> {
        loop {
            let piece = self.lines.next().await?;
            self.pending.push_str(&piece);
            if self.pending.len() > 4 * 1024 * 1024 {
                return None;
            }
            if let Ok(event) = serde_json::from_str::<Event>(&self.pending) {
                self.pending.clear();
                return Some(Message::Event(event));
            }
            if let Ok(refusal) = serde_json::from_str::<Refusal>(&self.pending) {
                self.pending.clear();
                return Some(Message::Refused(refusal.into()));
            }
        }
    }

    /// The program's last words, after the supervisor was told to end.
    pub(super) async fn words_to_the_end(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        let all = async {
            while let Some(message) = self.next().await {
                if let Message::Event(Event::Ended(ended)) = message {
                    words = ended.words;
                }
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), all).await;
        words
    }
}
