//! `list`: one look at every status source at once, joined with our own records.

use super::stream_facts::{Movement, Movements};
use super::view::{View, WebPort};
use super::{listed_urls, merge};
use crate::base::secret::redact_urls;
use crate::base::{Failure, Kind, Outcome, clock};
use crate::config::choices::Backend;
use crate::config::{Environment, Settings};
use crate::manager::records::ours::ours;
use crate::manager::records::samples::{Judgement, Samples};
use crate::manager::servers::preflight;
use crate::model::listing::{Listing, Server};
use crate::model::server_listing::ServerListing;
use crate::model::service::Service;
use crate::model::{HttpUrl, StreamKey};
use crate::status::mediamtx::{self, Path};
use crate::status::own;
use crate::status::{self, Client, FetchError, Limits, Snapshot, SourceError};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Time between two looks at the bytes of a foreign stream.
const LOOK_AGAIN: Duration = Duration::from_millis(60);
/// How long foreign streams are given to move.
const PATIENCE: Duration = Duration::from_millis(700);
/// A published name that got no frame for so long does not move, in milliseconds.
const STILL_MS: u64 = 1_500;
/// How long our own server is waited for before the others are asked.
const OWN_PATIENCE: Duration = Duration::from_millis(300);
/// How long it is waited for where nobody else would be asked: on a busy machine it may take a while. Where none listens, that is
/// known at once.
const ALONE_PATIENCE: Duration = Duration::from_secs(2);
/// Above this many streams on a server its page is asked for once only: many small polls would cost more than the
/// answer is worth.
const FEW: usize = 100;

/// Looks again and again, keeping its connections and what it saw.
pub struct Lister<'a> {
    settings: &'a Settings,
    environment: &'a Environment,
    all: bool,
    client: Client,
    samples: Option<Samples>,
}

/// One look with the ordinary limits: what is on the air.
///
/// # Errors
/// Server, if no status source answered.
pub async fn list(settings: &Settings, environment: &Environment) -> Outcome<Listing> {
    Lister::new(settings, environment, false).look().await
}

/// Where a stream can be watched at the web port.
pub struct InWeb {
    /// Its page.
    pub page: String,
    /// All its renditions over HLS.
    pub hls: String,
}

/// Where our own stream `key` can be watched over the web, if our own server carries it.
pub async fn in_web(settings: &Settings, key: &StreamKey) -> Option<InWeb> {
    if settings.nginx_rtmp_url.host() != settings.mediamtx_url.host() {
        return None;
    }
    let listing = our_server(&Client::new(Limits::default()), settings, OWN_PATIENCE).await?;
    let (web, application) = (web(&listing, settings)?, settings.nginx_rtmp_url.application());
    Some(InWeb {
        page: listed_urls::page_in_web(&web, application, key.as_str()),
        hls: listed_urls::in_web(&web, application, key.as_str()),
    })
}

/// The web port of our own server, if that is what the settings lead to.
pub async fn own_web(settings: &Settings) -> Option<HttpUrl> {
    own_web_port(settings).await.map(|web| web.url)
}

/// As [`own_web`], with what its pages need not name.
pub async fn own_web_port(settings: &Settings) -> Option<WebPort> {
    let listing = our_server(&Client::new(Limits::default()), settings, ALONE_PATIENCE).await?;
    web(&listing, settings)
}

/// What our own server says of itself, if it is what both addresses of the settings lead to.
async fn our_server(client: &Client, settings: &Settings, patience: Duration) -> Option<ServerListing> {
    let (stat, api) = (&settings.nginx_stat_url, &settings.mediamtx_url);
    if stat.host() != api.host() {
        return None;
    }
    let answer = tokio::time::timeout(patience, own::listing(client, api)).await;
    answer.ok()?.ok().filter(|listing| listing.stat_port == stat.port())
}

