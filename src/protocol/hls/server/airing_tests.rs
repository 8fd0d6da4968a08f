//! Ladders that are served out of a hub inside the test: how long they are kept, and in how much memory.

use super::*;
use crate::auth::Access;
use crate::base::clock::Now;
use crate::hub::{Kind, Limits, Publisher, Registry};
use crate::media::codec::h264;
use crate::media::{Frame, MediaTime, TrackId, TrackKind, Tracks};

const SPS: &[u8] = &[
    0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
    0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60,
];
const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];
const SETTINGS: Settings = Settings {
    segment: Duration::from_secs(2),
    part: Duration::from_millis(100),
    window: Duration::from_secs(12),
    memory: None,
};
const SOON: Duration = Duration::from_secs(5);

struct House {
    hub: Hub,
    shared: Arc<Shared>,
    _down: watch::Sender<bool>,
}

impl House {
    fn new() -> House {
        let hub = Hub::new(Registry::default(), Limits::default());
        let (down, downs) = watch::channel(false);
        let applications: Arc<[String]> = Arc::new(["live".to_string()]);
        let access = Arc::new(Access::default());
        let shared =
            Shared::new(hub.clone(), applications, access, Arc::default(), Log::silent(), SETTINGS, downs);
        House { hub, shared: Arc::new(shared), _down: down }
    }

