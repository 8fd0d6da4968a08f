//! LATM: the StreamMuxConfig (ISO 14496-3, 1.7.3.1), which says how AAC frames stand in an AudioMuxElement and holds their
//! AudioSpecificConfig.

use super::aac;
use super::bits::Bits;
use bytes::Bytes;

/// Why a StreamMuxConfig cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LatmError {
    /// It ends too early.
    #[error("the LATM configuration is cut short")]
    Short,
    /// It uses what nobody sends: a reserved version, several programs or layers, streams that do not keep step.
    #[error("LATM of several programs or layers is not carried")]
    Several,
    /// What it carries is no AAC.
    #[error("what this LATM carries is no AAC")]
    Other,
}

/// How the frames of a LATM stream are laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamMux {
    /// The AudioSpecificConfig, in whole bytes.
    pub config: Bytes,
    /// Frames in one AudioMuxElement, 1 to 64.
    pub frames: usize,
    /// Length of each frame in bytes where it is always the same and so not said; none where each says its own.
    pub fixed: Option<usize>,
    /// Bits behind the frames that are not audio.
    pub other_bits: usize,
}

impl StreamMux {
    /// Reads a configuration; `bits` stand behind it afterwards. What is cut off behind the AudioSpecificConfig is taken
    /// to say that nothing is special, as some programs write it.
    ///
    /// # Errors
    /// One that cannot be used.
    pub fn read(bits: &mut Bits<'_>) -> Result<StreamMux, LatmError> {
        let version = bits.bit().ok_or(LatmError::Short)?;
        if version && bits.bit().ok_or(LatmError::Short)? {
            return Err(LatmError::Several);
        }
        if version {
            // taraBufferFullness
            value(bits).ok_or(LatmError::Short)?;
        }
        let in_step = bits.bit().ok_or(LatmError::Short)?;
        let frames = bits.bits(6).ok_or(LatmError::Short)?.saturating_add(1);
        let programs_and_layers = bits.bits(7).ok_or(LatmError::Short)?;
        if !in_step || programs_and_layers != 0 {
            return Err(LatmError::Several);
        }
        let config = specific(bits, version)?;
        let (fixed, other_bits) = match behind(bits, version) {
            Some(behind) => behind?,
            None => (None, 0),
        };
        Ok(StreamMux { config, frames: frames as usize, fixed, other_bits })
    }
}

/// The AudioSpecificConfig: from version 1 on its length stands before it, else it has to be read to know it.
fn specific(bits: &mut Bits<'_>, version: bool) -> Result<Bytes, LatmError> {
    let length = if version {
        value(bits).and_then(|l| usize::try_from(l).ok()).ok_or(LatmError::Short)?
    } else {
        let mut ahead = bits.clone();
        let short = |ahead: &Bits<'_>| if ahead.left() < 16 { LatmError::Short } else { LatmError::Other };
        aac::pass(&mut ahead).ok_or_else(|| short(&ahead))?;
        // GStreamer writes its AudioSpecificConfig with the extension, and nothing behind it. What the standard wants there
        // never begins so: the frame length type would be a reserved one.
        let _ = aac::pass_extension(&mut ahead);
        ahead.position().saturating_sub(bits.position())
    };
    let (whole, rest) = (length / 8, (length % 8) as u32);
    let mut config = bits.bytes(whole).ok_or(LatmError::Short)?;
    if rest > 0 {
        let last = bits.bits(rest).and_then(|b| b.checked_shl(8_u32.saturating_sub(rest)));
        config.push(last.and_then(|b| u8::try_from(b).ok()).ok_or(LatmError::Short)?);
    }
    Ok(config.into())
}

/// What stands behind the AudioSpecificConfig: the length of frames, and how many other bits follow them. `None` if it is
/// cut off.
fn behind(bits: &mut Bits<'_>, version: bool) -> Option<Result<(Option<usize>, usize), LatmError>> {
    let fixed = match bits.bits(3)? {
        0 => {
            // latmBufferFullness
            bits.skip(8)?;
            None
        }
        1 => Some(usize::try_from(bits.bits(9)?).ok()?.checked_add(20)?),
        _ => return Some(Err(LatmError::Other)),
    };
    let mut other_bits = 0_usize;
    if bits.bit()? {
        if version {
            other_bits = usize::try_from(value(bits)?).ok()?;
        } else {
            loop {
                let more = bits.bit()?;
                other_bits =
                    other_bits.checked_mul(256)?.checked_add(usize::try_from(bits.bits(8)?).ok()?)?;
                if !more {
                    break;
                }
            }
        }
    }
    if bits.bit()? {
        // crcCheckSum
        bits.skip(8)?;
    }
    Some(Ok((fixed, other_bits)))
}

