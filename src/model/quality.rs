//! How much work may go into the picture, and what gives way where even the least is too much.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The effort that a publish may spend on encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quality {
    /// The best that keeps real time on this machine; where nothing is known of it, [`Quality::Fast`].
    #[default]
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

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Quality::Auto => "auto",
            Quality::Fastest => "fastest",
            Quality::Fast => "fast",
            Quality::Balanced => "balanced",
            Quality::Best => "best",
        })
    }
}

/// Which rungs are left out where no quality keeps real time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaveOut {
    /// The largest first, which saves the most.
    #[default]
    Top,
    /// The smallest first, for viewers with good lines.
    Bottom,
    /// None: all are published, late as they may be.
    None,
}
