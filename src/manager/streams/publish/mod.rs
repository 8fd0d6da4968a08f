//! Publishing: probe the source, plan, ask the server, hand the job to a supervisor, wait for the first bytes.

use crate::base::secret::{Redactor, Secret};
use crate::base::{CommandLine, Failure, Kind, Outcome};
use crate::config::{Environment, Settings};
use crate::ffmpeg::plan_ladder::{Plan, PlannedRendition};
use crate::manager::records::ours;
use crate::manager::servers::preflight;
use crate::manager::streams::handing_over::HandingOver;
use crate::manager::streams::replanning::Replanning;
use crate::manager::streams::stop;
use crate::manager::streams::supervise::{self, Assignment};
use crate::model::ladder_fact::RenditionFact;
use crate::model::{LadderFact, PublishSpec, Quality, RenditionName, Restart, Source, StreamKey};
use crate::process::restart::When;
use crate::process::run_record::RunRecord;
use crate::process::stream_place::Spots;
use crate::process::supervisor::{Control, Ended, Event, Fallback, Job, OutputSpec, Way};
use crate::process::{budget, index, spawn, stream_lock};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use waiting::{Supervisor, Wait, cancelled};

mod awaiting;
mod endings;
mod messages;
mod preparing;
mod waiting;

pub use awaiting::{Awaited, Came, supervise as supervise_when_there, when_there};
pub use messages::Refusal;
pub use preparing::prepare;

/// What a supervisor is told to do. Holds secrets.
#[derive(Debug, Serialize, Deserialize)]
pub enum Order {
    /// To supervise what is planned.
    Supervise(Box<Assignment>),
    /// To wait for the source, plan, and supervise.
    Await(Box<Awaited>),
}

/// Carries out an order in the supervisor's own process. Events go to `tell`.
///
/// # Errors
/// Conflict if the stream already runs; internal if the locks or folders cannot be used.
pub async fn carry_out(order: Order, control: Receiver<Control>, tell: impl FnMut(&Event)) -> Outcome<Ended> {
    match order {
        Order::Supervise(assignment) => supervise::run(*assignment, control, tell).await,
        Order::Await(awaited) => awaiting::run(*awaited, control, tell).await,
    }
}

/// How whoever publishes stays with it: of the call, not of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patience {
    /// How long the first bytes are waited for; zero is not at all, and the stream goes on trying.
    pub wait: Duration,
    /// Whether this process supervises the stream itself.
    pub foreground: bool,
}

impl Patience {
    /// Whether transient faults before the first bytes are retried for ever.
    pub fn is_endless(self) -> bool {
        self.foreground || self.wait.is_zero()
    }

    /// Whether nobody hears of a failure before the first bytes.
    pub fn is_unwatched(self) -> bool {
        self.wait.is_zero() && !self.foreground
    }
}

/// A publish that is ready to start.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The stream.
    pub key: StreamKey,
    /// The plan, for summary, notes and renditions.
    pub plan: Plan,
    /// The command, progress on stdout.
    pub command: CommandLine,
    /// What a person should know.
    pub notes: Vec<String>,
    /// What a person should worry about.
    pub warnings: Vec<String>,
    spec: PublishSpec,
    patience: Patience,
    source_words: String,
    if_unfit: Option<Fallback>,
    if_stuck: Option<Fallback>,
    ways: Vec<Way>,
    way: usize,
    handing_over: HandingOver,
    replanning: Option<Replanning>,
}

