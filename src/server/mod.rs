//! The embedded server: listeners, the hub, the protocols and the control endpoints, put together.
//!
//! Frames move on some threads, each of which carries whole ladders; everything else on another one. Whoever starts it gives a future that tells it to end; then listeners close first, readers
//! are told, and what has not ended a few seconds later is dropped.

mod chat;
pub mod control;
mod deciding;
pub mod endpoint;
pub mod events;
pub mod hook_post;
pub mod listeners;
pub mod options;
pub mod outgoing;
mod per_address;
pub mod platform;
mod programs;
pub mod rates;
pub mod runtime_thread;
pub mod sampler;
mod thumbnails;
pub mod view;
pub mod web;
pub mod webrtc;

use crate::auth::Ledger;
use crate::base::clock::Now;
use crate::base::next::Advice;
use crate::base::{Failure, Outcome, failure::io_words};
use crate::config::hls::Hls;
use crate::hub::{self, Hub, Registry};
use crate::model::service::{Audience, PerService, Service};
use crate::platform::Kept;
use crate::platform::load::{self, sampling::Sampler as Sampling};
use crate::process::load::open_files_allowed;
use crate::protocol::admission::{self, Admission};
use crate::protocol::workers::Workers;
use crate::protocol::{hls, rtmp, rtsp};
use crate::telemetry::Log;
use control::{Control, Parts};
use deciding::Deciding;
use endpoint::http;
use hls::server::disk::{Disk, Room};
use listeners::{Addresses, Listeners};
pub use options::Options;
use runtime_thread::RuntimeThread;
use sampler::Sampler;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use thumbnails::Thumbnails;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use web::Web;
use web::rest::Api;
use web::tls::Tls;

/// How long connections may take to end when the server ends.
const POLITE: Duration = Duration::from_secs(5);
/// How far back segments of HLS stay in memory where what lies further back goes to the disk: players begin within it.
const IN_MEMORY: Duration = Duration::from_secs(30);
/// Time between two looks at the counters.
const TICK: Duration = Duration::from_secs(1);

/// A server that listens and does not serve yet.
pub struct Server {
    options: Options,
    listeners: Listeners,
    addresses: Addresses,
    tls: Option<Arc<Tls>>,
    kept: Kept,
    log: Log,
}

impl Server {
    /// Opens every socket, and the database if it is there.
    ///
    /// # Errors
    /// As [`Listeners::open`], [`Tls::load`] and [`platform::open`].
    pub async fn bind(options: Options, log: Log) -> Outcome<Server> {
        let tls = options.tls.clone().map(Tls::load).transpose()?.map(Arc::new);
        let listeners = Listeners::open(&options)?;
        let kept = platform::open(&options.database, &log).await?;
        let addresses = listeners
            .addresses()
            .map_err(|e| Failure::internal("cannot tell where the server listens").why(io_words(&e)))?;
        // A port of 0 has become another one; what is not offered has none.
        let ports =
            PerService::try_of(|service| Ok::<_, Failure>(addresses.of(service).map_or(0, |at| at.port())))?;
        Ok(Server { options: Options { ports, ..options }, listeners, addresses, tls, kept, log })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The certificate of the web port, if it speaks https.
    pub fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.clone()
    }

    /// Serves until `shutdown` is over.
    ///
    /// # Errors
    /// Internal, if a part of it ends by itself: half a server is worse than none.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Outcome<()> {
        let Server { options, mut listeners, tls, kept, log, .. } = self;
        let (down, downs) = watch::channel(false);
        let mut work = Work { tasks: JoinSet::new(), parts: Arc::default() };
        // They live until everything that runs on them has ended.
        let threads = media_threads(options.media_workers)?;
        let workers = Workers::new(Handle::current(), threads.iter().map(RuntimeThread::handle).collect());
        let hub = Hub::on(workers.count(), Registry::default(), hub::Limits::default());
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let (readers_per_address, publishers_per_address) = options.per_address;
        let limits = admission::Limits {
            readers_per_address,
            publishers_per_address,
            ..admission::Limits::with_file_limit(open_files_allowed())
        };
        let admission = Admission::new(limits, options.trusted.clone());

        let rules =
            rtmp::session::server::Rules { applications: options.applications.clone(), ..Default::default() };
        platform::felt_on(&kept, &hub);
        let deciding = Deciding::of(&options, &kept, &hub, &log)?;
        let authorizer = deciding.authorizer.clone();
        if let Some(telling) = deciding.telling(&hub, downs.clone()) {
            work.add("admission", telling);
        }
        let rtmp = rtmp::server::Shared::new(
            hub.clone(),
            rules,
            authorizer.clone(),
            admission.clone(),
            ledger.clone(),
            log.clone(),
        );
        work.add(
            "rtmp",
            rtmp::server::serve(
                listening(&mut listeners, Service::Rtmp)?,
                Arc::new(rtmp),
                workers.clone(),
                downs.clone(),
            ),
        );

