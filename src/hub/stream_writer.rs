//! What waits to be written to a reader's connection, and whether its peer takes it.

use super::format::Sink;
use super::limits::Limits;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::time::Instant;

/// The most pieces of one vectored write.
const PIECES: usize = 64;
/// The most bytes that are put in line for one write.
const PIECE_BYTES: usize = 512 << 10;

/// See the module.
pub struct StreamWriter {
    queue: VecDeque<Bytes>,
    queued: usize,
    written: u64,
    acknowledged: u64,
    progress_at: Instant,
}

impl StreamWriter {
    /// With nothing to write.
    pub fn new(now: Instant) -> StreamWriter {
        StreamWriter { queue: VecDeque::new(), queued: 0, written: 0, acknowledged: 0, progress_at: now }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether more would not leave with the next write.
    pub fn is_full(&self) -> bool {
        self.queue.len() >= PIECES || self.queued >= PIECE_BYTES
    }

    /// Puts bytes in line.
    pub fn put(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.queued = self.queued.saturating_add(bytes.len());
            self.queue.push_back(bytes);
        }
    }

    /// Puts bytes of the dialog in line. `false` if too much of it waits already.
    pub fn say(&mut self, bytes: Bytes, limits: &Limits) -> bool {
        if self.queued.saturating_add(bytes.len()) > limits.dialog_bytes.saturating_add(PIECE_BYTES) {
            return false;
        }
        self.put(bytes);
        true
    }

    /// Forgets what waits.
    pub fn clear(&mut self) {
        self.queue.clear();
        self.queued = 0;
    }

    /// Writes once; how many bytes were taken.
    ///
    /// # Errors
    /// As [`Sink::write`]; nothing taken is an error too.
    pub fn write(&mut self, sink: &dyn Sink, now: Instant) -> io::Result<usize> {
        let mut parts = [IoSlice::new(&[]); PIECES];
        let mut count = 0;
        for (part, bytes) in parts.iter_mut().zip(&self.queue) {
            *part = IoSlice::new(bytes);
            count += 1;
        }
        let taken = match sink.write(parts.get(..count).unwrap_or(&[]))? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            taken => taken,
        };
        // A socket that was empty before has not been waiting for its peer.
        if self.written == self.acknowledged {
            self.progress_at = now;
        }
        self.written = self.written.saturating_add(taken as u64);
        self.queued = self.queued.saturating_sub(taken);
        let mut left = taken;
        while let Some(front) = self.queue.front_mut() {
            if left < front.len() {
                front.advance(left);
                break;
            }
            left = left.saturating_sub(front.len());
            self.queue.pop_front();
        }
        Ok(taken)
    }

    /// Whether the peer has taken nothing for too long though there was something to take.
    pub fn is_stuck(&mut self, sink: &dyn Sink, now: Instant, limits: &Limits) -> bool {
        let acknowledged = self.written.saturating_sub(sink.unsent());
        if acknowledged > self.acknowledged || (acknowledged == self.written && self.queue.is_empty()) {
            self.acknowledged = acknowledged;
            self.progress_at = now;
            return false;
        }
        now.saturating_duration_since(self.progress_at) > limits.no_progress
    }
}