/// Its web port.
fn web(listing: &ServerListing, settings: &Settings) -> Option<WebPort> {
    let url = settings.mediamtx_url.beside(listing.web_port).over_tls(listing.web_tls);
    let usual = listing.applications.first().cloned().unwrap_or_default();
    (listing.web_port != 0).then_some(WebPort { url, usual })
}

impl<'a> Lister<'a> {
    /// A lister; with `all` also of what is not on the air.
    pub fn new(settings: &'a Settings, environment: &'a Environment, all: bool) -> Lister<'a> {
        Lister { settings, environment, all, client: Client::new(Limits::default()), samples: None }
    }

    /// One look. Each source has its own time limit; one that does not answer is a note.
    ///
    /// # Errors
    /// Server, if no status source answered.
    pub async fn look(&mut self) -> Outcome<Listing> {
        match self.look_anyway().await {
            (_, Some(failure)) => Err(failure),
            (listing, None) => Ok(listing),
        }
    }

    /// As [`Lister::look`], with a listing even where no source answered: of what our own records say.
    pub async fn look_anyway(&mut self) -> (Listing, Option<Failure>) {
        let settings = self.settings;
        let ours = ours(settings, self.environment);
        let (nginx, mediamtx, mediamtx_web) = match self.ask_our_server().await {
            Some(watched) => (Ok(watched), Ok(Vec::new()), None),
            None => {
                let nginx = async {
                    let first = status::nginx_snapshot(&self.client, &settings.nginx_stat_url).await?;
                    Ok::<_, SourceError>(self.watch_bytes(first, &ours).await)
                };
                tokio::join!(
                    nginx,
                    mediamtx::paths(&self.client, &settings.mediamtx_url),
                    self.mediamtx_web()
                )
            }
        };
        let failure = match (&nginx, &mediamtx) {
            (Err(nginx), Err(mediamtx)) => Some(nobody_answers(settings, nginx, mediamtx)),
            _ => None,
        };
        let mut notes = Vec::new();
        let mut movements = Movements::new();
        let mut snapshot = None;
        let mut web = None;
        let servers = vec![
            server("nginx-rtmp", &settings.nginx_stat_url, nginx.as_ref().err()),
            server("mediamtx", &settings.mediamtx_url, mediamtx.as_ref().err()),
        ];
        match nginx {
            Ok(watched) => {
                if watched.workers > 1 {
                    notes.push(
                        "nginx runs several worker processes, each of which lists only its own streams; set worker_processes 1"
                            .to_string(),
                    );
                }
                movements = watched.movements;
                self.samples = watched.samples;
                web = watched.web;
                snapshot = Some(watched.snapshot);
            }
            Err(reason) => notes.push(nginx_note(settings, &reason)),
        }
        let paths: Option<Vec<Path>> = match mediamtx {
            Ok(paths) => Some(paths),
            Err(reason) => {
                notes.push(mediamtx_note(settings, &reason));
                None
            }
        };
        let merged = merge::merge(&View {
            rtmp: &settings.nginx_rtmp_url,
            rtsp: &settings.rtsp_url,
            web,
            mediamtx_web,
            nginx: snapshot.as_ref(),
            movements: &movements,
            mediamtx: paths.as_deref(),
            ours: &ours,
            now_ms: clock::now_ms(),
            all: self.all,
        });
        notes.extend(merged.notes);
        (Listing { streams: merged.streams, servers, notes }, failure)
    }

    /// Where MediaMTX serves HLS. In containers it has another port inside than out here.
    async fn mediamtx_web(&self) -> Option<HttpUrl> {
        let global = mediamtx::global(&self.client, &self.settings.mediamtx_url).await.ok()?;
        let (port, encrypted) = global.hls()?;
        let port = match self.settings.backend {
            Backend::Docker => self.settings.serve.ports.of(Service::Web),
            Backend::Native | Backend::Embedded => port,
        };
        Some(self.settings.mediamtx_url.beside(port).over_tls(encrypted))
    }

    /// What our own server says, if it is what both addresses of the settings lead to: it tells everything in one answer.
    async fn ask_our_server(&self) -> Option<Watched> {
        let listing = our_server(&self.client, self.settings, OWN_PATIENCE).await?;
        let snapshot = own::snapshot(&listing);
        let published = listing.streams.iter().filter(|s| s.publisher.is_some());
        let movements = published.map(|s| {
            let moves = s.silent_ms.is_some_and(|ms| ms < STILL_MS);
            let movement = if moves { Movement::Moving } else { Movement::Still };
            ((s.application.clone(), s.name.clone()), movement)
        });
        let movements = movements.collect();
        let web = web(&listing, self.settings);
        Some(Watched { snapshot, movements, samples: None, workers: 1, web })
    }

    /// Finds out which foreign streams move: by what was seen before, then by looking again until all have moved or
    /// their time is over.
    async fn watch_bytes(&self, first: Snapshot, ours: &[crate::manager::records::ours::Ours]) -> Watched {
        let publishing = first.applications.iter().flat_map(|a| &a.streams).filter(|s| s.publishing).count();
        let unproven = merge::unproven(&first, &self.settings.nginx_rtmp_url, ours, clock::now_ms());
        let url = self.settings.nginx_stat_url.to_string();
        let runtime = self.environment.runtime_dir();
        let kept =
            if publishing > FEW && self.samples.is_none() { Samples::read(&runtime, &url) } else { None };
        let samples = Samples::of(&first, &url, clock::now_ms());
        let mut movements = Movements::new();
        let mut pending = Vec::new();
        for name in unproven {
            let before = self.samples.as_ref().or(kept.as_ref());
            match before.map_or(Judgement::Unknown, |b| b.judge(&samples, &name)) {
                Judgement::Moving => drop(movements.insert(name, Movement::Moving)),
                Judgement::Still => drop(movements.insert(name, Movement::Still)),
                Judgement::Unknown => pending.push(name),
            }
        }
        if publishing > FEW {
            // Only a later process needs the file, and only for lists as long as this one.
            samples.write(&runtime);
            let snapshot = first;
            return Watched { snapshot, movements, samples: Some(samples), workers: 1, web: None };
        }
        let mut seen = BTreeMap::from([(first.pid, first)]);
        let since = Instant::now();
        let until = since + PATIENCE;
        let mut watched = Duration::ZERO;
        while !pending.is_empty() && Instant::now() + LOOK_AGAIN < until {
            tokio::time::sleep(LOOK_AGAIN).await;
            let page = status::nginx_snapshot(&self.client, &self.settings.nginx_stat_url);
            let Ok(Ok(page)) = tokio::time::timeout_at(until, page).await else { break };
            watched = since.elapsed();
            let now = Samples::of(&page, &url, clock::now_ms());
            pending.retain(|name| {
                let moved = samples.moved(&now, name);
                if moved {
                    movements.insert(name.clone(), Movement::Moving);
                }
                !moved
            });
            seen.insert(page.pid, page);
        }
        // A server too slow or too broken to be looked at for long enough proves nothing.
        if watched >= PATIENCE / 2 {
            movements.extend(pending.into_iter().map(|name| (name, Movement::Still)));
        }
        let workers = seen.len();
        // Each worker lists only its own streams: what several of them said is taken together.
        let mut pages = seen.into_values();
        let mut snapshot = pages.next().unwrap_or_default();
        pages.for_each(|page| snapshot.applications.extend(page.applications));
        Watched { snapshot, movements, samples: Some(samples), workers, web: None }
    }
}

