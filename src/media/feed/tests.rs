//! A source's faults through a whole feed: what goes out is read back and held against what should.

use super::*;
use crate::media::nut::TimeBase;
use proptest::prelude::*;

const CLOCK: TimeBase = TimeBase { num: 1, den: 90_000 };

fn video() -> Track {
    Track {
        class: 0,
        fourcc: b"H264".to_vec(),
        time_base: CLOCK,
        decode_delay: 0,
        extradata: vec![1],
        shape: vec![320, 180, 0, 0, 0],
    }
}

fn wanted(ahead: bool) -> Wanted {
    Wanted { video: true, audio: Audio::Pcm(1), ahead, offset: MediaTime::ZERO }
}

/// 20 ms of PCM that is not silent, and a frame of video; times in milliseconds.
fn send(feed: &mut Feed, kind: Kind, at: i64) {
    let (pts, data) = match kind {
        Kind::Video => (at * 90, vec![7; 100]),
        Kind::Audio => (at * 48, vec![1; 960 * 2]),
    };
    feed.frame(kind, Frame { pts, key: kind == Kind::Audio || at % 1000 == 0, extradata: None, data });
}

fn begun(ahead: bool) -> Feed {
    let mut feed = Feed::new(wanted(ahead));
    feed.track(Kind::Video, video());
    feed.track(Kind::Audio, Track::pcm(1));
    feed
}

/// A packet that went out: its kind, its time and its length in milliseconds, and whether it is silent.
type Out = (Kind, i64, i64, bool);

fn all(feed: &mut Feed) -> Vec<Out> {
    let mut out = Vec::new();
    while feed.due().is_some() {
        for packet in feed.take() {
            let length = packet.lasts.map_or(40, MediaTime::millis);
            let silent = packet.data.iter().all(|b| *b == 0);
            out.push((packet.kind, packet.at.millis(), length, silent));
        }
    }
    out
}

fn of(out: &[Out], kind: Kind) -> Vec<Out> {
    out.iter().filter(|packet| packet.0 == kind).copied().collect()
}

/// No hole and no overlap in audio beyond a rounding, no hole in video above what it is waited for.
fn is_whole(out: &[Out]) {
    for pair in of(out, Kind::Audio).windows(2) {
        assert!((pair[1].1 - pair[0].1 - pair[0].2).abs() <= 1, "{pair:?}");
    }
    for pair in of(out, Kind::Video).windows(2) {
        assert!((0..=1_400).contains(&(pair[1].1 - pair[0].1)), "{pair:?}");
    }
}

/// Both tracks from `from` to `to`, mixed, without the audio and video of those spans.
fn run(feed: &mut Feed, from: i64, to: i64, mute: std::ops::Range<i64>, dark: std::ops::Range<i64>) {
    for at in (from..to).step_by(20) {
        if at % 40 == 0 && !dark.contains(&at) {
            send(feed, Kind::Video, at);
        }
        if !mute.contains(&at) {
            send(feed, Kind::Audio, at);
        }
    }
}

#[test]
fn a_muted_microphone_is_silent_and_comes_back_in_time() {
    for ahead in [false, true] {
        let mut feed = begun(ahead);
        run(&mut feed, 10_000, 40_000, 14_000..30_000, 0..0);
        feed.ended(Kind::Video);
        feed.ended(Kind::Audio);
        let out = all(&mut feed);
        is_whole(&out);
        let audio = of(&out, Kind::Audio);
        let silent: i64 = audio.iter().filter(|packet| packet.3).map(|packet| packet.2).sum();
        assert_eq!(silent, 16_000, "ahead: {ahead}");
        // What is heard again lies beside what is seen: it was not moved.
        let (first, last) = (audio[0].1, audio.last().unwrap().1);
        assert_eq!(last - first, 29_980);
        assert_eq!(of(&out, Kind::Video).len(), 750);
        assert_eq!(feed.notes().len(), 2);
        assert!(feed.is_over());
    }
}

