//! Serves ladders as HLS: who may watch, which ladder is meant, and what of it is there or worth waiting for. The web port
//! carries it.

mod airing;
#[cfg(test)]
mod airing_tests;
pub mod disk;
mod page;
mod reading;
mod reply;
pub mod route;
pub mod stats;
pub mod viewers;

use super::ladder::{Ladder, Settings};
use super::listing::Position;
use super::multivariant::{add_renditions, multivariant_playlist};
use crate::auth::{Action, Authorizer, Demand, Grant, Ledger, Protocol};
use crate::base::clock::Now;
use crate::hub::Hub;
use crate::hub::event::{Event, Heard};
use crate::model::{LadderName, StreamName};
use crate::protocol::hls::window::Stored;
use crate::protocol::web_access::reply::{refusal, wrong_method};
use crate::protocol::web_access::{Gate, Question, login};
use crate::telemetry::Log;
use airing::{Airing, look_after};
use axum::body::{Body, HttpBody};
use axum::http::header::{ACCEPT_ENCODING, USER_AGENT};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use bytes::Bytes;
use reading::Reading;
use reply::{Keep, METHODS, Replies};
use route::{Directives, File, Item, Media, Route};
use stats::{Airings, Asked, Budget, Counts};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use viewers::{Asker, Viewers};

/// How long a blocking request is held, in target durations: hls.js 1.7.4 gives up after 0.8 of them, and then polls
/// without directives, so an answer of what is there comes before that.
const HELD: f64 = 0.65;
/// How long the first viewer of a ladder waits for something to play.
const FIRST: Duration = Duration::from_secs(5);
/// Ladders that are served at once.
const MOST_LADDERS: usize = 512;

const MP4: &str = "video/mp4";

/// What the requests of a server share.
pub struct Shared {
    hub: Hub,
    applications: Arc<[String]>,
    gate: Gate,
    log: Log,
    airings: Airings,
    counts: Counts,
    viewers: Viewers,
    settings: Settings,
    reading: Reading,
    shutdown: watch::Receiver<bool>,
}

impl Shared {
    /// A server that begins now and serves until `shutdown` says so. `applications`: one at least, the first one being
    /// that of names without one.
    pub fn new(
        hub: Hub,
        applications: Arc<[String]>,
        authorizer: Arc<dyn Authorizer>,
        ledger: Arc<Mutex<Ledger>>,
        log: Log,
        settings: Settings,
        shutdown: watch::Receiver<bool>,
    ) -> Shared {
        let (airings, counts) = (Airings::default(), Counts::default());
        let viewers = Viewers::default();
        Shared {
            hub,
            applications,
            gate: Gate::new(authorizer, ledger, log.clone()),
            log,
            airings,
            counts,
            viewers,
            settings,
            reading: Reading::default(),
            shutdown,
        }
    }

    /// Divides every ladder from its first frame on, whether anybody asks for it or not, until the server ends: what
    /// viewers can go back to has to be there before they come.
    pub async fn divide_all(self: Arc<Shared>) {
        let mut shutdown = self.shutdown.clone();
        let mut events = self.hub.events().listen();
        loop {
            let heard = tokio::select! {
                heard = events.next() => heard,
                _ = shutdown.wait_for(|down| *down) => return,
            };
            match heard {
                Heard::Event(event) => {
                    if let Event::Published { ladder, .. } = &*event {
                        self.airing(ladder);
                    }
                }
                Heard::Missed(_) => {
                    for seen in self.hub.snapshot() {
                        self.airing(&self.hub.place_of(&seen.name).0);
                    }
                }
                Heard::Closed => return,
            }
        }
    }

    /// What was asked for so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Who watches.
    pub fn viewers(&self) -> &Viewers {
        &self.viewers
    }

    /// Renditions on the air whose keyframes stand elsewhere than those of their ladders.
    pub fn apart(&self) -> Vec<StreamName> {
        let airings: Vec<Arc<Airing>> = self.airings.lock().values().cloned().collect();
        let of = |airing: &Arc<Airing>| {
            let meant = airing.strangers();
            let labels: Vec<String> =
                airing.apart().into_iter().filter(|label| !meant.contains(label)).collect();
            let on_air = if labels.is_empty() { Vec::new() } else { self.hub.on_air(&airing.name) };
            on_air.into_iter().filter(move |one| labels.contains(&one.label)).map(|one| one.name)
        };
        airings.iter().flat_map(of).collect()
    }

    /// The ladders that are served.
    pub fn airings(&self) -> &Airings {
        &self.airings
    }

    /// Answers a request of `remote`. It must run where the tasks of ladders are to run.
    pub async fn answer(self: &Arc<Shared>, request: Request<Body>, remote: SocketAddr) -> Response<Body> {
        let (asked, response) = self.respond(request, remote).await;
        let asked = if response.status().is_success() { asked } else { Asked::Refused };
        self.counts.add(asked, length(&response));
        response
    }