        let (rtp, rtcp) = listeners.take_datagrams()?;
        let udp = rtsp::udp::Udp::new(rtp, rtcp, hub.registry().clone())
            .map_err(|e| Failure::internal("cannot serve RTP").why(io_words(&e)))?;
        let udp = Arc::new(udp);
        let rtsp = rtsp::server::Shared::new(
            hub.clone(),
            options.applications.clone().into(),
            authorizer.clone(),
            admission,
            ledger.clone(),
            Some(udp.clone()),
            log.clone(),
        );
        work.add(
            "rtsp",
            rtsp::server::serve(
                listening(&mut listeners, Service::Rtsp)?,
                Arc::new(rtsp),
                workers,
                downs.clone(),
            ),
        );
        work.add("rtp", udp.serve(downs.clone()));

        let viewers = options.web.then(|| RuntimeThread::start("web")).transpose()?;
        let media = options.web.then(|| RuntimeThread::start("webrtc")).transpose()?;
        let looking = options.web.then(|| RuntimeThread::start("load")).transpose()?;
        let web = match (&viewers, &media, &looking) {
            (Some(viewers), Some(media), Some(looking)) => {
                let parts = webrtc::Parts {
                    options: &options,
                    hub: hub.clone(),
                    authorizer: authorizer.clone(),
                    ledger: ledger.clone(),
                    log: log.clone(),
                    shutdown: downs.clone(),
                };
                let api = Api::new(&options, kept.clone(), &parts);
                let places =
                    load::Places { rtmp_port: options.ports.of(Service::Rtmp), ..options.load.clone() };
                let sampling = Sampling::new(places, hub.clone(), kept.clone(), &log);
                work.add("load", looking.run(sampling.run(api.load().clone(), downs.clone())));
                work.add(
                    "statistics",
                    viewers.run(api.statistics().clone().follow(hub.clone(), downs.clone())),
                );
                Some(work.add_web(parts, (viewers, media), &mut listeners, tls, api)?)
            }
            _ => None,
        };

        if let Some(ladders) = programs::of(&options, &kept, &hub, &log) {
            work.add("ladders", ladders.run(downs.clone()));
        }
        if let Some(sources) = programs::sources(&options, &kept, &log) {
            work.add("sources", sources.run(downs.clone()));
        }
        let control = Control::new(&options, authorizer, hub, work.parts.clone(), ledger, log.clone());
        if let Some(web::Served { hls, webrtc, .. }) = web {
            control.sampler.watch_hls(hls);
            control.sampler.watch_webrtc(webrtc);
        }
        let listener = control.sampler.hub().events().listen();
        let counts = control.sampler.events().clone();
        let beside = RuntimeThread::start("control")?;
        let parts = platform::Parts { kept, hub: control.sampler.hub().clone(), log: log.clone() };
        work.add("platform", beside.run(parts.run(options.hooks_command.clone(), downs.clone())));
        work.add("events", beside.run(events::listen(listener, counts, log.clone(), downs.clone())));
        work.add("ticks", beside.run(ticks(control.sampler.clone(), downs.clone())));
        for service in Service::ALL.into_iter().filter(|s| s.row().audience == Audience::Operators) {
            let name = service.row().id;
            let listener = {
                let _theirs = beside.enter();
                listening(&mut listeners, service)?
            };
            work.add(name, beside.run(http::serve(listener, control.endpoint(name), downs.clone())));
        }

        let failure = tokio::select! {
            () = shutdown => None,
            name = work.first_end() => {
                log.error(format_args!("the part '{name}' ended by itself; the server ends"));
                Some(Failure::internal(format!("the part '{name}' of the server ended by itself")))
            }
        };
        log.info(format_args!("ending"));
        let _ = down.send(true);
        if !work.ends_within(POLITE).await {
            log.warn(format_args!("some connections did not end in time and were dropped"));
        }
        drop((threads, viewers, media, looking, deciding));
        log.info(format_args!("ended"));
        failure.map_or(Ok(()), Err)
    }
}

/// The parts of the server at work.
struct Work {
    tasks: JoinSet<&'static str>,
    parts: Arc<Parts>,
}

impl Work {
    fn add(&mut self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        self.parts.begin(name);
        self.tasks.spawn(async move {
            part.await;
            name
        });
    }

