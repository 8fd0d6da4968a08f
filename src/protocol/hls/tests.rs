//! A made-up ladder: keyframes every two seconds, 30 frames a second, AAC of 48 kHz, in whole milliseconds as RTMP has
//! them.

mod hostile;
mod tracks;

use super::ladder::{About, Arrival, Ladder, Settings};
use super::listing::Position;
use super::multivariant::multivariant_playlist;
use super::playlist::media_playlist;
use crate::media::codec::h264;
use crate::media::track::AudioCodec;
use crate::media::{AudioTrack, Frame, MediaTime, TrackId, TrackKind, Tracks};
use bytes::Bytes;
use proptest::prelude::*;
use std::time::{Duration, Instant};

const SPS: &[u8] = &[
    0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
    0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60,
];
const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];
const SETTINGS: Settings = Settings {
    memory: None,
    segment: Duration::from_secs(2),
    part: Duration::from_millis(100),
    window: Duration::from_secs(12),
};

fn tracks() -> Tracks {
    Tracks::of(
        h264::track_of_sets(SPS, PPS).unwrap(),
        AudioTrack::aac(Bytes::from_static(&[0x11, 0x90])).unwrap(),
    )
}

fn about(height: u32) -> About {
    About { width: height * 16 / 9, height, bitrate_bps: u64::from(height) * 2000 }
}

fn frame(track: TrackKind, ms: i64, keyframe: bool) -> Frame {
    let at = MediaTime::from_millis(ms);
    Frame {
        track: TrackId::first(track),
        dts: at,
        pts: at,
        keyframe,
        payload: Bytes::from_static(&[0, 0, 0, 2, 0x65, 1]),
    }
}

/// A ladder that is given frames as time goes by.
struct House {
    ladder: Ladder,
    began: Instant,
    now_ms: i64,
}

impl House {
    fn new(labels: &[(&str, u32)]) -> House {
        let mut house = House { ladder: Ladder::new(SETTINGS, 7), began: Instant::now(), now_ms: 0 };
        for (label, height) in labels {
            house.ladder.join(label, tracks(), about(*height), house.began).unwrap();
        }
        house
    }

    fn arrival(&self) -> Arrival {
        let at = self.began + Duration::from_millis(u64::try_from(self.now_ms).unwrap());
        Arrival { at, wall_ms: 1_700_000_000_000 + self.now_ms }
    }

    /// Frames of media time `from..to` of these renditions, in this order.
    fn play(&mut self, labels: &[&str], from: i64, to: i64) {
        let video = (0..).map(|n: i64| (n * 1000 / 30, TrackKind::Video, n % 60 == 0));
        let video = video.skip_while(|(at, ..)| *at < from).take_while(|(at, ..)| *at < to);
        let audio = (0..).map(|n: i64| (n * 1024 / 48, TrackKind::Audio, true));
        let audio = audio.skip_while(|(at, ..)| *at < from).take_while(|(at, ..)| *at < to);
        let mut all: Vec<_> = video.chain(audio).collect();
        all.sort_by_key(|(at, track, _)| (*at, *track));
        for (at, track, keyframe) in all {
            self.now_ms = self.now_ms.max(at);
            for label in labels {
                let arrival = self.arrival();
                self.ladder.frame(label, frame(track, at, keyframe), arrival);
            }
        }
    }

    fn playlist(&self, label: &str) -> String {
        media_playlist(&self.ladder, label, false, &[]).unwrap()
    }

    fn segments(&self, label: &str) -> Vec<(u64, i64, usize)> {
        let listing = self.ladder.listing(label).unwrap();
        let listed = listing.segments().iter();
        listed.map(|s| (s.segment.cut.msn, s.segment.cut.time.millis(), s.parts)).collect()
    }
}

#[test]
fn renditions_are_cut_alike() {
    let mut house = House::new(&[("720p", 720), ("360p", 360)]);
    house.play(&["360p", "720p"], 0, 7000);
    let expected = [(1, 0, 20), (2, 2000, 20), (3, 4000, 20), (4, 6000, 10)];
    assert_eq!(house.segments("720p"), expected);
    assert_eq!(house.segments("360p"), expected);
    let all = multivariant_playlist(&house.ladder, |label| Some(format!("{label}/i.m3u8")));
    let lines: Vec<&str> = all.lines().skip(3).collect();
    assert!(
        lines[0].contains("BANDWIDTH=1450000,") && lines[0].contains("CODECS=\"avc1.64001f,mp4a.40.2\""),
        "{all}"
    );
    assert!(lines[0].contains("RESOLUTION=1280x720,FRAME-RATE=30.000"), "{all}");
    assert_eq!((lines[1], lines[3]), ("720p/i.m3u8", "360p/i.m3u8"));
}