    async fn respond(
        self: &Arc<Shared>,
        request: Request<Body>,
        remote: SocketAddr,
    ) -> (Asked, Response<Body>) {
        let nothing = |status, why| (Asked::Refused, refusal(status, why));
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
        let Some(route) = Route::of(path, &self.applications) else {
            return nothing(StatusCode::NOT_FOUND, "there is nothing at this address");
        };
        match *request.method() {
            Method::OPTIONS => return (Asked::Refused, reply::preflight()),
            Method::GET | Method::HEAD => {}
            _ => return (Asked::Refused, wrong_method(METHODS, "streams are read with GET and HEAD")),
        }
        let headers = request.headers();
        let (found, user) = match self.named_media(&route) {
            Some(airing) => (Some((airing, None)), String::new()),
            None => match self.authorize(&route.stream, query, headers, remote.ip()).await {
                Ok(Grant { name, user, .. }) => {
                    (self.find(&StreamName::new(route.stream.application.clone(), name)), user)
                }
                Err(refused) => return (Asked::Refused, refused),
            },
        };
        let Some((airing, label)) = found else {
            return nothing(StatusCode::NOT_FOUND, "nobody publishes this name");
        };
        let private = self.restricted() && !matches!(route.item, Item::File(..));
        let replies = Replies { private };
        let viewer = Viewer {
            airing: &airing,
            reading: &self.reading,
            replies,
            gzip: takes_gzip(headers),
            parts: plays_parts(headers),
        };
        let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        let asker = Asker { remote, agent, user: &user };
        let (asked, response) = match route.item {
            Item::Multivariant => {
                if label.is_none() {
                    airing.complete(&self.hub.planned(&airing.name)).await;
                }
                (Asked::Multivariant, viewer.multivariant(label.as_deref(), &self.carried(query)).await)
            }
            Item::Playlist(label) => match Directives::of(query) {
                Ok(directives) => {
                    let response = viewer.playlist(&label, directives).await;
                    if response.status().is_success() {
                        self.watched(&airing.name, &label, asker);
                    }
                    (Asked::Playlist, response)
                }
                Err(why) => nothing(StatusCode::BAD_REQUEST, &why.to_string()),
            },
            Item::File(label, file) => {
                let asked = match file.media {
                    Media::Init(_) => Asked::Init,
                    Media::Segment(_) => Asked::Segment,
                    Media::Part(_) => Asked::Part,
                };
                (asked, viewer.file(&label, file).await)
            }
        };
        self.viewers.sent(&airing.name, asker, length(&response));
        (asked, response)
    }

    /// Somebody watches a rendition.
    fn watched(&self, ladder: &LadderName, label: &str, asker: Asker<'_>) {
        let name_of = || {
            let on_air = self.hub.on_air(ladder).into_iter().find(|rendition| rendition.label == label);
            let alone = || StreamName::new(ladder.application.clone(), ladder.key.clone());
            on_air.map_or_else(alone, |rendition| rendition.name)
        };
        self.viewers.asked(self.hub.registry(), (ladder, label), asker, Now::read(), name_of);
    }

    /// Whether not everybody may read.
    fn restricted(&self) -> bool {
        self.gate.restricted(Action::Read)
    }

    /// What of a query goes on to the URLs that a playlist or a page names: what was shown, where something must be.
    pub fn carried(&self, query: &str) -> String {
        match self.gate.demand(Action::Read) {
            Demand::Nothing => String::new(),
            Demand::Login => login::carried(query),
            Demand::Key => login::carried_whole(query),
        }
    }

    /// How far back viewers can go at most.
    pub fn window(&self) -> Duration {
        self.settings.window
    }

    /// The ladder whose media `route` names. Their names hold a number that stands only in playlists and cannot be guessed,
    /// so whoever knows one has been let in; players cannot show a password or a token for each of them.
    fn named_media(&self, route: &Route) -> Option<Arc<Airing>> {
        let Item::File(label, file) = &route.item else { return None };
        let StreamName { application, name } = route.stream.clone();
        let airing = self.airings.lock().get(&LadderName { application, key: name }).cloned()?;
        airing.look_at(label, |ladder| ladder.epoch() == file.epoch).then_some(airing)
    }

    /// The public name of a stream and who asks for it, if it may be read.
    async fn authorize(
        &self,
        stream: &StreamName,
        query: &str,
        headers: &HeaderMap,
        remote: IpAddr,
    ) -> Result<Grant, Response<Body>> {
        let (action, protocol) = (Action::Read, Protocol::Hls);
        let question = Question { action, protocol, stream, query, headers, remote };
        self.gate.ask(question).await.map_err(|turned| refusal(turned.status, &turned.why))
    }

