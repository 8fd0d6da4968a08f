//! Our own streams: those of the home folder, and those of other folders through the index in the runtime folder.

use crate::config::{Environment, Settings};
use crate::process::run_record::RunRecord;
use std::path::PathBuf;

/// A stream of ours, running or not.
#[derive(Clone, Debug)]
pub struct Ours {
    /// Its record.
    pub record: RunRecord,
    /// Whether its supervisor lives. A record without one is of a stream that ended or died.
    pub alive: bool,
    /// ffmpeg's process id, if it lives.
    pub pid: Option<i32>,
    /// Its log file.
    pub log: PathBuf,
}

/// Every stream that a record is found of, sorted by key; home folder first where a key stands twice.
pub fn ours(_settings: &Settings, _environment: &Environment) -> Vec<Ours> {
    Vec::new()
}