struct Watched {
    snapshot: Snapshot,
    movements: Movements,
    samples: Option<Samples>,
    workers: usize,
    /// Where our own server serves HLS.
    web: Option<WebPort>,
}

fn server(name: &str, url: &HttpUrl, error: Option<&SourceError>) -> Server {
    Server {
        name: name.to_string(),
        url: url.to_string(),
        ok: error.is_none(),
        error: error.map(|e| redact_urls(&e.to_string())),
    }
}

fn nginx_note(settings: &Settings, reason: &SourceError) -> String {
    let url = &settings.nginx_stat_url;
    let what = "only what MediaMTX has is listed";
    format!("{}; {what}; {}", silence("nginx-rtmp", url, reason), nginx_advice(url, reason))
}

fn mediamtx_note(settings: &Settings, reason: &SourceError) -> String {
    let url = &settings.mediamtx_url;
    let what = "viewers are those of nginx-rtmp only";
    format!("{}; {what}; {}", silence("MediaMTX", url, reason), mediamtx_advice(url, reason))
}

/// `MediaMTX (localhost:9997) did not answer (connection refused)`.
fn silence(name: &str, url: &HttpUrl, reason: &SourceError) -> String {
    if reason.absent() {
        format!("{name} ({}) did not answer ({reason})", url.address())
    } else {
        format!("{name} ({}) gave no list: {reason}", url.address())
    }
}