    /// The ladder with this name, or that of the rendition with this name and its label.
    fn find(self: &Arc<Shared>, stream: &StreamName) -> Option<(Arc<Airing>, Option<String>)> {
        let whole = LadderName { application: stream.application.clone(), key: stream.name.clone() };
        if let Some(airing) = self.airing(&whole) {
            return Some((airing, None));
        }
        let (ladder, label) = self.hub.place_of(stream);
        Some((self.airing(&ladder)?, Some(label)))
    }

    /// The ladder as it is served; from now on, if it is on the air and nobody has asked for it yet.
    fn airing(self: &Arc<Shared>, name: &LadderName) -> Option<Arc<Airing>> {
        let mut airings = self.airings.lock();
        if let Some(airing) = airings.get(name) {
            return Some(airing.clone());
        }
        if self.hub.on_air(name).is_empty() {
            return None;
        }
        if airings.len() >= MOST_LADDERS {
            self.hub.registry().broke("hls_ladders");
            return None;
        }
        let airing = Arc::new(Airing::new(name.clone(), self.settings));
        airings.insert(name.clone(), airing.clone());
        let (shared, of) = (self.clone(), airing.clone());
        tokio::spawn(async move {
            let budget = Budget { airings: shared.airings.clone(), most: stats::MOST_BYTES };
            look_after(
                of.clone(),
                shared.hub.clone(),
                move || budget.keep(),
                shared.log.clone(),
                shared.shutdown.clone(),
            )
            .await;
            shared.airings.lock().remove(&of.name);
        });
        Some(airing)
    }
}

/// Bytes of an answer's body.
fn length(response: &Response<Body>) -> u64 {
    response.body().size_hint().exact().unwrap_or(0)
}

/// Somebody who watches a ladder.
struct Viewer<'a> {
    airing: &'a Airing,
    reading: &'a Reading,
    replies: Replies,
    gzip: bool,
    /// Whether parts alone are of use to it.
    parts: bool,
}

impl Viewer<'_> {
    /// The list of renditions, or of the `only` one. `carried` goes behind the URLs of their playlists.
    async fn multivariant(&self, only: Option<&str>, carried: &str) -> Response<Body> {
        self.airing.ready(FIRST).await;
        let prefix = only.map_or(String::new(), |_| format!("../{}/", self.airing.name.key));
        let listed = |ladder: &Ladder, label: &str| {
            let there = ladder.listing(label).is_some_and(|listing| listing.last().is_some());
            there && only.is_none_or(|only| only == label)
        };
        let uri = |ladder: &Ladder, label: &str| {
            listed(ladder, label).then(|| format!("{prefix}{label}/i.m3u8{carried}"))
        };
        let written = |ladder: &Ladder| {
            let any = ladder.renditions().any(|(label, _)| listed(ladder, label));
            any.then(|| multivariant_playlist(ladder, |label| uri(ladder, label)))
        };
        let text = match only {
            Some(label) => self.airing.look_at(label, written),
            None => match self.airing.look(written) {
                Some(mut text) => {
                    for label in self.airing.strangers() {
                        self.airing.look_at(&label, |ladder| {
                            add_renditions(&mut text, ladder, |label| uri(ladder, label));
                        });
                    }
                    Some(text)
                }
                None => self.airing.apart().iter().find_map(|label| self.airing.look_at(label, written)),
            },
        };
        match text {
            Some(text) => self.replies.playlist(text.into(), false, Keep::Seconds(2)),
            None => refusal(
                StatusCode::NOT_FOUND,
                "nobody publishes this name, or it has sent nothing to show yet",
            ),
        }
    }

    /// The playlist of a rendition, when what it waits for is there.
    async fn playlist(&self, label: &str, directives: Directives) -> Response<Body> {
        self.airing.ready(FIRST).await;
        let nothing_yet =
            |ladder: &Ladder| ladder.listing(label).is_some_and(|listing| listing.last().is_none());
        self.airing.wait(label, FIRST, |ladder| (!nothing_yet(ladder)).then_some(())).await;
        if !self.parts && directives.wait_for.is_none() {
            let whole = |ladder: &Ladder| {
                ladder
                    .listing(label)
                    .is_none_or(|listing| listing.segments().iter().any(|listed| listed.complete))
            };
            self.airing.wait(label, FIRST, |ladder| whole(ladder).then_some(())).await;
        }
        let reach = self.airing.look_at(label, |ladder| {
            let last = ladder.listing(label)?.last();
            Some((directives.within_reach(last, parts_of_three_seconds(ladder)), ladder.target_s()))
        });
        let target_s = match reach {
            None => return refusal(StatusCode::NOT_FOUND, "there is no such rendition"),
            Some((Err(why), _)) => return refusal(StatusCode::BAD_REQUEST, &why.to_string()),
            Some((Ok(()), target_s)) => target_s,
        };
        let mut keep = Keep::Seconds(0);
        if let Some((msn, part)) = directives.wait_for {
            let has = |ladder: &Ladder| ladder.listing(label).is_some_and(|listing| listing.has(msn, part));
            if self.airing.wait(label, held(target_s), |ladder| has(ladder).then_some(())).await.is_some() {
                // This URL will be answered the same again: many viewers behind one cache ask once.
                keep = Keep::Seconds(target_s.saturating_mul(6));
            }
        }
        match self.airing.playlist(label, directives.skip) {
            Some(written) if self.gzip => self.replies.playlist(written.gzipped, true, keep),
            Some(written) => self.replies.playlist(written.plain, false, keep),
            None => refusal(StatusCode::NOT_FOUND, "there is no such rendition"),
        }
    }

    /// A file of media. A part that is about to come is waited for.
    async fn file(&self, label: &str, file: File) -> Response<Body> {
        let found = match self.airing.look_at(label, |ladder| find(ladder, label, file)) {
            Found::Soon => {
                let held = self.airing.look_at(label, |ladder| held(ladder.target_s()));
                let found = self.airing.wait(label, held, |ladder| match find(ladder, label, file) {
                    Found::Soon => None,
                    found => Some(found),
                });
                found.await.unwrap_or(Found::Nothing)
            }
            found => found,
        };
        let found = match found {
            Found::Stored(stored) => {
                self.reading.read(stored).await.map_or(Found::Nothing, |bytes| Found::Pieces(vec![bytes]))
            }
            found => found,
        };
        match (found, file.media) {
            (Found::Pieces(pieces), Media::Part(_)) => self.replies.media(MP4, pieces, Keep::Immutable(60)),
            (Found::Pieces(pieces), _) => self.replies.media(MP4, pieces, Keep::Immutable(3600)),
            _ => refusal(StatusCode::NOT_FOUND, "this is not there any more, or has never been"),
        }
    }
}

