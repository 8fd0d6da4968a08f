//! NUT's numbers and packets: variable-length integers, strings, checksums.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::Error;

/// CRC-32 with the polynomial 0x04C11DB7, most significant bit first, begun with 0, not inverted.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = 0u32;
    for byte in bytes {
        crc ^= u32::from(*byte) << 24;
        for _ in 0..8 {
            crc = if crc & 0x8000_0000 != 0 { (crc << 1) ^ 0x04C1_1DB7 } else { crc << 1 };
        }
    }
    crc
}

/// Writes an unsigned number: seven bits a byte, the most significant first, all but the last marked.
pub(super) fn put(out: &mut Vec<u8>, value: u64) {
    for shift in (7..64).step_by(7).rev().filter(|shift| value >> shift != 0) {
        out.push((value >> shift) as u8 | 0x80);
    }
    out.push((value & 0x7f) as u8);
}

/// Writes a signed number.
pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, value.unsigned_abs().saturating_mul(2).saturating_sub(u64::from(value > 0)));
}

/// Writes bytes behind their length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Writes a header packet: its start code, its length, its content, its checksum.
pub(super) fn put_packet(out: &mut Vec<u8>, code: u64, content: &[u8]) {
    let mut head = code.to_be_bytes().to_vec();
    let length = (content.len() as u64).saturating_add(4);
    put(&mut head, length);
    if length > 4096 {
        let sum = checksum(&head);
        head.extend_from_slice(&sum.to_be_bytes());
    }
    out.extend_from_slice(&head);
    out.extend_from_slice(content);
    out.extend_from_slice(&checksum(content).to_be_bytes());
}

/// Reads from bytes of which more may come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

/// `Ok(None)` means that more bytes are needed.
pub(super) type Read<T> = Result<Option<T>, Error>;

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes }
    }

    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    pub(super) fn number(&mut self) -> Read<u64> {
        let mut value = 0u64;
        loop {
            let Some(byte) = self.byte() else { return Ok(None) };
            if value >> 57 != 0 {
                return Err(Error::Invalid("number"));
            }
            value = (value << 7) | u64::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(Some(value));
            }
        }
    }

    pub(super) fn signed(&mut self) -> Read<i64> {
        let Some(value) = self.number()? else { return Ok(None) };
        let half = (value.saturating_add(1) >> 1) as i64;
        Ok(Some(if value % 2 == 1 { half } else { half.wrapping_neg() }))
    }

    /// Bytes behind their length, which may be at most `most`.
    pub(super) fn counted(&mut self, most: u64) -> Read<&'a [u8]> {
        let Some(length) = self.number()? else { return Ok(None) };
        if length > most {
            return Err(Error::TooLarge);
        }
        Ok(self.bytes(length as usize))
    }
}
