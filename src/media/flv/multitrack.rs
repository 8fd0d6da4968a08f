//! Messages of several tracks (Enhanced RTMP v2, "Multitrack"): the part of each track becomes the tag that it would be by
//! itself, so that everything behind reads tags of one track.

use super::reading::{Extended, four_cc, mod_ex};
use super::{TagError, packet};
use crate::media::tracks::TrackKind;
use bytes::Bytes;

/// Most parts that one message is taken apart into; a track may stand there more than once.
const MOST_PARTS: usize = 64;
/// How the parts stand behind each other.
mod layout {
    /// One part, without a size.
    pub const ONE_TRACK: u8 = 0;
    /// All of one codec.
    pub const MANY_TRACKS: u8 = 1;
    /// Each with its codec.
    pub const MANY_TRACKS_MANY_CODECS: u8 = 2;
}

/// One track's part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The publisher's number of the track; 0 is the one that also comes in messages without numbers.
    pub track: u8,
    /// The tag that it would be by itself.
    pub tag: Bytes,
}

/// Takes the body of a message of video or audio apart. `None` if it is of one track, as most are: then it is a tag.
///
/// # Errors
/// [`TagError::Short`]: it is not laid out as it says. Nothing of it can be used.
pub fn parts(kind: TrackKind, body: &Bytes) -> Result<Option<Vec<Part>>, TagError> {
    let Some(first) = body.first().copied() else { return Ok(None) };
    let (enhanced, multitrack) = match kind {
        // A command frame has no tracks.
        TrackKind::Video => (first & 0x80 != 0 && (first >> 4) & 7 != 5, packet::MULTITRACK_VIDEO),
        _ => (first >> 4 == 9, packet::MULTITRACK_AUDIO),
    };
    if !enhanced || ![multitrack, packet::MOD_EX].contains(&(first & 0x0f)) {
        return Ok(None);
    }
    let Extended { packet, rest, .. } = mod_ex(body, first & 0x0f)?;
    if packet != multitrack {
        return Ok(None);
    }
    // What stands in front counts for each; the kind of packet stands in its last four bits.
    let mut head = body.slice(..body.len().saturating_sub(rest.len())).to_vec();
    let (mode, mut rest) = number::<1>(rest)?;
    let (layout, packet) = ((mode >> 4) as u8, (mode & 0x0f) as u8);
    if layout > layout::MANY_TRACKS_MANY_CODECS || packet == multitrack || packet == packet::MOD_EX {
        return Err(TagError::Short);
    }
    if let Some(last) = head.last_mut() {
        *last = (*last & 0xf0) | packet;
    }
    let mut codec = [0; 4];
    if matches!(layout, layout::ONE_TRACK | layout::MANY_TRACKS) {
        (codec, rest) = four_cc(&rest)?;
    }
    let mut parts = Vec::new();
    while !rest.is_empty() && parts.len() < MOST_PARTS {
        if layout == layout::MANY_TRACKS_MANY_CODECS {
            (codec, rest) = four_cc(&rest)?;
        }
        let (track, behind) = number::<1>(rest)?;
        let (size, mut behind) = match layout {
            layout::ONE_TRACK => (behind.len(), behind),
            _ => {
                let (size, behind) = number::<3>(behind)?;
                (size as usize, behind)
            }
        };
        if behind.len() < size {
            return Err(TagError::Short);
        }
        let data = behind.split_to(size);
        parts.push(Part { track: track as u8, tag: [&head[..], &codec, &data].concat().into() });
        rest = behind;
    }
    Ok(Some(parts))
}

/// The number in the first bytes, at most four, and what stands behind it.
fn number<const BYTES: usize>(mut bytes: Bytes) -> Result<(u32, Bytes), TagError> {
    if bytes.len() < BYTES {
        return Err(TagError::Short);
    }
    let number = bytes.split_to(BYTES).iter().fold(0, |number: u32, byte| (number << 8) | u32::from(*byte));
    Ok((number, bytes))
}

#[cfg(test)]
#[path = "multitrack_tests.rs"]
mod tests;