#[test]
fn video_goes_on_at_once_without_audio() {
    let mut feed = begun(false);
    run(&mut feed, 0, 4_000, 0..0, 0..0);
    all(&mut feed);
    for at in (4_000..8_000).step_by(40) {
        send(&mut feed, Kind::Video, at);
        let out = all(&mut feed);
        assert_eq!(of(&out, Kind::Video).len(), 1, "it waits for nothing");
        let behind = out[0].1 - feed.fill.end(Kind::Audio).unwrap().millis();
        assert!(behind <= 700, "audio is {behind} ms behind");
    }
}

#[test]
fn audio_that_never_comes_is_silent_from_the_start() {
    for ahead in [false, true] {
        let mut feed = Feed::new(wanted(ahead));
        feed.track(Kind::Video, video());
        run(&mut feed, 0, 20_000, 0..20_000, 0..0);
        let out = all(&mut feed);
        is_whole(&out);
        assert!(of(&out, Kind::Audio).iter().all(|packet| packet.3));
        assert!(of(&out, Kind::Audio).last().unwrap().1 >= 18_000 - if ahead { 3_000 } else { 0 });
    }
}

#[test]
fn lost_video_is_held_until_its_next_keyframe() {
    let mut feed = begun(false);
    run(&mut feed, 0, 20_000, 0..0, 4_000..12_520);
    let out = all(&mut feed);
    is_whole(&out);
    let held = of(&out, Kind::Video).into_iter().filter(|(_, at, ..)| (6_100..14_400).contains(at)).count();
    assert!((30..=45).contains(&held), "{held} copies of the keyframe");
    // What cannot be decoded without what was lost is left out: 12,520 to 13,000.
    let again = of(&out, Kind::Video).into_iter().find(|(_, at, ..)| *at > 14_600).unwrap();
    assert_eq!(again.1, 15_000);
}

#[test]
fn a_source_that_pauses_as_a_whole_pauses() {
    let mut feed = begun(false);
    run(&mut feed, 0, 4_000, 0..0, 0..0);
    let out = all(&mut feed);
    assert!(feed.due().is_none() && out.iter().all(|packet| !packet.3));
    // It comes back an hour later by its clock, and goes on where it was.
    run(&mut feed, 3_604_000, 3_608_000, 0..0, 0..0);
    let out = all(&mut feed);
    is_whole(&out);
    assert!(out.iter().all(|packet| !packet.3), "an hour of silence is no silence that anybody wants");
    assert_eq!(out[0].1, 6_000);
    assert_eq!(feed.notes().len(), 1);
}

#[test]
fn late_audio_is_waited_for_once_it_was_seen_to_be_late() {
    let mut feed = begun(false);
    let mut silent = 0;
    // Audio comes 1.5 s behind video, as in some broadcasts.
    for at in (0..30_000).step_by(20) {
        if at % 40 == 0 {
            send(&mut feed, Kind::Video, at);
        }
        if at >= 1_500 {
            send(&mut feed, Kind::Audio, at - 1_500);
        }
        let out = all(&mut feed);
        silent += out.iter().filter(|packet| packet.3).map(|packet| packet.2).sum::<i64>();
    }
    assert!(silent <= 1_200, "{silent} ms of it were silenced");
}

#[test]
fn a_source_that_is_read_ahead_is_put_in_order_and_bounded() {
    let mut feed = begun(true);
    // All video of ten seconds before the first audio.
    let mut refused = 0;
    for at in (0..10_000).step_by(40) {
        refused += usize::from(!feed.has_room());
        send(&mut feed, Kind::Video, at);
    }
    assert_eq!(refused, 0, "audio has not been seen");
    for at in (0..10_000).step_by(20) {
        send(&mut feed, Kind::Audio, at);
    }
    assert!(!feed.has_room());
    feed.ended(Kind::Video);
    feed.ended(Kind::Audio);
    let out = all(&mut feed);
    is_whole(&out);
    assert!(out.windows(2).all(|w| w[1].1 - w[0].1 >= -40), "both tracks go out together");
    let mut heavy = begun(true);
    let frame = || Frame { pts: 0, key: true, extradata: None, data: vec![7; 1 << 20] };
    (0..64).for_each(|_| heavy.frame(Kind::Video, frame()));
    assert!(!heavy.has_room() && heavy.due().is_some());
}

