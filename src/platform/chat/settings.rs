//! The settings of a room, and changes of them from outside.

use super::bounds::MAX_CHARS;
use super::message::Message;
use serde::{Deserialize, Deserializer, Serialize};
use std::ops::RangeInclusive;
use utoipa::ToSchema;

/// Seconds of slow mode.
const SLOW: RangeInclusive<u32> = 0..=120;
/// Seconds that newcomers may have to wait.
const WAIT: RangeInclusive<u32> = 0..=3600;
/// Characters that a message may be bound to.
const CHARS: RangeInclusive<u32> = 1..=MAX_CHARS;

/// What moderators decide of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Settings {
    /// Seconds between two messages of one author; 0 is none.
    pub slow_s: u32,
    /// Whether viewers may write.
    pub open: bool,
    /// Seconds that somebody must have been here before he may write.
    pub newcomers_wait_s: u32,
    /// Characters of a message.
    pub max_chars: u32,
    /// The message that stays above the others.
    pub pinned: Option<Message>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { slow_s: 0, open: true, newcomers_wait_s: 0, max_chars: MAX_CHARS, pinned: None }
    }
}

/// A change: what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(default)]
pub struct Patch {
    /// See [`Settings::slow_s`].
    pub slow_s: Option<u32>,
    /// See [`Settings::open`].
    pub open: Option<bool>,
    /// See [`Settings::newcomers_wait_s`].
    pub newcomers_wait_s: Option<u32>,
    /// See [`Settings::max_chars`].
    pub max_chars: Option<u32>,
    /// The id of the message that is pinned; null pins none.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub pinned: Option<Option<String>>,
}

/// A field that is there, be it null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A setting out of its bounds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is from {least} to {most}")]
pub struct BadSetting {
    /// Which.
    pub field: &'static str,
    least: u32,
    most: u32,
}

impl Settings {
    /// These with a change, but for the pinned message.
    ///
    /// # Errors
    /// A setting out of its bounds.
    pub fn changed(&self, patch: &Patch) -> Result<Settings, BadSetting> {
        let checked = |field, range: RangeInclusive<u32>, new: Option<u32>, old| match new {
            Some(new) if !range.contains(&new) => {
                Err(BadSetting { field, least: *range.start(), most: *range.end() })
            }
            new => Ok(new.unwrap_or(old)),
        };
        Ok(Settings {
            slow_s: checked("slow_s", SLOW, patch.slow_s, self.slow_s)?,
            open: patch.open.unwrap_or(self.open),
            newcomers_wait_s: checked(
                "newcomers_wait_s",
                WAIT,
                patch.newcomers_wait_s,
                self.newcomers_wait_s,
            )?,
            max_chars: checked("max_chars", CHARS, patch.max_chars, self.max_chars)?,
            pinned: self.pinned.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_and_held_within_bounds() {
        let patch: Patch =
            serde_json::from_str(r#"{"slow_s":30,"open":false,"pinned":null,"more":1}"#).unwrap();
        assert_eq!(patch.pinned, Some(None));
        let changed = Settings::default().changed(&patch).unwrap();
        assert_eq!((changed.slow_s, changed.open, changed.max_chars), (30, false, 500));
        assert_eq!(Settings::default().changed(&Patch::default()).unwrap(), Settings::default());
        for (text, field) in [
            (r#"{"slow_s":121}"#, "slow_s"),
            (r#"{"max_chars":0}"#, "max_chars"),
            (r#"{"max_chars":501}"#, "max_chars"),
        ] {
            let patch: Patch = serde_json::from_str(text).unwrap();
            assert_eq!(Settings::default().changed(&patch).unwrap_err().field, field);
        }
        for wrong in [r#"{"slow_s":-1}"#, r#"{"slow_s":"3"}"#, r#"{"open":1}"#, r#"{"pinned":5}"#] {
            assert!(serde_json::from_str::<Patch>(wrong).is_err(), "{wrong}");
        }
    }
}
