//! How a stream is encoded, as values that are within their bounds: frame rate, keyframe interval, bitrate of the audio,
//! name of the encoder.

use super::rung::{bitrate_text, parse_bitrate};
use crate::base::clock;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Frames a second, 1 to 240.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct FrameRate(f64);

/// Why something is no frame rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameRateError {
    /// Outside the bounds.
    #[error("{0} frames a second is outside 1 to 240")]
    Outside(String),
    /// Not a number.
    #[error("'{0}' is not a number of frames a second")]
    NoNumber(String),
}

impl FrameRate {
    /// Frames a second.
    pub fn per_second(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for FrameRate {
    type Error = FrameRateError;
    fn try_from(rate: f64) -> Result<FrameRate, FrameRateError> {
        match (1.0..=240.0).contains(&rate) {
            true => Ok(FrameRate(rate)),
            false => Err(FrameRateError::Outside(rate.to_string())),
        }
    }
}

impl From<FrameRate> for f64 {
    fn from(rate: FrameRate) -> f64 {
        rate.0
    }
}

impl FromStr for FrameRate {
    type Err = FrameRateError;

    fn from_str(text: &str) -> Result<FrameRate, FrameRateError> {
        let rate: f64 = text.parse().map_err(|_| FrameRateError::NoNumber(text.to_string()))?;
        FrameRate::try_from(rate).map_err(|_| FrameRateError::Outside(text.to_string()))
    }
}

/// Time between keyframes, 0.2 s to 20 s; as text `2s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyframeInterval(Duration);

/// Why something is no keyframe interval.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyframeIntervalError {
    /// Not a duration, in a sentence.
    #[error("{0}")]
    NoDuration(String),
    /// Outside the bounds.
    #[error("{0} is outside 0.2s to 20s")]
    Outside(String),
}

impl KeyframeInterval {
    /// The time.
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl Default for KeyframeInterval {
    fn default() -> KeyframeInterval {
        KeyframeInterval(Duration::from_secs(2))
    }
}

impl FromStr for KeyframeInterval {
    type Err = KeyframeIntervalError;

    fn from_str(text: &str) -> Result<KeyframeInterval, KeyframeIntervalError> {
        let duration = clock::parse_duration(text).map_err(KeyframeIntervalError::NoDuration)?;
        match (0.2..=20.0).contains(&duration.as_secs_f64()) {
            true => Ok(KeyframeInterval(duration)),
            false => Err(KeyframeIntervalError::Outside(text.to_string())),
        }
    }
}

impl TryFrom<String> for KeyframeInterval {
    type Error = KeyframeIntervalError;
    fn try_from(text: String) -> Result<KeyframeInterval, KeyframeIntervalError> {
        text.parse()
    }
}

impl From<KeyframeInterval> for String {
    fn from(interval: KeyframeInterval) -> String {
        // Some 15 digits of a number below 20 name each nanosecond.
        format!("{}s", interval.0.as_secs_f64())
    }
}

/// Bitrate of the audio, 16 kb/s to 200 Mb/s; as text `128k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AudioBitrate(u64);

/// Why something is no bitrate, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AudioBitrateError(String);

impl AudioBitrate {
    /// Bits a second.
    pub fn bps(self) -> u64 {
        self.0
    }
}

impl Default for AudioBitrate {
    fn default() -> AudioBitrate {
        AudioBitrate(128_000)
    }
}

impl FromStr for AudioBitrate {
    type Err = AudioBitrateError;

    fn from_str(text: &str) -> Result<AudioBitrate, AudioBitrateError> {
        parse_bitrate(text).map(AudioBitrate).map_err(AudioBitrateError)
    }
}

impl TryFrom<String> for AudioBitrate {
    type Error = AudioBitrateError;
    fn try_from(text: String) -> Result<AudioBitrate, AudioBitrateError> {
        text.parse()
    }
}

impl From<AudioBitrate> for String {
    fn from(bitrate: AudioBitrate) -> String {
        bitrate_text(bitrate.0)
    }
}

/// `auto`, `x264` or an encoder of ffmpeg by name: at most 40 ASCII letters, digits and underscores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EncoderName(String);

/// A text that names no encoder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no encoder's name")]
pub struct EncoderNameError(String);

impl EncoderName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for EncoderName {
    fn default() -> EncoderName {
        EncoderName("auto".into())
    }
}

impl FromStr for EncoderName {
    type Err = EncoderNameError;

    fn from_str(text: &str) -> Result<EncoderName, EncoderNameError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        match !text.is_empty() && text.len() <= 40 && text.bytes().all(fits) {
            true => Ok(EncoderName(text.to_string())),
            false => Err(EncoderNameError(text.to_string())),
        }
    }
}

impl TryFrom<String> for EncoderName {
    type Error = EncoderNameError;
    fn try_from(text: String) -> Result<EncoderName, EncoderNameError> {
        text.parse()
    }
}

impl From<EncoderName> for String {
    fn from(name: EncoderName) -> String {
        name.0
    }
}

impl fmt::Display for EncoderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_bounds_is_one_lowercase_sentence() {
        let rate = |text: &str| text.parse::<FrameRate>().unwrap_err().to_string();
        assert_eq!(rate("0"), "0 frames a second is outside 1 to 240");
        assert_eq!(rate("NaN"), "NaN frames a second is outside 1 to 240");
        assert_eq!(rate("many"), "'many' is not a number of frames a second");
        let interval = |text: &str| text.parse::<KeyframeInterval>().unwrap_err().to_string();
        assert_eq!(interval("21s"), "21s is outside 0.2s to 20s");
        assert!(interval("soon").starts_with("'soon' is not a duration"));
        assert_eq!(
            "1".parse::<AudioBitrate>().unwrap_err().to_string(),
            "a bitrate of 1 is outside 16k to 200M"
        );
        assert_eq!("a b".parse::<EncoderName>().unwrap_err().to_string(), "'a b' is no encoder's name");
    }
}