#[test]
fn a_ladder_that_begins_lists_a_segment_that_is_not_there() {
    let mut house = House::new(&[("720p", 720)]);
    house.play(&["720p"], 0, 1000);
    let text = house.playlist("720p");
    let begins = "#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXT-X-INDEPENDENT-SEGMENTS\n\
        #EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:18.000Z\n\
        #EXT-X-PART:DURATION=0.10200,URI=\"00000007-0.0.m4s\",GAP=YES\n#EXT-X-GAP\n#EXTINF:2.00000,\n00000007-0.m4s\n\
        #EXT-X-MAP:URI=\"00000007-init0.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z\n\
        #EXT-X-PART:DURATION=0.09933,URI=\"00000007-1.0.m4s\",INDEPENDENT=YES\n";
    assert!(text.contains(begins), "{text}");
    house.play(&["720p"], 1000, 2200);
    assert!(!house.playlist("720p").contains("GAP"), "{}", house.playlist("720p"));
}

#[test]
fn a_playlist_says_what_players_need() {
    let mut house = House::new(&[("720p", 720)]);
    house.play(&["720p"], 0, 4250);
    let text = house.playlist("720p");
    let head = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n\
        #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12,PART-HOLD-BACK=0.30600,HOLD-BACK=6\n\
        #EXT-X-PART-INF:PART-TARGET=0.10200\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n\
        #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"00000007-init0.mp4\"\n\
        #EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z\n\
        #EXT-X-PART:DURATION=0.09933,URI=\"00000007-1.0.m4s\",INDEPENDENT=YES\n";
    assert!(text.starts_with(head), "{text}");
    assert!(text.contains("#EXTINF:2.00000,\n00000007-1.m4s\n"), "{text}");
    assert!(text.ends_with("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"00000007-3.2.m4s\"\n"), "{text}");
    // Behind a segment as long as the one before it comes the next one.
    house.play(&["720p"], 4250, 5990);
    assert!(house.playlist("720p").ends_with("URI=\"00000007-4.0.m4s\"\n"));
}

#[test]
fn a_part_is_listed_when_all_have_it() {
    let mut house = House::new(&[("720p", 720), ("360p", 360)]);
    house.play(&["720p", "360p"], 0, 3000);
    let last = |house: &House, label| house.ladder.listing(label).unwrap().last().unwrap();
    assert_eq!(last(&house, "720p"), Position { msn: 2, part: 9 });
    house.play(&["720p"], 3000, 3110);
    assert_eq!(last(&house, "720p"), Position { msn: 2, part: 9 });
    house.play(&["360p"], 3000, 3110);
    assert_eq!(last(&house, "720p"), Position { msn: 2, part: 10 });
    // One that has stopped is not waited for.
    house.play(&["720p"], 3110, 3500);
    house.now_ms += 200;
    house.ladder.tick(house.arrival().at);
    assert_eq!(last(&house, "720p"), Position { msn: 2, part: 14 });
    assert_eq!(last(&house, "360p"), Position { msn: 2, part: 10 });
}

#[test]
fn a_leader_that_stops_is_replaced() {
    let mut house = House::new(&[("720p", 720), ("360p", 360)]);
    house.play(&["720p", "360p"], 0, 3000);
    house.play(&["360p"], 3000, 4600);
    house.ladder.tick(house.arrival().at);
    house.play(&["360p"], 4600, 6500);
    house.ladder.tick(house.arrival().at);
    assert_eq!(house.segments("360p").iter().map(|s| s.1).collect::<Vec<_>>(), [0, 2000, 4000, 6000]);
    // It comes back at the next cut, and what it missed is a gap.
    house.play(&["360p", "720p"], 6500, 10_000);
    let text = house.playlist("720p");
    assert!(text.contains("#EXT-X-GAP\n#EXTINF:2.00000,\n00000007-3.m4s\n"), "{text}");
    assert!(house.segments("720p").iter().any(|s| s.0 == 5 && s.1 == 8000), "{text}");
}

