//! What a broken or hostile publisher sends is bounded, and playlists stay within what players were told.

use super::*;

/// A frame of this many bytes.
fn sized(ms: i64, keyframe: bool, bytes: u32) -> Frame {
    let mut payload = vec![0; bytes as usize];
    payload[..4].copy_from_slice(&(bytes - 4).to_be_bytes());
    payload[4] = if keyframe { 0x65 } else { 0x41 };
    Frame { payload: payload.into(), ..frame(TrackKind::Video, ms, keyframe) }
}

fn lengths(text: &str, tag: &str) -> Vec<f64> {
    let lines = text.lines().filter_map(|line| line.strip_prefix(tag));
    lines.map(|rest| rest.split(',').next().unwrap().parse().unwrap()).collect()
}

/// A minute whose only keyframe is the first, then two more seconds as they should be.
#[test]
fn a_minute_without_keyframes_is_given_up_and_goes_on_with_the_next() {
    let mut house = House::new(&[("720p", 720)]);
    let send = |house: &mut House, n: i64, keyframe: bool| {
        house.now_ms = n * 1000 / 30;
        let (arrival, at) = (house.arrival(), house.now_ms);
        house.ladder.frame("720p", frame(TrackKind::Video, at, keyframe), arrival);
        house.ladder.tick(arrival.at);
    };
    for n in 0..60 * 30 {
        send(&mut house, n, n == 0);
    }
    let given_up = house.segments("720p");
    assert!(matches!(given_up[..], [(1, 0, parts)] if (295..=305).contains(&parts)), "{given_up:?}");
    assert!(!house.playlist("720p").contains("#EXT-X-ENDLIST"));
    for n in 60 * 30..64 * 30 {
        send(&mut house, n, n % 60 == 0);
    }
    let (text, target) = (house.playlist("720p"), house.ladder.target_s());
    let times: Vec<_> = house.segments("720p").iter().map(|s| (s.0, s.1)).collect();
    assert_eq!(times, [(1, 0), (2, 60_000), (3, 62_000)], "{text}");
    assert!((30..=31).contains(&target), "{target}");
}

#[test]
fn a_segment_without_end_is_bounded_in_bytes() {
    let mut house = House::new(&[("720p", 720)]);
    // A keyframe of 8K, and then what comes after it in the same size, for ever.
    for n in 0..200 {
        house.now_ms = n * 33;
        let arrival = house.arrival();
        house.ladder.frame("720p", sized(n * 33, n == 0, 1 << 20), arrival);
    }
    assert!((60 << 20..70 << 20).contains(&house.ladder.bytes()), "{}", house.ladder.bytes());
    // All of them at one moment: no part is ever full.
    let mut house = House::new(&[("720p", 720)]);
    for n in 0..200 {
        let arrival = house.arrival();
        house.ladder.frame("720p", sized(0, n == 0, 1 << 20), arrival);
    }
    assert!((60 << 20..70 << 20).contains(&house.ladder.bytes()), "{}", house.ladder.bytes());
}

#[test]
fn however_often_a_publisher_begins_anew_there_are_only_so_many_segments() {
    let mut house = House::new(&[("720p", 720)]);
    for n in 0..5000 {
        let arrival = house.arrival();
        house.ladder.interrupt("720p", n % 2 == 0, arrival.at);
        house.ladder.frame("720p", frame(TrackKind::Video, n, true), arrival);
        house.ladder.frame("720p", frame(TrackKind::Video, n, false), arrival);
    }
    let listed = house.segments("720p").len();
    let kept = house.ladder.rendition("720p").unwrap().window.segments().count();
    assert!(listed <= 49 && kept <= 98, "{listed} of {kept}");
    // Nor is there a segment for each keyframe of a moment, or for each step back.
    let mut house = House::new(&[("720p", 720)]);
    for n in 0..3000 {
        let arrival = house.arrival();
        house.ladder.frame("720p", frame(TrackKind::Video, -n % 500, true), arrival);
    }
    assert!(house.segments("720p").len() <= 2, "{:?}", house.segments("720p"));
}

/// A publisher that was there for two seconds, left, and begins where it began.
#[test]
fn one_that_begins_again_at_once_has_begun_anew() {
    let mut house = House::new(&[("720p", 720), ("360p", 360)]);
    house.play(&["720p", "360p"], 0, 2500);
    for label in ["720p", "360p"] {
        house.ladder.leave(label, house.arrival().at);
        house.ladder.join(label, tracks(), about(720), house.arrival().at).unwrap();
    }
    let mut version = house.ladder.version();
    for from in [0, 1000, 2000] {
        house.play(&["720p", "360p"], from, from + 1000);
        assert!(house.ladder.version() > version, "whoever waits is woken");
        version = house.ladder.version();
    }
    for label in ["720p", "360p"] {
        let text = house.playlist(label);
        assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{text}");
        let times: Vec<_> = house.segments(label).iter().map(|s| (s.0, s.1)).collect();
        assert_eq!(times, [(1, 0), (2, 2000), (3, 0), (4, 2000)], "{text}");
    }
}

#[test]
fn no_part_is_longer_than_any_may_be() {
    // Steady frames of which some are lost; frames as uneven as a telephone sends them; both with other tracks in between.
    let lost = (0..900_i64).filter(|n| n % 97 > 4).map(|n| n * 1000 / 30).collect::<Vec<_>>();
    let uneven = (0..900_i64).scan(0, |at, n| {
        *at += [33, 33, 150, 20, 80, 33, 240][usize::try_from(n % 7).unwrap()];
        Some(*at)
    });
    for times in [lost, uneven.collect()] {
        let (mut house, mut longest) = (House::new(&[("720p", 720)]), 0.0_f64);
        for (n, at) in times.iter().enumerate() {
            house.now_ms = *at;
            let arrival = house.arrival();
            house.ladder.frame("720p", frame(TrackKind::Video, *at, n % 60 == 0), arrival);
            if n == 450 {
                let tracks = Tracks::of(tracks().video().cloned(), None);
                house.ladder.join("720p", tracks, about(720), arrival.at).unwrap();
            }
            let text = house.playlist("720p");
            let target = lengths(&text, "#EXT-X-PART-INF:PART-TARGET=")[0];
            assert!(target >= longest, "{text}");
            longest = target;
            let parts = lengths(&text, "#EXT-X-PART:DURATION=");
            assert!(parts.iter().all(|length| *length <= target), "{text}");
        }
        assert!(longest < 0.5, "{longest}");
    }
}

/// A segment that other tracks end counts for the target duration before it is listed.
#[test]
fn other_tracks_end_a_segment_within_the_target() {
    let mut house = House::new(&[("720p", 720)]);
    for n in 0..5 * 30 + 20_i64 {
        house.now_ms = n * 1000 / 30;
        let (arrival, at) = (house.arrival(), house.now_ms);
        house.ladder.frame("720p", frame(TrackKind::Video, at, n == 0), arrival);
    }
    let without_audio = Tracks::of(tracks().video().cloned(), None);
    house.ladder.join("720p", without_audio, about(720), house.arrival().at).unwrap();
    let text = house.playlist("720p");
    assert_eq!(lengths(&text, "#EXTINF:").first().map(|length| length.round()), Some(6.0), "{text}");
    assert_eq!(house.ladder.target_s(), 6);
}
