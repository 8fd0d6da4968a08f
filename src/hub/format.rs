//! The seam between the hub and a protocol: a frame is packed once for each format and shared by all its readers.

use super::client::Counters;
use crate::media::{Coding, Frame, MOST_TRACKS, MediaTime, TrackId, Tracks};
use bytes::Bytes;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;

/// What stands before the first frame, for tracks as they are now.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    /// The tracks.
    pub tracks: Tracks,
    /// What the publisher says of itself, if it does.
    pub metadata: Option<Metadata>,
}

/// What a publisher says of its stream beside the tracks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Pixels, for codecs whose configuration does not tell.
    pub size: Option<(u32, u32)>,
    /// Frames a second, above 0 and at most 1000.
    pub frame_rate: Option<f64>,
    /// As it came, for readers of the same protocol. Nobody else reads it.
    pub raw: Bytes,
}

/// Which packing a reader wants. Readers with equal keys share one [`Format`] and its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FormatKey(pub String);

/// One packet inside [`Packed::bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketSpan {
    /// Which of the reader's channels it is for; the protocol gives them their meaning.
    pub channel: u8,
    /// Whether it is of the protocol itself and carries no media. Only for the counters.
    pub control: bool,
    /// Where it begins (behind any interleaving header).
    pub start: u32,
    /// Its length in bytes.
    pub len: u32,
}

/// A frame, or a preamble, as a protocol sends it.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    /// All of it, as a byte stream carries it.
    pub bytes: Bytes,
    /// Its packets, where the protocol has packets.
    pub cuts: Vec<PacketSpan>,
}

/// A track that is coded in another way than a reader was told, which nothing in the stream can tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Which track.
    pub track: TrackId,
    /// As it was described.
    pub was: Coding,
    /// As it is.
    pub now: Coding,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // "the audio", but "audio 2".
        let article = if self.track.index() == 0 { "the " } else { "" };
        write!(f, "{article}{} is {} now and was described as {}", self.track, self.now, self.was)
    }
}

/// Turns frames into the bytes of one protocol, in order, each once. It keeps what must go on from frame to frame
/// (sequence numbers, packet counts). No I/O, no clock: `wall_ms` is the time on the wall, Unix milliseconds.
pub trait Format: Send {
    /// What a reader gets before its first frame, whose time is `at`.
    fn preamble(&mut self, headers: &Headers, at: MediaTime, wall_ms: i64) -> Packed;

    /// One frame. A frame that this format does not carry gives empty bytes.
    fn pack(&mut self, frame: &Frame, wall_ms: i64) -> Packed;

    /// The tracks or the metadata have changed while the stream goes on; `at` is the time of the frame that follows.
    /// Empty bytes if readers need not be told.
    fn changed(&mut self, headers: &Headers, at: MediaTime, wall_ms: i64) -> Packed;

    /// Whether readers of this format can go on with these tracks, or must be ended so that they ask again.
    ///
    /// # Errors
    /// The track with which they cannot.
    fn fits(&self, tracks: &Tracks) -> Result<(), Misfit>;
}

/// A byte stream to one reader that never waits.
pub trait Sink: Send + Sync {
    /// Takes what it can now.
    ///
    /// # Errors
    /// `WouldBlock` if it can take nothing now; any other if it is broken.
    fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Bytes taken that the peer has not acknowledged yet.
    fn unsent(&self) -> u64;
}

/// The most channels of a reader: two for each track that there may be.
pub const MOST_CHANNELS: usize = 2 * MOST_TRACKS;

/// Where the datagrams of one reader go, by [`PacketSpan::channel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Targets {
    /// The reader's address.
    pub ip: IpAddr,
    /// Its ports by channel, below [`MOST_CHANNELS`]; none where it did not ask for the track.
    pub ports: [Option<NonZeroU16>; MOST_CHANNELS],
}

impl Targets {
    /// Nowhere yet, at this address.
    pub fn new(ip: IpAddr) -> Targets {
        Targets { ip, ports: [None; MOST_CHANNELS] }
    }

    /// Where the packets of this channel go.
    pub fn to(&self, channel: u8) -> Option<SocketAddr> {
        let port = self.ports.get(usize::from(channel)).copied().flatten()?;
        Some(SocketAddr::new(self.ip, port.get()))
    }
}

/// Sends datagrams to many readers at once and never waits.
pub trait Datagrams: Send + Sync {
    /// Sends every packet of all of `packed`, in order, to each of `to`: all that one reader gets before the next
    /// reader's, so that it wakes once. Counts packets and bytes sent, and those that found no room
    /// (`packets_discarded`).
    fn send(&self, packed: &[&Packed], to: &[(&Targets, &Counters)]);
}

/// Where a reader's bytes go.
#[derive(Clone)]
pub enum Outlet {
    /// One connection of its own.
    Stream(Arc<dyn Sink>),
    /// Datagrams out of a socket that it shares with others.
    Datagrams(Arc<dyn Datagrams>, Targets),
}
