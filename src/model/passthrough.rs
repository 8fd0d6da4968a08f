//! Whether a rung that the source fits already may be copied.

use serde::{Deserialize, Serialize};

/// Which sources may be copied into a rung that they fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Passthrough {
    /// None: every rung is encoded.
    Never,
    /// Files, whose packets can be read beforehand.
    #[default]
    Auto,
    /// Live sources too, and files too long to be read: on their word alone.
    Always,
}
