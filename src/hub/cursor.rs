//! Where one reader stands in a stream, what waits for it, and what is left out when it is too slow.

use super::format::{Misfit, Outlet, Packed};
use super::limits::Limits;
use super::registry::{Client, add};
use super::ring::{Entry, Ring};
use crate::media::{MediaTime, TrackKind};
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::fmt;
use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Notify;

/// Why a reader was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The publisher ended the stream.
    Unpublished,
    /// A track changed in a way that this reader has to ask for anew.
    Reconfigured(Misfit),
    /// The publisher's connection broke and did not come back in time.
    Lost,
    /// Its peer took nothing for too long.
    TooSlow,
    /// Its connection failed, or it asked without reading the answers.
    Broken,
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Over::Unpublished => f.write_str("its publisher has ended it"),
            Over::Reconfigured(misfit) => write!(f, "{misfit}"),
            Over::Lost => f.write_str("its publisher did not come back"),
            Over::TooSlow => f.write_str("the reader takes nothing"),
            Over::Broken => f.write_str("the reader's connection failed"),
        }
    }
}

/// What a reader's own task has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Wait until the socket takes bytes again, then flush.
    Blocked,
    /// Flush after a few milliseconds: datagrams that the reader has to catch up with are sent at a measured pace.
    Later,
    /// Say goodbye and close.
    Over(Over),
}

/// What of the pictures (or of all) is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skip {
    /// Nothing.
    No,
    /// All until a keyframe: decoding has not begun.
    All,
    /// Pictures until the next keyframe.
    Pictures,
    /// Pictures before this number, which is a keyframe.
    PicturesBefore(u64),
}

/// The most pieces of one vectored write.
const PIECES: usize = 64;
/// The most bytes that are put in line for one write.
const PIECE_BYTES: usize = 512 << 10;
/// What a datagram reader that has to catch up gets at one go, in bytes: small beside a socket's receive buffer.
const DATAGRAM_BURST: usize = 48 << 10;

/// One reader.
pub struct Cursor {
    /// Its number in this stream.
    pub id: u64,
    /// Its entry in the registry.
    pub client: Arc<Client>,
    /// Where its bytes go.
    pub outlet: Outlet,
    /// Wakes its own task.
    pub wake: Arc<Notify>,
    /// The next entry for it.
    pub next: u64,
    /// Whether frames go to it.
    pub playing: bool,
    /// Why it has to go.
    pub over: Option<Over>,
    /// Its socket took no more; its own task waits for it.
    pub blocked: bool,
    /// It is a datagram reader with frames left to send.
    pub later: bool,
    told: bool,
    begun: bool,
    skip: Skip,
    line: VecDeque<Bytes>,
    line_bytes: usize,
    written: u64,
    acknowledged: u64,
    progress_at: Instant,
}

impl Cursor {
    /// A reader that stands nowhere yet.
    pub fn new(id: u64, client: Arc<Client>, outlet: Outlet, now: Instant) -> Cursor {
        Cursor {
            id,
            client,
            outlet,
            wake: Arc::new(Notify::new()),
            next: 0,
            playing: false,
            over: None,
            blocked: false,
            later: false,
            told: false,
            begun: false,
            skip: Skip::No,
            line: VecDeque::new(),
            line_bytes: 0,
            written: 0,
            acknowledged: 0,
            progress_at: now,
        }
    }

    /// Places it where a late reader begins.
    pub fn place(&mut self, ring: &Ring) {
        let (next, skip) = ring.begin().map_or((ring.head(), Skip::All), |begin| (begin, Skip::No));
        self.begun &= !ring.changed_within(self.next..next);
        (self.next, self.skip) = (next, skip);
    }

    /// Whether nothing waits to be written.
    pub fn drained(&self) -> bool {
        self.line.is_empty()
    }

    /// Puts bytes of the dialog in line. `false` if too much of it waits already.
    pub fn say(&mut self, bytes: Bytes, limits: &Limits) -> bool {
        if self.line_bytes.saturating_add(bytes.len()) > limits.dialog_bytes.saturating_add(PIECE_BYTES) {
            return false;
        }
        self.put(bytes);
        true
    }

