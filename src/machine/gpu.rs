//! Graphics processors: NVIDIA by its library, AMD by `/sys`, Intel by what processes say of themselves. What a card does not
//! tell is null, and no card is none: never a zero.

pub mod cards;
pub mod fdinfo;
pub mod nvidia;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most cards that are told.
pub const MOST: usize = 32;

/// One card at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Gpu {
    /// What its driver calls it
    pub name: String,
    /// Its driver
    pub driver: String,
    /// How much of the time it worked, 0 to 100. Intel: only for streams of this server
    pub busy_percent: Option<f64>,
    /// How much of its encoders is in use, 0 to 100. Intel: encoders and decoders together
    pub encoder_percent: Option<f64>,
    /// How much of its decoders is in use, 0 to 100
    pub decoder_percent: Option<f64>,
    /// Encodings that go on
    pub encoder_sessions: Option<u32>,
    /// Memory in use
    pub memory_used_bytes: Option<u64>,
    /// Memory that there is
    pub memory_total_bytes: Option<u64>,
    /// Degrees Celsius
    pub temperature_c: Option<u32>,
    /// What it takes
    pub power_w: Option<u32>,
}
