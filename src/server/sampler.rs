//! Takes a [`View`]: reads the hub, the registry and the process, once for each request.

use super::events::EventCounts;
use super::rates::{Bytes, Rates};
use super::view::{About, Client, Counts, Hls, Load, Stream, Traffic, View};
use crate::base::clock::Now;
use crate::hub::{self, Hub, Registry};
use crate::model::StreamName;
use crate::process::load;
use crate::protocol::{HLS_SESSION, WEBRTC_SESSION, hls, webrtc};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;
use uuid::Uuid;

/// What views are taken from.
pub struct Sampler {
    hub: Hub,
    about: About,
    begun: Instant,
    events: EventCounts,
    /// Of each stream, and of the whole server.
    rates: Mutex<Rates<Option<StreamName>>>,
    /// Once it is served.
    hls: OnceLock<Arc<hls::server::Shared>>,
    webrtc: OnceLock<Arc<webrtc::server::Shared>>,
}

impl Sampler {
    /// Looks at `hub`, for a server that began at `now`.
    pub fn new(hub: Hub, about: About, now: Now) -> Sampler {
        Sampler {
            hub,
            about,
            begun: now.mono,
            events: EventCounts::default(),
            rates: Mutex::default(),
            hls: OnceLock::new(),
            webrtc: OnceLock::new(),
        }
    }

    /// Shows what this serves as well.
    pub fn watch_hls(&self, hls: Arc<hls::server::Shared>) {
        // It is said once, before anything is asked.
        let _ = self.hls.set(hls);
    }

    /// Shows what this carries as well.
    pub fn watch_webrtc(&self, webrtc: Arc<webrtc::server::Shared>) {
        // It is said once, before anything is asked.
        let _ = self.webrtc.set(webrtc);
    }

    fn hls(&self) -> Hls {
        let Some(hls) = self.hls.get() else { return Hls::default() };
        let ladders = hls.airings().lock().len();
        Hls {
            requests: hls.counts().requests(),
            bytes: hls.counts().bytes(),
            ladders: ladders as u64,
            window_bytes: hls.airings().bytes() as u64,
            apart: hls.apart().into_iter().map(|name| (name.application, name.name)).collect(),
        }
    }

    /// The streams.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The applications, the first one being that of names without one.
    pub fn applications(&self) -> &[String] {
        &self.about.applications
    }

    /// What has happened.
    pub fn events(&self) -> &EventCounts {
        &self.events
    }

    /// Who is connected.
    pub fn registry(&self) -> &Registry {
        self.hub.registry()
    }

    /// Notes the counters for the rates, and forgets ladders that are over; to be called every second.
    pub fn tick(&self, now: Now) {
        self.hub.tick(now);
        if let Some(hls) = self.hls.get() {
            hls.viewers().forget(now.mono);
        }
        let (bytes_in, bytes_out) = self.registry().traffic();
        let streams = self.hub.snapshot();
        let each = streams.iter().map(|s| (Some(s.name.clone()), counters(s)));
        let all = std::iter::once((None, [bytes_in, bytes_out, 0, 0]));
        self.rates.lock().unwrap_or_else(PoisonError::into_inner).note(now.mono, each.chain(all));
    }

    /// The server at this moment.
    pub fn view(&self, now: Now) -> View {
        let registry = self.registry();
        let (bytes_in, bytes_out) = registry.traffic();
        let rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let [bw_in, bw_out, ..] = rates.of(&None);
        let snapshot = self.hub.snapshot();
        let mut clients = clients(registry, &self.about, now);
        for seen in &snapshot {
            // A publisher is as far as its stream.
            let time = seen.totals.video_time.max(seen.totals.audio_time).millis();
            if let Some(publisher) = seen.publisher.as_ref().and_then(|p| clients.get_mut(&p.id)) {
                publisher.counts.timestamp_ms = u64::try_from(time).unwrap_or(0);
            }
        }
        let mut streams: Vec<Stream> = snapshot.iter().map(|s| stream(s, &self.about, &rates, now)).collect();
        add_viewers(&mut streams, &clients);
        View {
            about: self.about.clone(),
            uptime: now.mono.saturating_duration_since(self.begun),
            accepted: registry.accepted(),
            traffic: Traffic { bytes_in, bytes_out, bw_in, bw_out },
            streams,
            clients,
            limits: registry.broken_limits(),
            events: self.events.read(),
            hls: self.hls(),
            webrtc: self.webrtc.get().map(|webrtc| webrtc.totals()),
            load: Load::default(),
        }
    }

    /// As [`Sampler::view`], with what the process costs, which takes longer to find out.
    pub fn whole_view(&self, now: Now) -> View {
        let own = load::own();
        let load = Load {
            cpu_s: own.cpu.as_secs_f64(),
            resident_bytes: own.resident_bytes,
            open_files: own.open_files,
        };
        View { load, ..self.view(now) }
    }
}

