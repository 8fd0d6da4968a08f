//! A ladder that is given anything: frames in any order, times that leap, no keyframes, no audio, keyframes of 8K, other
//! tracks, renditions that come and go. Its playlists stay true, and what it holds stays bounded.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use msconv::media::codec::{h264, opus};
use msconv::media::{AudioCodec, AudioTrack, Frame, MediaTime, TrackId, TrackKind, Tracks};
use msconv::protocol::hls::ladder::{About, Arrival, Ladder, Settings};
use msconv::protocol::hls::multivariant::multivariant_playlist;
use msconv::protocol::hls::playlist::media_playlist;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

const SETTINGS: Settings = Settings {
    memory: None,
    segment: Duration::from_secs(2),
    part: Duration::from_millis(100),
    window: Duration::from_secs(12),
};
const SPS: &[u8] = &[
    0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
    0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60,
];
const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];
/// The memory that the ladder may take, as the server's budget would have it, and a keyframe of 8K.
const BUDGET: usize = 32 << 20;
const LARGE: usize = 1 << 20;

static PAYLOAD: LazyLock<Bytes> = LazyLock::new(|| {
    let mut payload = vec![0; LARGE];
    payload[..5].copy_from_slice(&[0, 0x0f, 0xff, 0xfc, 0x65]);
    payload.into()
});
static SMALL: Bytes = Bytes::from_static(&[0, 0, 0, 2, 0x41, 1]);

fn tracks(kind: u8) -> Tracks {
    let video = h264::track_of_sets(SPS, PPS).expect("a track");
    let aac = AudioTrack::aac(Bytes::from_static(&[0x11, 0x90])).expect("a track");
    match kind % 6 {
        0 | 1 => Tracks::of(video, aac),
        2 => Tracks::of(video, None),
        3 => Tracks::of(None, aac),
        4 => Tracks::of(video, AudioTrack::opus(opus::head(2)).ok()),
        // Fragmented MP4 does not carry this one.
        _ => Tracks::of(None, AudioTrack::plain(AudioCodec::G711A, 8_000, 1)),
    }
}

/// What a viewer has seen of a rendition.
#[derive(Default)]
struct Seen {
    first: u64,
    last: Option<(u64, u64)>,
    discontinuities: u64,
    part_target: f64,
}

struct House {
    ladder: Ladder,
    began: Instant,
    now_ms: u64,
    /// Where each rendition's frames are, in milliseconds.
    at: BTreeMap<String, i64>,
    seen: BTreeMap<String, Seen>,
    target: u64,
}

impl House {
    fn now(&self) -> Instant {
        self.began + Duration::from_millis(self.now_ms)
    }

    fn frame(&mut self, label: &str, kind: TrackKind, keyframe: bool, late_ms: i64, payload: &Bytes) {
        let dts = MediaTime::from_millis(*self.at.entry(label.to_string()).or_default());
        let pts = dts + MediaTime::from_millis(late_ms);
        let frame = Frame { track: TrackId::first(kind), dts, pts, keyframe, payload: payload.clone() };
        let wall_ms = 1_700_000_000_000_i64.saturating_add_unsigned(self.now_ms);
        self.ladder.frame(label, frame, Arrival { at: self.now(), wall_ms });
    }

    fn step(&mut self, what: u8, which: u8, by: i32, how: u8) {
        let label = format!("r{}", which % 20);
        let now = self.now();
        match what % 16 {
            0 => {
                let about = About { width: 64, height: u32::from(which), bitrate_bps: 0 };
                if self.ladder.rendition(&label).is_none() {
                    // It was taken out, and begins as a new one.
                    self.seen.remove(&label);
                }
                let _ = self.ladder.join(&label, tracks(how), about, now);
            }
            1 => self.ladder.leave(&label, now),
            2 => self.ladder.interrupt(&label, how & 1 == 1, now),
            3 => {
                self.now_ms = self.now_ms.saturating_add(u64::from(by.unsigned_abs() % 5_000));
                self.ladder.tick(self.now());
            }
            4 => *self.at.entry(label).or_default() = i64::from(by).wrapping_mul(i64::from(how) << 20),
            5 => self.frame(&label, TrackKind::Audio, true, 0, &SMALL),
            6 => self.frame(&label, TrackKind::Video, true, 0, &PAYLOAD),
            7 => drop(self.ladder.take_unaligned()),
            // As a publisher would send it: some frames in a row, with audio or without.
            8..=10 => {
                for n in 0..by.unsigned_abs() % 200 {
                    let keyframe = n % u32::from(how.max(1)) == 0;
                    self.frame(&label, TrackKind::Video, keyframe, i64::from(how % 3) * 33, &SMALL);
                    if what % 16 > 8 {
                        self.frame(&label, TrackKind::Audio, true, 0, &SMALL);
                    }
                    *self.at.entry(label.clone()).or_default() += 33;
                    self.now_ms = self.now_ms.saturating_add(33);
                }
            }
            _ => {
                let at = self.at.entry(label.clone()).or_default();
                *at = at.saturating_add(i64::from(by) % 200);
                self.frame(&label, TrackKind::Video, how & 1 == 1, 0, &SMALL);
            }
        }
    }

