//! A message of a room.

use super::person::Author;
use crate::base::clock::{log_stamp, parse_stamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;
use utoipa::ToSchema;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// Its number in the room.
    pub seq: u64,
    /// What it is called in requests.
    pub id: String,
    /// Who wrote it.
    pub from: Author,
    /// Plain text.
    #[schema(value_type = String)]
    pub text: Arc<str>,
    /// When, in milliseconds since 1970; in JSON by RFC 3339.
    #[serde(serialize_with = "stamp", deserialize_with = "from_stamp")]
    #[schema(value_type = String)]
    pub at: i64,
    /// What its author called it until it had a number.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub reference: Option<Arc<str>>,
}

fn stamp<S: Serializer>(at: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&log_stamp(*at))
}

fn from_stamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_stamp(&text).ok_or_else(|| serde::de::Error::custom("no time"))
}

/// The id of the message with this number.
pub fn id_of(seq: u64) -> String {
    format!("m{seq}")
}

/// The number of the message with this id.
pub fn seq_of(id: &str) -> Option<u64> {
    let digits = id.strip_prefix('m')?;
    let plain = !digits.is_empty() && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_numbers_and_nothing_else() {
        assert_eq!(seq_of(&id_of(7)), Some(7));
        for bad in ["", "m", "7", "m0", "m07", "m+7", "m7 ", "m99999999999999999999"] {
            assert_eq!(seq_of(bad), None, "{bad}");
        }
    }
}