/// What happens on the way to the first bytes.
#[derive(Debug)]
pub enum Step<'a> {
    /// Waiting for the server to drop a vanished publisher of this name.
    WaitingForName(&'a str),
    /// How the stream is doing.
    Update(&'a RunRecord),
}

/// A stream that is on the air.
#[derive(Clone, Debug)]
pub struct Published {
    /// Its record.
    pub record: RunRecord,
    /// From the start of the command to the bytes of every rendition.
    pub took: Duration,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl Prepared {
    /// `./videos/test.mp4 (h264 1920x1080 30 fps, aac)`.
    pub fn source_words(&self) -> &str {
        &self.source_words
    }

    /// Whether a file is repeated.
    pub fn repeated(&self) -> bool {
        matches!(self.spec.source, Source::File(_)) && !self.spec.once
    }
}

/// Stops the stream if it runs, so that another may take its key.
///
/// # Errors
/// As [`stop::stop`].
pub async fn replace(settings: &Settings, environment: &Environment, key: &StreamKey) -> Outcome<()> {
    stop::stop(settings, environment, key, settings.stop_timeout).await.map(|_| ())
}

/// Fails at once if the stream already runs.
///
/// # Errors
/// Conflict.
pub fn not_running(settings: &Settings, environment: &Environment, key: &StreamKey) -> Outcome<()> {
    let paths = &settings.paths;
    let entry = index::entry(&environment.runtime_dir(), key, paths.home());
    if stream_lock::is_held_for_good(&paths.lock(key), entry.as_ref().and_then(|entry| entry.lock)) {
        let record = ours::recorded(paths, key, entry);
        return Err(supervise::already(key.as_str(), record.as_ref()));
    }
    Ok(())
}

/// Refuses names that another running stream of ours has on the same server, from whatever folder.
fn names_are_nobodys(settings: &Settings, environment: &Environment, prepared: &Prepared) -> Outcome<()> {
    let endpoint = settings.nginx_rtmp_url.to_string();
    for other in ours::ours(settings, environment) {
        if !other.alive || other.record.endpoint != endpoint {
            continue;
        }
        let clash = prepared
            .plan
            .renditions
            .iter()
            .find(|r| other.record.renditions.iter().any(|o| o.name == r.name.as_str()));
        if let Some(rendition) = clash {
            if other.record.key == prepared.key.as_str() {
                let failure = supervise::already(prepared.key.as_str(), Some(&other.record));
                return Err(failure.why(format!("it was published from {}", other.record.home.display())));
            }
            return Err(Failure::new(
                Kind::Conflict,
                format!("the name {} belongs to the running stream {}", rendition.name, other.record.key),
            )
            .hint(format!("choose another key than {}", prepared.key)));
        }
    }
    Ok(())
}

/// Asks the server whether the publish can work; what it said of itself.
async fn ask_server(
    settings: &Settings,
    environment: &Environment,
    prepared: &Prepared,
    step: &mut impl FnMut(Step<'_>),
) -> Outcome<preflight::Server> {
    names_are_nobodys(settings, environment, prepared)?;
    let names: Vec<String> = prepared.plan.renditions.iter().map(|r| r.name.to_string()).collect();
    let server = match preflight::server(settings).await {
        Ok(server) => server,
        // Whoever waits for ever may start before the server.
        Err(failure) if prepared.patience.is_endless() => {
            let notes = vec![format!("{}; trying on", failure.what())];
            return Ok(preflight::Server { stat_known: false, notes });
        }
        Err(failure) => return Err(failure),
    };
    if server.stat_known {
        let wait = prepared.patience.wait;
        preflight::names_free(settings, &names, wait, |name| step(Step::WaitingForName(name))).await?;
    }
    Ok(server)
}

impl Prepared {
    /// What the server is told of it.
    fn ladder(&self, application: &str) -> LadderFact {
        let plan = &self.plan;
        let rendition = |planned: &PlannedRendition| RenditionFact {
            label: planned.rendition.label().to_string(),
            name: planned.name.to_string(),
            width: planned.size.0,
            height: planned.size.1,
            bitrate_bps: planned.bitrate_bps,
        };
        LadderFact {
            application: application.to_string(),
            key: self.key.to_string(),
            run: 0,
            aligned: plan.encoded.len() == plan.renditions.iter().filter(|r| r.size.0 > 0).count(),
            renditions: plan.renditions.iter().map(rendition).collect(),
        }
    }

    /// The whole assignment for the supervisor.
    fn assignment(
        &self,
        settings: &Settings,
        environment: &Environment,
        server: &preflight::Server,
    ) -> Assignment {
        let paths = &settings.paths;
        let (url, spec) = (&settings.nginx_rtmp_url, &self.spec);
        let mut redactor = Redactor::new();
        learn_secrets(&mut redactor, settings, &spec.source);
        let mut names: Vec<&RenditionName> = self.plan.renditions.iter().map(|r| &r.name).collect();
        names.sort();
        let name_locks = names.into_iter().map(|n| paths.name_lock(n)).collect();
        Assignment {
            job: Job {
                spots: spots(settings, environment, &self.key),
                lock: paths.lock(&self.key),
                name_locks,
                command: self.command.clone(),
                outputs: self
                    .plan
                    .renditions
                    .iter()
                    .map(|r| OutputSpec {
                        label: r.rendition.label().to_string(),
                        name: r.name.to_string(),
                        size: r.size,
                    })
                    .collect(),
                when: match spec.restart {
                    Restart::OnFailure => When::OnFailure,
                    Restart::Always => When::Always,
                    Restart::No => When::Never,
                },
                spec: spec.shown(),
                source: self.source_words.clone(),
                endpoint: url.to_string(),
                redactor,
                if_unfit: self.if_unfit.clone(),
                if_stuck: self.if_stuck.clone(),
                fixed_source: matches!(spec.source, Source::File(_)),
                ways: self.ways.clone(),
                way: self.way,
                // A live source may be the bottleneck; a restart would only interrupt its viewers.
                steps_down: !matches!(spec.source, Source::Url(_)),
                budget: Some(budget::path(&environment.runtime_dir())),
                slow_hint: self.plan.quality.map(|quality| match quality {
                    Quality::Fastest => "fewer or smaller --variants".to_string(),
                    _ => "--quality fastest, or fewer --variants".to_string(),
                }),
                cost: self.plan.cost,
                unwatched: self.patience.is_unwatched(),
            },
            stat_url: settings.nginx_stat_url.clone(),
            api_url: settings.mediamtx_url.clone(),
            ladder: self.ladder(url.application()),
            stat_known: server.stat_known,
            port: url.port(),
            endless: spec.source.endless(spec.once),
            source_url: match &spec.source {
                Source::Url(url) => Some(Secret::new(url.reveal())),
                _ => None,
            },
            patient: self.patience.is_endless(),
            replanning: self.replanning.clone(),
            handing_over: self.handing_over.clone(),
        }
    }
}

/// Where a stream's files stand.
fn spots(settings: &Settings, environment: &Environment, key: &StreamKey) -> Spots {
    let paths = &settings.paths;
    Spots {
        key: key.clone(),
        home: paths.home().to_path_buf(),
        pid_file: paths.pid_file(key),
        record: paths.record(key),
        log: paths.ffmpeg_log(key),
        index: Some(index::path(&environment.runtime_dir(), key, paths.home())),
    }
}

/// What must not be shown of a publish.
fn learn_secrets(redactor: &mut Redactor, settings: &Settings, source: &Source) {
    settings.nginx_rtmp_url.secrets().into_iter().for_each(|s| redactor.learn(s));
    if let Source::Url(source) = source {
        source.secrets().into_iter().for_each(|s| redactor.learn(s));
    }
}

/// Publishes in the background: returns when every rendition has bytes at the server, or says why not. To end it before,
/// cancel: a future that is dropped leaves the stream to its supervisor.
///
/// # Errors
/// Every failure of the contract, interrupted where it was cancelled; nothing is left running then.
pub async fn start(
    settings: &Settings,
    environment: &Environment,
    prepared: &Prepared,
    cancel: &CancellationToken,
    mut step: impl FnMut(Step<'_>),
) -> Outcome<Published> {
    let began = Instant::now();
    let asking = ask_server(settings, environment, prepared, &mut step);
    let server = cancel.run_until_cancelled(asking).await.ok_or_else(cancelled)??;
    let order = Order::Supervise(Box::new(prepared.assignment(settings, environment, &server)));
    let started = begun(environment, &order)?;
    let wait = Wait { settings, key: &prepared.key, began, wait: prepared.patience.wait, cancel };
    wait.for_bytes(started, &mut step).await.map(|record| Published {
        record,
        took: began.elapsed(),
        notes: server.notes,
    })
}

/// Leaves the publish of a source that is not there yet to a supervisor, which waits for it.
///
/// # Errors
/// Conflict if the stream already runs; nothing is left running then.
pub async fn leave_waiting(
    settings: &Settings,
    environment: &Environment,
    awaited: Awaited,
    cancel: &CancellationToken,
) -> Outcome<RunRecord> {
    let (key, wait) = (awaited.spec.key.clone(), awaited.patience.wait);
    let wait = Wait { settings, key: &key, began: Instant::now(), wait, cancel };
    let started = begun(environment, &Order::Await(Box::new(awaited)))?;
    wait.for_bytes(started, &mut |_| ()).await
}

/// Starts a detached supervisor and hands it its order; its events come through the pipe.
fn begun(environment: &Environment, order: &Order) -> Outcome<(Supervisor, pipe::Receiver)> {
    let mut line = CommandLine::new(environment.own_program()?);
    line.arg("__supervise");
    let order = serde_json::to_vec(order).map_err(|e| Failure::internal(e.to_string()))?;
    let (child, out) = spawn::detached(&line, &order)
        .map_err(|e| Failure::internal("cannot start the supervisor").why(e.to_string()))?;
    let supervisor = Supervisor::new(child)?;
    let pipe = spawn::readable(out)
        .map_err(|e| Failure::internal("cannot hear the supervisor").why(e.to_string()))?;
    Ok((supervisor, pipe))
}

/// Publishes in this process: supervises until the stream ends, telling every event.
///
/// # Errors
/// As [`start`].
pub async fn foreground(
    settings: &Settings,
    environment: &Environment,
    prepared: &Prepared,
    control: Receiver<Control>,
    mut step: impl FnMut(Step<'_>),
    mut note: impl FnMut(&str),
    tell: impl FnMut(&Event),
) -> Outcome<Ended> {
    let server = ask_server(settings, environment, prepared, &mut step).await?;
    server.notes.iter().for_each(|n| note(n));
    supervise::run(prepared.assignment(settings, environment, &server), control, tell).await
}

/// How a stream that ended in the foreground is reported.
pub fn foreground_failure(settings: &Settings, key: &StreamKey, ended: &Ended) -> Option<Failure> {
    ended.failure.map(|_| endings::ended_early(settings, key, ended))
}
