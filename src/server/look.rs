//! Takes a [`View`]: reads the hub, the registry and the process, once for each request.

use super::rates::{Bytes, Rates};
use super::view::{About, Client, Counts, Load, Stream, Traffic, View};
use crate::base::clock::Now;
use crate::hub::{self, Hub, Registry};
use crate::process::load;
use crate::protocol::rtmp::wire::amf0;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use uuid::Uuid;

/// The name of the whole server among the rates; no stream can have it.
const ALL: &str = "/";

/// What views are taken from.
pub struct Looker {
    hub: Hub,
    about: About,
    begun: Instant,
    rates: Mutex<Rates>,
}

impl Looker {
    /// Looks at `hub`, for a server that began at `now`.
    pub fn new(hub: Hub, about: About, now: Now) -> Looker {
        Looker { hub, about, begun: now.mono, rates: Mutex::default() }
    }

    /// Who is connected.
    pub fn registry(&self) -> &Registry {
        self.hub.registry()
    }

    /// Notes the counters for the rates; to be called every second.
    pub fn tick(&self, now: Instant) {
        let (bytes_in, bytes_out) = self.registry().traffic();
        let streams = self.hub.snapshot();
        let each = streams.iter().map(|s| (s.name.clone(), counters(s)));
        let all = std::iter::once((ALL.to_string(), [bytes_in, bytes_out, 0, 0]));
        self.rates.lock().unwrap_or_else(PoisonError::into_inner).note(now, each.chain(all));
    }

    /// The server at this moment.
    pub fn view(&self, now: Now) -> View {
        let registry = self.registry();
        let (bytes_in, bytes_out) = registry.traffic();
        let rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let [bw_in, bw_out, ..] = rates.of(ALL);
        let snapshot = self.hub.snapshot();
        let mut clients = clients(registry, now);
        for seen in &snapshot {
            // A publisher is as far as its stream.
            let time = seen.totals.video_time.max(seen.totals.audio_time).millis();
            if let Some(publisher) = seen.publisher.as_ref().and_then(|p| clients.get_mut(&p.id)) {
                publisher.counts.timestamp_ms = u64::try_from(time).unwrap_or(0);
            }
        }
        View {
            about: self.about.clone(),
            uptime: now.mono.saturating_duration_since(self.begun),
            accepted: registry.accepted(),
            traffic: Traffic { bytes_in, bytes_out, bw_in, bw_out },
            streams: snapshot.iter().map(|s| stream(s, &rates, now)).collect(),
            clients,
            limits: registry.broken_limits(),
            load: Load::default(),
        }
    }

    /// As [`Looker::view`], with what the process costs, which takes longer to find out.
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

fn counters(stream: &hub::View) -> Bytes {
    [stream.bytes_in, stream.bytes_out, stream.totals.audio_bytes, stream.totals.video_bytes]
}

fn stream(seen: &hub::View, rates: &Rates, now: Now) -> Stream {
    let [bw_in, bw_out, bw_audio, bw_video] = rates.of(&seen.name);
    let told = seen.headers.metadata.as_deref().map(told).unwrap_or_default();
    let mut tracks = seen.headers.tracks.clone();
    if let Some(video) = tracks.video.as_mut().filter(|v| v.width == 0 || v.height == 0) {
        (video.width, video.height) = told.size.unwrap_or((video.width, video.height));
    }
    let both = tracks.video.is_some() && tracks.audio.is_some();
    let ahead = seen.totals.audio_time.millis().saturating_sub(seen.totals.video_time.millis());
    Stream {
        name: seen.name.clone(),
        application: seen.publisher.as_ref().map(|c| c.details().application).unwrap_or_default(),
        age: now.mono.saturating_duration_since(seen.created),
        created_ms: seen.created_ms,
        ready_ms: seen.ready_ms,
        frame_rate: told.frame_rate.or(tracks.video.as_ref().and_then(|v| v.frame_rate)),
        tracks,
        publisher: seen.publisher.as_ref().map(|c| c.id),
        readers: seen.readers.iter().map(|c| c.id).collect(),
        traffic: Traffic { bytes_in: seen.bytes_in, bytes_out: seen.bytes_out, bw_in, bw_out },
        bw_audio,
        bw_video,
        payload_bytes: (seen.totals.video_bytes, seen.totals.audio_bytes),
        frames_dropped: seen.frames_dropped,
        avsync_ms: if both { ahead } else { 0 },
    }
}

fn clients(registry: &Registry, now: Now) -> BTreeMap<Uuid, Client> {
    let mut all: BTreeMap<Uuid, Client> =
        registry.everybody().iter().map(|c| (c.id, client(c, now))).collect();
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

/// What a publisher says of its pictures, for codecs whose configuration does not.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Told {
    size: Option<(u32, u32)>,
    frame_rate: Option<f64>,
}

/// Reads the body of RTMP's `onMetaData`.
fn told(metadata: &[u8]) -> Told {
    let values = amf0::decode(metadata).unwrap_or_default();
    let number = |names: &[&str], most: f64| {
        let said = values.iter().find_map(|v| names.iter().find_map(|name| v.get(name)?.as_number()));
        said.filter(|n| n.is_finite() && *n > 0.0 && *n <= most)
    };
    let pixels = |name: &str| number(&[name], 65_535.0).map(|n| n as u32);
    Told {
        size: pixels("width").zip(pixels("height")),
        frame_rate: number(&["framerate", "videoframerate", "fps"], 1000.0),
    }
}

fn client(client: &hub::Client, now: Now) -> Client {
    let details = client.details();
    let read = |counter: &AtomicU64| hub::registry::get(counter);
    let counters = &client.counters;
    Client {
        id: client.id,
        number: client.number,
        kind: client.kind,
        remote: client.remote,
        created_ms: client.created_ms,
        age: now.mono.saturating_duration_since(client.since),
        role: details.role,
        name: details.name,
        application: details.application,
        query: details.query,
        user: details.user,
        agent: details.agent,
        transport: details.transport,
        linked: details.linked,
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

#[cfg(test)]
mod tests {
    use super::*;
    use amf0::Value;
    use proptest::prelude::*;

    #[test]
    fn metadata_is_read_as_far_as_it_makes_sense() {
        let body = |properties: [(&str, Value); 3]| {
            amf0::encode(&[Value::text("onMetaData"), Value::object(properties)])
        };
        let number = Value::Number;
        let good = body([("width", number(1280.0)), ("height", number(720.0)), ("framerate", number(29.97))]);
        assert_eq!(told(&good), Told { size: Some((1280, 720)), frame_rate: Some(29.97) });
        let bad =
            body([("width", number(-1.0)), ("height", number(f64::NAN)), ("framerate", Value::text("25"))]);
        assert_eq!(told(&bad), Told::default());
        assert_eq!(told(b""), Told::default());
    }

    proptest! {
        #[test]
        fn any_bytes_say_something_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let said = told(&bytes);
            prop_assert!(said.frame_rate.is_none_or(|fps| fps > 0.0 && fps <= 1000.0));
        }
    }
}
