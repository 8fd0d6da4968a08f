//! Decodes G.711: a byte is a sample.

use super::Planes;

/// One byte of each law as 16 bit samples.
const A_LAW: [i16; 256] = table(true);
const U_LAW: [i16; 256] = table(false);

const fn table(a_law: bool) -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = if a_law { a_law_sample(byte as i16) } else { u_law_sample(byte as i16) };
        byte += 1;
    }
    table
}

/// G.711, table 1a: every other bit is turned over.
const fn a_law_sample(byte: i16) -> i16 {
    let code = byte ^ 0x55;
    let (segment, step) = ((code & 0x70) >> 4, (code & 0x0f) << 4);
    let size = if segment == 0 { step + 8 } else { (step + 0x108) << (segment - 1) };
    if code & 0x80 == 0 { -size } else { size }
}

/// G.711, table 2a: all bits are turned over, and 33 quarters are added before.
const fn u_law_sample(byte: i16) -> i16 {
    let code = byte ^ 0xff;
    let size = ((((code & 0x0f) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84;
    if code & 0x80 == 0 { size } else { -size }
}

/// Which law a track has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Law {
    A,
    U,
}

/// Appends samples of all channels, which take turns, to `out`; at most `most` of each.
pub(super) fn decode(law: Law, bytes: &[u8], most: usize, out: &mut Planes) {
    let table = match law {
        Law::A => &A_LAW,
        Law::U => &U_LAW,
    };
    let sample = |byte: &u8| table.get(usize::from(*byte)).map_or(0.0, |s| f32::from(*s) / 32_768.0);
    for turn in bytes.chunks_exact(out.0.len().max(1)).take(most) {
        for (plane, byte) in out.0.iter_mut().zip(turn) {
            plane.push(sample(byte));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_middles_are_those_of_the_standard() {
        let of = |law, bytes: &[u8]| {
            let mut out = Planes::new(1);
            decode(law, bytes, 99, &mut out);
            out.0.concat().iter().map(|s| (s * 32_768.0) as i32).collect::<Vec<_>>()
        };
        assert_eq!(of(Law::U, &[0x00, 0x80, 0xff, 0x7f, 0xf0]), [-32_124, 32_124, 0, 0, 120]);
        assert_eq!(of(Law::A, &[0x2a, 0xaa, 0xd5, 0x55]), [-32_256, 32_256, 8, -8]);
        let mut out = Planes::new(2);
        decode(Law::U, &[0x00, 0x80, 0x00, 0x80, 0x00, 0x80, 0x00], 2, &mut out);
        assert_eq!(out.0.iter().map(|plane| plane.len()).collect::<Vec<_>>(), [2, 2]);
        assert!(out.0[0][0] < 0.0 && out.0[1][0] > 0.0);
    }
}
