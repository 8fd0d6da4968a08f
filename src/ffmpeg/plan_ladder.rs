//! The plan of a publish: from what is wanted and what the source is, to the renditions and the one call of ffmpeg
//! that makes them.

use super::capability::Capability;
use super::delivery::{self, Delivered, Flow};
use super::feeder;
use super::filter_graph;
use super::head_start::HeadStart;
use super::invocation::Invocation;
use super::ladder_command;
pub use super::ladder_command::packets_wanted;
use super::original;
use super::output::{AUDIO_PACKETS, audio_encoding, closing, map};
pub use super::plan::{Known, Plan, PlannedRendition, Request};
use super::reading::inputs;
use super::report::{AudioTrack, Report};
use super::source_notes;
use crate::base::{Failure, Kind, Outcome};
use crate::model::{Rendition, RenditionName, Source};

/// Plans with nothing known beyond the source's description.
///
/// # Errors
/// See [`plan_knowing`].
pub fn plan(request: &Request, report: &Report, capability: &Capability) -> Outcome<Plan> {
    plan_knowing(request, report, capability, &Known::default())
}

/// Plans.
///
/// # Errors
/// Input (7) if the source cannot be published so, with the way out; usage (2) or missing (5) for the encoder.
pub fn plan_knowing(
    request: &Request,
    report: &Report,
    capability: &Capability,
    known: &Known,
) -> Outcome<Plan> {
    source_notes::refuse(report, &request.source)?;
    let fed = feeder::wanted(request, report, capability, known);
    if request.original {
        let mut plan = original::plan(request, report, capability, fed)?;
        plan.notes.extend(source_notes::mended(known).filter(|_| fed));
        return Ok(plan);
    }
    let (source, report) = (report, if fed { &feeder::as_fed(report) } else { report });
    let (audio, fed) = (audio(request, report), fed.then_some(source));
    let mut plan = match (&report.video, audio) {
        (Some(video), audio) => {
            let wanted = ladder_command::Wanted { request, report, video, capability, known, audio, fed };
            ladder_command::plan(&wanted)?
        }
        (None, Some(track)) => audio_only(request, report, capability, &track, fed),
        (None, None) => {
            return Err(Failure::new(Kind::Input, "there is neither video nor audio in the source")
                .hint("name a source with at least one of them"));
        }
    };
    plan.invocation.feeder = feeder::repeating(request, report);
    if let Some(source) = fed {
        let audio = feeder::Audio::decoded(source);
        plan.invocation.feeder = Some(feeder::feeder(request, source, capability, audio));
        plan.notes.extend(source_notes::mended(known));
    }
    Ok(plan)
}

/// The audio track and the number of the input it is on: a device's audio is an input of its own.
fn audio(request: &Request, report: &Report) -> Option<(AudioTrack, usize)> {
    match &request.source {
        Source::Device { audio: Some(_), .. } => {
            // The device is asked for what it has only when it is opened; stereo serves both kinds.
            Some((AudioTrack { index: 0, channels: 2, ..AudioTrack::default() }, 1))
        }
        _ => report.audio.clone().map(|track| (track, 0)),
    }
}

fn audio_only(
    request: &Request,
    report: &Report,
    capability: &Capability,
    (track, _): &(AudioTrack, usize),
    fed: Option<&Report>,
) -> Plan {
    let rendition = Rendition::Audio;
    let name = RenditionName::new(&request.key, &rendition);
    let chain = format!(
        "[0:{}]{}[{}]",
        report.audio_specifier(track),
        filter_graph::audio(track, HeadStart::None),
        filter_graph::AUDIO_LABEL
    );
    let mut output = map(&format!("[{}]", filter_graph::AUDIO_LABEL));
    output.extend(audio_encoding(request.audio_bitrate_bps));
    output.extend(closing(request));
    let delivered = [Delivered { name: &name, select: "a:0".into() }];
    let flow = Flow { video: 0.0, audio: AUDIO_PACKETS };
    output.extend(delivery::tee(&delivered, &request.endpoint, flow));
    let mut notes = source_notes::tracks(report, true);
    if report.undecodable.is_none() {
        notes.push("no video in the source: audio only".into());
    }
    Plan {
        renditions: vec![PlannedRendition {
            rendition,
            name,
            size: (0, 0),
            bitrate_bps: request.audio_bitrate_bps,
        }],
        summary: "audio only".into(),
        notes,
        warnings: Vec::new(),
        quality: None,
        cost: None,
        encoded: Vec::new(),
        invocation: Invocation {
            feeder: None,
            globals: Vec::new(),
            inputs: match fed {
                Some(_) => vec![feeder::input()],
                None => inputs(request, report, capability, None, false, false, HeadStart::None),
            },
            graph: Some(chain),
            output,
        },
    }
}

#[cfg(test)]
#[path = "plan_ladder_tests.rs"]
mod tests;