    /// Viewers over HTTP ask far more often than readers of a connection do, and playlists are written for them: none of
    /// that stands in the way of frames or of the operators' endpoints. Nor does the encryption of WebRTC.
    fn add_web(
        &mut self,
        parts: webrtc::Parts<'_>,
        (viewers, media): (&RuntimeThread, &RuntimeThread),
        listeners: &mut Listeners,
        tls: Option<Arc<Tls>>,
        api: Api,
    ) -> Outcome<web::Served> {
        let (options, log, downs) = (parts.options, parts.log.clone(), parts.shutdown.clone());
        let registry = parts.hub.registry().clone();
        let hls = Arc::new(hls::server::Shared::new(
            parts.hub.clone(),
            options.applications.clone().into(),
            parts.authorizer.clone(),
            parts.ledger.clone(),
            log.clone(),
            divided(options),
            downs.clone(),
        ));
        let listener = {
            let _theirs = viewers.enter();
            listening(listeners, Service::Web)?
        };
        if options.hls.on_disk() {
            let disk = Disk::open(&options.hls_folder, Room::default(), log.clone()).map_err(|e| {
                Failure::internal(format!("cannot store segments in {}", options.hls_folder.display()))
                    .why(io_words(&e))
                    .hint(Advice::set("hls_window", "60s"))
            })?;
            self.add("disk", disk.keep(hls.airings().clone(), downs.clone()));
            self.add("hls", viewers.run(hls.clone().divide_all()));
        }
        let (chat, chatting) = chat::begin(chat::Needs {
            options,
            hub: parts.hub.clone(),
            registry: registry.clone(),
            authorizer: parts.authorizer.clone(),
            ledger: parts.ledger.clone(),
            log: log.clone(),
            api: api.clone(),
            shutdown: downs.clone(),
        })?;
        self.add("chat", viewers.run(chatting));
        let thumbnails = Arc::new(Thumbnails::new(thumbnails::Needs {
            hub: parts.hub.clone(),
            kept: api.kept().clone(),
            applications: options.applications.clone().into(),
            authorizer: parts.authorizer.clone(),
            ledger: parts.ledger.clone(),
            log: log.clone(),
            folder: options.thumbnails_folder.clone(),
            ffmpeg: options.ffmpeg.clone(),
        }));
        let (webrtc, running) = webrtc::begin(parts, listeners.take_webrtc()?, media)?;
        self.add("webrtc", running);
        let served = web::Served { hls, webrtc, chat, thumbnails };
        let web = Web {
            limits: web::Limits::new(options.per_address.0, open_files_allowed()),
            trusted: options.trusted.clone(),
            registry,
            log,
            tls,
            routes: web::routes(served.clone(), api),
        };
        self.add("web", viewers.run(web::serve(listener, Arc::new(web), downs)));
        Ok(served)
    }

    /// Waits until one part ends, which none of them does while the server runs; its name, or that it panicked.
    async fn first_end(&mut self) -> &'static str {
        let name = self.tasks.join_next().await.and_then(Result::ok).unwrap_or("one that panicked");
        self.parts.end(name);
        name
    }

    /// Waits until all have ended, but not longer than `patience`; then drops what is left.
    async fn ends_within(&mut self, patience: Duration) -> bool {
        let polite = async { while self.tasks.join_next().await.is_some() {} };
        let all = tokio::time::timeout(patience, polite).await.is_ok();
        self.tasks.shutdown().await;
        all
    }
}

/// How ladders are divided for HLS.
fn divided(options: &Options) -> hls::ladder::Settings {
    let Hls { segment, part, window } = options.hls;
    hls::ladder::Settings { segment, part, window, memory: options.hls.on_disk().then_some(IN_MEMORY) }
}

/// The threads that carry media beside the one that the server was started on.
fn media_threads(workers: NonZeroUsize) -> Outcome<Vec<RuntimeThread>> {
    (1..workers.get()).map(|number| RuntimeThread::start(&format!("media-{number}"))).collect()
}

fn listening(listeners: &mut Listeners, service: Service) -> Outcome<TcpListener> {
    TcpListener::from_std(listeners.take(service)?)
        .map_err(|e| Failure::internal("cannot serve a listener").why(io_words(&e)))
}

/// Looks at the counters every second.
async fn ticks(sampler: Arc<Sampler>, mut shutdown: watch::Receiver<bool>) {
    let mut again = tokio::time::interval(TICK);
    again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = again.tick() => sampler.tick(Now::read()),
            () = http::asked_to_end(&mut shutdown) => return,
        }
    }
}
