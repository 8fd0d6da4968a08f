//! What the servers say about each name, before anyone asks whose it is: nginx-rtmp's streams with MediaMTX's paths
//! laid beside them. Pure, and independent of the order in which anything is listed.

use crate::model::State;
use crate::model::listing::{Audio, Video};
use crate::status::mediamtx::{Path, Track};
use crate::status::nginx_stat::{Snapshot, StreamStat};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Whether the bytes of a name were seen growing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Movement {
    /// They grew.
    Moving,
    /// They were looked at twice and did not grow.
    Still,
    /// They were looked at only once.
    Unknown,
}

/// Movements by application and name.
pub type Movements = HashMap<(String, String), Movement>;

/// A name on the servers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    /// The RTMP application, or the folder of a path that only MediaMTX has; empty if there is none.
    pub application: String,
    /// The name without it.
    pub name: String,
    /// Only MediaMTX has it: it is published there, or pulled from elsewhere.
    pub direct: bool,
}

impl At {
    fn nginx(application: &str, name: &str) -> At {
        At { application: application.to_string(), name: name.to_string(), direct: false }
    }

    /// The path under which MediaMTX has a name of its own.
    fn direct(path: &str) -> At {
        let (application, name) = path.rsplit_once('/').unwrap_or(("", path));
        At { application: application.to_string(), name: name.to_string(), direct: true }
    }
}

/// What is known of one live name.
#[derive(Default)]
pub struct Fact<'a> {
    /// nginx-rtmp's entries; more than one only where several `server` blocks have the same application.
    stats: Vec<&'a StreamStat>,
    /// MediaMTX's pulls of this name; `x` and `live/x` are two.
    pulls: Vec<&'a Path>,
    /// Paths of this name that MediaMTX has from elsewhere.
    direct: Vec<&'a Path>,
}

/// The live names, and the names that only wait for somebody to publish with the number who wait.
pub type Gathered<'a> = (BTreeMap<At, Fact<'a>>, BTreeMap<At, u64>);

/// Lays both servers' lists beside each other. `application` is the one of the publish endpoint, under which MediaMTX
/// finds names without a folder.
pub fn gather<'a>(
    nginx: Option<&'a Snapshot>,
    mediamtx: Option<&'a [Path]>,
    application: &str,
) -> Gathered<'a> {
    let mut live: BTreeMap<At, Fact<'a>> = BTreeMap::new();
    let mut waiting: BTreeMap<At, u64> = BTreeMap::new();
    let one_server = nginx.is_some_and(|page| page.built_in().is_some());
    for (app, stream) in
        nginx.iter().flat_map(|s| &s.applications).flat_map(|a| a.streams.iter().map(move |s| (a, s)))
    {
        let at = At::nginx(&app.name, &stream.name);
        if stream.publishing {
            live.entry(at).or_default().stats.push(stream);
        } else {
            let readers = waiting.entry(at).or_default();
            *readers = readers.saturating_add(stream.nclients);
        }
    }
    waiting.retain(|at, _| !live.contains_key(at));
    // A pull whose publisher has just left is ending, not a stream of MediaMTX's own.
    let left: BTreeSet<At> = waiting.keys().cloned().collect();
    let pulled: Vec<(At, &Path)> =
        mediamtx.unwrap_or_default().iter().map(|p| (origin(&p.name, application), p)).collect();
    for (at, path) in pulled {
        let known = nginx.is_some() && live.contains_key(&at);
        if !path.ready {
            if !live.contains_key(&at) {
                let readers = waiting.entry(at).or_default();
                *readers = readers.saturating_add(path.readers);
            }
        } else if known || (nginx.is_none() && path.pulled_over_rtmp()) {
            let fact = live.entry(at).or_default();
            match path.pulled_over_rtmp() {
                true => fact.pulls.push(path),
                // The same stream once more, its viewers already counted.
                false if one_server => {}
                false => fact.direct.push(path),
            }
        } else if !(path.pulled_over_rtmp() && left.contains(&at)) {
            live.entry(At::direct(&path.name)).or_default().direct.push(path);
        }
    }
    for fact in live.values_mut() {
        fact.stats.sort_by_key(|s| std::cmp::Reverse((s.bytes_in, s.time_ms, s.nclients)));
        fact.pulls.sort_by(|a, b| a.name.cmp(&b.name));
        fact.direct.sort_by(|a, b| a.name.cmp(&b.name));
    }
    (live, waiting)
}

