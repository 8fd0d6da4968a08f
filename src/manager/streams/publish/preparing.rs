//! Before anything is started: the source is looked at, the machine weighed, the command planned.

use super::{Patience, Prepared};
use crate::base::Outcome;
use crate::config::{Environment, Settings};
use crate::ffmpeg::capability::Need;
use crate::ffmpeg::encoder::Encoder;
use crate::ffmpeg::plan_ladder as planner;
use crate::ffmpeg::report::Report;
use crate::ffmpeg::test_source;
use crate::manager::machine::ffmpeg_fit::{FfmpegFound, fit_ffmpeg};
use crate::manager::machine::{encoders, power};
use crate::manager::streams::handing_over::HandingOver;
use crate::manager::streams::replanning::Replanning;
use crate::manager::streams::source::{self as source_of, Unread};
use crate::manager::streams::ways;
use crate::model::{FrameRate, PublishSpec, Quality, Source};
use crate::process::blocking::blocking;
use crate::process::supervisor::Fallback;
use crate::process::{cpu, spawn};
use std::path::Path;
use std::time::Duration;

/// Probes the source and plans; asks no server, takes no lock, writes no file.
///
/// # Errors
/// Conflict is not judged here; missing programs (5), unusable input (7), usage (2).
pub async fn prepare(
    settings: &Settings,
    environment: &Environment,
    spec: &PublishSpec,
    patience: Patience,
) -> Result<Prepared, Unread> {
    spec.check()?;
    let (settings, environment, spec) = (settings.clone(), environment.clone(), spec.clone());
    blocking("look at the source", move || prepared(&settings, &environment, spec, patience)).await?
}

/// As [`prepare`], without an event loop: programs are run and waited for.
fn prepared(
    settings: &Settings,
    environment: &Environment,
    spec: PublishSpec,
    patience: Patience,
) -> Result<Prepared, Unread> {
    let mut study = Study::of(settings, environment, &spec)?;
    let plan = study.chosen()?;
    let qualities = study.qualities(&plan);
    let ffmpeg = &study.fit.ffmpeg;
    let ways = qualities.iter().filter_map(|(quality, plan)| ways::way(*quality, plan, ffmpeg)).collect();
    let qualities: Vec<Quality> = qualities.into_iter().map(|(quality, _)| quality).collect();
    let way = plan.quality.and_then(|chosen| qualities.iter().position(|q| *q == chosen)).unwrap_or(0);
    let named = source_of::words(&spec.source, environment);
    let source = &study.planned.source;
    Ok(Prepared {
        key: spec.key.clone(),
        command: plan.command_line(ffmpeg, Some(1)),
        notes: plan.notes.clone(),
        warnings: plan.warnings.iter().cloned().chain(visible_secrets(settings, source)).collect(),
        source_words: format!("{named} ({})", study.report.summary()),
        if_unfit: study.if_unfit(&plan)?,
        if_stuck: study.if_stuck(&plan)?,
        handing_over: HandingOver::of(source, &study.report, &plan, &settings.nginx_rtmp_url, &spec),
        replanning: study.replanning(&plan, named, qualities),
        plan,
        patience,
        spec,
        way,
        ways,
    })
}

/// What is known before it is decided: the programs, the source, what is wanted and what the machine gives.
struct Study {
    fit: FfmpegFound,
    report: Report,
    planned: planner::Request,
    known: planner::Known,
}

impl Study {
    /// Looks at source and machine.
    fn of(settings: &Settings, environment: &Environment, spec: &PublishSpec) -> Result<Study, Unread> {
        let source = source_of::check(&spec.source, environment)?;
        let need = if spec.original { Need::Copy } else { Need::Encode };
        let fit = fit_ffmpeg(settings, environment, need)?;
        let look = cpu::Sample::begin();
        let report = source_of::probe(&source, &fit.ffprobe, &fit.capability)?;
        let caption = matches!(source, Source::Test) && caption_works(&fit.ffmpeg);
        let planned = wanted(settings, environment, spec, source)?;
        let candidate = planner::packets_wanted(&planned, &report, &fit.capability);
        let (packets, times) = source_of::packets(&planned.source, &fit.ffprobe, &report, candidate);
        let encoder = match (need, &report.video) {
            (Need::Encode, Some(_)) => {
                Some(encoders::chosen(spec.encoder.as_str(), &fit.ffmpeg, &fit.capability, environment)?)
            }
            _ => None,
        };
        let power = match &encoder {
            // Asked last: what the look saw of our own children has ended then, and is not counted.
            Some(_) => look.and_then(cpu::Sample::end).and_then(|load| {
                power::power(settings, environment, &spec.key, (&fit.ffmpeg, &fit.capability), load)
            }),
            None => None,
        };
        let known = planner::Known { caption, packets, times, encoder, power, ..planner::Known::default() };
        Ok(Study { fit, report, planned, known })
    }

    fn plan(&self, request: &planner::Request, known: &planner::Known) -> Outcome<planner::Plan> {
        planner::plan_knowing(request, &self.report, &self.fit.capability, known)
    }

    /// The encoder, where it is a card.
    fn hardware(&self) -> Option<&Encoder> {
        self.known.encoder.as_ref().filter(|encoder| encoder.in_hardware())
    }

