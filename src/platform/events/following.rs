//! Follows the hub and tells what happens to streams: registered ones by their id, all others by their name.

use super::on_air::{Air, Reason, Told, Watch};
use super::{Event, Events, Type};
use crate::base::clock::Now;
use crate::hub::event::Heard;
use crate::hub::{self, Hub, View};
use crate::model::{LadderName, StreamName};
use crate::platform::directory::Directory;
use crate::platform::statistics::{Viewers, watching};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;

/// Between two looks at what is over.
const TICK: Duration = Duration::from_secs(1);
/// So many of them are between two figures of a stream.
const FIGURES: u32 = 10;

/// See the module.
pub struct Following {
    hub: Hub,
    directory: Directory,
    events: Events,
    watch: Watch,
    /// Ids of registered streams that are live, which may be removed meanwhile.
    ids: BTreeMap<LadderName, String>,
    /// Viewers that came and left since the last tick.
    viewers: BTreeMap<LadderName, (u64, u64)>,
    /// Bytes, frames and frames dropped at the last figures.
    counts: BTreeMap<LadderName, Counts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    bytes: u64,
    frames: u64,
    dropped: u64,
}

impl Following {
    /// Of a hub that waits so long for a publisher that broke off.
    pub fn new(hub: Hub, directory: Directory, events: Events, wait: Duration) -> Following {
        Following {
            hub,
            directory,
            events,
            watch: Watch::new(wait),
            ids: BTreeMap::new(),
            viewers: BTreeMap::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Follows until `shutdown` says so; then all streams are over.
    pub async fn run(mut self, mut heard: hub::event::Listener, mut shutdown: watch::Receiver<bool>) {
        let mut again = tokio::time::interval(TICK);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut ticks: u32 = 0;
        loop {
            tokio::select! {
                heard = heard.next() => match heard {
                    Heard::Event(event) => self.heard(&event),
                    Heard::Missed(_) => {
                        let told = self.watch.seen(&self.ready(), Now::read());
                        self.tell(told);
                    }
                    Heard::Closed => break,
                },
                _ = again.tick() => {
                    ticks = ticks.wrapping_add(1);
                    self.tick(ticks);
                }
                _ = shutdown.wait_for(|down| *down) => break,
            }
        }
        let told = self.watch.over(Now::read());
        self.tell(told);
    }

    fn heard(&mut self, event: &hub::Event) {
        let (stream, joined) = match event {
            hub::Event::Joined { client, .. } | hub::Event::Left { client, .. } if client.is_own() => return,
            hub::Event::Joined { stream, .. } => (stream, true),
            hub::Event::Left { stream, .. } => (stream, false),
            _ => {
                let told = self.watch.heard(event, Now::read());
                return self.tell(told);
            }
        };
        if self.events.wants(if joined { Type::ViewerJoined } else { Type::ViewerLeft }) {
            let (came, left) = self.viewers.entry(self.hub.place_of(stream).0).or_default();
            let count = if joined { came } else { left };
            *count = count.saturating_add(1);
        }
    }

    fn tick(&mut self, ticks: u32) {
        let told = self.watch.tick(Now::read());
        self.tell(told);
        for (ladder, (came, left)) in std::mem::take(&mut self.viewers) {
            for (of, count) in [(Type::ViewerJoined, came), (Type::ViewerLeft, left)] {
                if count > 0 {
                    self.say(of, &ladder, json!({ "count": count }));
                }
            }
        }
        if !self.events.wants(Type::Stats) {
            self.counts.clear();
        } else if ticks.is_multiple_of(FIGURES) {
            self.figures();
        }
    }

    /// What can be watched now.
    fn ready(&self) -> Vec<(StreamName, LadderName)> {
        let views = self.hub.snapshot().into_iter();
        let on = views.filter(|view| view.publisher.is_some() && view.ready_ms.is_some());
        on.map(|view| (view.name, view.ladder)).collect()
    }

    fn tell(&mut self, told: Vec<Told>) {
        for (ladder, air) in told {
            match air {
                Air::Live => {
                    if let Some(place) = self.directory.place(&ladder.key) {
                        self.ids.insert(ladder.clone(), place.stream.public_id.clone());
                    }
                    self.say(Type::StreamLive, &ladder, json!({}));
                }
                Air::Interrupted if self.is_removed(&ladder) => {
                    let told = self.watch.removed(&ladder);
                    self.tell(told);
                }
                Air::Interrupted => self.say(Type::StreamInterrupted, &ladder, json!({})),
                Air::Resumed => self.say(Type::StreamResumed, &ladder, json!({})),
                Air::Ended { reason, duration, bytes } => {
                    // Its publisher is sent away, and says goodbye or does not.
                    let reason = if self.is_removed(&ladder) { Reason::Removed } else { reason };
                    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
                    let data = json!({ "reason": reason.word(), "duration_ms": ms, "bytes": bytes });
                    self.say(Type::StreamEnded, &ladder, data);
                    self.ids.remove(&ladder);
                }
                Air::Up(stream) => {
                    let data = self.hub.view(&stream).map_or_else(|| json!({}), |view| rendition(&view));
                    self.say(Type::RenditionUp, &ladder, data);
                }
                Air::Down(stream) => {
                    let label = self.hub.place_of(&stream).1;
                    let data = json!({ "label": label, "stream": stream.name });
                    self.say(Type::RenditionDown, &ladder, data);
                }
            }
        }
    }

    /// Whether nobody can publish it any more.
    fn is_removed(&self, ladder: &LadderName) -> bool {
        self.ids.get(ladder).is_some_and(|id| self.directory.find(id).is_none())
    }

    fn say(&self, of: Type, ladder: &LadderName, mut data: Value) {
        if let Some(fields) = data.as_object_mut() {
            fields.insert("name".into(), ladder.key.clone().into());
            fields.insert("application".into(), ladder.application.clone().into());
        }
        let id = self.ids.get(ladder).unwrap_or(&ladder.key);
        self.events.tell(Event::new(of, Some(id.clone()), data));
    }

    /// The figures of every stream since the last ones.
    fn figures(&mut self) {
        let beside = watching(&self.hub);
        let mut now: BTreeMap<LadderName, (Counts, Viewers)> = BTreeMap::new();
        for view in self.hub.snapshot().into_iter().filter(|view| view.publisher.is_some()) {
            let (counts, viewers) = now.entry(view.ladder).or_default();
            counts.bytes = counts.bytes.saturating_add(view.bytes_in);
            counts.frames = counts.frames.saturating_add(view.totals.video_frames);
            counts.dropped = counts.dropped.saturating_add(view.frames_dropped);
            *viewers = viewers.and(beside.get(&view.name).copied().unwrap_or_default());
            view.readers.iter().for_each(|reader| viewers.add(reader.kind));
        }
        let counts = now.iter().map(|(ladder, (counts, _))| (ladder.clone(), *counts)).collect();
        let before = std::mem::replace(&mut self.counts, counts);
        for (ladder, (counts, viewers)) in now {
            // The first look has nothing to compare with.
            let Some(before) = before.get(&ladder) else { continue };
            let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / f64::from(FIGURES);
            let data = json!({
                "bitrate": rate(counts.bytes, before.bytes) * 8.0,
                "fps": rate(counts.frames, before.frames),
                "viewers": viewers,
                "dropped": counts.dropped.saturating_sub(before.dropped),
            });
            self.say(Type::Stats, &ladder, data);
        }
    }
}

fn rendition(view: &View) -> Value {
    let video = view.headers.tracks.video();
    json!({
        "label": view.label,
        "stream": view.name.name,
        "width": video.map(|video| video.width),
        "height": video.map(|video| video.height),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Limits, Registry};
    use crate::platform::events::write;
    use crate::store::Place;
    use crate::store::Store;
    use crate::telemetry::Log;
    use std::sync::Arc;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn streams_go_live_and_end() {
        let hub = Hub::new(Registry::default(), Limits::default());
        let events = Events::default();
        let mut told = events.listen();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::lazy(&Place::Folder(folder.path().into())).unwrap();
        let (_done, over) = oneshot::channel();
        tokio::spawn(write(events.clone(), store, || false, Arc::new(|_, _, _| ()), Log::silent(), over));
        let (down, downs) = watch::channel(false);
        let following = Following::new(hub.clone(), Directory::default(), events, Duration::from_secs(10));
        let following = tokio::spawn(following.run(hub.events().listen(), downs));
        let now = Now::read();
        let client = hub.registry().enter(crate::protocol::RTMP, "127.0.0.1:1".parse().unwrap(), now.mono, 0);
        let publisher = hub.publish(&StreamName::new("live", "cam"), &client, now).unwrap();
        publisher.ready(now);
        publisher.end();
        let lost = hub.publish(&StreamName::new("live", "cam"), &client, now).unwrap();
        lost.ready(now);
        let mut kinds = Vec::new();
        while kinds.len() < 6 {
            let event = told.recv().await.unwrap();
            assert_eq!((event.public_id.as_deref(), event.stream()), (Some("cam"), "cam"));
            kinds.push(event.kind.clone());
        }
        let once = ["stream.live", "rendition.up"];
        assert_eq!(kinds, [&once[..], &["rendition.down", "stream.ended"], &once].concat());
        drop(lost);
        assert_eq!(told.recv().await.unwrap().kind, "rendition.down");
        assert_eq!(told.recv().await.unwrap().kind, "stream.interrupted");
        down.send(true).unwrap();
        following.await.unwrap();
        let ended = told.recv().await.unwrap();
        assert_eq!((ended.kind.as_str(), &ended.data["reason"]), ("stream.ended", &json!("shutdown")));
    }
}
