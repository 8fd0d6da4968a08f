//! WHEP and WHIP (RFC 9725) over HTTP: an offer comes, an answer goes, and the session has an address of its own by which it
//! is ended. The web port carries it.

use super::addresses::Known;
use super::ending::Ending;
use super::engine::{Engine, MOST_PER_ADDRESS, MOST_SESSIONS};
use super::matching::choose;
use super::offer::{BadOffer, LONGEST, Offer};
use super::outlets::Outlets;
use super::peer::{self, Answered, Wanted};
use super::publishing::{Publishes, taken};
use super::route::{Route, Way};
use super::sessions::{Names, Role};
use super::totals::Totals;
use super::viewer::{Sending, Viewer};
use crate::auth::{Action, Authorizer, Grant, Ledger, Protocol};
use crate::base::clock::Now;
use crate::base::percent::argument;
use crate::hub::{self, Client};
use crate::model::{LadderName, StreamName};
use crate::process::interfaces;
use crate::protocol::WEBRTC_SESSION;
use crate::protocol::web_access::reply::{open, refusal, wrong_method};
use crate::protocol::web_access::{Connection, Gate, Question, Turned};
use crate::telemetry::Log;
use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    LINK, LOCATION, USER_AGENT,
};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long the first viewer of a ladder waits for its tracks.
const FIRST: Duration = Duration::from_secs(5);
/// What a way is guessed to carry, bits a second, before anything is known.
const GUESS: u64 = 5_000_000;
/// The field of an answer that says why a stream comes without its audio.
const WITHOUT_AUDIO: &str = "msconv-without-audio";
/// The type of offers and answers.
const SDP: &str = "application/sdp";
/// The type of what comes later (RFC 8840).
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// What is told.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Addresses under which we are reached from outside.
    pub public: Vec<IpAddr>,
    /// Servers of STUN and TURN for pages, as `Link` header fields name them.
    pub ice_servers: Vec<String>,
}

/// What the requests of a server share.
pub struct Shared {
    engine: Arc<Engine>,
    applications: Arc<[String]>,
    gate: Gate,
    log: Log,
    settings: Settings,
}

fn refused(status: StatusCode, why: impl Into<String>) -> Turned {
    Turned { status, why: why.into() }
}

impl From<BadOffer> for Turned {
    fn from(bad: BadOffer) -> Turned {
        let status =
            if bad == BadOffer::Long { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
        refused(status, bad.to_string())
    }
}

impl Shared {
    /// A server that begins now. `applications`: one at least, the first one being that of names without one.
    pub fn new(
        engine: Arc<Engine>,
        applications: Arc<[String]>,
        authorizer: Arc<dyn Authorizer>,
        ledger: Arc<Mutex<Ledger>>,
        log: Log,
        settings: Settings,
    ) -> Shared {
        let gate = Gate::new(authorizer, ledger, log.clone());
        Shared { engine, applications, gate, log, settings }
    }

    /// What all sessions have carried.
    pub fn totals(&self) -> Totals {
        self.engine.totals()
    }

    /// What a path names here.
    pub fn route(&self, path: &str) -> Option<Route> {
        Route::of(path, &self.applications)
    }

    /// Answers a request for `route`.
    pub async fn answer(
        self: &Arc<Shared>,
        route: Route,
        request: Request<Body>,
        ends: Connection,
    ) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or_default();
        let done = match (parts.method.clone(), &route.session) {
            (Method::OPTIONS, _) => return self.with_links(preflight()),
            (Method::POST, None) => self.begin(&route, query, &parts.headers, body, ends).await,
            (Method::PATCH, Some(key)) => self.trickle(key, &parts.headers, body).await,
            (Method::DELETE, Some(key)) => self.end(key),
            (_, session) => {
                let allowed = if session.is_some() { "PATCH, DELETE, OPTIONS" } else { "POST, OPTIONS" };
                return wrong_method(allowed, &format!("here {allowed} are answered"));
            }
        };
        done.unwrap_or_else(|refused| {
            if refused.status == StatusCode::SERVICE_UNAVAILABLE {
                self.engine.hub().registry().broke("webrtc_sessions");
            }
            refusal(refused.status, &refused.why)
        })
    }