#[test]
fn copied_audio_is_silenced_in_its_own_codec() {
    let wanted = Wanted { audio: Audio::Copied(None), ..wanted(false) };
    let mut feed = Feed::new(wanted);
    feed.track(Kind::Video, video());
    assert!(feed.due().is_none());
    let shape = vec![48_000, 1, 2];
    let aac = Track { fourcc: b"\xff\0\0\0".to_vec(), extradata: vec![0x11, 0x90], shape, ..Track::pcm(2) };
    feed.track(Kind::Audio, aac);
    let tone = |n: i64| Frame { pts: n * 1024, key: true, extradata: None, data: vec![1; 50] };
    (0..47).for_each(|n| feed.frame(Kind::Audio, tone(n)));
    (0..250).for_each(|n| send(&mut feed, Kind::Video, n * 40));
    let packets: Vec<Packet> = std::iter::from_fn(|| feed.due().map(|_| feed.take())).flatten().collect();
    let audio: Vec<&Packet> = packets.iter().filter(|p| p.kind == Kind::Audio).collect();
    assert!(audio.windows(2).all(|w| (w[1].at - w[0].at).nanos() / 1000 == 21_333));
    assert!(audio.len() > 400 && audio.last().unwrap().data.len() == 6);
}

#[test]
fn a_first_packet_without_a_time_lies_before_the_second() {
    let offset = MediaTime::from_millis(1_000_000_000);
    for (untimed, first) in [(0, 2_000), (-7_200, 1_920), (9_000_000, 2_120)] {
        let mut feed = Feed::new(Wanted { offset, ..wanted(false) });
        feed.track(Kind::Video, video());
        feed.track(Kind::Audio, Track::pcm(1));
        send(&mut feed, Kind::Audio, 1_000_000_000);
        feed.frame(Kind::Video, Frame { pts: untimed, key: true, extradata: None, data: vec![7] });
        assert_eq!(of(&all(&mut feed), Kind::Video).len(), 0);
        send(&mut feed, Kind::Video, 1_000_000_160);
        let times: Vec<i64> = of(&all(&mut feed), Kind::Video).iter().map(|packet| packet.1).collect();
        assert_eq!(times, [first, 2_160], "{untimed}");
        assert!(feed.notes().is_empty());
    }
}

#[test]
fn what_steps_back_have_added_is_taken_off() {
    let first = 1_000_000_123;
    for (ticks, real) in
        [(first, first), (first + 5_000, first + 5_000), (2 * first - 4_000, first - 4_000), (7, 7)]
    {
        assert_eq!(without(ticks, first), real);
    }
    assert_eq!(without(9 * first + 1, first), first + 1);
    assert_eq!((without(i64::MIN, 0), without(i64::MAX, -5)), (i64::MIN, i64::MAX));
}

proptest! {
    #[test]
    fn whatever_comes_audio_has_no_hole_and_memory_an_end(
        packets in proptest::collection::vec((any::<bool>(), -40_000_000i64..40_000_000, 1u8..50), 1..60),
        ahead: bool,
    ) {
        let mut feed = begun(ahead);
        let mut out = Vec::new();
        for (audio, at, times) in packets {
            let kind = if audio { Kind::Audio } else { Kind::Video };
            (0..i64::from(times)).for_each(|n| send(&mut feed, kind, at + n * if audio { 20 } else { 40 }));
            out.extend(all(&mut feed));
        }
        feed.ended(Kind::Video);
        feed.ended(Kind::Audio);
        out.extend(all(&mut feed));
        for pair in of(&out, Kind::Audio).windows(2) {
            prop_assert!((pair[1].1 - pair[0].1 - pair[0].2).abs() <= 61, "{pair:?}");
        }
        prop_assert!(feed.is_over() && out.len() < 60 * 50 * 60);
    }
}
