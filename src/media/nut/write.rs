//! Writes NUT: all tracks first, then packets as they come, each whole and with nothing to wait for.

use super::wire::{checksum, put, put_bytes, put_packet, put_signed};
use super::{Frame, ID, MAIN, STREAM, SYNCPOINT, Track, flag};

/// No syncpoints follow the first one (`NUT_PIPE` of ffmpeg, version 4).
const PIPE: u64 = 2;
/// Longest distance of a syncpoint, which has no meaning without them.
const DISTANCE: u64 = 32_767;
/// A jump in times that needs no checksum; every frame has one anyway.
const FARTHEST: u64 = 1 << 30;

/// Writes the packets of tracks that are known.
#[derive(Clone, Copy, Debug)]
pub struct Writer;

impl Writer {
    /// What stands before the first packet.
    pub fn head(tracks: &[Track]) -> Vec<u8> {
        let mut out = ID.to_vec();
        put_packet(&mut out, MAIN, &main_header(tracks));
        for (id, track) in tracks.iter().enumerate() {
            put_packet(&mut out, STREAM, &stream_header(id, track));
        }
        // A time of 0 by the first clock, and nothing to point back to.
        put_packet(&mut out, SYNCPOINT, &[0, 0]);
        out
    }

    /// Appends a packet of track `id` to `out`. Times below zero cannot be written; they become zero.
    pub fn frame(out: &mut Vec<u8>, id: usize, frame: &Frame) {
        let side = frame.extradata.as_deref().map(side_data).unwrap_or_default();
        let mut flags = flag::CODED_PTS | flag::STREAM_ID | flag::SIZE_MSB | flag::CHECKSUM;
        flags |= if frame.key { flag::KEY } else { 0 };
        flags |= if side.is_empty() { 0 } else { flag::SIDE_DATA };
        let mut head = vec![0];
        put(&mut head, flags);
        put(&mut head, id as u64);
        // All bits of the time are written: with no bits to be completed, one is added.
        put(&mut head, u64::try_from(frame.pts).unwrap_or(0).saturating_add(1));
        put(&mut head, (side.len() + frame.data.len()) as u64);
        let sum = checksum(&head);
        out.extend_from_slice(&head);
        out.extend_from_slice(&sum.to_be_bytes());
        out.extend_from_slice(&side);
        out.extend_from_slice(&frame.data);
    }
}

/// Version, clocks, and one meaning for every frame code: all that a frame is stands in its own header.
fn main_header(tracks: &[Track]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in [4, 1, tracks.len() as u64, DISTANCE, tracks.len() as u64] {
        put(&mut out, value);
    }
    for track in tracks {
        put(&mut out, u64::from(track.time_base.num));
        put(&mut out, u64::from(track.time_base.den));
    }
    put(&mut out, flag::CODED);
    // Six fields: time, multiplier, track, size, reserved, and for how many codes it holds: all but `N`.
    put(&mut out, 6);
    put_signed(&mut out, 0);
    for value in [1, 0, 0, 0, 255] {
        put(&mut out, value);
    }
    // No headers to be left out.
    put(&mut out, 0);
    put(&mut out, PIPE);
    out
}

fn stream_header(id: usize, track: &Track) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, id as u64);
    put(&mut out, track.class);
    put_bytes(&mut out, &track.fourcc);
    // Each track has the clock of its own number; no bits of times are left out.
    for value in [id as u64, 0, FARTHEST, track.decode_delay, 0] {
        put(&mut out, value);
    }
    put_bytes(&mut out, &track.extradata);
    track.shape.iter().for_each(|value| put(&mut out, *value));
    out
}

/// A new configuration as side data, and no metadata.
fn side_data(extradata: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, 1);
    put_bytes(&mut out, b"Extradata");
    put_signed(&mut out, -2);
    put_bytes(&mut out, b"bin");
    put_bytes(&mut out, extradata);
    put(&mut out, 0);
    out
}
