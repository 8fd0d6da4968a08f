//! Why a room does not do what it was asked.

use serde::Serialize;
use std::time::Duration;

/// A word for programs; never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Not so soon after the last one.
    #[error("this room is in slow mode")]
    SlowMode,
    /// Too many from here.
    #[error("too many messages in a short time")]
    Rate,
    /// Too many characters or bytes.
    #[error("the message is too long")]
    TooLong,
    /// No character that can be seen.
    #[error("the message is empty")]
    Empty,
    /// Banned.
    #[error("you may not write in this room")]
    Banned,
    /// The room is closed.
    #[error("the room is closed")]
    Closed,
    /// Another has a name that looks like it, or it is the staff's.
    #[error("this name is taken")]
    NameTaken,
    /// It may be no name.
    #[error("a name has 2 to 24 visible characters")]
    BadName,
    /// Here for too short a time.
    #[error("newcomers may write after a while")]
    Newcomer,
    /// The same again.
    #[error("you have just said the same")]
    Duplicate,
    /// Only moderators may.
    #[error("only moderators may do this")]
    Forbidden,
    /// There is no such message or author.
    #[error("there is no such message or author")]
    NotFound,
    /// A setting out of its bounds.
    #[error("a setting is out of its bounds")]
    BadSetting,
    /// No frame of the protocol.
    #[error("this is no frame of the protocol")]
    BadFrame,
    /// The log cannot be written.
    #[error("messages cannot be stored at the moment")]
    Unavailable,
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub code: Code,
    /// After what time it may be tried again.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// It may be tried again after a while.
    pub fn after(code: Code, wait: Duration) -> Refusal {
        Refusal { code, retry_after: Some(wait) }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Refusal {
        Refusal { code, retry_after: None }
    }
}
