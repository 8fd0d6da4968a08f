//! Thumbnails: `/live/NAME/thumbnail.jpg` is a keyframe of what is on the air, decoded at most every ten seconds, only when
//! somebody asks, and one at a time. The last one stays on disk for when the stream has ended.

mod keyframe;
mod making;
mod shelf;

use crate::auth::{Action, Authorizer, Ledger, Protocol};
use crate::hub::Hub;
use crate::model::stream_name::is_name;
use crate::model::{LadderName, StreamName};
use crate::platform::Kept;
use crate::process::blocking::blocking;
use crate::protocol::web_access::path::stream_of;
use crate::protocol::web_access::reply::{open, refusal, wrong_method};
use crate::protocol::web_access::{Gate, Question};
use crate::telemetry::Log;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, WWW_AUTHENTICATE,
};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use making::Maker;
use shelf::{Fresh, Shelf};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const FILE: &str = "/thumbnail.jpg";
/// How long one is shown before the next is made.
const FRESH: Duration = Duration::from_secs(10);
/// How long one that somebody else makes is waited for.
const PATIENCE: Duration = Duration::from_secs(8);

/// What thumbnails need of the server.
pub struct Needs {
    /// The streams.
    pub hub: Hub,
    /// What is registered.
    pub kept: Kept,
    /// Applications, the first of them being that of names without one.
    pub applications: Arc<[String]>,
    /// Who may watch.
    pub authorizer: Arc<dyn Authorizer>,
    /// Who guessed wrong.
    pub ledger: Arc<Mutex<Ledger>>,
    /// What happens.
    pub log: Log,
    /// Where the last ones are kept.
    pub folder: PathBuf,
    /// Where ffmpeg is, if the PATH does not say.
    pub ffmpeg: Option<PathBuf>,
}

/// See the module.
pub struct Thumbnails {
    hub: Hub,
    kept: Kept,
    applications: Arc<[String]>,
    gate: Gate,
    shelf: Arc<Shelf>,
    maker: Maker,
    /// One is made at a time.
    turn: tokio::sync::Mutex<()>,
}

impl Thumbnails {
    /// None yet, but what is on disk.
    pub fn new(needs: Needs) -> Thumbnails {
        let Needs { hub, kept, applications, authorizer, ledger, log, folder, ffmpeg } = needs;
        Thumbnails {
            hub,
            kept,
            applications,
            gate: Gate::new(authorizer, ledger, log.clone()),
            shelf: Arc::new(Shelf::new(folder)),
            maker: Maker::new(ffmpeg, log),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// The stream whose thumbnail a path names.
    pub fn route(&self, path: &str) -> Option<StreamName> {
        let named = |application: &str, rest: &str| {
            let name = rest.strip_suffix(FILE).filter(|name| is_name(name))?;
            Some(StreamName::new(application, name))
        };
        stream_of(path, &self.applications, named, |name| name)
    }

    /// Answers a request for one.
    pub async fn answer(&self, stream: StreamName, request: Request, remote: IpAddr) -> Response {
        match *request.method() {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return open(StatusCode::NO_CONTENT, Body::empty()),
            _ => return wrong_method("GET, HEAD, OPTIONS", "thumbnails are read with GET and HEAD"),
        }
        let query = request.uri().query().unwrap_or_default();
        let (action, protocol, headers) = (Action::Read, Protocol::Hls, request.headers());
        let question = Question { action, protocol, stream: &stream, query, headers, remote };
        let name = match self.gate.ask(question).await {
            Ok(granted) => StreamName::new(stream.application.clone(), granted.name),
            Err(turned) => {
                let mut reply = refusal(turned.status, &turned.why);
                // A page that shows many of them is not to ask for a password for each.
                reply.headers_mut().remove(WWW_AUTHENTICATE);
                return reply;
            }
        };
        match self.of(&name).await {
            Some(fresh) => self.reply(&fresh, request),
            None => refusal(StatusCode::NOT_FOUND, "there is no thumbnail of this stream"),
        }
    }

    /// A thumbnail of what is on the air now, else the last one.
    async fn of(&self, name: &StreamName) -> Option<Fresh> {
        let (ladder, label) = self.hub.place_of(name);
        let whole = LadderName { application: name.application.clone(), key: name.name.clone() };
        let (ladder, label) =
            if self.hub.on_air(&whole).is_empty() { (ladder, Some(label)) } else { (whole, None) };
        let on_air = self.hub.on_air(&ladder);
        let chosen = match &label {
            Some(label) => on_air.into_iter().find(|one| one.label == *label).map(|one| one.name),
            None => keyframe::cheapest(&self.hub, on_air),
        };
        let place = self.place(name);
        let Some(chosen) = chosen else { return self.last(place).await };
        if let Some(recent) = self.shelf.within(&place, FRESH, Instant::now()) {
            return recent;
        }
        let before = self.shelf.within(&place, Duration::MAX, Instant::now()).flatten();
        let Ok(_turn) = tokio::time::timeout(PATIENCE, self.turn.lock()).await else { return before };
        // Somebody else may have made it meanwhile.
        if let Some(recent) = self.shelf.within(&place, FRESH, Instant::now()) {
            return recent;
        }
        match self.maker.make(&self.hub, &chosen).await {
            Some(jpeg) => {
                let fresh = self.shelf.put(&place, jpeg, Instant::now());
                let (shelf, kept) = (self.shelf.clone(), fresh.clone());
                let _ = blocking("keep a thumbnail", move || shelf.keep(&place, &kept)).await;
                Some(fresh)
            }
            // What could not be made is not tried again at once.
            None => self.shelf.missed(&place, Instant::now()),
        }
    }

    async fn last(&self, place: String) -> Option<Fresh> {
        let shelf = self.shelf.clone();
        blocking("read a thumbnail", move || shelf.read(&place)).await.ok().flatten()
    }

    /// Where it is kept: by the public id of a registered stream, so that nothing of it is left when that is gone.
    fn place(&self, name: &StreamName) -> String {
        match self.kept.directory().place(&name.name) {
            Some(place) => format!(
                "id-{}{}",
                place.stream.public_id,
                place.label.map_or(String::new(), |label| format!("_{label}"))
            ),
            None => format!("open-{}-{}", name.application, name.name),
        }
    }

    fn reply(&self, fresh: &Fresh, request: Request) -> Response {
        let matches = |value: &HeaderValue| value.as_bytes() == fresh.tag.as_bytes();
        let same = request.headers().get(IF_NONE_MATCH).is_some_and(matches);
        let body = match same || request.method() == Method::HEAD {
            true => Body::empty(),
            false => Body::from(fresh.jpeg.clone()),
        };
        let mut reply = open(if same { StatusCode::NOT_MODIFIED } else { StatusCode::OK }, body);
        let fields = reply.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
        let kept = if self.gate.restricted(Action::Read) { "private, max-age=10" } else { "max-age=10" };
        fields.insert(CACHE_CONTROL, HeaderValue::from_static(kept));
        if let Ok(tag) = HeaderValue::from_str(&fresh.tag) {
            fields.insert(ETAG, tag);
        }
        if !same {
            fields.insert(CONTENT_LENGTH, HeaderValue::from(length(&fresh.jpeg)));
        }
        reply
    }
}

fn length(jpeg: &Bytes) -> u64 {
    u64::try_from(jpeg.len()).unwrap_or(u64::MAX)
}
