//! All readers of one format: frames are packed once here and go out to each of them.

use super::client::{Client, Counters};
use super::cursor::{Cursor, ReaderEnd};
use super::format::{Format, FormatKey, Headers, Outlet, Packed, Targets};
use super::limits::Limits;
use super::ring::{Entry, Ring};
use crate::base::clock::Now;
use crate::media::{MediaTime, Tracks};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often readers are asked whether they make progress.
const SURVEY: Duration = Duration::from_secs(1);

/// One entry as this format sends it.
struct Slot {
    packed: Packed,
    /// Bytes of all entries before it.
    before: u64,
}

/// One format with its readers.
pub struct FormatGroup {
    /// Which format.
    pub key: FormatKey,
    /// Its readers.
    pub cursors: Vec<Cursor>,
    format: Box<dyn Format>,
    slots: VecDeque<Slot>,
    first: u64,
    bytes: u64,
    surveyed: Instant,
}

impl FormatGroup {
    /// A format that begins where a late reader begins.
    pub fn new(key: FormatKey, format: Box<dyn Format>, ring: &Ring, now: Instant) -> FormatGroup {
        let first = ring.begin().unwrap_or_else(|| ring.head());
        FormatGroup {
            key,
            cursors: Vec::new(),
            format,
            slots: VecDeque::new(),
            first,
            bytes: 0,
            surveyed: now,
        }
    }

    /// Takes a reader in. The stream may have changed since the reader was told of it.
    pub fn join(&mut self, mut cursor: Cursor, tracks: &Tracks) {
        if let Err(misfit) = self.format.fits(tracks) {
            cursor.end(ReaderEnd::Reconfigured(misfit));
        }
        self.cursors.push(cursor);
    }

    /// Packs what has come since the last time.
    pub fn pack(&mut self, ring: &Ring, now: Now) {
        if self.first < ring.first() {
            let gone = usize::try_from(ring.first().saturating_sub(self.first)).unwrap_or(usize::MAX);
            self.slots.drain(..gone.min(self.slots.len()));
            self.first = ring.first();
        }
        let mut number = self.first.saturating_add(self.slots.len() as u64);
        while let Some(entry) = ring.get(number) {
            let packed = match entry {
                Entry::Frame(frame, _) => self.format.pack(frame, now.wall_ms),
                Entry::Changed(headers, at) => self.format.changed(headers, *at, now.wall_ms),
            };
            let before = self.bytes;
            self.bytes = self.bytes.saturating_add(packed.bytes.len() as u64);
            self.slots.push_back(Slot { packed, before });
            number = number.saturating_add(1);
        }
    }

    fn slot(slots: &VecDeque<Slot>, first: u64, number: u64) -> Option<&Slot> {
        slots.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// The packed entries from `number` on.
    pub fn packed_from(&self, number: u64) -> Vec<Packed> {
        let skip = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.slots.iter().skip(skip).map(|slot| slot.packed.clone()).collect()
    }

    /// Sends to all readers what they can take now.
    pub fn fan_out(&mut self, ring: &Ring, headers: &Headers, limits: &Limits, now: Now) {
        self.pack(ring, now);
        if self.cursors.iter().any(|c| matches!(c.outlet, Outlet::Datagrams(..))) {
            self.fan_out_datagrams(ring);
        }
        for i in 0..self.cursors.len() {
            self.send_to(i, ring, headers, limits, now);
        }
        if now.mono.saturating_duration_since(self.surveyed) >= SURVEY {
            self.surveyed = now.mono;
            for cursor in &mut self.cursors {
                cursor.check_progress(now.mono, limits);
            }
        }
    }

    /// Sends to all readers of datagrams that stand together.
    fn fan_out_datagrams(&mut self, ring: &Ring) {
        let mut number = self.first;
        // The entries that at least one reader waits for.
        if let Some(lowest) = self.cursors.iter().filter(|c| c.playing).map(|c| c.position.next()).min() {
            number = number.max(lowest);
        }
        let head = ring.head();
        while number < head {
            let packed: Vec<&Packed> = (number..head)
                .filter_map(|n| FormatGroup::slot(&self.slots, self.first, n))
                .map(|slot| &slot.packed)
                .filter(|packed| !packed.cuts.is_empty())
                .collect();
            let mut together: Vec<(&Targets, &Counters)> = Vec::new();
            let mut socket = None;
            for cursor in self.cursors.iter().filter(|c| c.stands_at(number)) {
                if let Outlet::Datagrams(datagrams, targets) = &cursor.outlet {
                    socket.get_or_insert(datagrams);
                    together.push((targets, &cursor.client().counters));
                }
            }
            if let Some(socket) = socket
                && !packed.is_empty()
            {
                socket.send(&packed, &together);
            }
            let last = ring.get(head.saturating_sub(1)).map_or(MediaTime::ZERO, Entry::time);
            for cursor in self.cursors.iter_mut().filter(|c| c.stands_at(number)) {
                cursor.position.pass(head, last);
            }
            number = number.saturating_add(1);
        }
    }

    /// Sends to one reader.
    pub fn send_to(&mut self, index: usize, ring: &Ring, headers: &Headers, limits: &Limits, now: Now) {
        let FormatGroup { cursors, slots, format, first, bytes, .. } = self;
        let Some(cursor) = cursors.get_mut(index) else { return };
        let packed = |number: u64| FormatGroup::slot(slots, *first, number).map(|slot| &slot.packed);
        let mut preamble = |at: MediaTime| format.preamble(headers, at, now.wall_ms);
        match &cursor.outlet {
            Outlet::Stream(_) => {
                cursor.write(ring, &packed, &mut preamble, now.mono);
                if cursor.blocked {
                    let lag = |at: u64| {
                        FormatGroup::slot(slots, *first, at).map_or(0, |s| bytes.saturating_sub(s.before))
                    };
                    cursor.position.keep_up(ring, lag, limits);
                }
            }
            Outlet::Datagrams(datagrams, targets) => {
                let (datagrams, targets, client) = (datagrams.clone(), *targets, cursor.client().clone());
                cursor.datagrams(ring, &mut preamble, &mut |number, head| {
                    let Some(packed) = head.or_else(|| number.and_then(packed)) else { return 0 };
                    if !packed.cuts.is_empty() {
                        datagrams.send(&[packed], &[(&targets, &client.counters)]);
                    }
                    packed.bytes.len()
                });
            }
        }
    }

    /// Ends its readers if they cannot go on with these tracks.
    pub fn change(&mut self, tracks: &Tracks) {
        if let Err(misfit) = self.format.fits(tracks) {
            for cursor in &mut self.cursors {
                cursor.end(ReaderEnd::Reconfigured(misfit));
            }
        }
    }

    /// The oldest entry that a reader of this group still waits for.
    pub fn needed(&self) -> u64 {
        self.cursors.iter().filter(|c| c.playing).map(|c| c.position.next()).min().unwrap_or(u64::MAX)
    }

    /// Its readers' entries in the registry.
    pub fn clients(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.cursors.iter().map(Cursor::client)
    }
}
