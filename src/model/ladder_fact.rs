//! What a supervisor tells a server of the ladder that it publishes, so that the server need not guess from names.

use super::rendition_name::split;
use super::stream_name::StreamName;
use serde::{Deserialize, Serialize};

/// The most renditions of one ladder; a plan has at most 12, and the original and audio alone beside them.
pub const MOST_RENDITIONS: usize = 16;

/// A ladder as it is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LadderFact {
    /// The application that its names are in.
    pub application: String,
    /// The stream key.
    pub key: String,
    /// Which run of the encoder this is: another number for each start. All names that are published after it was told
    /// and before the next one share one line of time.
    pub run: u64,
    /// Whether keyframes stand at the same times in all renditions.
    pub aligned: bool,
    /// Its renditions, the best first.
    pub renditions: Vec<RenditionFact>,
}

/// One rendition as it is planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenditionFact {
    /// `720p`, `original`, `audio`.
    pub label: String,
    /// Its name in the application.
    pub name: String,
    /// Pixels; 0 without video, or where the source decides.
    #[serde(default)]
    pub width: u32,
    /// Pixels; 0 without video, or where the source decides.
    #[serde(default)]
    pub height: u32,
    /// Bits a second of video and audio as planned; 0 where the source decides.
    #[serde(default)]
    pub bitrate_bps: u64,
}

/// Which ladder a name belongs to: the application and the stream key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LadderName {
    /// The application.
    pub application: String,
    /// The stream key.
    pub key: String,
}

impl LadderFact {
    /// The ladder's name.
    pub fn name(&self) -> LadderName {
        LadderName { application: self.application.clone(), key: self.key.clone() }
    }

    /// The rendition with this name.
    pub fn rendition(&self, name: &str) -> Option<&RenditionFact> {
        self.renditions.iter().find(|rendition| rendition.name == name)
    }
}

/// The ladder and label that a name of a publisher who tells nothing looks like: `live/cam_720p` is `720p` of `live/cam`.
pub fn by_looks(name: &StreamName) -> (LadderName, String) {
    let (key, label) = split(&name.name, &|_, _| false);
    let label = label.unwrap_or("original").to_string();
    (LadderName { application: name.application.clone(), key: key.to_string() }, label)
}