/// LatmGetValue (1.7.3.1): two bits of how many bytes, and these.
fn value(bits: &mut Bits<'_>) -> Option<u32> {
    let bytes = bits.bits(2)?.checked_add(1)?;
    bits.bits(bytes.checked_mul(8)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::AudioTrack;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<StreamMux, LatmError> {
        StreamMux::read(&mut Bits::new(bytes))
    }

    #[test]
    fn what_devices_send() {
        for (bytes, rate, channels, profile) in [
            // The examples of RFC 6416, 7.3, and their like.
            (&[0x40, 0x00, 0x26, 0x20, 0x3f, 0xc0][..], 24_000, 2, "LC"),
            (&[0x40, 0x00, 0x26, 0x10, 0x3f, 0xc0], 24_000, 1, "LC"),
            (&[0x40, 0x00, 0x56, 0x23, 0x10, 0x1f, 0xe0], 24_000, 2, "HE"),
            (&[0x40, 0x01, 0xd6, 0x13, 0x10, 0x1f, 0xe0], 24_000, 1, "HEv2"),
            // Cut off behind the AudioSpecificConfig, with and without an extension, as GStreamer writes it.
            (&[0x40, 0x00, 0x23, 0x10], 48_000, 1, "LC"),
            (&[0x40, 0x00, 0x24, 0x20, 0xad, 0xca, 0x00], 44_100, 2, "LC"),
        ] {
            let mux = read(bytes).unwrap_or_else(|e| panic!("{bytes:x?}: {e}"));
            assert_eq!((mux.frames, mux.fixed, mux.other_bits), (1, None, 0), "{bytes:x?}");
            let track = AudioTrack::aac(mux.config).unwrap();
            assert_eq!(
                (track.sample_rate, track.channels, track.profile),
                (rate, channels, profile),
                "{bytes:x?}"
            );
        }
    }

    /// Writes bits.
    #[derive(Default)]
    struct Writer(Vec<bool>);

    impl Writer {
        fn bits(mut self, value: u32, count: u32) -> Writer {
            self.0.extend((0..count).rev().map(|at| (value >> at) & 1 == 1));
            self
        }

        fn bytes(self) -> Vec<u8> {
            self.0
                .chunks(8)
                .map(|c| c.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at)))
                .collect()
        }
    }

    /// AAC LC, 48 kHz, stereo.
    const LC: (u32, u32) = (0x1190, 16);

    #[test]
    fn both_versions_and_all_that_may_follow() {
        let begin = |version: u32| match version {
            // No taraBufferFullness to speak of.
            1 => Writer::default().bits(0b10, 2).bits(0, 10),
            _ => Writer::default().bits(0, 1),
        };
        for version in [0, 1] {
            for (frames, fixed, other) in [(1, None, 0), (4, None, 0), (64, None, 300), (2, Some(120), 7)] {
                let mut bits = begin(version).bits(1, 1).bits(frames - 1, 6).bits(0, 7);
                if version == 1 {
                    bits = bits.bits(0, 2).bits(LC.1, 8);
                }
                bits = bits.bits(LC.0, LC.1);
                bits = match fixed {
                    Some(bytes) => bits.bits(1, 3).bits(bytes - 20, 9),
                    None => bits.bits(0, 3).bits(255, 8),
                };
                bits = match (other, version) {
                    (0, _) => bits.bits(0, 1),
                    (_, 1) => bits.bits(1, 1).bits(1, 2).bits(other, 16),
                    _ => bits.bits(1, 1).bits(1, 1).bits(other >> 8, 8).bits(0, 1).bits(other & 255, 8),
                };
                // A checksum, and then something else.
                let all = bits.bits(1, 1).bits(0x77, 8).bits(5, 3).bytes();
                let mut reader = Bits::new(&all);
                let mux = StreamMux::read(&mut reader).unwrap();
                let wanted = (frames as usize, fixed.map(|f| f as usize), other as usize);
                assert_eq!((mux.frames, mux.fixed, mux.other_bits), wanted);
                assert_eq!(mux.config[..], [0x11, 0x90]);
                assert_eq!(reader.bits(3), Some(5), "it stands right behind");
            }
        }
    }

    #[test]
    fn channels_that_the_configuration_lists_itself() {
        // Two front elements and a comment of two bytes, aligned to the configuration's begin.
        let element = |bits: Writer| {
            let bits = bits.bits(0b00010, 5).bits(3, 4).bits(0, 4).bits(0, 3);
            let bits = bits.bits(0, 10).bits(2, 4).bits(0, 8).bits(0, 9).bits(0, 3).bits(0, 10);
            let over = (bits.0.len() - 15) % 8;
            bits.bits(0, if over == 0 { 0 } else { 8 - over as u32 }).bits(2, 8).bits(0xabcd, 16)
        };
        let begin = Writer::default().bits(0b010_0000_0000_0000, 15);
        let all = element(begin).bits(0, 3).bits(255, 8).bits(0, 2).bits(1, 1).bytes();
        let mut reader = Bits::new(&all);
        let mux = StreamMux::read(&mut reader).unwrap();
        assert!(mux.config.ends_with(&[0xab, 0xcd]), "{mux:?}");
        assert_eq!(reader.bit(), Some(true));
    }

    #[test]
    fn what_is_not_carried_says_so() {
        assert_eq!(read(&[]), Err(LatmError::Short));
        assert_eq!(read(&[0x40, 0x00]), Err(LatmError::Short));
        assert_eq!(read(&[0xc0, 0, 0, 0]), Err(LatmError::Several), "version A");
        assert_eq!(read(&[0x40, 0x10, 0x26, 0x20, 0x3f, 0xc0]), Err(LatmError::Several), "two programs");
        assert_eq!(read(&[0x40, 0x02, 0x26, 0x20, 0x3f, 0xc0]), Err(LatmError::Several), "two layers");
        assert_eq!(read(&[0x00, 0x00, 0x26, 0x20, 0x3f, 0xc0]), Err(LatmError::Several), "out of step");
        // Object type 8 is CELP.
        assert_eq!(read(&[0x40, 0x00, 0x86, 0x20, 0x3f, 0xc0]), Err(LatmError::Other));
    }

    proptest! {
        #[test]
        fn any_bytes_are_borne(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = read(&bytes);
        }
    }
}
