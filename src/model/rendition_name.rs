//! Which name a rendition has on a server, and back: `<key>_<label>`, `<key>_audio`, or `<key>` for the original.

use super::rung::Label;
use super::stream_key::StreamKey;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One running encoded version of a stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Rendition {
    /// The untouched source.
    Original,
    /// Audio without video.
    Audio,
    /// A rung of the ladder.
    Rung(Label),
}

impl Rendition {
    /// The word that people type and read: `original`, `audio` or the rung's label.
    pub fn label(&self) -> &str {
        match self {
            Rendition::Original => "original",
            Rendition::Audio => "audio",
            Rendition::Rung(label) => label.as_str(),
        }
    }

    /// The rung's label, of a rung.
    pub fn rung(&self) -> Option<&Label> {
        match self {
            Rendition::Rung(label) => Some(label),
            Rendition::Original | Rendition::Audio => None,
        }
    }
}

impl fmt::Display for Rendition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

impl FromStr for Rendition {
    type Err = super::rung::LabelError;
    fn from_str(text: &str) -> Result<Rendition, Self::Err> {
        Ok(match text {
            "original" => Rendition::Original,
            "audio" => Rendition::Audio,
            label => Rendition::Rung(label.parse()?),
        })
    }
}

impl TryFrom<String> for Rendition {
    type Error = super::rung::LabelError;
    fn try_from(text: String) -> Result<Rendition, Self::Error> {
        text.parse()
    }
}

impl From<Rendition> for String {
    fn from(rendition: Rendition) -> String {
        rendition.label().to_string()
    }
}

/// The name of a rendition on a server; a safe path segment because key and label are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RenditionName(String);

impl RenditionName {
    /// The name of `rendition` of stream `key`.
    pub fn new(key: &StreamKey, rendition: &Rendition) -> RenditionName {
        RenditionName(match rendition {
            Rendition::Original => key.to_string(),
            other => format!("{key}_{}", other.label()),
        })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RenditionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Splits a server's name into stream and rendition label: `stream1_720p` is rendition `720p` of `stream1` only if
/// the label `looks_known` or looks like `<digits>p`, or is `audio`; everything else is an original of its own.
/// Works on any text, since names of foreign publishers are not stream keys.
pub fn split<'a>(name: &'a str, looks_known: &dyn Fn(&str, &str) -> bool) -> (&'a str, Option<&'a str>) {
    match name.rsplit_once('_') {
        Some((stem, label))
            if !stem.is_empty() && (label == "audio" || like_height(label) || looks_known(stem, label)) =>
        {
            (stem, Some(label))
        }
        _ => (name, None),
    }
}

/// `720p`, `1080p`: two to four digits and a `p`.
fn like_height(label: &str) -> bool {
    label
        .strip_suffix('p')
        .is_some_and(|n| (2..=4).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn splits_by_label() {
        let none = |_: &str, _: &str| false;
        assert_eq!(split("stream1_720p", &none), ("stream1", Some("720p")));
        assert_eq!(split("cam_2", &none), ("cam_2", None));
        assert_eq!(split("cam_hd", &|_, l| l == "hd"), ("cam", Some("hd")));
        assert_eq!(split("_720p", &none), ("_720p", None));
        assert_eq!(split("a_720p_480p", &none), ("a_720p", Some("480p")));
        assert_eq!(split("radio_audio", &none), ("radio", Some("audio")));
        assert_eq!(split("", &none), ("", None));
    }

    proptest! {
        #[test]
        fn name_and_split_agree(key in "[A-Za-z0-9][A-Za-z0-9_-]{0,40}", label in "[A-Za-z0-9-]{1,16}") {
            if let (Ok(key), Ok(label)) = (key.parse::<StreamKey>(), label.parse::<Label>()) {
                let name = RenditionName::new(&key, &Rendition::Rung(label.clone()));
                let known = |_: &str, l: &str| l == label.as_str();
                prop_assert_eq!(split(name.as_str(), &known), (key.as_str(), Some(label.as_str())));
            }
        }

        #[test]
        fn split_never_panics(name in "\\PC{0,60}") {
            let (stem, label) = split(&name, &|_, _| true);
            prop_assert!(stem.len() + label.map_or(0, |l| l.len() + 1) == name.len());
        }
    }
}
