//! What streams have carried in the last quarter of an hour, in steps of five seconds. Nine kilobytes for each name on the air.

use crate::base::clock::Now;
use crate::hub::{self, Hub, Kind, Role};
use crate::model::{LadderName, StreamName};
use crate::protocol::{HLS_SESSION, RTMP, RTSP_SESSION, WEBRTC_SESSION};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Between two looks.
pub const STEP: Duration = Duration::from_secs(5);
/// How far back is remembered.
pub const SPAN: Duration = Duration::from_secs(15 * 60);
/// Looks that are remembered, with the one before the first step.
const LOOKS: usize = 181;

/// Who watches, by protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Viewers {
    /// Over RTMP.
    pub rtmp: u32,
    /// Over RTSP.
    pub rtsp: u32,
    /// Over HLS.
    pub hls: u32,
    /// Over WebRTC.
    pub webrtc: u32,
}

/// Counters at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    at_ms: i64,
    bytes: u64,
    frames: u64,
    keyframes: Option<Duration>,
    dropped: u64,
    viewers: Viewers,
}

/// What happened between two looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// When it ended, milliseconds since 1970.
    pub at_ms: i64,
    /// Bits a second received.
    pub bitrate: u64,
    /// Video frames a second.
    pub fps: f64,
    /// Between the last two keyframes.
    pub keyframes: Option<Duration>,
    /// Frames that slow viewers did not get.
    pub dropped: u64,
    /// Who watched at its end.
    pub viewers: Viewers,
}

/// One name of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct OfName {
    /// The name on the server.
    pub name: String,
    /// The label in its ladder.
    pub label: String,
    /// Its steps, the oldest first.
    pub steps: Vec<Step>,
}

#[derive(Debug)]
struct Series {
    ladder: LadderName,
    label: String,
    looks: VecDeque<Look>,
}

/// See the module. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Statistics(Arc<Mutex<BTreeMap<StreamName, Series>>>);

impl Statistics {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<StreamName, Series>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at everything that is on the air; to be called each [`STEP`].
    pub fn look(&self, hub: &Hub, now: Now) {
        let beside = watching(hub);
        let mut all = self.lock();
        for view in hub.snapshot().iter().filter(|view| view.publisher.is_some()) {
            let mut viewers = beside.get(&view.name).copied().unwrap_or_default();
            view.readers.iter().for_each(|reader| viewers.add(reader.kind));
            let look = Look {
                at_ms: now.wall_ms,
                bytes: view.bytes_in,
                frames: view.totals.video_frames,
                keyframes: view.totals.keyframe_distance,
                dropped: view.frames_dropped,
                viewers,
            };
            let series = all.entry(view.name.clone()).or_insert_with(|| Series {
                ladder: view.ladder.clone(),
                label: view.label.clone(),
                looks: VecDeque::new(),
            });
            series.note(view, look);
        }
        let oldest = now.wall_ms.saturating_sub(i64::try_from(SPAN.as_millis()).unwrap_or(i64::MAX));
        all.retain(|_, series| series.looks.back().is_some_and(|look| look.at_ms >= oldest));
    }

    /// What the names of a stream have carried since `since_ms`.
    pub fn of(&self, key: &str, since_ms: i64) -> Vec<OfName> {
        let all = self.lock();
        let ours = all.iter().filter(|(name, series)| series.ladder.key == key || name.name == key);
        ours.map(|(name, series)| OfName {
            name: name.name.clone(),
            label: series.label.clone(),
            steps: series.steps(since_ms),
        })
        .collect()
    }

    /// Looks until `shutdown` says so.
    pub async fn follow(self, hub: Hub, mut shutdown: watch::Receiver<bool>) {
        let mut again = tokio::time::interval(STEP);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = again.tick() => self.look(&hub, Now::read()),
                _ = shutdown.wait_for(|down| *down) => return,
            }
        }
    }
}

impl Series {
    fn note(&mut self, view: &hub::View, look: Look) {
        (self.ladder, self.label) = (view.ladder.clone(), view.label.clone());
        if self.looks.len() >= LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back(look);
    }

