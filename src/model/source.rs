//! Where a publish reads from.

use super::endpoint::SourceUrl;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A source. A file is repeated without end unless told otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// A file on this machine, path as given.
    File(PathBuf),
    /// A capture device: `/dev/video0`, `screen`, an X display (`:0`), with an optional audio device.
    Device {
        /// The picture's device.
        video: String,
        /// The audio's device: an ALSA name (`hw:1`), `pulse` or `pulse:NAME`, `default`.
        audio: Option<String>,
    },
    /// A live stream that another machine serves.
    Url(SourceUrl),
    /// A moving test picture with clock, name and tone, made by ffmpeg.
    Test,
}

impl Source {
    /// Whether a clean end of the input is unexpected: true for everything that is thought to be endless.
    pub fn endless(&self, once: bool) -> bool {
        !(once && matches!(self, Source::File(_)))
    }

    /// Whether the source delivers in real time by itself, so that reading must not be paced.
    pub fn live(&self) -> bool {
        matches!(self, Source::Device { .. } | Source::Url(_))
    }
}
