//! Who writes: a number that tells nothing of the token behind it, and how it is shown.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use utoipa::ToSchema;

/// Who writes, the same in every room and after every restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(u64);

impl PersonId {
    /// Of a secret token.
    pub fn of(token: &str) -> PersonId {
        let digest = digest(&SHA256, format!("chat {token}").as_bytes());
        let eight = digest.as_ref().first_chunk::<8>().copied().unwrap_or_default();
        PersonId(u64::from_be_bytes(eight))
    }

    /// A hue in degrees that goes with it. How light it is is up to the page.
    pub fn colour(self) -> u16 {
        u16::try_from(self.0 % 24).unwrap_or(0).saturating_mul(15)
    }

    /// The name until one is chosen, with so many digits of the number.
    pub fn default_name(self, digits: usize) -> String {
        let all = self.to_string();
        format!("viewer-{}", all.get(..digits).unwrap_or(&all))
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// It is no number of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a person is named by 16 hexadecimal digits")]
pub struct NoPerson;

impl FromStr for PersonId {
    type Err = NoPerson;

    fn from_str(text: &str) -> Result<PersonId, NoPerson> {
        let plain = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = plain.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.map(PersonId).ok_or(NoPerson)
    }
}

impl Serialize for PersonId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PersonId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PersonId, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What somebody may do in a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Read, and write within the limits.
    #[default]
    Viewer,
    /// Moderate: the operator, the owner of the stream.
    Moderator,
}

/// Who wrote a message, as he is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Author {
    /// Who.
    #[schema(value_type = String)]
    pub id: PersonId,
    /// The name at that time.
    #[schema(value_type = String)]
    pub name: Arc<str>,
    /// A hue in degrees.
    pub colour: u16,
    /// What he was.
    pub role: Role,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_stable_and_read_back() {
        let one = PersonId::of("a token");
        assert_eq!(one, PersonId::of("a token"));
        assert_ne!(one, PersonId::of("another"));
        assert_eq!(one.to_string().parse(), Ok(one));
        let json = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<PersonId>(&json).unwrap(), one);
        for bad in ["", "1", "+123456789abcdef", "0123456789ABCDEF", "0123456789abcdef0", "é123456789abcde"]
        {
            assert_eq!(bad.parse::<PersonId>(), Err(NoPerson), "{bad}");
        }
        assert!(one.colour() < 360);
        assert_eq!(one.default_name(4), format!("viewer-{}", &one.to_string()[..4]));
    }
}
