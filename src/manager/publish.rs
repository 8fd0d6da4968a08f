//! Publishing: probe the source, plan, ask the server, hand the job to a supervisor, wait for the first bytes.

use super::ours;
use super::preflight;
use super::replanning::Replanning;
use super::stop;
use super::supervise::{self, Assignment};
use crate::base::secret::{Redactor, Secret};
use crate::base::{CommandLine, Failure, Kind, Outcome};
use crate::config::{Environment, Settings, resolved};
use crate::ffmpeg::publish::Plan;
use crate::model::{Quality, RenditionName, Source, StreamKey};
use crate::process::restart::When;
use crate::process::run_record::RunRecord;
use crate::process::supervisor::{Ended, Event, Fallback, Job, OutputSpec};
use crate::process::{index, spawn, stream_lock};
use std::ffi::OsString;
use std::time::Duration;
use tokio::time::Instant;
use waiting::{Signals, Supervisor, wait_for_bytes};

mod endings;
mod messages;
mod preparing;
mod waiting;

pub use messages::Refusal;
pub use preparing::prepare;

/// What is to be published, typed and checked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The stream.
    pub key: StreamKey,
    /// Where it comes from.
    pub source: Source,
    /// `-o`.
    pub original: bool,
    /// `--once`.
    pub once: bool,
    /// Arguments for ffmpeg's output.
    pub output_args: Vec<OsString>,
    /// `--foreground`.
    pub foreground: bool,
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
    source: Source,
    source_words: String,
    once: bool,
    foreground: bool,
    if_unfit: Option<Fallback>,
    if_slow: Vec<Fallback>,
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
        matches!(self.source, Source::File(_)) && !self.once
    }
}

/// Fails at once if the stream already runs, or any of its names is that of another stream of ours.
///
/// # Errors
/// Conflict.
pub fn not_running(
    settings: &Settings,
    environment: &Environment,
    key: &StreamKey,
    replace: bool,
) -> Outcome<()> {
    if replace {
        stop::stop(settings, environment, key, settings.stop_timeout)?;
        return Ok(());
    }
    if stream_lock::is_held_for_good(&settings.paths.lock(key)) {
        let record = RunRecord::read(&settings.paths.record(key));
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
    patience: Duration,
    step: &mut impl FnMut(Step<'_>),
) -> Outcome<preflight::Server> {
    names_are_nobodys(settings, environment, prepared)?;
    let names: Vec<String> = prepared.plan.renditions.iter().map(|r| r.name.to_string()).collect();
    let server = match preflight::server(settings).await {
        Ok(server) => server,
        // Whoever waits for ever may start before the server.
        Err(failure) if prepared.patient(settings) => {
            let notes = vec![format!("{}; trying on", failure.what())];
            return Ok(preflight::Server { stat_known: false, notes });
        }
        Err(failure) => return Err(failure),
    };
    if server.stat_known {
        preflight::names_free(settings, &names, patience, |name| step(Step::WaitingForName(name))).await?;
    }
    Ok(server)
}

impl Prepared {
    /// Whether transient faults before the first bytes are retried for ever.
    fn patient(&self, settings: &Settings) -> bool {
        self.foreground || settings.wait.is_zero()
    }

    /// The whole assignment for the supervisor.
    fn assignment(
        &self,
        settings: &Settings,
        environment: &Environment,
        server: &preflight::Server,
    ) -> Assignment {
        let paths = &settings.paths;
        let url = &settings.nginx_rtmp_url;
        let mut redactor = Redactor::new();
        url.secrets().into_iter().for_each(|s| redactor.learn(s));
        if let Source::Url(source) = &self.source {
            source.secrets().into_iter().for_each(|s| redactor.learn(s));
        }
        let mut names: Vec<&RenditionName> = self.plan.renditions.iter().map(|r| &r.name).collect();
        names.sort();
        let locks = std::iter::once(paths.lock(&self.key))
            .chain(names.into_iter().map(|n| paths.name_lock(n)))
            .collect();
        Assignment {
            job: Job {
                key: self.key.clone(),
                home: paths.home().to_path_buf(),
                pid_file: paths.pid_file(&self.key),
                record: paths.record(&self.key),
                log: paths.ffmpeg_log(&self.key),
                index: Some(index::path(&environment.runtime_dir(), &self.key, paths.home())),
                locks,
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
                when: match settings.restart {
                    resolved::Restart::OnFailure => When::OnFailure,
                    resolved::Restart::Always => When::Always,
                    resolved::Restart::No => When::Never,
                },
                source: self.source_words.clone(),
                endpoint: url.to_string(),
                redactor,
                if_unfit: self.if_unfit.clone(),
                if_slow: self.if_slow.clone(),
                slow_hint: self.plan.quality.map(|quality| match quality {
                    Quality::Fastest => "fewer or smaller --variants".to_string(),
                    _ => "--quality fastest, or fewer --variants".to_string(),
                }),
                cost: self.plan.cost,
            },
            stat_url: settings.nginx_stat_url.clone(),
            application: url.application().to_string(),
            stat_known: server.stat_known,
            port: url.port(),
            endless: self.source.endless(self.once),
            source_url: match &self.source {
                Source::Url(url) => Some(Secret::new(url.reveal())),
                _ => None,
            },
            patient: self.patient(settings),
            replanning: self.replanning.clone(),
        }
    }
}

/// Publishes in the background: returns when every rendition has bytes at the server, or says why not.
///
/// # Errors
/// Every failure of the contract; nothing is left running then.
pub async fn start(
    settings: &Settings,
    environment: &Environment,
    prepared: &Prepared,
    mut step: impl FnMut(Step<'_>),
) -> Outcome<Published> {
    let began = Instant::now();
    let server = ask_server(settings, environment, prepared, settings.wait, &mut step).await?;
    let assignment = prepared.assignment(settings, environment, &server);
    let mut line = CommandLine::new(environment.own_program()?);
    line.arg("__supervise");
    let mut signals = Signals::listen()?;
    let job = serde_json::to_vec(&assignment).map_err(|e| Failure::internal(e.to_string()))?;
    let (child, out) = spawn::detached(&line, &job)
        .map_err(|e| Failure::internal("cannot start the supervisor").why(e.to_string()))?;
    let supervisor = Supervisor::new(child)?;
    let pipe = spawn::readable(out)
        .map_err(|e| Failure::internal("cannot hear the supervisor").why(e.to_string()))?;
    let waited = wait_for_bytes(settings, prepared, pipe, &supervisor, began, &mut signals, &mut step).await;
    waited.map(|record| Published { record, took: began.elapsed(), notes: server.notes })
}

/// Publishes in this process: supervises until the stream ends, telling every event.
///
/// # Errors
/// As [`start`].
pub async fn foreground(
    settings: &Settings,
    environment: &Environment,
    prepared: &Prepared,
    control: tokio::sync::mpsc::Receiver<crate::process::supervisor::Control>,
    mut step: impl FnMut(Step<'_>),
    mut note: impl FnMut(&str),
    tell: impl FnMut(&Event),
) -> Outcome<Ended> {
    let server = ask_server(settings, environment, prepared, settings.wait, &mut step).await?;
    server.notes.iter().for_each(|n| note(n));
    supervise::run(prepared.assignment(settings, environment, &server), control, tell).await
}

/// How a stream that ended in the foreground is reported.
pub fn foreground_failure(settings: &Settings, prepared: &Prepared, ended: &Ended) -> Option<Failure> {
    ended.failure.map(|_| endings::ended_early(settings, prepared, ended))
}
