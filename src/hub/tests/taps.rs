//! Readers of frames.

use super::*;
use crate::hub::tap::Item;

/// What a reader got, in short: `T` tracks, `V40` a keyframe, `v80`, `a80`, `[3]` a gap, `|` an interruption.
fn written(items: &[Item]) -> String {
    let word = |item: &Item| match item {
        Item::Tracks(_) => "T".to_string(),
        Item::Gap(frames) => format!("[{frames}]"),
        Item::Interrupted => "|".to_string(),
        Item::Frame(frame, _) => {
            let letter = match (frame.track.kind(), frame.keyframe) {
                (TrackKind::Video, true) => 'V',
                (TrackKind::Video, false) => 'v',
                _ => 'a',
            };
            format!("{letter}{}", frame.dts.millis())
        }
    };
    items.iter().map(word).collect::<Vec<_>>().join(" ")
}

async fn all(reader: &mut FrameReader) -> String {
    let mut items = Vec::new();
    reader.next(&mut items).await.expect("the stream goes on");
    written(&items)
}

fn published(hub: &Hub, now: Now) -> Publisher {
    let publisher = hub.publish(&live("s"), &client(hub), now).unwrap();
    publisher.headers(video_track());
    publisher
}

fn push(publisher: &Publisher, frames: impl IntoIterator<Item = Frame>, now: Now) {
    for frame in frames {
        publisher.frame(frame, now);
    }
    publisher.flush(now);
}

#[tokio::test(start_paused = true)]
async fn a_reader_begins_with_the_last_keyframe_and_gets_all_that_follows() {
    let (hub, now) = (hub(Limits::default()), Now::read());
    let publisher = published(&hub, now);
    push(&publisher, [video(0, true), video(40, false), video(80, true), audio(90)], now);
    let mut reader = hub.subscribe_frames(&live("s"), &client(&hub), Policy::Live).unwrap();
    assert_eq!(all(&mut reader).await, "T V80 a90");
    push(&publisher, [video(120, false)], now);
    assert_eq!(all(&mut reader).await, "v120");
    let mut other = video_track();
    other.video_mut().unwrap().width = 640;
    publisher.headers(other);
    push(&publisher, [video(160, false), video(200, true)], now);
    assert_eq!(all(&mut reader).await, "T v160 V200");
    publisher.end();
    let mut items = Vec::new();
    while reader.next(&mut items).await.is_ok() {}
    assert_eq!(written(&items), "|");
}

#[tokio::test(start_paused = true)]
async fn who_shows_what_is_now_goes_on_with_a_keyframe_and_who_keeps_everything_gets_it() {
    let limits = Limits { lag_time: Duration::from_millis(200), ..Limits::default() };
    let (hub, now) = (hub(limits), Now::read());
    let publisher = published(&hub, now);
    push(&publisher, [video(0, true)], now);
    let client = client(&hub);
    let whole = Policy::Whole { most_bytes: 1 << 20, most_time: Duration::from_secs(1) };
    let mut live_reader = hub.subscribe_frames(&live("s"), &client, Policy::Live).unwrap();
    let mut recorder = hub.subscribe_frames(&live("s"), &client, whole).unwrap();
    assert_eq!((all(&mut live_reader).await, all(&mut recorder).await), ("T V0".into(), "T V0".into()));
    push(&publisher, (1..=10).map(|n| video(n * 40, n % 5 == 0)), now);
    assert_eq!(all(&mut live_reader).await, "[9] V400");
    assert_eq!(client::get(&client.counters.frames_dropped), 9);
    assert_eq!(all(&mut recorder).await, "v40 v80 v120 v160 V200 v240 v280 v320 v360 V400");
    // Beyond its own bound it is told of a gap, and goes on where decoding can begin.
    for n in 11..=60 {
        push(&publisher, [video(n * 40, n % 5 == 0)], now);
    }
    let got = all(&mut recorder).await;
    assert!(got.starts_with('[') && got.ends_with("v2360 V2400"), "{got}");
    assert_eq!(got.split(' ').nth(1).map(|word| &word[..1]), Some("V"), "{got}");
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_bounded_in_bytes_too() {
    let (hub, now) = (hub(Limits { gop_bytes: 100, lag_bytes: 100, ..Limits::default() }), Now::read());
    let publisher = published(&hub, now);
    push(&publisher, [video(0, true)], now);
    let policy = Policy::Whole { most_bytes: 300, most_time: Duration::from_secs(60) };
    let mut recorder = hub.subscribe_frames(&live("s"), &client(&hub), policy).unwrap();
    assert_eq!(all(&mut recorder).await, "T V0");
    for n in 1..100 {
        push(&publisher, [video(n * 40, n % 5 == 0)], now);
    }
    let got = all(&mut recorder).await;
    // Ten bytes a frame: thirty may wait, less those before the first keyframe among them.
    assert_eq!(got.split(' ').nth(1), Some("V2800"), "{got}");
    assert!(got.ends_with("v3960"), "{got}");
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_comes_back_is_another_run() {
    let (hub, now) = (hub(Limits::default()), Now::read());
    let publisher = published(&hub, now);
    push(&publisher, [video(0, true)], now);
    let mut reader = hub.subscribe_frames(&live("s"), &client(&hub), Policy::Live).unwrap();
    let mut items = Vec::new();
    reader.next(&mut items).await.unwrap();
    drop(publisher);
    let later = now.after(Duration::from_secs(4));
    let publisher = published(&hub, later);
    push(&publisher, [video(7, false), video(10, true)], later);
    while items.len() < 5 {
        reader.next(&mut items).await.unwrap();
    }
    assert_eq!(written(&items), "T V0 | [1] V4003");
    let runs: Vec<u64> = items
        .iter()
        .filter_map(|item| if let Item::Frame(_, stamp) = item { Some(stamp.run) } else { None })
        .collect();
    assert_eq!(runs, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_keyframe_is_requested_once_a_second_at_most() {
    let (hub, now) = (hub(Limits::default()), Now::read());
    let publisher = published(&hub, now);
    let reader = hub.subscribe_frames(&live("s"), &client(&hub), Policy::Live).unwrap();
    let mut wanted = 0;
    for ms in [0_u64, 10, 900, 1100, 1200] {
        reader.request_keyframe(now.after(Duration::from_millis(ms)).mono);
        let soon = tokio::time::timeout(Duration::from_millis(1), publisher.keyframe_wanted());
        wanted += u32::from(soon.await.is_ok());
    }
    assert_eq!(wanted, 2);
}
