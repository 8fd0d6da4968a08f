//! The header of an MPEG-1/2 layer III frame (ISO 11172-3, 2.4.1.3; ISO 13818-3), as far as it tells where the frame
//! ends and how long it sounds.

/// What a frame's first four bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Bytes of the whole frame.
    pub length: usize,
    /// Samples a second.
    pub sample_rate: u32,
    /// Samples of each channel: 1152, or 576 at the half rates.
    pub samples: u32,
    /// 1 or 2.
    pub channels: u8,
}

const KBPS_FULL: [u32; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const KBPS_HALF: [u32; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

/// Reads the head of a layer III frame. `None` for other layers, free format and reserved values.
pub fn head(bytes: &[u8]) -> Option<FrameHead> {
    let [sync, second, third, fourth] = *bytes.first_chunk::<4>()?;
    if sync != 0xff || second & 0xe0 != 0xe0 || second & 0x06 != 0x02 {
        return None;
    }
    let (shift, full) = match second & 0x18 {
        0x18 => (0, true),
        0x10 => (1, false),
        0x00 => (2, false),
        _ => return None,
    };
    let index = usize::from(third >> 4);
    let kbps = *if full { &KBPS_FULL } else { &KBPS_HALF }.get(index).filter(|k| **k > 0)?;
    let sample_rate = [44_100_u32, 48_000, 32_000].get(usize::from((third >> 2) & 3))?.checked_shr(shift)?;
    let samples: u32 = if full { 1152 } else { 576 };
    let padding = u32::from((third >> 1) & 1);
    let length = kbps.checked_mul(1000 / 8)?.checked_mul(samples)?.checked_div(sample_rate)?;
    let length = usize::try_from(length.checked_add(padding)?).ok()?;
    Some(FrameHead { length, sample_rate, samples, channels: if fourth >> 6 == 3 { 1 } else { 2 } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_common_frames() {
        let of = |bytes: [u8; 4]| head(&bytes).map(|h| (h.length, h.sample_rate, h.samples, h.channels));
        // 128 kb/s at 44.1 kHz without and with padding, joint stereo.
        assert_eq!(of([0xff, 0xfb, 0x90, 0x64]), Some((417, 44_100, 1152, 2)));
        assert_eq!(of([0xff, 0xfb, 0x92, 0x64]), Some((418, 44_100, 1152, 2)));
        // MPEG-2, 64 kb/s at 24 kHz, mono.
        assert_eq!(of([0xff, 0xf3, 0x84, 0xc4]), Some((192, 24_000, 576, 1)));
        for bad in
            [[0xff, 0xfd, 0x90, 0], [0xff, 0xfb, 0xf0, 0], [0xff, 0xfb, 0x0c, 0], [0xff, 0xeb, 0x90, 0]]
        {
            assert_eq!(of(bad), None, "{bad:x?}");
        }
        assert_eq!(head(&[0xff, 0xfb]), None);
    }
}
