//! What is written down of a stack that was brought up, so that `down` and `status` find it from anywhere.

use super::stack::Stack;
use crate::base::atomic_file::{self, Durability};
use crate::base::{Failure, Outcome};
use crate::config::Settings;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Largest record that is read, in bytes.
const LARGEST: u64 = 64 * 1024;

/// The record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this form, 1.
    pub schema: u32,
    /// Its files.
    pub stack: Stack,
    /// The project's name as compose chose it.
    #[serde(default)]
    pub project: String,
    /// The variables that it was brought up with; no secrets among them.
    #[serde(default)]
    pub variables: Vec<(String, String)>,
}

fn path(settings: &Settings) -> PathBuf {
    settings.paths.docker().join("stack.json")
}

impl Record {
    /// The record of this home, if there is a readable one.
    pub fn read(settings: &Settings) -> Option<Record> {
        Record::parse(&atomic_file::read_small(&path(settings), LARGEST).ok()?)
    }

    /// Reads the bytes of a record.
    fn parse(bytes: &[u8]) -> Option<Record> {
        serde_json::from_slice(bytes).ok()
    }

    /// Writes it.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn write(&self, settings: &Settings) -> Outcome<()> {
        let path = path(settings);
        serde_json::to_vec_pretty(self)
            .map_err(std::io::Error::other)
            .and_then(|bytes| atomic_file::write(&path, &bytes, 0o600, Durability::Synced))
            .map_err(|e| Failure::io("write", &path, &e))
    }

    /// Removes it.
    pub fn forget(settings: &Settings) {
        let _ = std::fs::remove_file(path(settings));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_a_record_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::parse(&bytes);
        }
    }
}