/// Viewers over HLS read the rendition whose playlist they asked for last, those over WebRTC the one that they are sent.
fn add_viewers(streams: &mut [Stream], clients: &BTreeMap<Uuid, Client>) {
    let views = |client: &&Client| {
        client.kind == HLS_SESSION || (client.kind == WEBRTC_SESSION && client.role == hub::Role::Read)
    };
    for viewer in clients.values().filter(views) {
        let read = |stream: &&mut Stream| {
            (stream.application.as_str(), stream.name.as_str()) == (&viewer.application, &viewer.name)
        };
        if let Some(stream) = streams.iter_mut().find(read) {
            stream.readers.push(viewer.id);
        }
    }
}

fn counters(stream: &hub::View) -> Bytes {
    [stream.bytes_in, stream.bytes_out, stream.totals.audio_bytes, stream.totals.video_bytes]
}

fn stream(seen: &hub::View, about: &About, rates: &Rates<Option<StreamName>>, now: Now) -> Stream {
    let [bw_in, bw_out, bw_audio, bw_video] = rates.of(&Some(seen.name.clone()));
    let (size, frame_rate) =
        seen.headers.metadata.as_ref().map_or((None, None), |said| (said.size, said.frame_rate));
    let mut tracks = seen.headers.tracks.clone();
    if let Some(video) = tracks.video_mut().filter(|v| v.width == 0 || v.height == 0) {
        (video.width, video.height) = size.unwrap_or((video.width, video.height));
    }
    let both = tracks.video().is_some() && tracks.audio().is_some();
    let ahead = seen.totals.audio_time.millis().saturating_sub(seen.totals.video_time.millis());
    Stream {
        name: seen.name.name.clone(),
        application: seen.name.application.clone(),
        path: about.path(&seen.name.application, &seen.name.name),
        age: now.mono.saturating_duration_since(seen.created),
        created_ms: seen.created_ms,
        ready_ms: seen.ready_ms,
        frame_rate: frame_rate.or(tracks.video().and_then(|v| v.frame_rate)),
        tracks,
        publisher: seen.publisher.as_ref().map(|c| c.id),
        readers: seen.readers.iter().map(|c| c.id).collect(),
        silent: seen.last_frame.map(|at| now.mono.saturating_duration_since(at)),
        traffic: Traffic { bytes_in: seen.bytes_in, bytes_out: seen.bytes_out, bw_in, bw_out },
        bw_audio,
        bw_video,
        payload_bytes: (seen.totals.video_bytes, seen.totals.audio_bytes),
        frames_dropped: seen.frames_dropped,
        avsync_ms: if both { ahead } else { 0 },
    }
}

fn clients(registry: &Registry, about: &About, now: Now) -> BTreeMap<Uuid, Client> {
    let mut all: BTreeMap<Uuid, Client> =
        registry.everybody().iter().map(|c| (c.id, client(c, about, now))).collect();
    // A connection hears of what its session carries only now and then.
    let carried: Vec<(Uuid, u64, u64)> = all
        .values()
        .filter(|c| !c.kind.connection && c.transport == Some("TCP"))
        .flat_map(|c| c.linked.iter().map(|id| (*id, c.counts.bytes_in, c.counts.bytes_out)))
        .collect();
    for (id, bytes_in, bytes_out) in carried {
        if let Some(connection) = all.get_mut(&id) {
            connection.counts.bytes_in = connection.counts.bytes_in.max(bytes_in);
            connection.counts.bytes_out = connection.counts.bytes_out.max(bytes_out);
        }
    }
    all
}

fn client(client: &hub::Client, about: &About, now: Now) -> Client {
    let details = client.details();
    let read = |counter: &AtomicU64| hub::client::get(counter);
    let counters = &client.counters;
    Client {
        id: client.id,
        number: client.number,
        kind: client.kind,
        remote: client.remote,
        created_ms: client.created_ms,
        age: now.mono.saturating_duration_since(client.since),
        role: details.role,
        path: about.path(&details.application, &details.name),
        name: details.name,
        application: details.application,
        query: details.query,
        user: details.user,
        agent: details.agent,
        transport: details.transport,
        linked: details.linked,
        ends: details.ends,
        counts: Counts {
            bytes_in: read(&counters.bytes_in),
            bytes_out: read(&counters.bytes_out),
            packets_in: read(&counters.packets_in),
            packets_lost: read(&counters.packets_lost),
            packets_in_error: read(&counters.packets_in_error),
            rtcp_in: read(&counters.rtcp_in),
            packets_out: read(&counters.packets_out),
            rtcp_out: read(&counters.rtcp_out),
            packets_reported_lost: read(&counters.packets_reported_lost),
            packets_discarded: read(&counters.packets_discarded),
            frames_dropped: read(&counters.frames_dropped),
            jitter: f64::from_bits(read(&counters.jitter)),
            timestamp_ms: read(&counters.timestamp_ms),
        },
    }
}
