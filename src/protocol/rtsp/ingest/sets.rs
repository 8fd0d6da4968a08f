//! Parameter sets among the pictures: cameras do not put them into their descriptions, and encoders change them in
//! mid-stream.

use crate::media::codec::{h264, h265};
use crate::media::frame::Nals;
use crate::media::{VideoCodec, VideoTrack};
use bytes::Bytes;

/// What has been seen of them.
#[derive(Debug)]
pub struct Sets {
    codec: VideoCodec,
    vps: Bytes,
    sps: Bytes,
    pps: Bytes,
    /// Whether one of them is another than the track was made of.
    fresh: bool,
}

impl Sets {
    /// None seen yet.
    pub fn new(codec: VideoCodec) -> Sets {
        Sets { codec, vps: Bytes::new(), sps: Bytes::new(), pps: Bytes::new(), fresh: false }
    }

    /// Looks through one picture. The track as it is from here on, if it is another than `known`.
    pub fn look(&mut self, payload: &[u8], known: Option<&VideoTrack>) -> Option<VideoTrack> {
        let h265 = self.codec == VideoCodec::H265;
        let (mut sps, mut pps) = (None, None);
        for unit in Nals::of(payload) {
            // Of several sets of one kind the first counts: a second picture parameter set is no change.
            match (h265, if h265 { h265::nal::kind(unit) } else { h264::nal::kind(unit) }) {
                (true, h265::nal::VPS) => self.fresh |= keep(&mut self.vps, unit),
                (true, h265::nal::SPS) | (false, h264::nal::SPS) => sps = sps.or(Some(unit)),
                (true, h265::nal::PPS) | (false, h264::nal::PPS) => pps = pps.or(Some(unit)),
                _ => {}
            }
        }
        if let Some(unit) = sps {
            self.fresh |= keep(&mut self.sps, unit);
        }
        // A picture parameter set alone may be an additional one.
        if let Some(unit) = pps.filter(|_| sps.is_some() || self.pps.is_empty()) {
            self.fresh |= keep(&mut self.pps, unit);
        }
        if !std::mem::take(&mut self.fresh) || self.sps.is_empty() || self.pps.is_empty() {
            return None;
        }
        let track = match h265 {
            true if self.vps.is_empty() => return None,
            true => h265::track_of_sets(&self.vps, &self.sps, &self.pps),
            false => h264::track_of_sets(&self.sps, &self.pps),
        };
        let track = track.ok()?;
        let same = known.is_some_and(|known| same_sets(known, &track));
        (!same).then_some(track)
    }
}

/// Containers write the same sets in more than one way; what counts is the sets.
fn same_sets(known: &VideoTrack, found: &VideoTrack) -> bool {
    let before = known.parameter_sets();
    found.parameter_sets().iter().all(|set| before.contains(set))
}

fn keep(kept: &mut Bytes, unit: &[u8]) -> bool {
    if kept[..] == *unit {
        return false;
    }
    *kept = Bytes::copy_from_slice(unit);
    true
}
