//! Renditions that change their tracks while others go on: a discontinuity of the whole ladder.

use super::*;

/// Other tracks than [`tracks`]: mono.
fn mono() -> Tracks {
    let audio = AudioTrack::aac(Bytes::from_static(&[0x11, 0x88])).unwrap();
    Tracks::of(tracks().video().cloned(), Some(audio))
}

fn change(house: &mut House, label: &str, tracks: Tracks) {
    house.ladder.join(label, tracks, about(360), house.arrival().at).unwrap();
}

/// What a playlist says of each segment from `MEDIA-SEQUENCE` on: whether it is a discontinuity, another
/// initialisation segment, a gap.
fn told(house: &House, label: &str) -> Vec<(bool, Option<String>, bool)> {
    let text = house.playlist(label);
    let mut all = Vec::new();
    let mut one = (false, None, false);
    for line in text.lines() {
        match line.split_once(':').map_or(line, |(tag, _)| tag) {
            "#EXT-X-DISCONTINUITY" => one.0 = true,
            "#EXT-X-MAP" => one.1 = line.split('"').nth(1).map(|name| name[9..].to_string()),
            "#EXT-X-GAP" => one.2 = true,
            _ if !line.starts_with('#') => all.push(std::mem::take(&mut one)),
            _ => {}
        }
    }
    all
}

fn init(number: u32) -> Option<String> {
    Some(format!("init{number}.mp4"))
}

/// RFC 8216bis, 4.4.4.3 and 6.2.4: other tracks only behind a discontinuity, which all renditions have.
fn agree(house: &House, labels: &[&str]) {
    let mut discontinuities = std::collections::BTreeMap::new();
    for label in labels {
        let Some(listing) = house.ladder.listing(label) else { continue };
        let mut before = None;
        for segment in listing.segments().iter().map(|listed| listed.segment) {
            let of_cut = (segment.cut.discontinuity, segment.cut.discontinuities);
            let others = *discontinuities.entry(segment.cut.msn).or_insert(of_cut);
            assert_eq!(of_cut, others, "{label}: {}", house.playlist(label));
            let changed = before.replace(segment.init).is_some_and(|before| before != segment.init);
            assert!(!changed || segment.cut.discontinuity, "{label}: {}", house.playlist(label));
        }
    }
}

#[test]
fn other_tracks_of_one_rendition_are_a_discontinuity_of_all() {
    let mut house = House::new(&[("720p", 720), ("360p", 360)]);
    house.play(&["720p", "360p"], 0, 3000);
    change(&mut house, "360p", mono());
    house.play(&["720p", "360p"], 3000, 8500);
    let plain = || (false, None, false);
    let first = || (false, init(0), false);
    assert_eq!(told(&house, "720p"), [first(), plain(), (true, init(0), false), plain()]);
    assert_eq!(told(&house, "360p"), [first(), plain(), (true, init(1), false), plain()]);
    agree(&house, &["720p", "360p"]);
    // The next ones are ordinary again, and the number is kept when the tag has slid out.
    house.play(&["720p", "360p"], 8500, 40_000);
    for label in ["720p", "360p"] {
        let text = house.playlist(label);
        assert!(text.contains("#EXT-X-DISCONTINUITY-SEQUENCE:1\n"), "{text}");
        assert!(!text.contains("#EXT-X-DISCONTINUITY\n"), "{text}");
    }
}

/// The leader is cut a moment before the other tracks are told, at the very keyframe that they begin with.
#[test]
fn a_cut_that_nobody_has_seen_yet_becomes_a_discontinuity() {
    let mut house = House::new(&[("720p", 720), ("360p", 360)]);
    house.play(&["720p", "360p"], 0, 4000);
    house.play(&["720p"], 4000, 4050);
    change(&mut house, "360p", mono());
    house.play(&["360p"], 4000, 4050);
    house.play(&["720p", "360p"], 4050, 6500);
    for (label, number) in [("720p", 0), ("360p", 1)] {
        let expected = [(false, init(0), false), (false, None, false), (true, init(number), false)];
        assert_eq!(told(&house, label), expected, "{label}");
    }
    agree(&house, &["720p", "360p"]);
}

/// The rendition is late, and the cut was listed without it.
#[test]
fn a_cut_that_was_listed_stays_what_it_is() {
    let mut house = House::new(&[("720p", 720), ("360p", 360)]);
    house.play(&["720p", "360p"], 0, 4000);
    house.play(&["720p"], 4000, 4500);
    house.now_ms += 200;
    house.ladder.tick(house.arrival().at);
    change(&mut house, "360p", mono());
    house.play(&["360p"], 4000, 4500);
    house.play(&["720p", "360p"], 4500, 8500);
    let gap = (false, None, true);
    let expected = [(false, init(0), false), (false, None, false), gap, (true, init(1), false)];
    assert_eq!(told(&house, "360p"), expected, "{}", house.playlist("360p"));
    agree(&house, &["720p", "360p"]);
}

#[test]
fn a_rendition_that_does_not_go_on_tears_the_others_once() {
    let mut house = House::new(&[("720p", 720), ("360p", 360)]);
    house.play(&["720p", "360p"], 0, 3000);
    change(&mut house, "360p", mono());
    house.play(&["720p"], 3000, 9000);
    assert_eq!(house.playlist("720p").matches("#EXT-X-DISCONTINUITY\n").count(), 1);
    // It comes back behind that discontinuity, and needs no other.
    house.play(&["720p", "360p"], 9000, 12_500);
    assert_eq!(house.playlist("720p").matches("#EXT-X-DISCONTINUITY\n").count(), 1);
    assert_eq!(told(&house, "360p")[2], (true, init(1), true), "{}", house.playlist("360p"));
    agree(&house, &["720p", "360p"]);
}

proptest! {
    #[test]
    fn whatever_changes_all_agree(steps in proptest::collection::vec((0_u8..10, 0_usize..3, 1_i64..90), 1..300)) {
        let labels = ["720p", "360p", "240p"];
        let mut house = House::new(&[("720p", 720), ("360p", 360), ("240p", 240)]);
        let mut at = [0_i64; 3];
        for (what, which, frames) in steps {
            let (label, from) = (labels[which], at[which]);
            match what {
                0 => change(&mut house, label, mono()),
                1 => change(&mut house, label, tracks()),
                2 => house.ladder.leave(label, house.arrival().at),
                3 => {
                    house.now_ms += frames * 5;
                    house.ladder.tick(house.arrival().at);
                }
                4..7 => {
                    at[which] += frames * 33;
                    house.play(&[label], from, at[which]);
                }
                _ => {
                    let from = at.into_iter().max().unwrap_or(0);
                    at = [from + frames * 33; 3];
                    house.play(&labels, from, from + frames * 33);
                }
            }
            agree(&house, &labels);
        }
    }
}