    async fn begin(
        self: &Arc<Shared>,
        route: &Route,
        query: &str,
        headers: &HeaderMap,
        body: Body,
        ends: Connection,
    ) -> Result<Response<Body>, Turned> {
        if !is_of(headers, SDP) {
            return Err(refused(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "an offer is of the type application/sdp",
            ));
        }
        let action = match route.way {
            Way::Out => Action::Read,
            Way::In => Action::Publish,
        };
        let (protocol, stream) = (Protocol::WebRtc, &route.stream);
        let question = Question { action, protocol, stream, query, headers, remote: ends.remote.ip() };
        let grant = self.gate.ask(question).await?;
        let text = read(body).await?;
        let offer = Offer::read(&text)?;
        let stream = StreamName::new(route.stream.application.clone(), grant.name.clone());
        match route.way {
            Way::Out => self.view(&stream, &grant, query, headers, (&text, &offer), ends).await,
            Way::In => self.publish(&stream, &grant, headers, (&text, &offer), ends),
        }
    }

    /// A viewer.
    async fn view(
        self: &Arc<Shared>,
        stream: &StreamName,
        grant: &Grant,
        query: &str,
        headers: &HeaderMap,
        (text, offer): (&str, &Offer),
        ends: Connection,
    ) -> Result<Response<Body>, Turned> {
        self.has_room(ends.remote.ip())?;
        let takes = |line: &Option<super::offer::Line>| line.as_ref().is_some_and(|line| line.receives);
        if !takes(&offer.video) && !takes(&offer.audio) {
            return Err(BadOffer::Direction("a viewer's offer receives: its lines are recvonly").into());
        }
        let (ladder, pinned) = self.find(stream).await?;
        let pinned = pinned.or_else(|| argument(query, "rendition").filter(|label| !label.is_empty()));
        if offer.audio.as_ref().is_some_and(|line| line.receives && line.opus().is_some()) {
            self.engine.prepare_audio(&ladder).await;
        }
        let chosen = self.engine.look(&ladder, |known| choose(known, offer, pinned.as_deref()));
        let Some(chosen) = chosen else { return Err(gone()) };
        let chosen = chosen.map_err(|why| {
            let list = format!("/{}/{}/index.m3u8", stream.application, stream.name);
            refused(StatusCode::NOT_ACCEPTABLE, format!("{why}; over HLS it is there: {list}"))
        })?;
        let identity = &self.engine.identity;
        let estimate = (chosen.renditions > 1 && pinned.is_none()).then_some(GUESS);
        let wanted = Wanted {
            video: chosen.video.as_ref().map(|(_, codec)| codec),
            audio: chosen.audio.as_ref(),
            offered: self.offered(ends.local.ip()),
            estimate,
            layers: false,
        };
        let Answered { peer, sdp, ufrag, video, audio } =
            peer::answer((text, offer), wanted, identity, Instant::now())?;
        let client = self.client(stream, grant, headers, ends.remote, hub::Role::Read);
        let codec = chosen.video.map(|(codec, _)| codec);
        let viewer = Viewer::new(
            client,
            ladder,
            codec,
            pinned,
            video.map(|agreed| Sending::new(agreed, 90_000)),
            audio.map(|agreed| Sending::new(agreed, 48_000)),
        );
        let key = uuid::Uuid::new_v4().to_string();
        let names = Names { ufrag, theirs: offer.ufrag.clone(), key: key.clone() };
        self.engine.enter(peer, Role::Viewer(Box::new(viewer)), names);
        self.log
            .info(format_args!("webrtc: {}: watches {}/{}", ends.remote, stream.application, stream.name));
        let mut response = self.created(stream, Way::Out, &key, sdp);
        if let Some(why) = chosen.silent {
            self.log.info(format_args!(
                "webrtc: {}: {}/{} without audio: {why}",
                ends.remote, stream.application, stream.name
            ));
            if let Ok(value) = HeaderValue::from_str(&why) {
                response.headers_mut().insert(HeaderName::from_static(WITHOUT_AUDIO), value);
            }
        }
        Ok(response)
    }

