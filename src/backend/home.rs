//! The folder in which `up` keeps what belongs to its servers, and whose turn it is to change them.

use super::place::lock_failure;
use super::start::Patience;
use crate::base::next::Advice;
use crate::base::{Failure, Outcome};
use crate::config::Settings;
use crate::process::stream_lock::{self, StreamLock};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

/// The right to change the servers. Its file goes with it; whoever waits for it notices and makes a new one.
pub struct Turn {
    lock: StreamLock,
}

impl Turn {
    /// Waits for it: one `up` or `down` of a home at a time, whichever the backend.
    ///
    /// # Errors
    /// Conflict, if another has it all the time; Internal, if the lock cannot be used.
    pub async fn take(settings: &Settings, patience: Patience<'_>) -> Outcome<Turn> {
        let path = settings.paths.pids().join(".servers.turn");
        loop {
            match StreamLock::take(&path) {
                Ok(lock) => return Ok(Turn { lock }),
                Err(stream_lock::Error::Held(path)) => {
                    patience.check(|| lock_failure(stream_lock::Error::Held(path)))?;
                    patience.pause().await;
                }
                Err(e) => return Err(lock_failure(e)),
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.lock.path());
    }
}

/// Fails if another user's servers stand here; root may deal with anybody's.
///
/// # Errors
/// Internal, naming the user.
pub fn belongs_to_us(prefix: &Path) -> Outcome<()> {
    let (own, Ok(meta)) = (nix::unistd::geteuid(), std::fs::symlink_metadata(prefix)) else { return Ok(()) };
    let owner = nix::unistd::Uid::from_raw(meta.uid());
    if own.is_root() || owner == own {
        return Ok(());
    }
    let name = nix::unistd::User::from_uid(owner).ok().flatten().map_or(owner.to_string(), |user| user.name);
    Err(Failure::internal(format!("the servers of this home belong to the user {name}"))
        .why(format!("{} is that user's", prefix.display()))
        .hint(Advice::StopServers.behind("as that user"))
        .hint(Advice::change("home", "with a folder of your own")))
}

/// Removes the private prefix, nothing of which runs any more. The link to the logs is not followed.
///
/// # Errors
/// Any I/O error.
pub fn clear(prefix: &Path) -> Outcome<()> {
    match std::fs::symlink_metadata(prefix) {
        Ok(meta) if meta.is_dir() => {
            std::fs::remove_dir_all(prefix).map_err(|e| Failure::io("remove", prefix, &e))
        }
        _ => Ok(()),
    }
}

/// Makes a folder and those above it.
///
/// # Errors
/// Any I/O error.
pub fn folder(path: &Path, mode: u32) -> Outcome<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|e| Failure::io("make the folder", path, &e))
}