    fn publish(&self, name: &str) -> Publisher {
        let (kind, now) = (Kind { name: "test", connection: false }, Now::read());
        let client = self.hub.registry().enter(kind, ([127, 0, 0, 1], 1).into(), now.mono, now.wall_ms);
        let publisher = self.hub.publish(&StreamName::new("live", name), &client, now).unwrap();
        publisher.headers(Tracks::of(h264::track_of_sets(SPS, PPS).unwrap(), None));
        publisher
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).header(USER_AGENT, "Mozilla/5.0").body(Body::empty()).unwrap();
        let response = self.shared.answer(request, ([127, 0, 0, 1], 4000).into()).await;
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    /// Waits until an answer holds `words`.
    async fn until(&self, path: &str, words: &str) -> String {
        let found = async {
            loop {
                let (status, text) = self.get(path).await;
                if status == StatusCode::OK && text.contains(words) {
                    return text;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(SOON, found).await.unwrap_or_else(|_| panic!("no {words} at {path}"))
    }
}

/// Frames of `bytes` each, for media time `from..to` in seconds: 30 a second, a keyframe every two.
async fn send(publisher: &Publisher, from: i64, to: i64, bytes: u32) {
    for n in from * 30..to * 30 {
        let keyframe = n % 60 == 0;
        let mut payload = vec![0; bytes as usize];
        payload[..4].copy_from_slice(&(bytes - 4).to_be_bytes());
        payload[4] = if keyframe { 0x65 } else { 0x41 };
        let at = MediaTime::from_millis(n * 1000 / 30);
        let track = TrackId::first(TrackKind::Video);
        let now = Now::read();
        publisher.frame(Frame { track, dts: at, pts: at, keyframe, payload: payload.into() }, now);
        publisher.flush(now);
        // The segmenter takes them while they are in the hub.
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_ladder_is_kept_for_a_minute_without_its_publisher() {
    let house = House::new();
    assert_eq!(house.get("/live/cam/index.m3u8").await.0, StatusCode::NOT_FOUND);
    let publisher = house.publish("cam");
    send(&publisher, 0, 1, 100).await;
    let list = house.until("/live/cam/index.m3u8", "i.m3u8").await;
    let playlist = format!("/live/cam/{}", list.lines().last().unwrap());
    send(&publisher, 1, 5, 100).await;
    house.until(&playlist, "#EXTINF:2.00000,").await;
    publisher.end();
    tokio::time::sleep(Duration::from_secs(55)).await;
    let (status, text) = house.get(&playlist).await;
    assert!(status == StatusCode::OK && !text.contains("PRELOAD-HINT"), "{status}: {text}");
    // Back within the minute: it goes on with the numbers, and the minute begins anew.
    let publisher = house.publish("cam");
    send(&publisher, 0, 3, 100).await;
    let back = house.until(&playlist, "#EXT-X-DISCONTINUITY\n").await;
    assert_eq!(back.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{back}");
    assert!(back.contains("#EXT-X-MEDIA-SEQUENCE:1\n") && back.contains("-4.0.m4s"), "{back}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    publisher.end();
    tokio::time::sleep(Duration::from_secs(55)).await;
    assert_eq!(house.get(&playlist).await.0, StatusCode::OK);
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(house.get(&playlist).await.0, StatusCode::NOT_FOUND);
    assert!(house.shared.airings().lock().is_empty());
    // Another life of the ladder has other names of files, so that no URL means two things.
    let publisher = house.publish("cam");
    send(&publisher, 0, 3, 100).await;
    house.until("/live/cam/index.m3u8", "i.m3u8").await;
    let anew = house.until(&playlist, "#EXT-X-MAP:URI=").await;
    let epoch = |text: &str| text.split_once("#EXT-X-MAP:URI=\"").map(|(_, uri)| uri[..8].to_string());
    assert_ne!(epoch(&anew), epoch(&text));
}

#[tokio::test(start_paused = true)]
async fn all_ladders_share_one_budget_and_the_oldest_go() {
    let house = House::new();
    let (large, small) = (house.publish("large"), house.publish("small"));
    for (publisher, bytes) in [(&large, 20_000), (&small, 1_000)] {
        send(publisher, 0, 1, bytes).await;
    }
    let mut playlists = Vec::new();
    for name in ["large", "small"] {
        let list = house.until(&format!("/live/{name}/index.m3u8"), "i.m3u8").await;
        playlists.push(format!("/live/{name}/{}", list.lines().last().unwrap()));
    }
    for (publisher, bytes) in [(&large, 20_000), (&small, 1_000)] {
        send(publisher, 1, 13, bytes).await;
    }
    for playlist in &playlists {
        house.until(playlist, "-5.m4s").await;
    }
    let airings = house.shared.airings().clone();
    let all = airings.bytes();
    assert!(all > 7_000_000, "{all}");
    let budget = Budget { airings: airings.clone(), most: 3_000_000 };
    budget.keep();
    assert!((1_500_000..=3_000_000).contains(&airings.bytes()), "{}", airings.bytes());
    // Both have lost what was as old, however little the small one holds; both go on.
    for playlist in &playlists {
        let kept = house.until(playlist, "#EXTINF").await;
        assert!(!kept.contains("-1.m4s") && kept.contains("-6.m4s"), "{kept}");
    }
    for (publisher, bytes) in [(&large, 20_000), (&small, 1_000)] {
        send(publisher, 13, 15, bytes).await;
    }
    for playlist in &playlists {
        house.until(playlist, "-6.m4s").await;
    }
    // One that holds most, but in a segment that is still open, keeps the others from giving nothing.
    let open = house.publish("open");
    send(&open, 0, 2, 100_000).await;
    let list = house.until("/live/open/index.m3u8", "i.m3u8").await;
    let playlist = format!("/live/open/{}", list.lines().last().unwrap());
    house.until(&playlist, "-1.19.m4s").await;
    let before = airings.bytes();
    Budget { airings: airings.clone(), most: before - 1 }.keep();
    assert!((before / 2..before).contains(&airings.bytes()), "{before} {}", airings.bytes());
    // What cannot be had is not waited for: initialisation segments stay.
    Budget { airings: airings.clone(), most: 0 }.keep();
    assert!((1..10_000).contains(&airings.bytes()), "{}", airings.bytes());
}

/// Segments that are open, of publishers that send no keyframe, count as well: nothing else could be forgotten.
#[tokio::test(start_paused = true)]
async fn open_segments_are_within_the_budget() {
    let house = House::new();
    let publishers = ["large", "larger", "small"].map(|name| (name, house.publish(name)));
    let mut playlists = Vec::new();
    for ((name, publisher), bytes) in publishers.iter().zip([90_000, 100_000, 1_000]) {
        send(publisher, 0, 1, bytes).await;
        let list = house.until(&format!("/live/{name}/index.m3u8"), "i.m3u8").await;
        playlists.push(format!("/live/{name}/{}", list.lines().last().unwrap()));
        send(publisher, 1, 2, bytes).await;
    }
    for playlist in &playlists {
        house.until(playlist, "-1.19.m4s").await;
    }
    let airings = house.shared.airings().clone();
    let all = airings.bytes();
    assert!(all > 11_000_000, "{all}");
    Budget { airings: airings.clone(), most: 6_000_000 }.keep();
    assert!((5_000_000..=6_000_000).contains(&airings.bytes()), "{}", airings.bytes());
    // The largest was given up and goes on with its next keyframe; the others did not notice.
    for ((name, publisher), playlist) in publishers.iter().zip(&playlists) {
        send(publisher, 2, 5, 1_000).await;
        let text = house.until(playlist, "-3.0.m4s").await;
        assert_eq!(text.contains("#EXT-X-GAP\n"), *name == "larger", "{text}");
        assert!(!text.contains("#EXT-X-DISCONTINUITY\n"), "{text}");
    }
    // What waits to become a part counts too.
    let waits = house.publish("waits");
    send(&waits, 0, 1, 1_000).await;
    let list = house.until("/live/waits/index.m3u8", "i.m3u8").await;
    house.until(&format!("/live/waits/{}", list.lines().last().unwrap()), "-1.8.m4s").await;
    let before = airings.bytes();
    let at = MediaTime::from_millis(1000);
    let frame = Frame {
        track: TrackId::first(TrackKind::Video),
        dts: at,
        pts: at,
        keyframe: false,
        payload: vec![0; 1_000_000].into(),
    };
    waits.frame(frame, Now::read());
    waits.flush(Now::read());
    let counted = async {
        while airings.bytes() < before + 1_000_000 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, counted).await.expect("it to be counted");
}