    /// A publisher.
    fn publish(
        self: &Arc<Shared>,
        stream: &StreamName,
        grant: &Grant,
        headers: &HeaderMap,
        (text, offer): (&str, &Offer),
        ends: Connection,
    ) -> Result<Response<Body>, Turned> {
        self.has_room(ends.remote.ip())?;
        let sends = |line: &Option<super::offer::Line>| line.as_ref().is_some_and(|line| line.sends);
        if !sends(&offer.video) && !sends(&offer.audio) {
            return Err(BadOffer::Direction("a publisher's offer sends: its lines are sendonly").into());
        }
        let taken = taken(offer).map_err(|why| refused(StatusCode::NOT_ACCEPTABLE, why))?;
        let wanted = Wanted {
            video: taken.video.map(|(_, codec)| codec),
            audio: taken.audio,
            offered: self.offered(ends.local.ip()),
            estimate: None,
            layers: !taken.layers.is_empty(),
        };
        let now = Now::read();
        let Answered { peer, sdp, ufrag, video, audio } =
            peer::answer((text, offer), wanted, &self.engine.identity, now.mono)?;
        let client = self.client(stream, grant, headers, ends.remote, hub::Role::Publish);
        let outlets = self.outlets(stream, &client, taken.layers, now)?;
        let video = video.zip(taken.video).map(|(agreed, (codec, _))| (codec, agreed));
        let publishes = Publishes::new(outlets, client, video, audio, taken.layers, now.mono);
        let key = uuid::Uuid::new_v4().to_string();
        let names = Names { ufrag, theirs: offer.ufrag.clone(), key: key.clone() };
        self.engine.enter(peer, Role::Publisher(Box::new(publishes)), names);
        self.log
            .info(format_args!("webrtc: {} publishes {}/{}", ends.remote, stream.application, stream.name));
        Ok(self.created(stream, Way::In, &key, sdp))
    }

    /// The names that a publisher's frames go to.
    fn outlets(
        &self,
        stream: &StreamName,
        client: &Arc<Client>,
        layers: &[String],
        now: Now,
    ) -> Result<Outlets, Turned> {
        let hub = self.engine.hub();
        if layers.is_empty() {
            let publisher = hub.publish(stream, client, now).map_err(|why| match why {
                hub::Refused::Taken => refused(StatusCode::CONFLICT, why.to_string()),
                hub::Refused::Full => refused(StatusCode::SERVICE_UNAVAILABLE, why.to_string()),
            })?;
            return Ok(Outlets::one(publisher));
        }
        let ladder = LadderName { application: stream.application.clone(), key: stream.name.clone() };
        if self.engine.has_layers_of(stream) || !hub.on_air(&ladder).is_empty() {
            return Err(refused(StatusCode::CONFLICT, hub::Refused::Taken.to_string()));
        }
        Ok(Outlets::layers(hub.clone(), client.clone(), stream.clone(), layers))
    }

    /// The ladder with this name, or that of the rendition with this name and its label; read from now on.
    async fn find(&self, stream: &StreamName) -> Result<(LadderName, Option<String>), Turned> {
        let whole = LadderName { application: stream.application.clone(), key: stream.name.clone() };
        if self.engine.ready(&whole, FIRST).await {
            return Ok((whole, None));
        }
        let (ladder, label) = self.engine.hub().place_of(stream);
        if ladder != whole && self.engine.ready(&ladder, FIRST).await {
            return Ok((ladder, Some(label)));
        }
        Err(gone())
    }

    fn has_room(&self, remote: IpAddr) -> Result<(), Turned> {
        let all = self.engine.hub().registry().list(WEBRTC_SESSION);
        let own =
            all.iter().filter(|client| client.remote.ip().to_canonical() == remote.to_canonical()).count();
        if all.len() >= MOST_SESSIONS {
            return Err(refused(
                StatusCode::SERVICE_UNAVAILABLE,
                "the server carries as many WebRTC sessions as it may",
            ));
        }
        if own >= MOST_PER_ADDRESS && !remote.to_canonical().is_loopback() {
            return Err(refused(
                StatusCode::SERVICE_UNAVAILABLE,
                "this address has as many WebRTC sessions as it may",
            ));
        }
        Ok(())
    }

    fn offered(&self, asked_at: IpAddr) -> Vec<SocketAddr> {
        let interfaces = interfaces::addresses();
        let bound = self.engine.socket().bound();
        Known { bound, public: &self.settings.public, asked_at, interfaces: &interfaces }.offered()
    }