    fn put(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.line_bytes = self.line_bytes.saturating_add(bytes.len());
            self.line.push_back(bytes);
        }
    }

    /// Ends it.
    pub fn end(&mut self, why: Over) {
        if self.over.is_none() {
            self.over = Some(why);
            self.playing = false;
            self.wake.notify_one();
        }
    }

    /// What its task has to do now, each thing once.
    pub fn event(&mut self) -> Option<Event> {
        if let Some(why) = self.over {
            return Some(Event::Over(why));
        }
        let event = match (self.blocked, self.later) {
            (true, _) => Event::Blocked,
            (_, true) => Event::Later,
            _ => return None,
        };
        (!std::mem::replace(&mut self.told, true)).then_some(event)
    }

    /// Its own task says that the socket may take bytes again.
    pub fn unblock(&mut self) {
        self.blocked = false;
        self.later = false;
        self.told = false;
    }

    /// It does not get what stands before `next`. If the headers changed there it is told them anew.
    fn leave_out(&mut self, next: u64, ring: &Ring) {
        add(&self.client.counters.frames_dropped, next.saturating_sub(self.next));
        self.begun &= !ring.changed_within(self.next..next);
        self.next = next;
    }

    /// The next frame for it out of the ring, passing over what it does not get.
    fn step(&mut self, ring: &Ring) -> Option<u64> {
        if self.next < ring.first() {
            // What it stood at is gone.
            self.leave_out(ring.first(), ring);
            if self.skip == Skip::No {
                self.skip = Skip::Pictures;
            }
        }
        loop {
            let number = self.next;
            let entry = ring.get(number)?;
            self.next = number.saturating_add(1);
            let Entry::Frame(frame) = entry else { return Some(number) };
            let picture = frame.track == TrackKind::Video;
            let begins = picture && frame.keyframe;
            let left_out = match self.skip {
                Skip::No => false,
                Skip::All => !(begins || ring.begin() == Some(number)),
                Skip::Pictures => picture && !frame.keyframe,
                Skip::PicturesBefore(k) => picture && number < k,
            };
            if left_out {
                if self.begun {
                    add(&self.client.counters.frames_dropped, 1);
                }
                continue;
            }
            if begins || self.skip == Skip::All {
                self.skip = Skip::No;
            }
            return Some(number);
        }
    }

    /// Leaves pictures out if it is too far behind. `lag_bytes`: how many packed bytes lie before it.
    pub fn keep_up(&mut self, ring: &Ring, lag_bytes: impl Fn(u64) -> u64, limits: &Limits) {
        let too_far = |at: u64| {
            let newest = ring.get(ring.head().saturating_sub(1)).map_or(MediaTime::ZERO, Entry::time);
            let behind = ring.get(at).map_or(std::time::Duration::ZERO, |e| newest.since(e.time()));
            ring.head().saturating_sub(at) > limits.lag_frames
                || lag_bytes(at) > limits.lag_bytes
                || behind > limits.lag_time
        };
        if !self.begun || !too_far(self.next) {
            return;
        }
        self.skip = match ring.begin() {
            Some(key) if key > self.next => Skip::PicturesBefore(key),
            _ if self.skip == Skip::No => Skip::Pictures,
            _ => self.skip,
        };
        // Sound goes on, but no further back than the window.
        while too_far(self.next) && self.next < ring.head() {
            self.leave_out(self.next.saturating_add(1), ring);
        }
        if let Skip::PicturesBefore(key) = self.skip
            && self.next > key
        {
            self.skip = Skip::Pictures;
        }
    }

    /// Writes what its socket takes now. `packed` gives an entry's bytes; `preamble` what stands before the first frame.
    pub fn write<'a>(
        &mut self,
        ring: &Ring,
        packed: &impl Fn(u64) -> Option<&'a Packed>,
        preamble: &mut dyn FnMut(MediaTime) -> Packed,
        now: Instant,
    ) {
        if self.blocked || self.over == Some(Over::Broken) {
            return;
        }
        loop {
            self.fill(ring, packed, preamble);
            if self.line.is_empty() {
                return;
            }
            let Outlet::Stream(sink) = &self.outlet else { return self.line.clear() };
            let wrote = {
                let mut parts = [IoSlice::new(&[]); PIECES];
                let mut count = 0;
                for (part, bytes) in parts.iter_mut().zip(&self.line) {
                    *part = IoSlice::new(bytes);
                    count += 1;
                }
                sink.write(parts.get(..count).unwrap_or(&[]))
            };
            match wrote {
                Ok(0) => return self.end(Over::Broken),
                Ok(n) => self.wrote(n, now),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.blocked = true;
                    self.told = false;
                    self.wake.notify_one();
                    return;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.line.clear();
                    self.line_bytes = 0;
                    return self.end(Over::Broken);
                }
            }
        }
    }

    fn fill<'a>(
        &mut self,
        ring: &Ring,
        packed: &impl Fn(u64) -> Option<&'a Packed>,
        preamble: &mut dyn FnMut(MediaTime) -> Packed,
    ) {
        while self.playing && self.line.len() < PIECES && self.line_bytes < PIECE_BYTES {
            let Some(number) = self.step(ring) else { return };
            self.begin_with(ring, number, preamble);
            if let Some(packed) = packed(number) {
                self.count(packed);
                self.put(packed.bytes.clone());
            }
        }
    }

    /// Puts the preamble in line before the first frame.
    fn begin_with(&mut self, ring: &Ring, number: u64, preamble: &mut dyn FnMut(MediaTime) -> Packed) {
        let at = ring.get(number).map_or(MediaTime::ZERO, Entry::time);
        self.note(at);
        if !std::mem::replace(&mut self.begun, true) {
            let preamble = preamble(at);
            self.count(&preamble);
            self.put(preamble.bytes);
        }
    }

    /// Counts the packets of a protocol that has packets: media on even channels, control on odd ones.
    fn count(&self, packed: &Packed) {
        let control = packed.cuts.iter().filter(|cut| cut.channel % 2 == 1).count() as u64;
        let media = (packed.cuts.len() as u64).saturating_sub(control);
        add(&self.client.counters.packets_out, media);
        add(&self.client.counters.rtcp_out, control);
    }

    fn wrote(&mut self, n: usize, now: Instant) {
        // A socket that was empty before has not been waiting for its peer.
        if self.written == self.acknowledged {
            self.progress_at = now;
        }
        self.written = self.written.saturating_add(n as u64);
        add(&self.client.counters.bytes_out, n as u64);
        self.line_bytes = self.line_bytes.saturating_sub(n);
        let mut left = n;
        while let Some(front) = self.line.front_mut() {
            if left < front.len() {
                front.advance(left);
                return;
            }
            left = left.saturating_sub(front.len());
            self.line.pop_front();
        }
    }

    /// What a datagram reader gets now: up to a burst of entries, each handed to `send`.
    pub fn datagrams(
        &mut self,
        ring: &Ring,
        preamble: &mut dyn FnMut(MediaTime) -> Packed,
        send: &mut dyn FnMut(Option<u64>, Option<&Packed>) -> usize,
    ) {
        if !self.playing || self.over.is_some() {
            return;
        }
        let mut sent = 0;
        while sent < DATAGRAM_BURST {
            let Some(number) = self.step(ring) else { return };
            if !self.begun {
                let at = ring.get(number).map_or(MediaTime::ZERO, Entry::time);
                let head = preamble(at);
                sent += send(None, Some(&head));
            }
            self.begun = true;
            sent += send(Some(number), None);
        }
        if self.next < ring.head() {
            self.later = true;
            self.told = false;
            self.wake.notify_one();
        }
    }

    /// It got everything before `next`, of which the last was of this time.
    pub fn pass(&mut self, next: u64, last: MediaTime) {
        self.next = next;
        self.note(last);
    }

    fn note(&self, at: MediaTime) {
        let millis = u64::try_from(at.millis()).unwrap_or(0);
        self.client.counters.timestamp_ms.store(millis, std::sync::atomic::Ordering::Relaxed);
    }

    /// Whether it is a reader of datagrams that stands right at `number`, has begun and leaves nothing out: then it is
    /// sent together with others.
    pub fn stands_at(&self, number: u64) -> bool {
        let datagrams = matches!(self.outlet, Outlet::Datagrams(..));
        datagrams
            && self.playing
            && self.begun
            && self.next == number
            && self.skip == Skip::No
            && self.over.is_none()
    }

    /// Ends it if its peer has taken nothing for too long though there was something to take.
    pub fn check_progress(&mut self, now: Instant, limits: &Limits) {
        let Outlet::Stream(sink) = &self.outlet else { return };
        let acknowledged = self.written.saturating_sub(sink.unsent());
        if acknowledged > self.acknowledged || (acknowledged == self.written && self.line.is_empty()) {
            self.acknowledged = acknowledged;
            self.progress_at = now;
        } else if now.saturating_duration_since(self.progress_at) > limits.no_progress {
            self.end(Over::TooSlow);
        }
    }
}