    fn steps(&self, since_ms: i64) -> Vec<Step> {
        let pairs = self.looks.iter().zip(self.looks.iter().skip(1));
        pairs.filter(|(_, now)| now.at_ms > since_ms).filter_map(|(before, now)| step(before, now)).collect()
    }
}

/// None where the name began anew between two looks, or the clock went back.
fn step(before: &Look, now: &Look) -> Option<Step> {
    let seconds = now.at_ms.checked_sub(before.at_ms).filter(|ms| *ms > 0)? as f64 / 1000.0;
    let bytes = now.bytes.checked_sub(before.bytes)?;
    let frames = now.frames.checked_sub(before.frames)?;
    Some(Step {
        at_ms: now.at_ms,
        bitrate: (bytes as f64 * 8.0 / seconds) as u64,
        fps: frames as f64 / seconds,
        keyframes: now.keyframes,
        dropped: now.dropped.saturating_sub(before.dropped),
        viewers: now.viewers,
    })
}

impl Viewers {
    /// One more, of this kind.
    pub fn add(&mut self, kind: Kind) {
        let of = match kind {
            RTMP => &mut self.rtmp,
            RTSP_SESSION => &mut self.rtsp,
            HLS_SESSION => &mut self.hls,
            WEBRTC_SESSION => &mut self.webrtc,
            _ => return,
        };
        *of = of.saturating_add(1);
    }

    /// Those of both.
    pub fn and(self, other: Viewers) -> Viewers {
        Viewers {
            rtmp: self.rtmp.saturating_add(other.rtmp),
            rtsp: self.rtsp.saturating_add(other.rtsp),
            hls: self.hls.saturating_add(other.hls),
            webrtc: self.webrtc.saturating_add(other.webrtc),
        }
    }
}

/// Viewers over HLS and WebRTC, which are no readers of the hub, by what they watch.
pub fn watching(hub: &Hub) -> BTreeMap<StreamName, Viewers> {
    let mut all: BTreeMap<StreamName, Viewers> = BTreeMap::new();
    for kind in [HLS_SESSION, WEBRTC_SESSION] {
        for client in hub.registry().list(kind) {
            let details = client.details();
            if details.role == Role::Read {
                all.entry(StreamName::new(details.application, details.name)).or_default().add(kind);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Limits, Registry};

    #[test]
    fn steps_are_differences_of_looks() {
        let look = |at_ms, bytes, frames| Look { at_ms, bytes, frames, ..Look::default() };
        let one = step(&look(1000, 100, 10), &look(6000, 625_100, 135)).unwrap();
        assert_eq!((one.at_ms, one.bitrate, one.fps), (6000, 1_000_000, 25.0));
        assert_eq!(step(&look(1000, 100, 10), &look(6000, 50, 20)), None, "it began anew");
        assert_eq!(step(&look(1000, 100, 10), &look(1000, 200, 20)), None);
    }

    #[tokio::test]
    async fn a_quarter_of_an_hour_is_remembered() {
        let hub = Hub::new(Registry::default(), Limits::default());
        let begun = Now::read();
        let client = hub.registry().enter(RTMP, "127.0.0.1:1".parse().unwrap(), begun.mono, 0);
        let publisher = hub.publish(&StreamName::new("live", "cam_720p"), &client, begun).unwrap();
        let statistics = Statistics::default();
        for n in 0..200 {
            statistics.look(&hub, begun.after(STEP * n));
        }
        let of = statistics.of("cam", 0);
        assert_eq!((of.len(), of[0].label.as_str(), of[0].steps.len()), (1, "720p", LOOKS - 1));
        let minute = begun.after(STEP * 199).wall_ms - 60_000;
        assert_eq!(statistics.of("cam", minute)[0].steps.len(), 12);
        drop(publisher);
        hub.tick(begun);
        statistics.look(&hub, begun.after(STEP * 200 + SPAN));
        assert!(statistics.of("cam", 0).is_empty());
    }
}
