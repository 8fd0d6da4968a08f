//! Reads bits and Exp-Golomb codes (ITU-T H.264, 9.1) from a NAL unit. Past the end there is nothing: `None`.

/// A reader over bytes from which emulation prevention has been removed.
#[derive(Clone, Debug)]
pub struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    /// Begins at the first bit.
    pub fn new(bytes: &'a [u8]) -> Bits<'a> {
        Bits { bytes, at: 0 }
    }

    /// One bit.
    pub fn bit(&mut self) -> Option<bool> {
        let byte = *self.bytes.get(self.at / 8)?;
        let bit = byte.checked_shr(7 - (self.at % 8) as u32)? & 1;
        self.at = self.at.checked_add(1)?;
        Some(bit == 1)
    }

    /// `count` bits, at most 32, the first one highest.
    pub fn bits(&mut self, count: u32) -> Option<u32> {
        if count > 32 {
            return None;
        }
        let mut value = 0_u64;
        for _ in 0..count {
            value = (value << 1) | u64::from(self.bit()?);
        }
        u32::try_from(value).ok()
    }

    /// Leaves out `count` bits.
    pub fn skip(&mut self, count: usize) -> Option<()> {
        let at = self.at.checked_add(count)?;
        (at <= self.bytes.len().checked_mul(8)?).then_some(())?;
        self.at = at;
        Some(())
    }

    /// How many bits have been read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// How many bits are left.
    pub fn left(&self) -> usize {
        self.bytes.len().saturating_mul(8).saturating_sub(self.at)
    }

    /// `count` whole bytes, wherever they begin.
    pub fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        let (first, shift) = (self.at / 8, (self.at % 8) as u32);
        let end = first.checked_add(count)?;
        self.skip(count.checked_mul(8)?)?;
        let whole = self.bytes.get(first..end)?;
        if shift == 0 {
            return Some(whole.to_vec());
        }
        let next = self.bytes.iter().skip(first).skip(1);
        let join = |(high, low): (&u8, &u8)| (u16::from_be_bytes([*high, *low]) << shift).to_be_bytes()[0];
        Some(whole.iter().zip(next).map(join).collect())
    }

    /// An unsigned Exp-Golomb code.
    pub fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0_u32;
        while !self.bit()? {
            zeros = zeros.checked_add(1).filter(|z| *z <= 31)?;
        }
        let rest = self.bits(zeros)?;
        1_u32.checked_shl(zeros)?.checked_sub(1)?.checked_add(rest)
    }
}

/// A NAL unit's payload without emulation prevention bytes (`00 00 03`, H.264 7.4.1), at most `most` bytes of it.
pub fn unescaped(nal: &[u8], most: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(nal.len().min(most));
    let mut zeros = 0;
    for byte in nal.iter().copied() {
        if out.len() >= most {
            break;
        }
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_standard() {
        // Table 9-2 of H.264: 1, 010, 011, 00100.
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0000]);
        let read: Vec<_> = (0..4).map(|_| bits.unsigned()).collect();
        assert_eq!(read, [Some(0), Some(1), Some(2), Some(3)]);
        assert_eq!(Bits::new(&[0; 8]).unsigned(), None);
        assert_eq!(Bits::new(&[]).bit(), None);
        assert_eq!(Bits::new(&[1]).skip(9), None);
        assert_eq!(Bits::new(&[0xff, 0xff, 0xff, 0xff]).bits(32), Some(u32::MAX));
    }

    #[test]
    fn bytes_begin_anywhere() {
        let all = [0x12, 0x34, 0x56];
        for (skip, wanted) in
            [(0, Some(vec![0x12, 0x34])), (4, Some(vec![0x23, 0x45])), (8, Some(vec![0x34, 0x56])), (9, None)]
        {
            let mut bits = Bits::new(&all);
            bits.skip(skip).unwrap();
            assert_eq!(bits.bytes(2), wanted, "{skip}");
        }
        let mut bits = Bits::new(&all);
        assert_eq!(bits.bytes(3), Some(all.to_vec()));
        assert_eq!(
            (bits.position(), bits.left(), bits.bytes(1), bits.bytes(usize::MAX)),
            (24, 0, None, None)
        );
        assert_eq!(bits.bytes(0), Some(vec![]));
    }

    #[test]
    fn emulation_prevention_goes() {
        assert_eq!(unescaped(&[1, 0, 0, 3, 1, 0, 0, 3], 99), [1, 0, 0, 1, 0, 0]);
        assert_eq!(unescaped(&[0, 0, 0, 3, 5], 99), [0, 0, 0, 5]);
        assert_eq!(unescaped(&[9; 10], 3), [9; 3]);
    }
}
