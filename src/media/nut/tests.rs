//! What is written is read back, whatever it is and however it is cut; what ffmpeg writes stands in the integration tests.

use super::*;
use proptest::prelude::*;

fn any_track() -> impl Strategy<Value = Track> {
    let clock = (1u32..100_000, 1u32..100_000).prop_map(|(num, den)| TimeBase { num, den });
    let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
    (clock, 0u64..20, bytes(), 1u64..9000, proptest::collection::vec(any::<u8>(), 0..6000)).prop_map(
        |(time_base, decode_delay, fourcc, width, extradata)| Track {
            class: 0,
            fourcc: fourcc.into_iter().take(4).collect(),
            time_base,
            decode_delay,
            extradata,
            shape: vec![width, 1080, 0, 0, 0],
        },
    )
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let bytes = |most: usize| proptest::collection::vec(any::<u8>(), 0..most);
    let pts = prop_oneof![0i64..1000, Just(i64::MAX / 2)];
    (pts, any::<bool>(), proptest::option::of(bytes(300)), bytes(9000))
        .prop_map(|(pts, key, extradata, data)| Frame { pts, key, extradata, data })
}

fn read(bytes: &[u8], cut: usize) -> Result<Vec<Item>, Error> {
    let (mut reader, mut items) = (Reader::default(), Vec::new());
    for piece in bytes.chunks(cut.max(1)) {
        reader.push(piece);
        while let Some(item) = reader.next_item()? {
            items.push(item);
        }
    }
    Ok(items)
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(track in any_track(), frames in proptest::collection::vec(any_frame(), 0..6), cut in 1usize..5000) {
        let mut bytes = Writer::head(std::slice::from_ref(&track));
        frames.iter().for_each(|frame| Writer::frame(&mut bytes, 0, frame));
        let mut expected = vec![Item::Track(track)];
        expected.extend(frames.into_iter().map(Item::Frame));
        prop_assert_eq!(read(&bytes, cut).unwrap(), expected);
    }

    #[test]
    fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..600), cut in 1usize..100, at in 0usize..600, changed: u8) {
        let _ = read(&bytes, cut);
        let mut real = Writer::head(&[Track::pcm(2)]);
        Writer::frame(&mut real, 0, &Frame { pts: 7, key: true, extradata: Some(vec![1, 2]), data: vec![3; 50] });
        let at = at % real.len();
        real[at] = changed;
        let _ = read(&real, cut);
    }

    #[test]
    fn times_keep_their_length(ticks in -1_000_000_000_000i64..1_000_000_000_000, den in 1u32..100_000) {
        // Nanoseconds reach no further than 292 years.
        prop_assume!(ticks.abs() / i64::from(den) < 9_000_000_000);
        let clock = TimeBase { num: 1, den };
        prop_assert_eq!(clock.ticks(clock.nanoseconds(ticks)), ticks);
    }
}
