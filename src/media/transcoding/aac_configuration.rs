//! Reads an AudioSpecificConfig (ISO 14496-3, 1.6.2.1) for what the decoder must know, and refuses what it cannot do.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::Refused;
use crate::media::codec::aac;
use crate::media::codec::bits::Bits;
use bytes::Bytes;

/// Samples a second and channels (1 or 2) of an AAC LC configuration.
pub(super) fn read(config: &Bytes) -> Result<(u32, u8), Refused> {
    let object = aac::object_type(config).ok_or(Refused::Unreadable)?;
    match object {
        2 => {}
        5 | 29 => return Err(Refused::HeAac),
        other => return Err(Refused::ObjectType(other)),
    }
    let track = aac::track(config.clone()).map_err(|_| Refused::Unreadable)?;
    let (listed, sbr) = further(config).ok_or(Refused::Unreadable)?;
    if !listed {
        // The channels stand in a list of their own, which may name any number of them.
        return Err(Refused::Unreadable);
    }
    if track.channels > 2 {
        return Err(Refused::Channels(track.channels));
    }
    if aac::samples_per_packet(config) != 1024 {
        return Err(Refused::ShortPackets);
    }
    if sbr {
        return Err(Refused::HeAac);
    }
    Ok((track.sample_rate, track.channels))
}

/// Of an LC configuration: whether the channels have a number, and whether SBR is signalled behind it in the way that
/// older decoders do not see (syncExtensionType 0x2b7).
fn further(config: &[u8]) -> Option<(bool, bool)> {
    let mut bits = Bits::new(config);
    bits.bits(5)?;
    if bits.bits(4)? == 15 {
        bits.bits(24)?;
    }
    let listed = bits.bits(4)? != 0;
    // frameLengthFlag, dependsOnCoreCoder with its delay, extensionFlag.
    bits.bit()?;
    if bits.bit()? {
        bits.skip(14)?;
    }
    bits.bit()?;
    let mut sbr = || Some(bits.bits(11)? == 0x2b7 && bits.bits(5)? == 5 && bits.bit()?);
    Some((listed, sbr().unwrap_or(false)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_taken_or_refused_by_name() {
        let of = |bytes: &[u8]| read(&Bytes::copy_from_slice(bytes));
        assert_eq!(of(&[0x11, 0x90]), Ok((48_000, 2)));
        // ffmpeg's mono of 44.1 kHz, with the word that there is no SBR; the same with SBR.
        assert_eq!(of(&[0x12, 0x08, 0x56, 0xe5, 0x00]), Ok((44_100, 1)));
        assert_eq!(of(&[0x12, 0x08, 0x56, 0xe5, 0x80]), Err(Refused::HeAac));
        assert_eq!(of(&[0x2b, 0x11, 0x88, 0x00]), Err(Refused::HeAac));
        assert_eq!(of(&[0xeb, 0x11, 0x88, 0x00]), Err(Refused::HeAac));
        assert_eq!(of(&[0x11, 0xb0]), Err(Refused::Channels(6)));
        assert_eq!(of(&[0x11, 0x94]), Err(Refused::ShortPackets));
        assert_eq!(of(&[0x09, 0x90]), Err(Refused::ObjectType(1)));
        assert_eq!(of(&[0xb9, 0x90]), Err(Refused::ObjectType(23)));
        // No number of channels, a reserved rate, and what is cut short.
        for broken in [&[0x11, 0x80][..], &[0x16, 0x90], &[0x11], &[]] {
            assert_eq!(of(broken), Err(Refused::Unreadable), "{broken:?}");
        }
        // The rate written out.
        assert_eq!(of(&[0x17, 0x80, 0x56, 0x22, 0x10]), Ok((44_100, 2)));
    }
}
