//! One coded picture, one audio packet, or one message of data.

use super::time::MediaTime;
use super::tracks::TrackId;
use bytes::Bytes;

/// One access unit of one track. Cloning shares the payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Its track.
    pub track: TrackId,
    /// When it is to be decoded. Does not go back within a track.
    pub dts: MediaTime,
    /// When it is to be shown or heard; differs from `dts` only where frames are reordered (B-frames).
    pub pts: MediaTime,
    /// Whether decoding can begin here: an IDR picture (H.264) or IRAP (H.265); true for audio and data.
    pub keyframe: bool,
    /// Video of H.264 and H.265: NAL units, each behind its length in 4 bytes, big-endian (ISO 14496-15), parameter
    /// sets only where the publisher repeats them. Other video: the codec's own unit as containers hold it.
    /// Audio: one raw packet (AAC without ADTS, one Opus packet, G.711 or MP3 samples as they came).
    /// Data: the AMF0 body of RTMP's data message.
    pub payload: Bytes,
}

impl Frame {
    /// The NAL units of an H.264 or H.265 frame. Ends at the first length that does not fit.
    pub fn nals(&self) -> Nals<'_> {
        Nals { rest: &self.payload }
    }
}

/// See [`Frame::nals`].
#[derive(Clone, Debug)]
pub struct Nals<'a> {
    rest: &'a [u8],
}

impl<'a> Nals<'a> {
    /// The NAL units of `payload`, each behind its length in 4 bytes.
    pub fn of(payload: &'a [u8]) -> Nals<'a> {
        Nals { rest: payload }
    }
}

impl<'a> Iterator for Nals<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let (length, rest) = self.rest.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let (nal, rest) = rest.split_at_checked(length)?;
            self.rest = rest;
            if !nal.is_empty() {
                return Some(nal);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nal_units_end_where_lengths_lie() {
        let of = |bytes: &[u8]| Nals::of(bytes).map(<[u8]>::to_vec).collect::<Vec<_>>();
        assert_eq!(of(&[0, 0, 0, 1, 9, 0, 0, 0, 0, 0, 0, 0, 2, 7, 8]), [vec![9], vec![7, 8]]);
        assert_eq!(of(&[0, 0, 0, 1, 9, 0, 0, 0, 5, 1]), [vec![9]]);
        assert_eq!(of(&[255, 255, 255, 255, 1]), Vec::<Vec<u8>>::new());
        assert_eq!(of(&[]), Vec::<Vec<u8>>::new());
    }
}