    fn client(
        &self,
        stream: &StreamName,
        grant: &Grant,
        headers: &HeaderMap,
        remote: SocketAddr,
        role: hub::Role,
    ) -> Arc<Client> {
        let now = Now::read();
        let client = self.engine.hub().registry().enter(WEBRTC_SESSION, remote, now.mono, now.wall_ms);
        let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        client.describe(|details| {
            details.role = role;
            (details.application, details.name) = (stream.application.clone(), stream.name.clone());
            details.user.clone_from(&grant.user);
            details.agent = agent.chars().take(200).collect();
            details.transport = Some("UDP");
        });
        client.leave_after(grant.limits.time);
        client
    }

    /// Candidates of the other end that come later. A server that only answers learns them from the datagrams themselves.
    async fn trickle(&self, key: &str, headers: &HeaderMap, body: Body) -> Result<Response<Body>, Turned> {
        if !is_of(headers, FRAGMENT) {
            return Err(refused(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "candidates are of the type application/trickle-ice-sdpfrag",
            ));
        }
        let theirs = self.engine.theirs(key).ok_or_else(no_session)?;
        // Another name begins the connection anew (RFC 9725, 4.3.3).
        let fragment = read(body).await?;
        let named = fragment.lines().find_map(|line| line.trim().strip_prefix("a=ice-ufrag:"));
        if named.is_some_and(|named| named != theirs) {
            return Err(refused(
                StatusCode::UNPROCESSABLE_ENTITY,
                "connections are not begun anew here: send a new offer",
            ));
        }
        Ok(open(StatusCode::NO_CONTENT, Body::empty()))
    }

    fn end(&self, key: &str) -> Result<Response<Body>, Turned> {
        if !self.engine.end_by_key(key, Ending::Said) {
            return Err(no_session());
        }
        Ok(open(StatusCode::OK, Body::empty()))
    }

    fn created(&self, stream: &StreamName, way: Way, key: &str, sdp: String) -> Response<Body> {
        let mut response = open(StatusCode::CREATED, Body::from(sdp));
        let fields = response.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(SDP));
        let location = format!("/{}/{}/{}/{key}", stream.application, stream.name, way.word());
        for (name, value) in [(LOCATION, location), (ETAG, format!("\"{key}\""))] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                fields.insert(name, value);
            }
        }
        fields.insert(HeaderName::from_static("accept-patch"), HeaderValue::from_static(FRAGMENT));
        self.with_links(response)
    }

    fn with_links(&self, mut response: Response<Body>) -> Response<Body> {
        for server in &self.settings.ice_servers {
            if let Ok(value) = HeaderValue::from_str(&format!("<{server}>; rel=\"ice-server\"")) {
                response.headers_mut().append(LINK, value);
            }
        }
        response
    }
}

fn gone() -> Turned {
    refused(StatusCode::NOT_FOUND, "nobody publishes this name")
}

fn no_session() -> Turned {
    refused(StatusCode::NOT_FOUND, "there is no such session, or it is over")
}

fn is_of(headers: &HeaderMap, wanted: &str) -> bool {
    let said = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    said.split(';').next().is_some_and(|said| said.trim().eq_ignore_ascii_case(wanted))
}

async fn read(body: Body) -> Result<String, Turned> {
    let whole = tokio::time::timeout(Duration::from_secs(10), axum::body::to_bytes(body, LONGEST)).await;
    let bytes = match whole {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            return Err(refused(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is longer than 64 kB, or broke off",
            ));
        }
        Err(_) => return Err(refused(StatusCode::REQUEST_TIMEOUT, "the body did not come within 10 s")),
    };
    String::from_utf8(bytes.into()).map_err(|_| refused(StatusCode::BAD_REQUEST, "the body is no text"))
}

/// What a browser asks before it asks from another page (Fetch, CORS preflight).
fn preflight() -> Response<Body> {
    let mut response = open(StatusCode::NO_CONTENT, Body::empty());
    let fields = response.headers_mut();
    fields.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("OPTIONS, POST, PATCH, DELETE"));
    fields.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Authorization, Content-Type, If-Match"),
    );
    fields.insert(HeaderName::from_static("access-control-max-age"), HeaderValue::from_static("86400"));
    fields.insert(HeaderName::from_static("accept-post"), HeaderValue::from_static(SDP));
    response
}
