//! When an ended ffmpeg is started again.

use serde::{Deserialize, Serialize};

/// The restart policy of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// After a fault, also an unexpected clean end.
    #[default]
    OnFailure,
    /// After every end that nobody asked for.
    Always,
    /// Never.
    No,
}