    /// The plan; for a card within the number of frames that it makes at once, which is known from then on.
    fn chosen(&mut self) -> Outcome<planner::Plan> {
        let plan = self.plan(&self.planned, &self.known)?;
        let Some(encoder) = self.hardware().filter(|_| !plan.encoded.is_empty()) else { return Ok(plan) };
        let sessions = encoders::sessions(&self.fit.ffmpeg, encoder, &plan.encoded);
        if sessions >= plan.encoded.len() {
            return Ok(plan);
        }
        self.known.sessions = Some(sessions);
        self.plan(&self.planned, &self.known)
    }

    /// The qualities that the machine may choose from, each with its plan, dearest first.
    fn qualities(&self, chosen: &planner::Plan) -> Vec<(Quality, planner::Plan)> {
        ways::ways(&self.planned, chosen, self.hardware().is_some(), |request, kept| {
            self.plan(request, &planner::Known { kept, ..self.known.clone() })
        })
    }

    /// What is run where the card turns out not to work.
    fn if_unfit(&self, plan: &planner::Plan) -> Outcome<Option<Fallback>> {
        if self.hardware().is_none() || plan.encoded.is_empty() {
            return Ok(None);
        }
        // A session that is free now may be taken at the next start.
        let encoder = Some(Encoder::named("x264"));
        let known = planner::Known { encoder, sessions: None, ..self.known.clone() };
        let command = self.plan(&self.planned, &known)?.command_line(&self.fit.ffmpeg, Some(1));
        Ok(Some(Fallback { command, words: "went on with x264".into(), cost: None }))
    }

    /// What is run where a file always ends at the same place.
    fn if_stuck(&self, plan: &planner::Plan) -> Outcome<Option<Fallback>> {
        if !matches!(self.planned.source, Source::File(_)) || plan.invocation.feeder.is_some() {
            return Ok(None);
        }
        let known = planner::Known { fed: true, ..self.known.clone() };
        let fed = self.plan(&self.settled(plan), &known)?;
        // The same variants, or it would be another stream.
        let same = fed.invocation.feeder.is_some() && fed.renditions == plan.renditions;
        let command = fed.command_line(&self.fit.ffmpeg, Some(1));
        let words = "went on with its times mended on the way".to_string();
        Ok(same.then_some(Fallback { command, words, cost: fed.cost }))
    }

    /// What is wanted, in the quality that was chosen.
    fn settled(&self, plan: &planner::Plan) -> planner::Request {
        planner::Request { quality: plan.quality.unwrap_or(self.planned.quality), ..self.planned.clone() }
    }

    /// How to plan again for a source that may come back as another.
    fn replanning(&self, plan: &planner::Plan, named: String, qualities: Vec<Quality>) -> Option<Replanning> {
        let labels = || plan.renditions.iter().filter_map(|r| r.rendition.rung().cloned()).collect();
        matches!(self.planned.source, Source::Url(_)).then(|| Replanning {
            request: self.settled(plan),
            labels: (!self.planned.original).then(labels),
            picture: self.report.video.is_some(),
            named,
            programs: (self.fit.ffmpeg.clone(), self.fit.ffprobe.clone()),
            capability: self.fit.capability.clone(),
            encoder: (self.known.encoder.clone(), self.known.sessions),
            power: self.known.power,
            qualities,
        })
    }
}

/// What is asked of the planner; `source` is the source with an absolute path.
fn wanted(
    settings: &Settings,
    environment: &Environment,
    spec: &PublishSpec,
    source: Source,
) -> Outcome<planner::Request> {
    Ok(planner::Request {
        key: spec.key.clone(),
        source,
        original: spec.original,
        ladder: spec.ladder.clone(),
        once: spec.once,
        quality: spec.quality,
        leave_out: spec.leave_out,
        encoder: spec.encoder.to_string(),
        fps: spec.fps.map(FrameRate::per_second),
        keyframe_interval: spec.keyframe_interval.duration(),
        audio_bitrate_bps: spec.audio_bitrate.bps(),
        passthrough: spec.passthrough,
        b_frames: spec.b_frames,
        output_args: spec.output_args.iter().map(|arg| arg.reveal().to_os_string()).collect(),
        endpoint: settings.nginx_rtmp_url.clone(),
        own_program: environment.own_program()?,
    })
}

/// Secrets that stand in ffmpeg's arguments while it runs.
fn visible_secrets(settings: &Settings, source: &Source) -> Vec<String> {
    let source = matches!(source, Source::Url(url) if url.has_secrets()).then_some("the source's URL");
    let endpoint = settings.nginx_rtmp_url.has_secrets().then_some("--nginx-rtmp-url");
    let told =
        |what| format!("the credentials in {what} are visible to other users of this machine while it runs");
    source.into_iter().chain(endpoint).map(told).collect()
}

/// How long the trial of the caption may take.
const TRIAL_LIMIT: Duration = Duration::from_secs(10);

/// Whether this ffmpeg finds a font for the test picture's caption.
fn caption_works(ffmpeg: &Path) -> bool {
    spawn::run(&test_source::caption_trial(ffmpeg), TRIAL_LIMIT, 4096).is_ok_and(|o| o.exit.code == Some(0))
}