#[test]
fn a_publisher_that_returns_goes_on_with_the_numbers() {
    let mut house = House::new(&[("720p", 720), ("360p", 360)]);
    house.play(&["720p", "360p"], 0, 5000);
    let now = house.arrival().at;
    for label in ["720p", "360p"] {
        let version = house.ladder.version();
        house.ladder.leave(label, now);
        assert_ne!(
            house.ladder.version(),
            version,
            "whoever waits is told, and no playlist of before is given out"
        );
    }
    let text = house.playlist("720p");
    assert!(!text.contains("PRELOAD-HINT"), "nothing comes next: {text}");
    assert!(text.ends_with("#EXTINF:1.01333,\n00000007-3.m4s\n"), "what came is there to be played: {text}");
    house.now_ms = 9000;
    for label in ["360p", "720p"] {
        house.ladder.join(label, tracks(), about(720), house.arrival().at).unwrap();
        house.ladder.interrupt(label, true, house.arrival().at);
    }
    // The hub has moved the times of the new run behind those of the old one: 10 s, where there is a keyframe.
    house.play(&["360p", "720p"], 10_000, 13_000);
    for label in ["360p", "720p"] {
        let text = house.playlist(label);
        assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{text}");
        assert!(text.contains("#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"00000007-init0.mp4\"\n"), "{text}");
        let times: Vec<_> = house.segments(label).iter().map(|s| (s.0, s.1)).collect();
        assert_eq!(times, [(1, 0), (2, 2000), (3, 4000), (4, 10_000), (5, 12_000)]);
    }
}

#[test]
fn a_rendition_that_goes_leaves_the_list_and_then_the_ladder() {
    let mut house = House::new(&[("720p", 720), ("360p", 360)]);
    let listed = |house: &House| {
        let text = multivariant_playlist(&house.ladder, |label| Some(format!("{label}/i.m3u8")));
        ["720p/", "360p/"].map(|uri| text.contains(uri))
    };
    house.play(&["720p", "360p"], 0, 6_000);
    assert_eq!(listed(&house), [true, true]);
    house.ladder.leave("720p", house.arrival().at);
    assert_eq!(listed(&house), [false, true]);
    assert!(!house.segments("720p").is_empty(), "who plays it may play it to its end");
    house.play(&["360p"], 6_000, 24_000);
    house.ladder.tick(house.arrival().at);
    assert!(house.ladder.rendition("720p").is_none());
    house.ladder.join("720p", tracks(), about(720), house.arrival().at).unwrap();
    assert_eq!(house.ladder.rendition("720p").unwrap().init_number(), 1, "a name never means two things");
    for label in ["720p", "360p"] {
        house.ladder.leave(label, house.arrival().at);
    }
    house.ladder.tick(house.arrival().at);
    assert_eq!(listed(&house), [false, true], "a publisher that is away may return");
}

#[test]
fn renditions_are_bounded() {
    let mut house = House::new(&[]);
    let join = |house: &mut House, n: u32| {
        house.ladder.join(&format!("r{n}"), tracks(), about(360), house.began).is_ok()
    };
    assert_eq!((0..100).filter(|n| join(&mut house, *n)).count(), 16);
}

#[test]
fn old_segments_slide_out_and_are_kept_for_slow_players() {
    let mut house = House::new(&[("720p", 720)]);
    house.play(&["720p"], 0, 60_500);
    let listed = house.segments("720p");
    assert_eq!((listed.first().unwrap().0, listed.last().unwrap().0), (25, 31));
    let kept: Vec<u64> =
        house.ladder.rendition("720p").unwrap().window.segments().map(|s| s.cut.msn).collect();
    assert_eq!(kept.first(), Some(&19));
    assert!(house.ladder.bytes() > 0);
    while house.ladder.drop_oldest() > 0 {}
    assert_eq!(house.segments("720p").len(), 1);
}

#[test]
fn initialisation_segments_that_nothing_needs_are_forgotten() {
    let mut house = House::new(&[("720p", 720)]);
    house.play(&["720p"], 0, 4_000);
    for rate in 1..1000_u16 {
        let audio = AudioTrack::plain(AudioCodec::Mp3, 8_000 + u32::from(rate), 2);
        let tracks = Tracks::of(h264::track_of_sets(SPS, PPS).unwrap(), audio);
        house.ladder.join("720p", tracks, about(720), house.began).unwrap();
    }
    let member = house.ladder.rendition("720p").unwrap();
    let kept = (0..=member.init_number()).filter(|number| member.init(*number).is_some()).count();
    assert!(member.init_number() > 900 && member.init(0).is_some() && kept <= 3, "{kept}");
}

