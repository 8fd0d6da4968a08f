//! Where B-frames may be: frames that refer to later ones, so that they are decoded in another order than they are shown.

use serde::{Deserialize, Serialize};

/// What may have B-frames.
///
/// They make a rendition smaller or better for its bits, but ffmpeg does not find the time of the first frame of an RTSP
/// session that begins with one's keyframe, so `-c copy` fails at once, and WebRTC cannot carry them at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BFrames {
    /// Nothing: a source that has them is encoded.
    Never,
    /// What is copied from a source that has them; what is encoded has none.
    #[default]
    Auto,
    /// What is encoded too, where the encoder makes them.
    Allowed,
}

impl BFrames {
    /// Whether an encoder may make them.
    pub fn encoded(self) -> bool {
        self == BFrames::Allowed
    }

    /// Whether a source that has them may be copied.
    pub fn copied(self) -> bool {
        self != BFrames::Never
    }
}
