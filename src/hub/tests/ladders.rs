//! Ladders: renditions with one line of time.

use super::*;
use crate::hub::tap::Item;
use crate::model::ladder_fact::RenditionFact;

const RENDITIONS: [&str; 3] = ["cam_720p", "cam_480p", "cam_360p"];

fn fact(run: u64) -> LadderFact {
    let rendition = |name: &&str| RenditionFact {
        label: name.trim_start_matches("cam_").to_string(),
        name: name.to_string(),
        width: 0,
        height: 0,
        bitrate_bps: 0,
    };
    let renditions = RENDITIONS.iter().map(rendition).collect();
    LadderFact { application: "live".into(), key: "cam".into(), run, aligned: true, renditions }
}

fn publish(hub: &Hub, name: &str, at: Now) -> Publisher {
    let publisher = hub.publish(&live(name), &client(hub), at).unwrap();
    publisher.headers(video_track());
    publisher
}

/// Sends a keyframe, and where it stands on the ladder's line: time and run.
async fn keyframe(hub: &Hub, publisher: &Publisher, name: &str, ms: i64, at: Now) -> (i64, u64) {
    publisher.frame(video(ms, true), at);
    publisher.flush(at);
    let mut reader = hub.subscribe_frames(&live(name), &client(hub), Policy::Live).unwrap();
    let mut items = Vec::new();
    reader.next(&mut items).await.unwrap();
    match items.last() {
        Some(Item::Frame(frame, stamp)) => (frame.dts.millis(), stamp.run),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn renditions_agree_to_the_millisecond_after_every_return() {
    for told in [true, false] {
        let (hub, began) = (hub(Limits::default()), Now::read());
        let at = |ms: u64| began.after(Duration::from_millis(ms));
        if told {
            hub.tell(fact(1), at(0));
        }
        let mut publishers: Vec<Publisher> =
            RENDITIONS.iter().map(|name| publish(&hub, name, at(0))).collect();
        for (publisher, name) in publishers.iter().zip(RENDITIONS) {
            assert_eq!(keyframe(&hub, publisher, name, 500, at(10)).await, (500, 1), "{told} {name}");
        }
        // With somebody who reads one of them, so that two of the names are forgotten meanwhile and one is not.
        let watched = hub.subscribe_frames(&live(RENDITIONS[0]), &client(&hub), Policy::Live).unwrap();
        for (publisher, _) in publishers.iter().zip(RENDITIONS) {
            publisher.frame(video(60_500, true), at(60_010));
            publisher.flush(at(60_010));
        }
        publishers.clear();
        if told {
            hub.tell(fact(2), at(64_000));
        }
        // They connect one after the other, and their first keyframes are the same.
        let mut places = Vec::new();
        for (step, name) in (0..).step_by(40).zip(RENDITIONS) {
            let publisher = publish(&hub, name, at(64_000 + step));
            places.push(keyframe(&hub, &publisher, name, 80, at(64_010 + step)).await);
            publishers.push(publisher);
        }
        assert_eq!(places, [(64_500, 2); 3], "{told}");
        // One alone is lost and comes back within the run.
        publishers.remove(1);
        let back = publish(&hub, RENDITIONS[1], at(70_000));
        assert_eq!(keyframe(&hub, &back, RENDITIONS[1], 6_080, at(70_010)).await, (70_500, 2), "{told}");
        drop((watched, back, publishers));
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_in_another_application_is_another_stream() {
    let (hub, now) = (hub(Limits::default()), Now::read());
    let one = hub.publish(&live("cam"), &client(&hub), now).unwrap();
    let two = hub.publish(&StreamName::new("other", "cam"), &client(&hub), now).unwrap();
    assert!(matches!(hub.publish(&live("cam"), &client(&hub), now), Err(Refused::Taken)));
    assert_eq!(hub.snapshot().len(), 2);
    drop(one);
    assert!(!hub.is_published(&live("cam")));
    assert!(hub.is_published(&StreamName::new("other", "cam")));
    drop(two);
}

#[tokio::test(start_paused = true)]
async fn what_happens_is_heard() {
    let (hub, now) = (hub(Limits { streams: 1, ..Limits::default() }), Now::read());
    let mut events = hub.events().listen();
    hub.tell(fact(1), now);
    let publisher = publish(&hub, RENDITIONS[0], now);
    publisher.ready(now);
    assert!(matches!(hub.publish(&live("x"), &client(&hub), now), Err(Refused::Full)));
    drop(publisher);
    let publisher = publish(&hub, RENDITIONS[0], now);
    publisher.end();
    hub.tick(now.after(Duration::from_secs(61)));
    let mut heard = Vec::new();
    for _ in 0..8 {
        let event::Heard::Event(event) = events.next().await else { panic!("nothing is missed") };
        heard.push(match &*event {
            Event::Told { ladder } => format!("told {}", ladder.key),
            Event::Published { stream, .. } => format!("published {stream}"),
            Event::Ready { ladder, .. } => format!("ready {}", ladder.key),
            Event::LimitReached { limit } => format!("limit {limit}"),
            Event::Ended { end, .. } => format!("{end:?}"),
            Event::Forgotten { ladder } => format!("forgotten {}", ladder.key),
            other => format!("{other:?}"),
        });
    }
    let one = "published live/cam_720p";
    assert_eq!(
        heard,
        ["told cam", one, "ready cam", "limit streams", "Lost", one, "Unpublished", "forgotten cam"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_stranger_beside_a_ladder_begins_no_run_of_it() {
    let (hub, began) = (hub(Limits::default()), Now::read());
    let at = |ms: u64| began.after(Duration::from_millis(ms));
    hub.tell(LadderFact { renditions: Vec::new(), ..fact(0) }, at(0));
    let stranger = publish(&hub, "cam", at(0));
    assert_eq!(keyframe(&hub, &stranger, "cam", 7000, at(0)).await, (7000, 1));
    // A ladder is made of it: its names stand where the line is, and begin a run.
    hub.tell(fact(1), at(900));
    let rendition = publish(&hub, "cam_720p", at(1000));
    assert_eq!(keyframe(&hub, &rendition, "cam_720p", 0, at(1000)).await, (8000, 2));
    let strange = |hub: &Hub| -> Vec<(String, bool)> {
        let ladder = LadderName { application: "live".into(), key: "cam".into() };
        hub.on_air(&ladder).into_iter().map(|one| (one.label, one.stranger)).collect()
    };
    assert_eq!(strange(&hub), [("original".to_string(), true), ("720p".to_string(), false)]);
    // It goes and returns: the ladder's run goes on.
    drop(stranger);
    let back = publish(&hub, "cam", at(4000));
    assert_eq!(keyframe(&hub, &back, "cam", 0, at(4000)).await, (11_000, 2));
    assert_eq!(keyframe(&hub, &rendition, "cam_720p", 4000, at(5000)).await, (12_000, 2));
}
