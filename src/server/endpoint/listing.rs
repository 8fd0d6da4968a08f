//! The answer of `GET /msconv/v1/server`: the whole server in one look, for `list`.

use crate::model::server_listing::{ListedAudio, ListedPublisher, ListedStream, ListedVideo, ServerListing};
use crate::model::service::Service;
use crate::server::view::{Stream, View};
use std::time::Duration;

/// Everything that the server carries.
pub fn listing(view: &View) -> ServerListing {
    ServerListing {
        version: env!("CARGO_PKG_VERSION").to_string(),
        pid: u64::from(view.about.pid),
        uptime_s: view.uptime.as_secs(),
        stat_port: view.about.ports.of(Service::Stat),
        web_port: view.about.ports.of(Service::Web),
        ports: view
            .about
            .ports
            .each()
            .filter(|(_, port)| *port != 0)
            .map(|(service, port)| (service.row().id.to_string(), port))
            .collect(),
        web_tls: view.about.web_tls,
        applications: view.about.applications.clone(),
        streams: view.streams.iter().map(|stream| listed(view, stream)).collect(),
    }
}

fn listed(view: &View, stream: &Stream) -> ListedStream {
    let publisher = stream.publisher.as_ref().and_then(|id| view.clients.get(id));
    let readers = stream.readers.iter().filter_map(|id| view.clients.get(id));
    let told = stream.published();
    ListedStream {
        application: stream.application.clone(),
        name: stream.name.clone(),
        age_ms: millis(stream.age),
        publisher: told.then(|| ListedPublisher {
            address: publisher.map(|p| p.remote.ip().to_canonical().to_string()).unwrap_or_default(),
            age_ms: publisher.map_or(0, |p| millis(p.age)),
        }),
        apart: view.hls.apart.contains(&(stream.application.clone(), stream.name.clone())),
        readers: stream.readers.len() as u64,
        dropped: readers.fold(0, |sum, reader| sum.saturating_add(reader.counts.frames_dropped)),
        bytes_in: stream.traffic.bytes_in,
        bytes_out: stream.traffic.bytes_out,
        bw_in_bps: stream.traffic.bw_in,
        silent_ms: stream.silent.map(millis),
        video: stream.tracks.video().filter(|_| told).map(|video| ListedVideo {
            codec: video.codec.name().to_string(),
            width: video.width,
            height: video.height,
            frame_rate: stream.frame_rate,
        }),
        audio: stream.tracks.audio().filter(|_| told).map(|audio| ListedAudio {
            codec: audio.codec.name().to_string(),
            sample_rate: audio.sample_rate,
            channels: u32::from(audio.channels),
        }),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