/// What there is under the name of a file.
enum Found {
    Pieces(Vec<Bytes>),
    Stored(Arc<dyn Stored>),
    /// It is the next one.
    Soon,
    Nothing,
}

fn find(ladder: &Ladder, label: &str, file: File) -> Found {
    let Some(member) = ladder.rendition(label).filter(|_| file.epoch == ladder.epoch()) else {
        return Found::Nothing;
    };
    let one = |bytes: &Bytes| Found::Pieces(vec![bytes.clone()]);
    match file.media {
        Media::Init(number) => member.init(number).map_or(Found::Nothing, one),
        Media::Segment(msn) => match member.window.get(msn) {
            Some(segment) if segment.duration.is_some() && !segment.is_gap() => match &segment.stored {
                Some(stored) => Found::Stored(stored.clone()),
                None => Found::Pieces(segment.whole()),
            },
            _ => Found::Nothing,
        },
        Media::Part(Position { msn, part }) => {
            let (Ok(index), Some(last)) = (usize::try_from(part), member.window.last()) else {
                return Found::Nothing;
            };
            let segment = member.window.get(msn);
            if let Some(part) = segment.and_then(|segment| segment.parts.get(index)) {
                return one(&part.bytes);
            }
            let next = if last.duration.is_some() {
                (last.cut.msn.saturating_add(1), 0)
            } else {
                (last.cut.msn, last.parts.len())
            };
            // Also the first part of the next segment, which is hinted at while this one is about to end.
            let hinted = (msn, index) == next || (msn, index) == (last.cut.msn.saturating_add(1), 0);
            if hinted && member.live { Found::Soon } else { Found::Nothing }
        }
    }
}

/// How long a blocking request is held where segments last so many seconds.
fn held(target_s: u64) -> Duration {
    Duration::from_secs(target_s.min(60)).mul_f64(HELD)
}

/// The Advance Part Limit (RFC 8216bis, 6.2.5.2).
fn parts_of_three_seconds(ladder: &Ladder) -> u64 {
    let part = ladder.part_target().as_secs_f64();
    if part > 0.0 { (3.0 / part).ceil().clamp(3.0, 300.0) as u64 } else { 300 }
}

/// Whether parts alone are of use to a player. Browsers and Apple's players begin with parts; others (libavformat, VLC,
/// GStreamer) take a playlist without a whole segment for an empty stream and give up.
fn plays_parts(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    ["Mozilla/", "AppleCoreMedia/"].iter().any(|word| agent.contains(word))
}

/// Whether a client takes answers in gzip (RFC 9110, 12.5.3). One that only might is not counted.
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').map(str::trim).any(|coding| coding.eq_ignore_ascii_case("gzip"))
}