    /// Playlists of all renditions, against each other and against what was said before.
    fn look(&mut self) {
        while self.ladder.bytes() > BUDGET && self.ladder.drop_oldest() > 0 {}
        assert!(self.ladder.bytes() <= BUDGET.max(16 * (65 << 20)), "{}", self.ladder.bytes());
        assert!(self.ladder.target_s() >= self.target, "the target duration shrinks");
        self.target = self.ladder.target_s();
        let labels: Vec<String> = self.ladder.renditions().map(|(label, _)| label.to_string()).collect();
        assert!(labels.len() <= 16);
        self.seen.retain(|label, _| labels.contains(label));
        let all = multivariant_playlist(&self.ladder, |label| Some(format!("{label}/i.m3u8")));
        assert!(all.starts_with("#EXTM3U\n") && all.matches("#EXT-X-STREAM-INF:").count() <= labels.len());
        for label in labels {
            let seen = self.seen.entry(label.clone()).or_default();
            check(&self.ladder, &label, seen);
        }
    }
}

fn check(ladder: &Ladder, label: &str, seen: &mut Seen) {
    let listing = ladder.listing(label).expect("it is in the ladder");
    let segments = listing.segments();
    assert!(segments.len() <= 50, "{} segments are listed", segments.len());
    assert!(segments.windows(2).all(|pair| pair[0].segment.cut.msn + 1 == pair[1].segment.cut.msn));
    let now = listing.last().map(|at| (at.msn, at.part));
    assert!(now >= seen.last, "what was listed is taken back: {:?} after {:?}", now, seen.last);
    seen.last = now;
    if let Some(first) = segments.first() {
        let cut = first.segment.cut;
        assert!(cut.msn >= seen.first && cut.discontinuities >= seen.discontinuities, "numbers go back");
        (seen.first, seen.discontinuities) = (cut.msn, cut.discontinuities);
    }
    for listed in segments {
        assert_eq!(
            listed.complete,
            listed.segment.duration.is_some() && listed.parts == listed.segment.parts.len()
        );
        assert!(listed.parts <= listed.segment.parts.len(), "a part is listed that is not there");
    }
    let text = media_playlist(ladder, label, false, &[]).expect("it is in the ladder");
    let part_target = value(&text, "#EXT-X-PART-INF:PART-TARGET=").next().expect("it has one");
    // Before the first frames it is what is wanted.
    let wanted = SETTINGS.part.as_secs_f64();
    assert!(part_target >= seen.part_target || seen.part_target == wanted, "{text}");
    seen.part_target = part_target;
    let target = ladder.target_s() as f64;
    assert!(value(&text, "#EXTINF:").all(|length| length.round() <= target), "{text}");
    let mut lengths = value(&text, "#EXT-X-PART:DURATION=");
    assert!(lengths.all(|length| length <= part_target + 0.001), "{text}");
    let mut discontinuities =
        value(&text, "#EXT-X-DISCONTINUITY-SEQUENCE:").next().expect("it has one") as u64;
    for (index, block) in text.split("#EXT-X-PROGRAM-DATE-TIME:").enumerate() {
        // The tag stands before the date of its segment.
        if let Some(listed) = index.checked_sub(1).and_then(|index| segments.get(index)) {
            assert_eq!(listed.segment.cut.discontinuities, discontinuities, "{text}");
        }
        discontinuities += block.matches("#EXT-X-DISCONTINUITY\n").count() as u64;
    }
    let delta = media_playlist(ladder, label, true, &[]).expect("it is in the ladder");
    let skipped = value(&delta, "#EXT-X-SKIP:SKIPPED-SEGMENTS=").next().unwrap_or(0.0) as usize;
    let dates = delta.matches("#EXT-X-PROGRAM-DATE-TIME:").count();
    assert_eq!(skipped + dates, segments.len(), "{delta}");
}

/// The numbers behind a tag.
fn value<'a>(text: &'a str, tag: &'a str) -> impl Iterator<Item = f64> + 'a {
    let lines = text.lines().filter_map(move |line| line.strip_prefix(tag));
    lines.filter_map(|rest| rest.split([',', '"']).next()?.parse().ok())
}

fuzz_target!(|steps: Vec<(u8, u8, i32, u8)>| {
    let mut house = House {
        ladder: Ladder::new(SETTINGS, 1),
        began: Instant::now(),
        now_ms: 0,
        at: BTreeMap::new(),
        seen: BTreeMap::new(),
        target: 0,
    };
    // Two renditions from the beginning, or a fuzzer needs long to find out how frames get anywhere.
    house.step(0, 0, 0, 0);
    house.step(0, 1, 0, 0);
    // Every playlist after every step would leave little time for the steps.
    for (n, (what, which, by, how)) in steps.into_iter().take(300).enumerate() {
        house.step(what, which, by, how);
        if n % 8 == 0 {
            house.look();
        }
    }
    house.look();
});
