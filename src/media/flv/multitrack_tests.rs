//! Tests of `multitrack`.

use super::*;
use proptest::prelude::*;

/// Numbers of tracks and their tags.
type Tags = Vec<(u8, Vec<u8>)>;

fn of(kind: TrackKind, parts: &[&[u8]]) -> Result<Option<Tags>, TagError> {
    let all = super::parts(kind, &parts.concat().into())?;
    Ok(all.map(|all| all.into_iter().map(|part| (part.track, part.tag.to_vec())).collect()))
}

fn tag(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[test]
fn the_three_layouts() {
    use TrackKind::{Audio, Video};
    // As ffmpeg 9 begins its second audio.
    let ffmpeg = of(Audio, &[&[0x95, 0x00], b"mp4a", &[1, 0x12, 0x08, 0x56, 0xe5, 0x00]]);
    assert_eq!(ffmpeg, Ok(Some(vec![(1, tag(&[&[0x90], b"mp4a", &[0x12, 0x08, 0x56, 0xe5, 0x00]]))])));
    let one_codec = of(Video, &[&[0x96, 0x11], b"avc1", &[0, 0, 0, 2, 8, 9, 3, 0, 0, 1, 7]]);
    let parts = vec![(0, tag(&[&[0x91], b"avc1", &[8, 9]])), (3, tag(&[&[0x91], b"avc1", &[7]]))];
    assert_eq!(one_codec, Ok(Some(parts)));
    let codecs = of(Audio, &[&[0x95, 0x21], b"mp4a", &[0, 0, 0, 1, 5], b"Opus", &[200, 0, 0, 1, 6]]);
    let parts = vec![(0, tag(&[&[0x91], b"mp4a", &[5]])), (200, tag(&[&[0x91], b"Opus", &[6]]))];
    assert_eq!(codecs, Ok(Some(parts)));
    // Nanoseconds in front of all of them.
    let later = of(Video, &[&[0xa7, 2, 0, 0, 9, 0x06, 0x03], b"hvc1", &[1, 4]]);
    assert_eq!(later, Ok(Some(vec![(1, tag(&[&[0xa7, 2, 0, 0, 9, 0x03], b"hvc1", &[4]]))])));
}

#[test]
fn tags_of_one_track_are_left_alone_and_broken_ones_are_told() {
    use TrackKind::{Audio, Video};
    for (kind, plain) in [
        (Video, &[0x17_u8, 1, 0, 0, 0, 5][..]),
        (Video, &[0x16, 1, 0, 0, 0]),
        (Video, &[0xd6, 0]),
        (Video, &[0xa7, 2, 0, 0, 9, 0x01, b'a', b'v', b'c', b'1']),
        (Audio, &[0xaf, 1, 5]),
        (Audio, &[0x25, 0]),
        (Audio, &[0x91, b'O', b'p', b'u', b's', 1]),
        (Audio, &[]),
    ] {
        assert_eq!(of(kind, &[plain]), Ok(None), "{plain:x?}");
    }
    for broken in [
        &[0x95_u8][..],
        &[0x95, 0x01, b'm'],
        &[0x95, 0x31, b'm', b'p', b'4', b'a', 0],
        &[0x95, 0x05, b'm', b'p', b'4', b'a', 0],
        &[0x95, 0x11, b'm', b'p', b'4', b'a', 0, 0, 0, 9, 1],
        &[0x95, 0x11, b'm', b'p', b'4', b'a', 0, 0],
    ] {
        assert_eq!(of(Audio, &[broken]), Err(TagError::Short), "{broken:x?}");
    }
}

proptest! {
    #[test]
    fn what_was_put_together_is_taken_apart(
        data in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..20)), 1..6),
    ) {
        let mut message = tag(&[&[0x95, 0x11], b"Opus"]);
        for (track, data) in &data {
            message.push(*track);
            message.extend_from_slice(&(data.len() as u32).to_be_bytes()[1..]);
            message.extend_from_slice(data);
        }
        let wanted = data.iter().map(|(track, data)| (*track, tag(&[&[0x91], b"Opus", data]))).collect();
        prop_assert_eq!(of(TrackKind::Audio, &[&message]), Ok(Some(wanted)));
    }

    #[test]
    fn any_bytes_are_borne(video: bool, first in 0x90_u8..0xa8, bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let kind = if video { TrackKind::Video } else { TrackKind::Audio };
        if let Ok(Some(parts)) = of(kind, &[&[first], &bytes]) {
            prop_assert!(parts.len() <= MOST_PARTS);
            // None of them holds parts again.
            for (_, tag) in parts {
                prop_assert_eq!(of(kind, &[&tag]), Ok(None));
            }
        }
    }
}
