//! Segments that are stored, read for viewers: so many at once, on threads that may wait for a disk.

use crate::process::blocking;
use crate::protocol::hls::window::Stored;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Reads at once.
const MOST: usize = 16;

/// See the module.
pub struct Reading(Semaphore);

impl Default for Reading {
    fn default() -> Reading {
        Reading(Semaphore::new(MOST))
    }
}

impl Reading {
    /// Reads a segment; none if it is not there any more.
    pub async fn read(&self, stored: Arc<dyn Stored>) -> Option<Bytes> {
        let _turn = self.0.acquire().await.ok()?;
        blocking::begin(move || stored.read()).await.ok()?.ok()
    }
}
