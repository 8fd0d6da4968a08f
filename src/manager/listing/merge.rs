//! Joins what nginx-rtmp lists, what MediaMTX lists and what our own records say into one listing. Pure, and the order
//! in which anything is listed changes nothing.
//!
//! nginx-rtmp is the list of what is live; MediaMTX knows only what is being read, and what was published straight to
//! it. A record of ours gives a name on the server its true key and label, before the name is split by its looks.

use super::listed_urls::{escaped, hls_url, page_url, rendition_hls_url, rtmp_url, rtsp_url, whep_url};
use super::stream_facts::{self, At, Fact, Movement};
use super::view::View;
use crate::base::printable::printable;
use crate::manager::records::ours::Ours;
use crate::manager::records::owners::{Owners, REBOOT, fresh, own_end, running, same_server};
use crate::model::listing::{Local, RenditionInfo, Stream};
use crate::model::rendition_name::split;
use crate::model::{RtmpUrl, State};
use crate::process::run_record::OutputRecord;
use crate::status::nginx_stat::Snapshot;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The joined streams, and what a person should know beside them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merged {
    /// The streams: the default application first, then by application and key.
    pub streams: Vec<Stream>,
    /// Oddities.
    pub notes: Vec<String>,
}

/// Joins the views.
pub fn merge(view: &View<'_>) -> Merged {
    let owners = Owners::new(view.ours, view.rtmp);
    let (live, waiting) = stream_facts::gather(view.nginx, view.mediamtx, view.rtmp.application());
    let mut drafts: BTreeMap<MergeKey, Draft<'_>> = BTreeMap::new();
    let mut notes = BTreeSet::new();
    for (at, fact) in &live {
        let (place, label, owner) = owners.place(view, at);
        drafts.entry(place).or_default().add(view, at, fact, label, owner);
        if fact.on_both() {
            notes.insert(printable(&format!(
                "{} is published to nginx-rtmp and, by somebody else, to MediaMTX as well",
                at.name
            )));
        }
    }
    for (own, endpoint) in &owners.sorted {
        owners.attach(view, own, endpoint.as_ref(), &mut drafts);
    }
    if view.all {
        for (at, readers) in &waiting {
            let (place, label, _) = owners.place(view, at);
            // A rendition that is missing from a stream on the air belongs to that stream's own account.
            let draft = drafts.entry(place).or_default();
            if draft.own.is_none() && draft.renditions.values().all(|(r, _)| r.state == State::Pending) {
                draft.wait(view, at, label, *readers);
            }
        }
    }
    let streams = drafts.into_iter().map(|(place, draft)| draft.finish(view, place)).collect();
    Merged { streams, notes: notes.into_iter().collect() }
}

/// The names on nginx-rtmp whose life only their bytes can prove: being published, and not by a stream of ours that
/// reports by itself.
pub fn unproven(nginx: &Snapshot, rtmp: &RtmpUrl, ours: &[Ours], now_ms: i64) -> Vec<(String, String)> {
    let owners = Owners::new(ours, rtmp);
    let mut names = Vec::new();
    for application in &nginx.applications {
        for stream in application.streams.iter().filter(|s| s.publishing) {
            if !owners.of_name(&application.name, &stream.name).is_some_and(|o| fresh(o, now_ms)) {
                names.push((application.name.clone(), stream.name.clone()));
            }
        }
    }
    names
}

/// Where a stream stands; its order is the order of the listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct MergeKey {
    /// Empty for the server that was asked, `host:port` for another one that a stream of ours is published to.
    server: String,
    /// False sorts first: the application of the settings.
    other: bool,
    application: String,
    key: String,
}

impl MergeKey {
    fn new(view: &View<'_>, server: String, application: &str, key: &str) -> MergeKey {
        MergeKey {
            other: application != view.rtmp.application(),
            server,
            application: application.to_string(),
            key: key.to_string(),
        }
    }
}