#[test]
fn delta_updates_leave_out_what_is_known() {
    let settings = Settings { window: Duration::from_secs(60), ..SETTINGS };
    let mut house = House { ladder: Ladder::new(settings, 7), began: Instant::now(), now_ms: 0 };
    house.ladder.join("720p", tracks(), about(720), house.began).unwrap();
    house.play(&["720p"], 0, 40_500);
    let text = media_playlist(&house.ladder, "720p", true, &[]).unwrap();
    assert!(text.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=15\n#EXT-X-PROGRAM-DATE-TIME"), "{text}");
    assert_eq!(text.matches("#EXTINF").count(), 5);
    assert!(!text.contains("#EXT-X-MAP"));
}

#[test]
fn keyframes_of_another_encoder_make_no_ladder() {
    let mut house = House::new(&[("720p", 720), ("360p", 360)]);
    for second in 0..20 {
        house.play(&["720p"], second * 1000, second * 1000 + 1000);
        // The other one has its keyframes in the middle.
        for n in 0..30 {
            let at = second * 1000 + n * 1000 / 30;
            let keyframe = (at + 700) % 2000 < 33;
            let arrival = house.arrival();
            house.ladder.frame("360p", frame(TrackKind::Video, at, keyframe), arrival);
        }
    }
    let apart = house.ladder.take_unaligned();
    assert_eq!(apart.iter().map(|one| one.label.as_str()).collect::<Vec<_>>(), ["360p"]);
    assert_eq!(house.segments("720p").last().unwrap().0, 10);
}

#[test]
fn times_that_leap_begin_anew() {
    let mut house = House::new(&[("720p", 720)]);
    house.play(&["720p"], 0, 3000);
    house.play(&["720p"], 3_600_000, 3_605_000);
    let text = house.playlist("720p");
    assert!(text.contains("#EXTINF:1.00"), "{text}");
    assert!(text.contains("#EXT-X-DISCONTINUITY\n"), "{text}");
    assert_eq!(house.ladder.target_s(), 2);
}

#[test]
fn blocking_requests_know_what_is_there() {
    let mut house = House::new(&[("720p", 720)]);
    house.play(&["720p"], 0, 4250);
    let listing = house.ladder.listing("720p").unwrap();
    assert!(listing.has(2, None) && listing.has(1, Some(19)) && listing.has(3, Some(1)));
    assert!(!listing.has(3, None) && !listing.has(3, Some(2)) && !listing.has(4, Some(0)));
    // A part beyond the end of a segment is the first of the next one.
    assert!(listing.has(2, Some(20)) && listing.has(2, Some(u64::MAX)));
}

fn any_step() -> impl Strategy<Value = (u8, u8, i64, bool)> {
    (0_u8..12, 0_u8..3, prop_oneof![4 => 0_i64..80, 1 => -5_000_i64..5_000, 1 => any::<i64>()], any::<bool>())
}

proptest! {
    #[test]
    fn whatever_comes_playlists_stay_true(steps in proptest::collection::vec(any_step(), 1..400)) {
        let labels = ["720p", "360p", "audio"];
        let mut house = House { ladder: Ladder::new(SETTINGS, 1), began: Instant::now(), now_ms: 0 };
        let mut at = [0_i64; 3];
        let (mut last, mut first, mut target) = ([None; 3], [None; 3], 0);
        for (what, which, step, key) in steps {
            let which = usize::from(which);
            let (Some(label), Some(time)) = (labels.get(which), at.get_mut(which)) else { continue };
            house.now_ms = house.now_ms.saturating_add(10);
            let arrival = house.arrival();
            match what {
                0 => {
                    let all = tracks();
                    let video = all.video().filter(|_| which != 2).cloned();
                    let tracks = Tracks::of(video, all.audio().cloned());
                    house.ladder.join(label, tracks, About::default(), arrival.at).unwrap();
                }
                1 => house.ladder.leave(label, arrival.at),
                2 => house.ladder.interrupt(label, key, arrival.at),
                3 => house.ladder.tick(arrival.at),
                4 | 5 => house.ladder.frame(label, frame(TrackKind::Audio, *time, true), arrival),
                _ => {
                    *time = time.saturating_add(step);
                    house.ladder.frame(label, frame(TrackKind::Video, *time, key), arrival);
                }
            }
            prop_assert!(house.ladder.target_s() >= target);
            target = house.ladder.target_s();
            for ((label, last), first) in labels.iter().zip(&mut last).zip(&mut first) {
                let Some(listing) = house.ladder.listing(label) else {
                    // It was taken out, and may join as a new one.
                    (*last, *first) = (None, None);
                    continue;
                };
                let numbers: Vec<u64> = listing.segments().iter().map(|s| s.segment.cut.msn).collect();
                prop_assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{:?}", numbers);
                prop_assert!(listing.first() >= *first, "what has slid out comes back: {:?} {:?}", numbers, first);
                *first = listing.first();
                let now = listing.last();
                prop_assert!(now >= *last, "what was listed is taken back: {:?} {:?}", now, last);
                *last = now;
                let text = house.playlist(label);
                for length in text.lines().filter_map(|line| line.strip_prefix("#EXTINF:")) {
                    let length: f64 = length.trim_end_matches(',').parse().unwrap();
                    prop_assert!(length.round() <= target as f64, "{}", text);
                }
            }
        }
    }
}
