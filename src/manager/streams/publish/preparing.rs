//! Before anything is started: the source is looked at, the machine weighed, the command planned.

use super::{Prepared, Request};
use crate::config::{Environment, Settings};
use crate::ffmpeg::capability::Need;
use crate::ffmpeg::encoder::Encoder;
use crate::ffmpeg::publish as planner;
use crate::ffmpeg::test_source;
use crate::manager::machine::ffmpeg_fit::fit_ffmpeg;
use crate::manager::machine::{encoders, power};
use crate::manager::streams::handing_over::HandingOver;
use crate::manager::streams::replanning::Replanning;
use crate::manager::streams::source::{self as source_of, Unread};
use crate::manager::streams::ways;
use crate::model::{Quality, Source};
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
    request: &Request,
) -> Result<Prepared, Unread> {
    let (settings, environment, request) = (settings.clone(), environment.clone(), request.clone());
    blocking("look at the source", move || prepared(&settings, &environment, request)).await?
}

/// As [`prepare`], without an event loop: programs are run and waited for.
fn prepared(settings: &Settings, environment: &Environment, request: Request) -> Result<Prepared, Unread> {
    let source = source_of::check(&request.source, environment)?;
    let need = if request.original { Need::Copy } else { Need::Encode };
    let fit = fit_ffmpeg(settings, environment, need)?;
    let look = cpu::Look::begin();
    let report = source_of::probe(&source, &fit.ffprobe, &fit.capability)?;
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
        own_program: environment.own_program()?,
    };
    let candidate = planner::packets_wanted(&planned, &report, &fit.capability);
    let (packets, times) = source_of::packets(&source, &fit.ffprobe, &report, candidate);
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
    let mut known = planner::Known { caption, packets, times, encoder, power, ..planner::Known::default() };
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
    let chosen = &planned_so;
    let qualities = ways::ways(&planned, chosen, hardware.is_some(), |request, kept| {
        let known = planner::Known { kept, ..known.clone() };
        planner::plan_knowing(request, &report, &fit.capability, &known)
    });
    let ways =
        qualities.iter().filter_map(|(quality, plan)| ways::way(*quality, plan, &fit.ffmpeg)).collect();
    let qualities: Vec<Quality> = qualities.into_iter().map(|(quality, _)| quality).collect();
    let proven = (known.encoder.clone(), known.sessions);
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
    let if_stuck = match source {
        Source::File(_) if plan.invocation.feeder.is_none() => {
            let known = planner::Known { fed: true, encoder: proven.0.clone(), sessions: proven.1, ..known };
            let chosen =
                planner::Request { quality: plan.quality.unwrap_or(planned.quality), ..planned.clone() };
            let fed = planner::plan_knowing(&chosen, &report, &fit.capability, &known)?;
            // The same variants, or it would be another stream.
            let same = fed.invocation.feeder.is_some() && fed.renditions == plan.renditions;
            let command = fed.command_line(&fit.ffmpeg, Some(1));
            let words = "went on with its times mended on the way".to_string();
            same.then_some(Fallback { command, words, cost: fed.cost })
        }
        _ => None,
    };
    let way = plan.quality.and_then(|chosen| qualities.iter().position(|q| *q == chosen)).unwrap_or(0);
    let handing_over = HandingOver::of(&source, &report, &plan, settings, request.once);
    let named = source_of::words(&request.source, environment);
    let replanning = matches!(source, Source::Url(_)).then(|| Replanning {
        request: planner::Request { quality: plan.quality.unwrap_or(planned.quality), ..planned },
        labels: (!request.original)
            .then(|| plan.renditions.iter().filter_map(|r| r.rendition.rung().cloned()).collect()),
        picture: report.video.is_some(),
        named: named.clone(),
        programs: (fit.ffmpeg.clone(), fit.ffprobe.clone()),
        capability: fit.capability.clone(),
        encoder: proven,
        power,
        qualities,
    });
    Ok(Prepared {
        command: plan.command_line(&fit.ffmpeg, Some(1)),
        notes: plan.notes.clone(),
        warnings: plan.warnings.iter().cloned().chain(visible_secrets(settings, &source)).collect(),
        source_words: format!("{named} ({})", report.summary()),
        key: request.key,
        source,
        plan,
        once: request.once,
        foreground: request.foreground,
        if_unfit,
        if_stuck,
        handing_over,
        way,
        ways,
        replanning,
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