impl<'a> Owners<'a> {
    /// Which stream a name belongs to, under which label, and whose it is.
    fn place<'n>(
        &self,
        view: &View<'_>,
        at: &'n At,
    ) -> (MergeKey, &'n str, Option<(&'a Ours, &'a OutputRecord)>)
    where
        'a: 'n,
    {
        if let Some(own) = self.of_name(&at.application, &at.name)
            && let Some(output) = own.record.renditions.iter().find(|r| r.name == at.name)
        {
            let place = MergeKey::new(view, String::new(), &at.application, &own.record.key);
            return (place, &output.label, Some((own, output)));
        }
        let known = |key: &str, label: &str| self.labels.contains(&(key, label));
        let (key, label) = split(&at.name, &known);
        (MergeKey::new(view, String::new(), &at.application, key), label.unwrap_or("original"), None)
    }

    /// Adds what a record knows to the stream it belongs to, or makes that stream if it is to be shown at all.
    fn attach(
        &self,
        view: &View<'_>,
        own: &'a Ours,
        endpoint: Option<&RtmpUrl>,
        drafts: &mut BTreeMap<MergeKey, Draft<'a>>,
    ) {
        let elsewhere = endpoint.filter(|e| !same_server(e, view.rtmp));
        let server = elsewhere.map(|e| format!("{}:{}", e.host(), e.port())).unwrap_or_default();
        let application = endpoint.unwrap_or(view.rtmp).application();
        let place = MergeKey::new(view, server, application, &own.record.key);
        let on_air = fresh(own, view.now_ms) && own.record.state.on_air();
        let unasked = elsewhere.is_some() || view.nginx.is_none();
        let wanted = match drafts.get(&place) {
            // A dead record says nothing about a stream that somebody else publishes under its key.
            Some(draft) => running(own) && draft.own.is_none_or(|known| std::ptr::eq(known, own)),
            None => view.all || (running(own) && on_air && unasked),
        };
        if !wanted {
            return;
        }
        let draft = drafts.entry(place).or_default();
        draft.own = Some(own);
        draft.add_missing(view, own, endpoint, |output| {
            let other = elsewhere.is_none().then(|| self.of_name(application, &output.name)).flatten();
            match other {
                _ if !running(own) => Some(own_end(own)),
                // Another stream of ours has the name.
                Some(other) if !std::ptr::eq(other, own) => None,
                // The server answered and does not list it, whatever the record says.
                _ if !unasked && output.state.on_air() => Some(State::Stalled),
                _ => Some(output.state),
            }
        });
    }
}

/// A stream while it is put together. Renditions by label, name and whether only MediaMTX has it, since a foreign name may
/// look like one of ours; with each the pixels by which they are sorted.
#[derive(Default)]
struct Draft<'a> {
    own: Option<&'a Ours>,
    renditions: BTreeMap<(String, String, bool), (RenditionInfo, u64)>,
    uptime_s: Option<u64>,
    publishers: BTreeSet<String>,
    listed: bool,
}

