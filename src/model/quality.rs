//! How much work may go into the picture.

use serde::{Deserialize, Serialize};

/// The effort that a publish may spend on encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quality {
    /// What keeps real time on a small machine and still looks decent.
    Auto,
    /// The least work.
    Fastest,
    /// Little work.
    Fast,
    /// The measured optimum of work and quality.
    Balanced,
    /// As good as it gets in real time on a strong machine.
    Best,
}
