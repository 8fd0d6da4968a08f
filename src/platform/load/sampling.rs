//! Looks at the machine and the streams, on a thread of its own: a driver or a disk may take its time.

use super::moment::{Moment, ServerLoad, StreamLoad};
use super::published::{Published, published};
use super::{Load, Places, STEP};
use crate::base::clock::Now;
use crate::hub::{Hub, Role, View};
use crate::machine::reader::{Process, Reader, Used};
use crate::model::{LadderName, StreamName};
use crate::platform::Kept;
use crate::process::identity::{Identity, boot_id};
use crate::protocol::{HLS_SESSION, WEBRTC_SESSION};
use crate::telemetry::Log;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use uuid::Uuid;

/// Most streams that are told.
const MOST: usize = 500;

/// See the module.
pub struct Sampler {
    places: Places,
    hub: Hub,
    kept: Kept,
    reader: Reader,
    boot_id: String,
    begun: Instant,
    before: Before,
}

/// Counters at the last look.
#[derive(Default)]
struct Before {
    at: Option<Instant>,
    /// Received and sent, by name and since when there is one of that name.
    names: HashMap<(StreamName, i64), (u64, u64)>,
    /// Sent to viewers that are no readers of the hub.
    viewers: HashMap<Uuid, u64>,
}

/// A stream while it is put together.
#[derive(Default)]
struct Gathered {
    load: StreamLoad,
    /// Labels with what they are sorted by.
    labels: Vec<(u32, String)>,
    process: Option<usize>,
}

impl Sampler {
    /// One that looks at `hub` and `places`.
    pub fn new(places: Places, hub: Hub, kept: Kept, log: &Log) -> Sampler {
        let (reader, no_nvidia) = Reader::new(places.folders.clone());
        if let Some(why) = no_nvidia {
            log.debug(format_args!("load: no figures of NVIDIA cards: {why}"));
        }
        let boot_id = boot_id();
        Sampler { places, hub, kept, reader, boot_id, begun: Instant::now(), before: Before::default() }
    }

    /// Looks until `shutdown` says so.
    pub async fn run(mut self, load: Load, mut shutdown: watch::Receiver<bool>) {
        let mut again = tokio::time::interval(STEP);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = again.tick() => load.take(self.look(Now::read())),
                _ = shutdown.wait_for(|down| *down) => return,
            }
        }
    }

    /// One look.
    pub fn look(&mut self, now: Now) -> Moment {
        let seconds = self
            .before
            .at
            .replace(now.mono)
            .map_or(Duration::ZERO, |at| now.mono.saturating_duration_since(at));
        let mut all = self.on_the_air(now, seconds.as_secs_f64());
        let mut processes: Vec<Process> =
            Identity::own().iter().map(|own| Process { pid: own.pid, start: own.start }).collect();
        let own = processes.len();
        for one in published(&self.places, &self.boot_id, now.wall_ms) {
            let name = LadderName { application: one.application.clone(), key: one.record.key.clone() };
            let gathered = all.entry(name).or_default();
            if let Some(child) = one.child {
                gathered.process = Some(processes.len());
                processes.push(child);
            }
            supervised(&mut gathered.load, &one, now.wall_ms);
        }
        let (machine, used) = self.reader.look(&processes, now.mono);
        let left_out = all.len().saturating_sub(MOST);
        let streams =
            all.into_iter().take(MOST).map(|(name, gathered)| self.told(name, gathered, &used)).collect();
        let own = used.first().copied().flatten().filter(|_| own > 0).unwrap_or_default();
        Moment {
            server: ServerLoad {
                version: env!("CARGO_PKG_VERSION").into(),
                uptime_s: now.mono.saturating_duration_since(self.begun).as_secs(),
                cpu_percent: own.cpu_percent,
                memory_bytes: own.memory_bytes,
            },
            machine,
            streams,
            streams_left_out: left_out,
            ..Moment::at(now.wall_ms)
        }
    }

    /// What the hub carries, by ladder.
    fn on_the_air(&mut self, now: Now, seconds: f64) -> BTreeMap<LadderName, Gathered> {
        let mut all: BTreeMap<LadderName, Gathered> = BTreeMap::new();
        let mut ladders: HashMap<StreamName, LadderName> = HashMap::new();
        let before = std::mem::take(&mut self.before.names);
        for view in self.hub.snapshot() {
            let gathered = all.entry(view.ladder.clone()).or_default();
            let counts = (view.bytes_in, view.bytes_out);
            let id = (view.name.clone(), view.created_ms);
            if let Some((bytes_in, bytes_out)) = before.get(&id) {
                let bits = |before: u64, now: u64| bits(before, now, seconds);
                gathered.load.in_bps = gathered.load.in_bps.saturating_add(bits(*bytes_in, counts.0));
                gathered.load.out_bps = gathered.load.out_bps.saturating_add(bits(*bytes_out, counts.1));
            }
            self.before.names.insert(id, counts);
            ladders.insert(view.name.clone(), view.ladder.clone());
            seen(gathered, &view, now);
        }
        let before = std::mem::take(&mut self.before.viewers);
        for viewer in
            [HLS_SESSION, WEBRTC_SESSION].into_iter().flat_map(|kind| self.hub.registry().list(kind))
        {
            let details = viewer.details();
            if details.role != Role::Read {
                continue;
            }
            let sent = viewer.counters.bytes_out.load(Ordering::Relaxed);
            self.before.viewers.insert(viewer.id, sent);
            let ladder = ladders.get(&StreamName::new(details.application, details.name));
            if let Some(gathered) = ladder.and_then(|ladder| all.get_mut(ladder)) {
                gathered.load.viewers = gathered.load.viewers.saturating_add(1);
                let earlier = before.get(&viewer.id).copied().unwrap_or(0);
                gathered.load.out_bps = gathered.load.out_bps.saturating_add(bits(earlier, sent, seconds));
            }
        }
        all
    }

    fn told(&self, name: LadderName, mut gathered: Gathered, used: &[Option<Used>]) -> StreamLoad {
        gathered.labels.sort_by(|(a, first), (b, second)| (b, first).cmp(&(a, second)));
        let mut load = gathered.load;
        let labels: Vec<String> = gathered.labels.into_iter().map(|(_, label)| label).collect();
        if !labels.is_empty() {
            load.renditions = labels;
        }
        if let Some(used) = gathered.process.and_then(|at| used.get(at).copied().flatten()) {
            load.cpu_percent = used.cpu_percent;
            load.memory_bytes = Some(used.memory_bytes);
        }
        load.title = self.kept.directory().find(&name.key).map(|stream| stream.name.clone());
        load.name = name.key;
        load.application = name.application;
        load
    }
}