impl<'a> Draft<'a> {
    /// Adds a name that the servers list.
    fn add(
        &mut self,
        view: &View<'_>,
        at: &At,
        fact: &Fact<'_>,
        label: &str,
        owner: Option<(&'a Ours, &'a OutputRecord)>,
    ) {
        let movement = view.movements.get(&(at.application.clone(), at.name.clone()));
        let seen = fact.state(movement.copied().unwrap_or(Movement::Unknown));
        let told = owner.filter(|(own, _)| fresh(own, view.now_ms)).map(|(_, output)| output);
        let state = told.map_or(seen, |output| output.state);
        let video = fact.video();
        let area = match (&video, owner) {
            (Some(video), _) if video.width > 0 => {
                u64::from(video.width).saturating_mul(u64::from(video.height))
            }
            (_, Some((_, output))) => area_of(output),
            (_, None) => area_by_label(label),
        };
        let rendition = RenditionInfo {
            label: printable(label),
            name: printable(&at.path()),
            state,
            video,
            audio: fact.audio(),
            bitrate_bps: told.and_then(|o| o.bitrate_bps).or_else(|| fact.bitrate_bps(state, view.now_ms)),
            viewers: fact.viewers(),
            rtmp_url: if at.direct && view.nginx.is_some() { String::new() } else { rtmp_url(view, at) },
            rtsp_url: rtsp_url(view, at),
            page_url: page_url(view, &at.application, &at.name),
            hls_url: rendition_hls_url(view, at),
            whep_url: whep_url(view, &at.application, &at.name),
        };
        self.renditions.insert((label.to_string(), at.name.clone(), at.direct), (rendition, area));
        self.uptime_s = self.uptime_s.max(fact.uptime_s(view.now_ms));
        self.publishers.extend(fact.publishers());
        self.listed = true;
        if let Some((own, _)) = owner {
            self.own = Some(own);
        }
    }

    /// Adds the recorded outputs that no server lists.
    fn add_missing(
        &mut self,
        view: &View<'_>,
        own: &Ours,
        endpoint: Option<&RtmpUrl>,
        state: impl Fn(&OutputRecord) -> Option<State>,
    ) {
        let base = endpoint.unwrap_or(view.rtmp);
        let rtsp = if same_server(base, view.rtmp) { view.rtsp.clone() } else { base.rtsp_beside(8554) };
        for output in &own.record.renditions {
            let key = |direct| (output.label.clone(), output.name.clone(), direct);
            if self.renditions.contains_key(&key(true)) {
                continue;
            }
            let Some(state) = state(output) else { continue };
            self.renditions.entry(key(false)).or_insert_with(|| {
                let rendition = RenditionInfo {
                    label: printable(&output.label),
                    name: printable(&output.name),
                    state,
                    video: None,
                    audio: None,
                    bitrate_bps: output.bitrate_bps.filter(|_| running(own)),
                    viewers: output.viewers.filter(|_| running(own)).unwrap_or(0),
                    rtmp_url: base.shown_name_url(&escaped(&output.name)),
                    rtsp_url: rtsp.shown_name_url(&escaped(&output.name)),
                    page_url: None,
                    hls_url: None,
                    whep_url: None,
                };
                (rendition, area_of(output))
            });
        }
    }

    /// Adds a name that only waits for a publisher.
    fn wait(&mut self, view: &View<'_>, at: &At, label: &str, readers: u64) {
        let rendition = RenditionInfo {
            label: printable(label),
            name: printable(&at.path()),
            state: State::Pending,
            video: None,
            audio: None,
            bitrate_bps: None,
            viewers: readers,
            rtmp_url: rtmp_url(view, at),
            rtsp_url: rtsp_url(view, at),
            page_url: page_url(view, &at.application, &at.name),
            hls_url: rendition_hls_url(view, at),
            whep_url: whep_url(view, &at.application, &at.name),
        };
        let key = (label.to_string(), at.name.clone(), at.direct);
        self.renditions.insert(key, (rendition, area_by_label(label)));
    }