/// The setting or the line of nginx.conf that mends it.
fn nginx_advice(url: &HttpUrl, reason: &SourceError) -> String {
    match reason.status() {
        Some(404) => {
            "nginx.conf needs `location /stat { rtmp_stat all; }`, or --nginx-stat-url its right address"
                .into()
        }
        Some(401 | 403) => format!(
            "let this machine in at `location /stat` of nginx.conf, or set --nginx-stat-url {}://user:password@{}/stat",
            url.scheme(),
            url.address()
        ),
        Some(500) => "nginx.conf needs an `rtmp` block".into(),
        _ => "--nginx-stat-url sets its address".into(),
    }
}

/// The setting or the line of mediamtx.yml that mends it.
fn mediamtx_advice(url: &HttpUrl, reason: &SourceError) -> String {
    let with_login = format!("--mediamtx-url {}://user:password@{}", url.scheme(), url.address());
    match reason {
        SourceError::Fetch(FetchError::Status(401 | 403)) if url.has_secrets() => {
            format!("user or password of --mediamtx-url are wrong, or lack `action: api` in mediamtx.yml, authInternalUsers ({})", url.address())
        }
        SourceError::Fetch(FetchError::Status(401 | 403)) => format!(
            "its API lets in only programs of its own machine, and through a port published by docker we come from another address: \
             grant `action: api` to a user or network under authInternalUsers in mediamtx.yml, then set {with_login}"
        ),
        SourceError::Fetch(FetchError::Status(404)) => {
            "it has no /v3 API there: `api: yes` in mediamtx.yml (version 1.2 or later), or set --mediamtx-url".into()
        }
        SourceError::Fetch(FetchError::TimedOut(_)) if url.has_secrets() => {
            "it answers a wrong password only after up to 4 s; check --mediamtx-url".into()
        }
        _ => "--mediamtx-url sets its address".into(),
    }
}

fn nobody_answers(settings: &Settings, nginx: &SourceError, mediamtx: &SourceError) -> Failure {
    let (page, api) = match settings.backend {
        Backend::Embedded => ("the status page", "the API"),
        Backend::Native | Backend::Docker => ("nginx-rtmp", "MediaMTX"),
    };
    let mut failure = Failure::new(Kind::Server, "no media server answers")
        .why(silence(page, &settings.nginx_stat_url, nginx))
        .why(silence(api, &settings.mediamtx_url, mediamtx))
        .hint(preflight::up(settings));
    // Something is there, but not what is needed: starting servers would only find the port taken.
    if !nginx.absent() {
        failure = failure.hint(nginx_advice(&settings.nginx_stat_url, nginx));
    }
    if !mediamtx.absent() {
        failure = failure.hint(mediamtx_advice(&settings.mediamtx_url, mediamtx));
    }
    failure
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
