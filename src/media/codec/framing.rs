//! How NAL units are told apart in a frame: by lengths in front of them (ISO 14496-15), as containers want it, or by
//! start codes (H.264 and H.265, annex B), as some publishers send them where lengths should be. What comes in is
//! looked at, because what a configuration says about it may be wrong, missing or late; what goes on has lengths of 4
//! bytes.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::media::frame::Nals;
use bytes::{BufMut, Bytes, BytesMut};

/// Most units of one frame that are taken out of annex B.
const MOST_UNITS: usize = 2048;

/// The ways to tell units apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Lengths of so many bytes: 1, 2 or 4.
    Lengths(usize),
    /// Start codes.
    StartCodes,
}

/// A frame with lengths of 4 bytes, and how it came. `expected`, if it fits, is taken before the others; without it
/// lengths of 4 bytes are. A frame that fits nothing is cut where the expected lengths no longer fit; `None` if not
/// even one unit is whole then.
pub fn to_lengths(frame: &Bytes, expected: Option<Framing>) -> Option<(Bytes, Framing)> {
    let usual = Framing::Lengths(4);
    let first = expected.unwrap_or(usual);
    let others = [usual, Framing::StartCodes, Framing::Lengths(2), Framing::Lengths(1)];
    let ways = || std::iter::once(first).chain(others.into_iter().filter(move |way| *way != first));
    let fitting = ways().find(|way| fits(frame, *way));
    let (framing, frame) = match fitting.unwrap_or(first) {
        Framing::Lengths(4) if fitting.is_some() => (usual, frame.clone()),
        Framing::Lengths(size) => (Framing::Lengths(size), with_long_lengths(frame, size)),
        Framing::StartCodes => (Framing::StartCodes, joined(start_coded(frame))),
    };
    Nals::of(&frame).next().is_some().then_some((frame, framing))
}

/// The units of bytes that begin with a start code.
pub fn start_coded(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = behind_start_code(bytes);
    std::iter::from_fn(move || {
        let unit = rest?;
        let (unit, next) = match unit.windows(3).position(|three| three == [0, 0, 1]) {
            Some(end) => unit.split_at_checked(end)?,
            None => (unit, &[][..]),
        };
        rest = next.get(3..);
        let end = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
        unit.get(..end)
    })
    .filter(|unit| !unit.is_empty())
    .take(MOST_UNITS)
}

/// What stands behind the start code that `bytes` begin with, if they do.
fn behind_start_code(bytes: &[u8]) -> Option<&[u8]> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).filter(|_| zeros >= 2)?.strip_prefix(&[1])
}

/// Units behind lengths of 4 bytes.
pub fn joined<'a>(units: impl Iterator<Item = &'a [u8]>) -> Bytes {
    let mut out = BytesMut::new();
    units.for_each(|unit| put(&mut out, unit));
    out.freeze()
}

/// Appends a unit behind its length in 4 bytes.
pub fn put(out: &mut BytesMut, unit: &[u8]) {
    out.put_u32(u32::try_from(unit.len()).unwrap_or(0));
    out.put_slice(unit);
}

/// Whether a frame is whole units told apart in this way. No unit has its highest bit set (forbidden_zero_bit).
fn fits(frame: &[u8], framing: Framing) -> bool {
    let valid = |unit: &[u8]| unit.first().is_none_or(|byte| byte & 0x80 == 0);
    match framing {
        Framing::Lengths(size) => {
            let mut rest = frame;
            let mut some = false;
            while let Some((unit, behind)) = split(rest, size) {
                // Lengths of four bytes would read as ones of two with an empty unit before each.
                if !valid(unit) || (unit.is_empty() && size < 4) {
                    return false;
                }
                some |= !unit.is_empty();
                rest = behind;
            }
            some && rest.is_empty()
        }
        Framing::StartCodes => {
            behind_start_code(frame).is_some_and(|unit| !unit.is_empty()) && start_coded(frame).all(valid)
        }
    }
}

/// The first unit behind a length of `size` bytes, and what follows it.
fn split(bytes: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let (head, behind) = bytes.split_at_checked(size)?;
    let length = head.iter().fold(0_usize, |length, byte| (length << 8) | usize::from(*byte));
    behind.split_at_checked(length)
}

/// Units behind lengths of 4 bytes, from lengths of `size`. Ends at a length that does not fit.
fn with_long_lengths(frame: &[u8], size: usize) -> Bytes {
    let mut rest = frame;
    joined(
        std::iter::from_fn(|| {
            let (unit, behind) = split(rest, size)?;
            rest = behind;
            Some(unit)
        })
        .filter(|unit| !unit.is_empty()),
    )
}

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;
