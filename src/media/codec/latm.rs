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
#[path = "latm_tests.rs"]
mod tests;
