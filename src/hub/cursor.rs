//! One reader of bytes: its position in the stream, what waits to be written to it, and how it ends.

use super::client::{Client, add};
use super::format::{Misfit, Outlet, Packed};
use super::limits::Limits;
use super::position::Position;
use super::ring::{Entry, Ring};
use super::stream_writer::StreamWriter;
use crate::media::MediaTime;
use bytes::Bytes;
use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Notify;

/// Why a reader was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReaderEnd {
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

impl fmt::Display for ReaderEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReaderEnd::Unpublished => f.write_str("its publisher has ended it"),
            ReaderEnd::Reconfigured(misfit) => write!(f, "{misfit}"),
            ReaderEnd::Lost => f.write_str("its publisher did not come back"),
            ReaderEnd::TooSlow => f.write_str("the reader takes nothing"),
            ReaderEnd::Broken => f.write_str("the reader's connection failed"),
        }
    }
}

/// What a reader's own task has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Wait until the socket takes bytes again, then flush.
    Blocked,
    /// Flush after a few milliseconds: datagrams that the reader has to catch up with are sent at a measured pace.
    Later,
    /// Say goodbye and close.
    Ended(ReaderEnd),
}

/// What a datagram reader that has to catch up gets at one go, in bytes: small beside a socket's receive buffer.
const DATAGRAM_BURST: usize = 48 << 10;

/// One reader.
pub struct Cursor {
    /// Its number in this stream.
    pub id: u64,
    /// Where its bytes go.
    pub outlet: Outlet,
    /// Wakes its own task.
    pub wake: Arc<Notify>,
    /// Where it stands.
    pub position: Position,
    /// Whether frames go to it.
    pub playing: bool,
    /// Why it has to go.
    pub over: Option<ReaderEnd>,
    /// Its socket took no more; its own task waits for it.
    pub blocked: bool,
    writer: StreamWriter,
    /// It is a datagram reader with frames left to send.
    later: bool,
    told: bool,
}

impl Cursor {
    /// A reader that begins where a late reader begins, and does not play yet.
    pub fn new(id: u64, client: Arc<Client>, outlet: Outlet, ring: &Ring, now: Instant) -> Cursor {
        Cursor {
            id,
            outlet,
            wake: Arc::new(Notify::new()),
            position: Position::new(client, ring),
            playing: false,
            over: None,
            blocked: false,
            writer: StreamWriter::new(now),
            later: false,
            told: false,
        }
    }

    /// Its entry in the registry.
    pub fn client(&self) -> &Arc<Client> {
        self.position.client()
    }

    /// Whether nothing waits to be written.
    pub fn drained(&self) -> bool {
        self.writer.is_empty()
    }

    /// Puts bytes of the dialog in line. `false` if too much of it waits already.
    pub fn say(&mut self, bytes: Bytes, limits: &Limits) -> bool {
        self.writer.say(bytes, limits)
    }

    /// Ends it.
    pub fn end(&mut self, why: ReaderEnd) {
        if self.over.is_none() {
            self.over = Some(why);
            self.playing = false;
            self.wake.notify_one();
        }
    }

    /// What its task has to do now, each thing once.
    pub fn event(&mut self) -> Option<Wake> {
        if let Some(why) = self.over {
            return Some(Wake::Ended(why));
        }
        let event = match (self.blocked, self.later) {
            (true, _) => Wake::Blocked,
            (_, true) => Wake::Later,
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

    /// Writes what its socket takes now. `packed` gives an entry's bytes; `preamble` what stands before the first frame.
    pub fn write<'a>(
        &mut self,
        ring: &Ring,
        packed: &impl Fn(u64) -> Option<&'a Packed>,
        preamble: &mut dyn FnMut(MediaTime) -> Packed,
        now: Instant,
    ) {
        if self.blocked || self.over == Some(ReaderEnd::Broken) {
            return;
        }
        loop {
            self.fill(ring, packed, preamble);
            if self.writer.is_empty() {
                return;
            }
            let Outlet::Stream(sink) = &self.outlet else { return self.writer.clear() };
            match self.writer.write(&**sink, now) {
                Ok(taken) => add(&self.client().counters.bytes_out, taken as u64),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.blocked = true;
                    self.told = false;
                    self.wake.notify_one();
                    return;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.writer.clear();
                    return self.end(ReaderEnd::Broken);
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
        while self.playing && !self.writer.is_full() {
            let Some(number) = self.position.step(ring) else { return };
            let at = ring.get(number).map_or(MediaTime::ZERO, Entry::time);
            self.position.note(at);
            if self.position.begin() {
                let preamble = preamble(at);
                self.count(&preamble);
                self.writer.put(preamble.bytes);
            }
            if let Some(packed) = packed(number) {
                self.count(packed);
                self.writer.put(packed.bytes.clone());
            }
        }
    }

    /// Counts the packets of a protocol that has packets.
    fn count(&self, packed: &Packed) {
        let control = packed.cuts.iter().filter(|cut| cut.control).count() as u64;
        let media = (packed.cuts.len() as u64).saturating_sub(control);
        let counters = &self.client().counters;
        add(&counters.packets_out, media);
        add(&counters.rtcp_out, control);
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
            let Some(number) = self.position.step(ring) else { return };
            if self.position.begin() {
                let at = ring.get(number).map_or(MediaTime::ZERO, Entry::time);
                let head = preamble(at);
                sent += send(None, Some(&head));
            }
            sent += send(Some(number), None);
        }
        if self.position.next() < ring.head() {
            self.later = true;
            self.told = false;
            self.wake.notify_one();
        }
    }

    /// Whether it is a reader of datagrams that stands right at `number`, has begun and leaves nothing out: then it is
    /// sent together with others.
    pub fn stands_at(&self, number: u64) -> bool {
        let datagrams = matches!(self.outlet, Outlet::Datagrams(..));
        datagrams && self.playing && self.over.is_none() && self.position.is_at(number)
    }

    /// Ends it if its peer has taken nothing for too long though there was something to take.
    pub fn check_progress(&mut self, now: Instant, limits: &Limits) {
        let Outlet::Stream(sink) = &self.outlet else { return };
        if self.writer.is_stuck(&**sink, now, limits) {
            self.end(ReaderEnd::TooSlow);
        }
    }
}