/// The name on nginx-rtmp that a path of MediaMTX stands for: `live/x` and `x` are both `x` of `live`.
fn origin(path: &str, application: &str) -> At {
    match path.rsplit_once('/') {
        Some((folder, name)) => At::nginx(folder, name),
        None => At::nginx(application, path),
    }
}

impl<'a> Fact<'a> {
    /// Both servers have a publisher of this name.
    pub fn on_both(&self) -> bool {
        !self.stats.is_empty() && !self.direct.is_empty()
    }

    fn stat(&self) -> Option<&'a StreamStat> {
        self.stats.first().copied()
    }

    /// What the name is doing, as far as the servers' bytes tell.
    pub fn state(&self, movement: Movement) -> State {
        let Some(stat) = self.stat() else { return State::Live };
        if !self.direct.is_empty() {
            return State::Live;
        }
        let young = self.time_ms() < 20_000;
        match movement {
            Movement::Moving => State::Live,
            Movement::Still if self.time_ms() < 5_000 => State::Starting,
            Movement::Still => State::Stalled,
            // The rate is 0 for the first 10 s of a stream and stale for up to 20 s after its end.
            Movement::Unknown if stat.bw_in_bps > 0 || (young && stat.bytes_in > 0) => State::Live,
            Movement::Unknown if young => State::Starting,
            Movement::Unknown => State::Stalled,
        }
    }

    /// Milliseconds since the publisher came. The stream's own time is not reset while players wait.
    fn time_ms(&self) -> u64 {
        self.stat().map_or(0, |s| s.publisher().map_or(s.time_ms, |p| p.time_ms))
    }

    /// Seconds on the air, if known.
    pub fn uptime_s(&self, now_ms: i64) -> Option<u64> {
        if self.stat().is_some() {
            return Some(self.time_ms() / 1000);
        }
        let since = self.direct.iter().filter_map(|p| p.ready_since_ms).min()?;
        Some(u64::try_from(now_ms.saturating_sub(since)).unwrap_or(0) / 1000)
    }

    /// People watching on both servers: neither the publisher nor MediaMTX's own pulls are among them.
    pub fn viewers(&self) -> u64 {
        let clients = |s: &StreamStat| s.nclients.max(s.clients.len() as u64).saturating_sub(1);
        let at_nginx = self.stats.iter().fold(0u64, |sum, s| sum.saturating_add(clients(s)));
        let paths = self.pulls.iter().chain(&self.direct);
        let at_mediamtx = paths.fold(0u64, |sum, p| sum.saturating_add(p.readers));
        at_nginx.saturating_sub(self.pulls.len() as u64).saturating_add(at_mediamtx)
    }

    /// Bytes that the name's server took in and gave out since it made the stream; of a name that only MediaMTX has
    /// what that took in.
    pub fn bytes(&self) -> (u64, Option<u64>) {
        match self.stat() {
            Some(stat) => (stat.bytes_in, Some(stat.bytes_out)),
            None => (self.direct.iter().chain(&self.pulls).map(|p| p.bytes_in).max().unwrap_or(0), None),
        }
    }

    /// Frames that those who read from nginx-rtmp now were too slow for, if it lists them.
    pub fn dropped(&self) -> Option<u64> {
        let clients = self.stat()?.clients.iter().filter(|c| !c.publishing);
        Some(clients.fold(0u64, |sum, c| sum.saturating_add(c.dropped)))
    }

    /// Bits per second into the server. Before its own rate exists, the average since the start.
    pub fn bitrate_bps(&self, state: State, now_ms: i64) -> Option<u64> {
        if state == State::Stalled {
            return Some(0);
        }
        if let Some(stat) = self.stat() {
            return if stat.bw_in_bps > 0 {
                Some(stat.bw_in_bps)
            } else {
                average(stat.bytes_in, stat.time_ms)
            };
        }
        let path = self.direct.first().or(self.pulls.first())?;
        let since = path.ready_since_ms?;
        average(path.bytes_in, u64::try_from(now_ms.saturating_sub(since)).ok()?)
    }

    /// Who publishes.
    pub fn publishers(&self) -> impl Iterator<Item = String> {
        let addresses = self.stats.iter().filter_map(|s| s.publisher()).map(|p| p.address.clone());
        let words = self.direct.iter().map(|p| match p.source.as_deref() {
            Some("rtspSession" | "rtspsSession") => "RTSP, to MediaMTX",
            Some("rtmpConn" | "rtmpsConn") => "RTMP, to MediaMTX",
            Some("webRTCSession") => "WebRTC, to MediaMTX",
            Some("srtConn") => "SRT, to MediaMTX",
            _ => "MediaMTX",
        });
        addresses.filter(|a| !a.is_empty()).chain(words.map(str::to_string))
    }

    /// The video, by the server that knows more.
    pub fn video(&self) -> Option<Video> {
        let told = self.stats.iter().find_map(|s| s.video.as_ref());
        let track = self.tracks().find(|t| t.size.is_some() || is_video(&t.codec));
        match (told, track) {
            (Some(meta), _) => Some(Video {
                codec: meta.codec.as_deref().map(codec_word).unwrap_or_default(),
                width: meta.width,
                height: meta.height,
                fps: (meta.frame_rate > 0).then(|| f64::from(meta.frame_rate)),
            }),
            (None, Some(track)) => {
                let (width, height) = track.size.unwrap_or((0, 0));
                Some(Video { codec: codec_word(&track.codec), width, height, fps: None })
            }
            (None, None) => None,
        }
    }

    /// The audio, by the server that knows more.
    pub fn audio(&self) -> Option<Audio> {
        let told = self.stats.iter().find_map(|s| s.audio.as_ref());
        let track = self.tracks().find(|t| t.size.is_none() && !is_video(&t.codec) && !t.codec.is_empty());
        match (told, track) {
            (Some(meta), _) => Some(Audio {
                codec: meta.codec.as_deref().map(codec_word).unwrap_or_default(),
                sample_rate_hz: (meta.sample_rate > 0).then_some(meta.sample_rate),
                channels: (meta.channels > 0).then_some(meta.channels),
            }),
            (None, Some(track)) => Some(Audio {
                codec: codec_word(&track.codec),
                sample_rate_hz: track.sample_rate,
                channels: track.channels,
            }),
            (None, None) => None,
        }
    }

    fn tracks(&self) -> impl Iterator<Item = &'a Track> {
        self.direct.iter().chain(&self.pulls).flat_map(|p| &p.tracks)
    }
}

fn average(bytes: u64, time_ms: u64) -> Option<u64> {
    (time_ms >= 1_000).then(|| bytes.saturating_mul(8_000).checked_div(time_ms)).flatten()
}

fn is_video(codec: &str) -> bool {
    let codec = codec.to_ascii_uppercase();
    ["H264", "H265", "AV1", "VP8", "VP9", "MPEG-4 VIDEO", "MPEG-1/2 VIDEO", "M-JPEG"]
        .contains(&codec.as_str())
}

/// One word for a codec, whatever the server calls it.
fn codec_word(name: &str) -> String {
    match name {
        "MPEG-4 Audio" | "MPEG-4 Audio LATM" => "aac".into(),
        "MPEG-1/2 Audio" | "MPEG-1/2 audio" => "mp3".into(),
        other => crate::base::printable::bounded(&other.to_ascii_lowercase(), 40),
    }
}
