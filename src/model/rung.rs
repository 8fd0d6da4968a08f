//! One intended output of a ladder: a label, a box for the picture and a bitrate.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// `[A-Za-z0-9-]{1,16}`, neither `original` nor `audio`: what stands behind the `_` in `<key>_<label>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

/// Why a text is no label.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// Nothing was given.
    #[error("the label is empty")]
    Empty,
    /// Over 16 characters.
    #[error("a label has at most 16 characters")]
    TooLong,
    /// Holds a character outside the rule.
    #[error("a label may hold only A-Z a-z 0-9 and -, not '{}'", .0.escape_debug())]
    BadCharacter(char),
    /// `original` and `audio` have a meaning of their own.
    #[error("'{0}' is a reserved label")]
    Reserved(String),
}

impl Label {
    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Label, LabelError> {
        if text.is_empty() {
            return Err(LabelError::Empty);
        }
        if let Some(bad) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '-')) {
            return Err(LabelError::BadCharacter(bad));
        }
        if text.len() > 16 {
            return Err(LabelError::TooLong);
        }
        if text.eq_ignore_ascii_case("original") || text.eq_ignore_ascii_case("audio") {
            return Err(LabelError::Reserved(text.to_string()));
        }
        Ok(Label(text.to_string()))
    }
}

impl TryFrom<String> for Label {
    type Error = LabelError;
    fn try_from(text: String) -> Result<Label, LabelError> {
        text.parse()
    }
}

impl From<Label> for String {
    fn from(label: Label) -> String {
        label.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A planned rendition. Width and height are the box for a landscape picture, even, 16 to 8192.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// The label, unique within its ladder.
    pub label: Label,
    /// Upper bound of the video bitrate in bits per second, 16,000 to 200,000,000.
    pub bitrate_bps: u64,
    /// Width of the box in pixels.
    pub width: u32,
    /// Height of the box in pixels.
    pub height: u32,
}

impl Rung {
    /// Pixels of the whole box.
    pub fn area(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.label, bitrate_text(self.bitrate_bps), self.width, self.height)
    }
}

/// Lowest bitrate that a rung may ask for.
pub const LEAST_BPS: u64 = 16_000;
/// Highest bitrate that a rung may ask for.
pub const MOST_BPS: u64 = 200_000_000;

/// Reads `4000k`, `4M`, `2.5M` or plain bits per second; within [`LEAST_BPS`] and [`MOST_BPS`].
///
/// # Errors
/// A sentence that says what is wrong.
pub fn parse_bitrate(text: &str) -> Result<u64, String> {
    let shape = || format!("'{text}' is not a bitrate; write it like 2500k, 2.5M or 2500000");
    let (number, factor) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (text.get(..at), 1_000f64),
        Some((at, 'm' | 'M')) => (text.get(..at), 1_000_000f64),
        _ => (Some(text), 1f64),
    };
    let number = number.unwrap_or_default();
    let well_formed = !number.is_empty()
        && number.len() <= 12
        && number.chars().all(|c| c.is_ascii_digit() || c == '.')
        && number.chars().filter(|c| *c == '.').count() <= 1
        && number.starts_with(|c: char| c.is_ascii_digit())
        && number.ends_with(|c: char| c.is_ascii_digit());
    if !well_formed {
        return Err(shape());
    }
    let bits = number.parse::<f64>().map_err(|_| shape())? * factor;
    if !(LEAST_BPS as f64..=MOST_BPS as f64).contains(&bits) {
        return Err(format!("a bitrate of {text} is outside 16k to 200M"));
    }
    Ok(bits.round() as u64)
}

/// A bitrate in the shortest form that [`parse_bitrate`] reads back exactly.
pub fn bitrate_text(bps: u64) -> String {
    if bps.is_multiple_of(1_000) { format!("{}k", bps / 1_000) } else { bps.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_bitrates() {
        assert_eq!(parse_bitrate("4000k"), Ok(4_000_000));
        assert_eq!(parse_bitrate("2.5M"), Ok(2_500_000));
        assert_eq!(parse_bitrate("64000"), Ok(64_000));
        for bad in ["", "k", "0", "0k", "-1k", "1.2.3M", "1e6", "999M", "4000kb", "٣k", ".5M", "5.M"] {
            assert!(parse_bitrate(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn bitrate_text_reads_back(bps in LEAST_BPS..=MOST_BPS) {
            prop_assert_eq!(parse_bitrate(&bitrate_text(bps)), Ok(bps));
        }
    }
}