/// What the hub says of one name of a stream.
fn seen(gathered: &mut Gathered, view: &View, now: Now) {
    let load = &mut gathered.load;
    load.viewers = load.viewers.saturating_add(view.readers.len());
    load.viewer_dropped_frames = load.viewer_dropped_frames.saturating_add(view.frames_dropped);
    if load.state.is_empty() {
        load.state = "waiting".into();
    }
    let Some(publisher) = &view.publisher else { return };
    load.from = Some(publisher.remote.ip().to_canonical().to_string());
    if view.ready_ms.is_some() {
        load.state = "live".into();
    }
    let up = now.mono.saturating_duration_since(view.created).as_secs();
    load.uptime_s = Some(load.uptime_s.map_or(up, |longest| longest.max(up)));
    let height = view.headers.tracks.video().map_or(0, |video| video.height);
    gathered.labels.push((height, view.label.clone()));
}

/// What a stream's supervisor says of it. Its reason has no secrets.
fn supervised(load: &mut StreamLoad, one: &Published, now_ms: i64) {
    let record = &one.record;
    load.from = Some("here".into());
    load.state = record.state.word().into();
    load.why = record.reason.clone();
    load.renditions = record.renditions.iter().map(|rendition| rendition.label.clone()).collect();
    let since = record.live_since_ms.map(|since| now_ms.saturating_sub(since).max(0));
    load.uptime_s = since.and_then(|ms| u64::try_from(ms).ok()?.checked_div(1000));
    load.encoder = one.encoder();
    load.speed = record.speed.map(|speed| (speed * 100.0).round() / 100.0);
    load.fps = record.fps.map(crate::machine::tenth);
    load.dropped_frames = Some(record.dropped_frames);
    load.duplicated_frames = Some(record.duplicated_frames);
    load.restarts = Some(record.restarts);
}

fn bits(before: u64, now: u64, seconds: f64) -> u64 {
    if seconds <= 0.0 { 0 } else { (now.saturating_sub(before) as f64 * 8.0 / seconds) as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Limits, Registry};
    use crate::protocol::RTMP;
    use crate::store::{Place, Store};

    #[tokio::test]
    async fn streams_of_the_hub_are_told_by_their_ladder() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(Store::lazy(&Place::of("", dir.path()).unwrap()).unwrap());
        let hub = Hub::new(Registry::default(), Limits::default());
        let now = Now::read();
        let client = |kind| hub.registry().enter(kind, "192.0.2.7:1".parse().unwrap(), now.mono, 0);
        let publisher = client(RTMP);
        let _publishing = hub.publish(&StreamName::new("live", "cam_720p"), &publisher, now).unwrap();
        let viewer = client(WEBRTC_SESSION);
        viewer.describe(|details| {
            (details.role, details.application, details.name) =
                (Role::Read, "live".into(), "cam_720p".into());
        });
        let places = Places {
            folders: vec![dir.path().into()],
            runtime: Some(dir.path().join("no")),
            rtmp_port: 1935,
        };
        let mut sampler = Sampler::new(places, hub.clone(), kept, &Log::silent());
        let first = sampler.look(now);
        assert_eq!(first.streams.len(), 1);
        assert_eq!((first.streams[0].out_bps, first.server.cpu_percent), (0, None));
        viewer.counters.bytes_out.fetch_add(250_000, Ordering::Relaxed);
        let second = sampler.look(now.after(STEP));
        let stream = &second.streams[0];
        assert_eq!((stream.name.as_str(), stream.from.as_deref()), ("cam", Some("192.0.2.7")));
        assert_eq!(
            (stream.renditions.join(" "), stream.viewers, stream.out_bps),
            ("720p".into(), 1, 1_000_000)
        );
        assert_eq!((stream.cpu_percent, stream.encoder.as_deref()), (None, None), "it is made elsewhere");
        assert!(second.server.memory_bytes > 0 && second.server.cpu_percent.is_some());
    }
}
