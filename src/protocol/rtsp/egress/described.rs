//! What readers were given before the first frame, which holds as long as they read: the channels of their tracks and how
//! these are coded. Readers of the same share one packing.

use super::LEAD;
use crate::hub::{FormatKey, Misfit, Packed, PacketSpan};
use crate::media::rtp::Packets;
use crate::media::{Coding, MOST_TRACKS, TrackId, Tracks};
use crate::protocol::rtsp::session::Tracked;
use crate::protocol::rtsp::wire::Transport;
use std::fmt::Write as _;

/// The channels of one track for RTP and RTCP.
type Pair = Option<(u8, u8)>;

/// The channel of the hub for the RTP of the track with this [`TrackId::place`]; the next one is for its RTCP. These
/// are also the numbers that readers of datagrams get, and what is usual on a connection.
pub(super) fn usual(place: usize) -> (u8, u8) {
    let rtp = u8::try_from(place.saturating_mul(2)).unwrap_or(u8::MAX - 1);
    (rtp, rtp | 1)
}

/// Which tracks a reader has set up, on which channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Channels([Pair; MOST_TRACKS]);

impl Channels {
    /// Of a reader's tracks. Datagram readers get the usual numbers and so share with most of the others.
    pub fn of(ways: &Tracked) -> Channels {
        Channels(std::array::from_fn(|place| match ways.way(place)? {
            Transport::Interleaved(channels) => channels,
            Transport::Datagrams { .. } => Some(usual(place)),
        }))
    }

    /// The channels of these tracks alone.
    #[cfg(test)]
    pub fn by_place(pairs: &[(usize, (u8, u8))]) -> Channels {
        let mut channels = Channels::default();
        pairs.iter().for_each(|(place, pair)| channels.0[*place] = Some(*pair));
        channels
    }

    /// Whether the track with this place was set up.
    pub fn has(&self, place: usize) -> bool {
        self.0.get(place).is_some_and(Option::is_some)
    }

    /// Readers with equal channels share one packing if they were described the same.
    pub fn key(&self, codings: &Codings) -> FormatKey {
        let mut key = "rtp".to_string();
        for (place, (pair, coding)) in self.0.iter().zip(&codings.0).enumerate() {
            if let Some(pair) = pair {
                // Writing into memory does not fail.
                let _ = write!(key, " {place} {pair:?} {coding:?}");
            }
        }
        FormatKey(key)
    }

    /// The number that stands on the wire for a [`PacketSpan::channel`].
    fn number(&self, tag: u8) -> u8 {
        let place = usize::from(tag / 2);
        let (rtp, rtcp) = self.0.get(place).copied().flatten().unwrap_or(usual(place));
        if tag.is_multiple_of(2) { rtp } else { rtcp }
    }

    /// Gives every packet its four bytes.
    pub fn packed(&self, mut packets: Packets) -> Packed {
        let mut cuts = Vec::with_capacity(packets.spans.len());
        for span in &packets.spans {
            let length = u16::try_from(span.len).unwrap_or(u16::MAX);
            let [high, low] = length.to_be_bytes();
            let lead = span.start.saturating_sub(LEAD)..span.start;
            if let Some(lead) = packets.bytes.get_mut(lead) {
                lead.copy_from_slice(&[b'$', self.number(span.tag), high, low]);
            }
            let start = u32::try_from(span.start).unwrap_or(u32::MAX);
            cuts.push(PacketSpan {
                channel: span.tag,
                control: span.tag % 2 == 1,
                start,
                len: u32::from(length),
            });
        }
        Packed { bytes: packets.bytes.freeze(), cuts }
    }
}

/// How the tracks that readers have set up were described to them; none for what was not described or not set up. That
/// holds as long as they read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Codings([Option<Coding>; MOST_TRACKS]);

impl Codings {
    /// Of these tracks, as far as they have channels.
    pub fn of(tracks: &Tracks, channels: &Channels) -> Codings {
        let mut codings = Codings::default();
        for (id, coding) in tracks.codings() {
            if let Some(place) = id.place().filter(|place| channels.has(*place))
                && let Some(slot) = codings.0.get_mut(place)
            {
                *slot = Some(coding);
            }
        }
        codings
    }

    /// How this track was described.
    fn was(&self, id: TrackId) -> Option<Coding> {
        self.0.get(id.place()?).copied().flatten()
    }

    /// Whether readers were described a track with this id, and can go on with this coding of it.
    pub(super) fn carries(&self, id: TrackId, now: &Coding) -> bool {
        self.was(id).is_some_and(|was| was.goes_on_as(now))
    }

    /// Whether readers to whom this was described can read such tracks. One that is not there (yet, or any more) is not
    /// missed, and one that was not described is not noticed.
    ///
    /// # Errors
    /// The track that they cannot read.
    pub fn fits(&self, tracks: &Tracks) -> Result<(), Misfit> {
        for (track, now) in tracks.codings() {
            if let Some(was) = self.was(track)
                && !was.goes_on_as(&now)
            {
                return Err(Misfit { track, was, now });
            }
        }
        Ok(())
    }
}
