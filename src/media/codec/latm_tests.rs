//! Tests of `latm`.

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
