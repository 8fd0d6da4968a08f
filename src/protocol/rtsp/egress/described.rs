//! What readers were given before the first frame, which holds as long as they read: the channels of their tracks and how
//! these are coded. Readers of the same share one packing.

use super::LEAD;
use crate::hub::{Cut, FormatKey, Misfit, Packed};
use crate::media::rtp::Packets;
use crate::media::{AudioTrack, Coding, TrackKind, Tracks, VideoTrack};
use crate::protocol::rtsp::session::Tracked;
use crate::protocol::rtsp::wire::Transport;

/// The channels of one track for RTP and RTCP.
type Pair = Option<(u8, u8)>;

/// Which tracks a reader has set up, on which channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Channels {
    /// Pictures.
    pub video: Pair,
    /// Sound.
    pub audio: Pair,
}

impl Channels {
    /// Of a reader's tracks. Datagram readers get the usual numbers and so share with most of the others.
    pub fn of(ways: &Tracked) -> Channels {
        let pair = |track, usual| match ways.way(track)? {
            Transport::Interleaved(channels) => channels,
            Transport::Datagrams { .. } => Some(usual),
        };
        Channels { video: pair(0, (0, 1)), audio: pair(1, (2, 3)) }
    }

    /// Readers with equal channels share one packing if they were described the same.
    pub fn key(&self, codings: &Codings) -> FormatKey {
        FormatKey(format!("rtp {:?} {:?} {:?} {:?}", self.video, codings.video, self.audio, codings.audio))
    }

    /// The number that stands on the wire for a [`Cut::channel`].
    fn number(&self, tag: u8) -> u8 {
        let (pair, usual) = if tag < 2 { (self.video, (0, 1)) } else { (self.audio, (2, 3)) };
        let (rtp, rtcp) = pair.unwrap_or(usual);
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
            cuts.push(Cut { channel: span.tag, control: span.tag % 2 == 1, start, len: u32::from(length) });
        }
        Packed { bytes: packets.bytes.freeze(), cuts }
    }
}

/// How the tracks that readers have set up were described to them. That holds as long as they read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Codings {
    /// Of the video; none if it was not described or not set up.
    pub video: Option<Coding>,
    /// Of the audio; as above.
    pub audio: Option<Coding>,
}

impl Codings {
    /// Of these tracks, as far as they have channels.
    pub fn of(tracks: &Tracks, channels: &Channels) -> Codings {
        Codings {
            video: channels.video.and(tracks.video.as_ref()).map(VideoTrack::coding),
            audio: channels.audio.and(tracks.audio.as_ref()).map(AudioTrack::coding),
        }
    }

    /// Whether readers to whom this was described can read such tracks. One that is not there (yet, or any more) is not
    /// missed, and one that was not described is not noticed.
    ///
    /// # Errors
    /// The track that they cannot read.
    pub fn fits(&self, tracks: &Tracks) -> Result<(), Misfit> {
        let video = tracks.video.as_ref().map(VideoTrack::coding);
        let audio = tracks.audio.as_ref().map(AudioTrack::coding);
        for (track, was, now) in
            [(TrackKind::Video, self.video, video), (TrackKind::Audio, self.audio, audio)]
        {
            if let (Some(was), Some(now)) = (was, now)
                && !was.goes_on_as(&now)
            {
                return Err(Misfit { track, was, now });
            }
        }
        Ok(())
    }
}
