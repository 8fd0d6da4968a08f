//! Tests of `framing`.

use super::*;
use proptest::prelude::*;

const CODES: Framing = Framing::StartCodes;

fn lengths(size: usize, units: &[&[u8]]) -> Bytes {
    let one = |unit: &&[u8]| [&(unit.len() as u32).to_be_bytes()[4 - size..], unit].concat();
    units.iter().flat_map(one).collect()
}

fn codes(units: &[&[u8]]) -> Bytes {
    let one = |(at, unit): (usize, &&[u8])| {
        [if at % 2 == 0 { &[0, 0, 0, 1][..] } else { &[0, 0, 1] }, unit].concat()
    };
    units.iter().enumerate().flat_map(one).collect()
}

fn of(frame: &Bytes, expected: Option<Framing>) -> Option<(Vec<u8>, Framing)> {
    to_lengths(frame, expected).map(|(frame, framing)| (frame.to_vec(), framing))
}

proptest! {
    #[test]
    fn whatever_is_expected_the_units_are_found(
        units in prop::collection::vec(prop::collection::vec(1_u8..0x7f, 2..250), 1..8),
        size in prop_oneof![Just(1_usize), Just(2), Just(4)],
        expected in prop_oneof![Just(None), Just(Some(CODES)), Just(Some(Framing::Lengths(4)))],
    ) {
        let units: Vec<&[u8]> = units.iter().map(|unit| &unit[..]).collect();
        let wanted = lengths(4, &units).to_vec();
        prop_assert_eq!(of(&codes(&units), expected).map(|f| f.0), Some(wanted.clone()));
        // Lengths of 1 and 2 bytes may by chance read as others: a configuration that says them is believed.
        let right = Some(Framing::Lengths(size));
        prop_assert_eq!(of(&lengths(size, &units), right), Some((wanted.clone(), Framing::Lengths(size))));
        prop_assert_eq!(of(&lengths(4, &units), expected), Some((wanted, Framing::Lengths(4))));
    }

    #[test]
    fn any_bytes_are_whole_units_or_nothing(bytes in prop::collection::vec(any::<u8>(), 0..300), codes: bool) {
        let bytes = Bytes::from(if codes { [&[0, 0, 1], &bytes[..]].concat() } else { bytes });
        for expected in [None, Some(CODES), Some(Framing::Lengths(1)), Some(Framing::Lengths(2))] {
            if let Some((frame, _)) = to_lengths(&bytes, expected) {
                let whole: usize = Nals::of(&frame).map(|unit| unit.len() + 4).sum();
                let empty = frame.len() - whole;
                prop_assert!(whole > 0 && empty.is_multiple_of(4));
            }
        }
    }
}

#[test]
fn a_wrong_word_about_the_lengths_is_seen_through() {
    let units: [&[u8]; 3] = [&[0x67, 1, 2], &[0x68, 3], &[0x65; 40]];
    for size in [1, 2, 4] {
        for said in [None, Some(Framing::Lengths(4)), Some(Framing::Lengths(2)), Some(CODES)] {
            let found = of(&lengths(size, &units), said);
            assert_eq!(found, Some((lengths(4, &units).to_vec(), Framing::Lengths(size))), "{said:?}");
        }
    }
}

#[test]
fn start_codes_of_both_lengths_padding_and_empty_units() {
    let bytes = [0, 0, 0, 0, 1, 0x67, 9, 0, 0, 0, 1, 0, 0, 1, 0x68, 0, 0, 1, 0x65, 1, 0, 0, 0];
    let units: Vec<_> = start_coded(&bytes).collect();
    assert_eq!(units, [&[0x67, 9][..], &[0x68], &[0x65, 1]]);
    for none in [&[][..], &[1], &[0, 1, 5], &[0, 0, 2, 5], &[0, 0, 0]] {
        assert_eq!(start_coded(none).count(), 0, "{none:?}");
    }
    // 325 bytes with a start code of three: they would also fit one length of four bytes.
    let ambiguous = Bytes::from([&[0, 0, 1, 0x41][..], &[7; 321]].concat());
    assert_eq!(of(&ambiguous, None).map(|f| f.1), Some(Framing::Lengths(4)));
    assert_eq!(of(&ambiguous, Some(CODES)).map(|f| f.1), Some(CODES), "who sends start codes goes on so");
}

#[test]
fn a_frame_that_is_cut_short_keeps_its_whole_units() {
    let whole = lengths(4, &[&[0x41, 1, 2], &[0x41, 3, 4]]);
    let cut = whole.slice(..whole.len() - 1);
    assert_eq!(of(&cut, None), Some((lengths(4, &[&[0x41, 1, 2]]).to_vec(), Framing::Lengths(4))));
    for nothing in [&[][..], &[0], &[0, 0, 0, 9, 1], &[0; 8], &[0xff; 40], &[0, 0, 0, 1]] {
        assert_eq!(of(&Bytes::copy_from_slice(nothing), None), None, "{nothing:?}");
    }
}
