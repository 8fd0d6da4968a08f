//! What a new protocol has to bring: a kind of client and what it does with frames. It lives in this file alone, and reads
//! all renditions of a ladder that comes over RTMP.

use super::house::{House, SOON};
use crate::stage::wait_for;
use msconv::base::clock::Now;
use msconv::hub::tap::Item;
use msconv::hub::{Hub, Kind, Policy, Role};
use std::collections::BTreeMap;

const TOY: Kind = Kind { name: "toy", connection: true };

/// A viewer who writes down the number of keyframes of each rendition and when they stand.
struct Viewer {
    hub: Hub,
}

impl Viewer {
    /// Reads every rendition of `ladder` until it has seen `wanted` keyframes of it; their times in milliseconds, by label.
    async fn watch(&self, ladder: &str, wanted: usize) -> BTreeMap<String, Vec<i64>> {
        let now = Now::read();
        let client = self.hub.registry().enter(TOY, "127.0.0.1:9".parse().unwrap(), now.mono, now.wall_ms);
        client.describe(|d| d.role = Role::Read);
        let mut seen = BTreeMap::new();
        for view in self.hub.snapshot().into_iter().filter(|view| view.ladder.key == ladder) {
            let mut reader = self.hub.subscribe_frames(&view.name, &client, Policy::Live).unwrap();
            let mut times = Vec::new();
            let mut items = Vec::new();
            while times.len() < wanted && reader.next(&mut items).await.is_ok() {
                times.extend(items.drain(..).filter_map(|item| match item {
                    Item::Frame(frame, _) if frame.keyframe => Some(frame.dts.millis()),
                    _ => None,
                }));
            }
            seen.insert(view.label, times);
        }
        assert_eq!(self.hub.registry().list(TOY).len(), 1);
        seen
    }
}

#[test]
fn a_protocol_of_its_own_reads_all_renditions_of_a_ladder() {
    let house = House::new();
    let mut publishers = [house.publisher("cam_720p"), house.publisher("cam_360p")];
    for publisher in &mut publishers {
        publisher.headers(0);
        publisher.picture(1000, 1, true, 10);
    }
    wait_for("both renditions", SOON, || {
        house.hub.snapshot().iter().filter(|v| v.ready_ms.is_some()).count() == 2
    });
    let viewer = Viewer { hub: house.hub.clone() };
    let watching = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { tokio::time::timeout(SOON, viewer.watch("cam", 1)).await.expect("in time") })
    });
    let seen = watching.join().unwrap();
    assert_eq!(seen, BTreeMap::from([("360p".into(), vec![1000]), ("720p".into(), vec![1000])]));
    publishers.iter_mut().for_each(|publisher| publisher.finish());
}
