//! What comes out of the plan of a publish.

use super::invocation::Invocation;
pub use super::wanted::{Known, Request};
use crate::base::command_line::CommandLine;
use crate::model::{Quality, Rendition, RenditionName};
use std::path::Path;

/// One rendition of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRendition {
    /// Which.
    pub rendition: Rendition,
    /// Its name on the server.
    pub name: RenditionName,
    /// Width and height; zeros without video.
    pub size: (u32, u32),
    /// Upper bound of the picture's bits per second; for an original the source's own, 0 if unknown.
    pub bitrate_bps: u64,
}

/// A publish, decided.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What will appear at the server, best first.
    pub renditions: Vec<PlannedRendition>,
    /// `in 4 variants with x264`, `as it is`, `audio only`.
    pub summary: String,
    /// What a person should know.
    pub notes: Vec<String>,
    /// What a person should worry about.
    pub warnings: Vec<String>,
    /// The effort that was chosen; none where nothing is encoded.
    pub quality: Option<Quality>,
    /// CPU-seconds a second that it is thought to cost here, if that is known.
    pub cost: Option<f64>,
    /// Sizes of the renditions that are encoded, in the order of the renditions.
    pub encoded: Vec<(u32, u32)>,
    /// The call.
    pub invocation: Invocation,
}

impl Plan {
    /// The command, its progress on descriptor `progress_fd`.
    pub fn command_line(&self, ffmpeg: &Path, progress_fd: Option<i32>) -> CommandLine {
        self.invocation.command_line(ffmpeg, progress_fd)
    }
}
