//! Publishing: probe the source, plan, ask the server, hand the job to a supervisor, wait for the first bytes.

use super::doctor::ffmpeg_fit::fit_ffmpeg;
use super::encoders;
use super::ours;
use super::power;
use super::preflight;
use super::stop;
use super::supervise::{self, Assignment};
use crate::base::secret::{Redactor, Secret};
use crate::base::{CommandLine, Failure, Kind, Outcome};
use crate::config::{Environment, Settings, resolved};
use crate::ffmpeg::capability::Need;
use crate::ffmpeg::cost::EFFORTS;
use crate::ffmpeg::encoder::Encoder;
use crate::ffmpeg::publish::{self as planner, Plan};
use crate::ffmpeg::test_source;
use crate::model::{Quality, RenditionName, Source, StreamKey};
use crate::process::cpu;
use crate::process::restart::When;
use crate::process::run_record::RunRecord;
use crate::process::supervisor::{Ended, Event, Fallback, Job, OutputSpec};
use crate::process::{index, spawn, stream_lock};
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;
use waiting::{Signals, Supervisor, wait_for_bytes};

mod endings;
mod messages;
mod waiting;

pub use messages::Refusal;

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

/// Probes the source and plans; asks no server, takes no lock, writes no file.
///
/// # Errors
/// Conflict is not judged here; missing programs (5), unusable input (7), usage (2).
pub fn prepare(settings: &Settings, environment: &Environment, request: Request) -> Outcome<Prepared> {
    let source = super::source::check(&request.source, environment)?;
    let need = if request.original { Need::Copy } else { Need::Encode };
    let fit = fit_ffmpeg(settings, environment, need)?;
    let look = cpu::Look::begin();
    let report = super::source::probe(&source, &fit.ffprobe, &fit.capability)?;
    let caption = matches!(source, Source::Test) && caption_works(&fit.ffmpeg);
    let planned = planner::Request {
        key: request.key.clone(),
        source: source.clone(),
        original: request.original,
        ladder: settings.variants.clone(),
        once: request.once,
        quality: settings.quality,
        leave_out: settings.leave_out,
        encoder: settings.encoder.clone(),
        fps: settings.fps,
        keyframe_interval: settings.keyframe_interval,
        audio_bitrate_bps: settings.audio_bitrate_bps,
        passthrough: settings.passthrough,
        b_frames: settings.b_frames,
        output_args: request.output_args.clone(),
        endpoint: settings.nginx_rtmp_url.clone(),
    };
    let packets = planner::packets_wanted(&planned, &report, &fit.capability)
        .and_then(|track| super::source::packets(&source, &fit.ffprobe, track));
    let encoder = match (need, &report.video) {
        (Need::Encode, Some(_)) => {
            Some(encoders::chosen(&settings.encoder, &fit.ffmpeg, &fit.capability, environment)?)
        }
        _ => None,
    };
    let power = match &encoder {
        // Asked last: what the look saw of our own children has ended then, and is not counted.
        Some(_) => look.and_then(cpu::Look::end).and_then(|load| {
            power::power(settings, environment, &request.key, (&fit.ffmpeg, &fit.capability), load)
        }),
        None => None,
    };
    let mut known = planner::Known { caption, packets, encoder, sessions: None, power };
    let plan = |known: &planner::Known| planner::plan_knowing(&planned, &report, &fit.capability, known);
    let mut planned_so = plan(&known)?;
    if let Some(encoder) =
        known.encoder.as_ref().filter(|e| e.in_hardware() && !planned_so.encoded.is_empty())
    {
        let sessions = encoders::sessions(&fit.ffmpeg, encoder, &planned_so.encoded);
        if sessions < planned_so.encoded.len() {
            known.sessions = Some(sessions);
            planned_so = plan(&known)?;
        }
    }
    let hardware = known.encoder.as_ref().filter(|encoder| encoder.in_hardware()).cloned();
    let cheaper = cheaper(&planned, &planned_so, |request| {
        let known = planner::Known { power: None, ..known.clone() };
        planner::plan_knowing(request, &report, &fit.capability, &known)
    });
    let if_unfit = match hardware.filter(|_| !planned_so.encoded.is_empty()) {
        // A session that is free now may be taken at the next start.
        Some(_) => {
            known.encoder = Some(Encoder::named("x264"));
            known.sessions = None;
            let command = plan(&known)?.command_line(&fit.ffmpeg, Some(1));
            Some(Fallback { command, words: "went on with x264".into(), cost: None })
        }
        None => None,
    };
    let plan = planned_so;
    let mut warnings = plan.warnings.clone();
    if let Source::Url(url) = &source
        && url.has_secrets()
    {
        warnings.push(
            "the credentials in the source's URL are visible to other users of this machine while it runs"
                .into(),
        );
    }
    if settings.nginx_rtmp_url.has_secrets() {
        warnings.push(
            "the credentials in --nginx-rtmp-url are visible to other users of this machine while it runs"
                .into(),
        );
    }
    Ok(Prepared {
        command: plan.command_line(&fit.ffmpeg, Some(1)),
        notes: plan.notes.clone(),
        warnings,
        source_words: format!(
            "{} ({})",
            super::source::words(&request.source, environment),
            report.summary()
        ),
        key: request.key,
        source,
        plan,
        once: request.once,
        foreground: request.foreground,
        if_unfit,
        if_slow: cheaper
            .into_iter()
            .map(|(quality, plan, cost)| Fallback {
                command: plan.command_line(&fit.ffmpeg, Some(1)),
                words: format!("went on at quality {quality}"),
                cost: Some(cost),
            })
            .collect(),
    })
}

/// The same variants with less work, dearest first, if the machine may choose.
fn cheaper(
    asked: &planner::Request,
    chosen: &Plan,
    plan: impl Fn(&planner::Request) -> Outcome<Plan>,
) -> Vec<(Quality, Plan, f64)> {
    // A source that comes by itself may be what is slow; beginning anew would only cost its viewers a break.
    if asked.quality != Quality::Auto || matches!(asked.source, Source::Url(_)) {
        return Vec::new();
    }
    let (Some(quality), Some(cost)) = (chosen.quality, chosen.cost) else { return Vec::new() };
    let below = EFFORTS.into_iter().skip_while(|effort| *effort != quality).skip(1);
    below
        .filter_map(|quality| {
            let plan = plan(&planner::Request { quality, ..asked.clone() }).ok()?;
            (plan.renditions == chosen.renditions).then_some((
                quality,
                plan,
                cost * relative(quality, chosen.quality?),
            ))
        })
        .collect()
}

/// What one effort costs against another, about.
fn relative(quality: Quality, against: Quality) -> f64 {
    let of = |quality| match quality {
        Quality::Best => 3.1,
        Quality::Balanced => 1.2,
        Quality::Auto | Quality::Fast => 1.0,
        Quality::Fastest => 0.78,
    };
    of(quality) / of(against)
}

/// How long the trial of the caption may take.
const TRIAL_LIMIT: Duration = Duration::from_secs(10);

/// Whether this ffmpeg finds a font for the test picture's caption.
fn caption_works(ffmpeg: &Path) -> bool {
    spawn::run(&test_source::caption_trial(ffmpeg), TRIAL_LIMIT, 4096).is_ok_and(|o| o.exit.code == Some(0))
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