    fn finish(self, view: &View<'_>, place: MergeKey) -> Stream {
        let mut renditions: Vec<(RenditionInfo, u64)> = self.renditions.into_values().collect();
        renditions.sort_by(|(a, area_a), (b, area_b)| {
            let rank = |r: &RenditionInfo, area: u64| {
                let promised = Reverse(area_by_label(&r.label));
                (r.label == "audio", Reverse(area), r.label != "original", promised)
            };
            rank(a, *area_a)
                .cmp(&rank(b, *area_b))
                .then_with(|| (&a.label, &a.name).cmp(&(&b.label, &b.name)))
        });
        let renditions: Vec<RenditionInfo> = renditions.into_iter().map(|(r, _)| r).collect();
        let (mut state, mut reason) = (together(&renditions), None);
        let mut uptime_s = self.uptime_s;
        if let Some(own) = self.own {
            let record = &own.record;
            reason = record.reason.clone();
            if !running(own) {
                state = own_end(own);
                reason = own
                    .rebooted
                    .then(|| REBOOT.to_string())
                    .or(reason)
                    .or_else(|| record.last_error.clone())
                    .or_else(|| (state == State::Failed).then(|| "its supervisor is gone".to_string()));
            } else if !fresh(own, view.now_ms) {
                reason = Some("its supervisor does not report".to_string());
            } else if self.listed
                || !record.state.on_air()
                || view.nginx.is_none()
                || !place.server.is_empty()
            {
                state = record.state;
            } else {
                state = State::Stalled;
                reason = reason.or_else(|| Some("the server does not list it".to_string()));
            }
            if running(own) && state.on_air() {
                let since = |ms: i64| u64::try_from(view.now_ms.saturating_sub(ms)).unwrap_or(0) / 1000;
                uptime_s = record.live_since_ms.map(since).or(uptime_s);
            }
        }
        let from = match (self.own, place.server.as_str()) {
            (Some(own), "") if running(own) => Some("here".to_string()),
            (Some(own), server) if running(own) => Some(format!("here, to {server}")),
            (Some(_), _) => None,
            (None, _) if self.publishers.is_empty() => None,
            (None, _) => Some(self.publishers.into_iter().take(3).collect::<Vec<_>>().join(", ")),
        };
        let sum = |numbers: Vec<u64>| numbers.into_iter().fold(0u64, u64::saturating_add);
        let rates: Vec<u64> = renditions.iter().filter_map(|r| r.bitrate_bps).collect();
        let on_air =
            place.server.is_empty() && view.web.is_some() && renditions.iter().any(|r| r.hls_url.is_some());
        Stream {
            page_url: page_url(view, &place.application, &place.key).filter(|_| on_air),
            hls_url: hls_url(view, &place.application, &place.key).filter(|_| on_air),
            whep_url: whep_url(view, &place.application, &place.key).filter(|_| on_air),
            key: printable(&place.key),
            application: printable(&place.application),
            state,
            uptime_s,
            viewers: sum(renditions.iter().map(|r| r.viewers).collect()),
            bitrate_bps: (!rates.is_empty()).then(|| sum(rates)),
            from: from.map(|f| printable(&f)),
            local: self.own.map(|own| local(own, reason)),
            renditions,
        }
    }
}

fn local(own: &Ours, reason: Option<String>) -> Local {
    Local {
        pid: own.pid,
        supervisor_pid: own.record.supervisor.filter(|_| own.alive).map(|s| s.pid),
        home: printable(&own.record.home.to_string_lossy()),
        restarts: own.record.restarts,
        log: printable(&own.log.to_string_lossy()),
        reason: reason.map(|r| printable(&r)),
    }
}

/// One word for all renditions.
fn together(renditions: &[RenditionInfo]) -> State {
    let any = |state: State| renditions.iter().any(|r| r.state == state);
    let all = |state: State| renditions.iter().all(|r| r.state == state);
    if all(State::Live) {
        State::Live
    } else if renditions.iter().any(|r| r.state.on_air()) {
        State::Weak
    } else if any(State::Starting) {
        State::Starting
    } else if all(State::Pending) {
        State::Pending
    } else {
        State::Stalled
    }
}

fn area_of(output: &OutputRecord) -> u64 {
    match u64::from(output.size.0).saturating_mul(u64::from(output.size.1)) {
        0 => area_by_label(&output.label),
        area => area,
    }
}

/// What `720p` promises, for names whose picture nobody knows yet.
fn area_by_label(label: &str) -> u64 {
    let height: u64 = label.strip_suffix('p').and_then(|n| n.parse().ok()).unwrap_or(0);
    height.saturating_mul(height).saturating_mul(16) / 9
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
