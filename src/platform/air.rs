//! What of a registered stream is on the air, and how it is taken off.

use super::Stream;
use super::directory::OnAir;
use crate::base::clock::Now;
use crate::hub::{self, Hub, Role};
use crate::model::{LadderName, StreamName};
use crate::protocol::{HLS_SESSION, WEBRTC_SESSION};
use std::collections::BTreeMap;
use std::time::Duration;

/// Whether a stream is on the air.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AirState {
    /// Nobody has published it yet.
    #[default]
    Waiting,
    /// It can be watched.
    Live,
    /// It could be watched, and its publisher is gone.
    Ended,
}

impl AirState {
    /// Of a registered stream.
    pub fn of(stream: &Stream, air: Option<&Airing>) -> AirState {
        match (air, stream.live_ms) {
            (Some(_), _) => AirState::Live,
            (None, Some(_)) => AirState::Ended,
            (None, None) => AirState::Waiting,
        }
    }
}

/// One rendition that can be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnAirRendition {
    /// Its label; `original` for the stream itself.
    pub label: String,
    /// Its name on the server.
    pub name: String,
    /// Pixels; 0 if unknown.
    pub width: u32,
    /// Pixels; 0 if unknown.
    pub height: u32,
    /// Bits a second: as planned, else as it was so far; 0 if unknown.
    pub bitrate: u64,
}

/// One stream that can be watched, with its renditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Airing {
    /// The ladder's name, of one without rungs the stream's.
    pub key: String,
    /// Its application.
    pub application: String,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// Who watches any of it.
    pub viewers: usize,
    /// What can be watched, the best first.
    pub renditions: Vec<OnAirRendition>,
}

/// Everything that can be watched, by its name.
pub fn airing(hub: &Hub, now: Now) -> Vec<Airing> {
    gathered(hub, hub.snapshot(), now)
}

/// What can be watched of the ladder with this key. Asked for far more often than everything is.
pub fn airing_of(hub: &Hub, key: &str, now: Now) -> Option<Airing> {
    gathered(hub, hub.views_of(key), now).into_iter().next()
}

fn gathered(hub: &Hub, views: Vec<hub::View>, now: Now) -> Vec<Airing> {
    let mut found: BTreeMap<LadderName, Airing> = BTreeMap::new();
    let mut ladders: BTreeMap<StreamName, LadderName> = BTreeMap::new();
    for view in views {
        let (Some(_), Some(since_ms)) = (&view.publisher, view.ready_ms) else { continue };
        let airing = found.entry(view.ladder.clone()).or_insert_with(|| Airing {
            key: view.ladder.key.clone(),
            application: view.ladder.application.clone(),
            since_ms,
            ..Airing::default()
        });
        airing.since_ms = airing.since_ms.min(since_ms);
        airing.viewers = airing.viewers.saturating_add(view.readers.len());
        airing.renditions.push(rendition(&view, now));
        ladders.insert(view.name, view.ladder);
    }
    if found.is_empty() {
        return Vec::new();
    }
    // Viewers over HLS and WebRTC are no readers of the hub.
    let beside = [HLS_SESSION, WEBRTC_SESSION].into_iter().flat_map(|kind| hub.registry().list(kind));
    for viewer in beside {
        let details = viewer.details();
        let name = StreamName::new(details.application, details.name);
        let airing = ladders.get(&name).and_then(|ladder| found.get_mut(ladder));
        if let Some(airing) = airing.filter(|_| details.role == Role::Read) {
            airing.viewers = airing.viewers.saturating_add(1);
        }
    }
    for airing in found.values_mut() {
        for planned in
            hub.on_air(&LadderName { application: airing.application.clone(), key: airing.key.clone() })
        {
            let told = planned.planned.map_or(0, |told| told.bitrate_bps);
            let of = airing.renditions.iter_mut().find(|r| r.name == planned.name.name);
            if let Some(rendition) = of.filter(|_| told > 0) {
                rendition.bitrate = told;
            }
        }
        airing.renditions.sort_by(|a, b| (b.height, b.bitrate, &a.name).cmp(&(a.height, a.bitrate, &b.name)));
    }
    found.into_values().collect()
}

fn rendition(view: &hub::View, now: Now) -> OnAirRendition {
    let seconds = now.mono.saturating_duration_since(view.created).as_secs().max(1);
    let video = view.headers.tracks.video();
    OnAirRendition {
        label: view.label.clone(),
        name: view.name.name.clone(),
        width: video.map_or(0, |video| video.width),
        height: video.map_or(0, |video| video.height),
        bitrate: view.bytes_in.saturating_mul(8).checked_div(seconds).unwrap_or(0),
    }
}

/// Which rendition somebody gets who can take so many bits a second: the best that is not above it, else the smallest.
pub fn fitting(renditions: &[OnAirRendition], most: u64) -> Option<&OnAirRendition> {
    let within = renditions.iter().filter(|r| r.bitrate <= most).max_by_key(|r| r.bitrate);
    within.or_else(|| renditions.iter().min_by_key(|r| r.bitrate))
}

/// Makes a change felt by those who are on the air under a name: its publisher, and where it is over also its viewers.
pub fn follow(hub: &Hub, change: &OnAir, now_ms: i64) {
    let name = match change {
        OnAir::Ends(name) | OnAir::Until(name, _) => name,
    };
    for view in hub.snapshot() {
        let itself = view.name.name == *name;
        match change {
            OnAir::Ends(_) if itself => view.publisher.iter().for_each(|publisher| publisher.kick()),
            OnAir::Until(_, until) if itself => {
                let left = until.map(|at| u64::try_from(at.saturating_sub(now_ms)).unwrap_or(0));
                let left = left.map(Duration::from_millis);
                view.publisher.iter().for_each(|publisher| publisher.leave_after(left));
            }
            _ => {}
        }
    }
}

/// Ends everybody who publishes or watches anything of a ladder.
pub fn clear(hub: &Hub, key: &str) {
    for view in hub.snapshot().iter().filter(|view| is_of(view, key)) {
        view.publisher.iter().chain(&view.readers).for_each(|client| client.kick());
    }
}

/// As [`clear`], and waits a while until they have gone.
pub async fn cleared(hub: &Hub, key: &str) {
    let gone = async {
        while hub
            .snapshot()
            .iter()
            .any(|view| is_of(view, key) && (view.publisher.is_some() || !view.readers.is_empty()))
        {
            clear(hub, key);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(5), gone).await;
}

fn is_of(view: &hub::View, key: &str) -> bool {
    view.ladder.key == key || view.name.name == key
}

/// Whether anybody publishes a stream or a rendition of it.
pub fn is_live(hub: &Hub, key: &str) -> bool {
    hub.snapshot().iter().any(|view| view.publisher.is_some() && is_of(view, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(label: &str, bitrate: u64) -> OnAirRendition {
        OnAirRendition { label: label.into(), name: label.into(), width: 0, height: 0, bitrate }
    }

    #[test]
    fn the_best_that_fits_is_chosen() {
        let all = [of("1080p", 5000), of("720p", 2500), of("360p", 800)];
        let label = |most| fitting(&all, most).map(|r| r.label.as_str());
        assert_eq!(
            [9000, 5000, 4999, 800, 1].map(label),
            [Some("1080p"), Some("1080p"), Some("720p"), Some("360p"), Some("360p")]
        );
        assert_eq!(fitting(&[], 1), None);
    }
}
