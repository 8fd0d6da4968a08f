//! A ladder with video as one call of ffmpeg: first what is to be made of the source is decided, then each part of the
//! command is written from that.

use super::capability::Capability;
use super::delivery::{self, Delivered, Flow};
use super::effort::{self, Effort};
use super::encoder::{self, Encoder, Keyframes, Making};
use super::feeder;
use super::filter_graph;
use super::frame_rate::{self, Rate};
use super::head_start::HeadStart;
use super::input::Input;
use super::invocation::Invocation;
use super::ladder_plan::{self, Chosen, PlannedRung};
use super::output::{AUDIO_PACKETS, audio_encoding, clocked, closing, interleaving, map};
use super::passthrough;
use super::plan::{Known, Plan, PlannedRendition, Request};
use super::reading::{decoded_cheaply, inputs};
use super::report::{AudioTrack, Report, VideoTrack};
use super::source_notes;
use crate::base::Outcome;
use crate::base::command_line::Argument;
use crate::model::rung::Label;
use crate::model::{Passthrough, Rendition, RenditionName, Source, StreamKey};

/// The track whose packets decide whether it can be copied, if all else allows it.
pub fn packets_wanted(request: &Request, report: &Report, capability: &Capability) -> Option<u32> {
    let video = report.video.as_ref().filter(|_| !request.original)?;
    let (rungs, rate) = rungs(request, video, None);
    passthrough::candidate(request, report, capability, &rungs.rungs, rate).ok()?;
    matches!(request.source, Source::File(_)).then_some(video.index)
}

/// The rungs for this picture, and their rate.
fn rungs(request: &Request, video: &VideoTrack, kept: Option<&[Label]>) -> (Chosen, Rate) {
    let (size, ladder) = ((video.width, video.height), request.ladder.as_ref());
    let chosen = match kept {
        Some(labels) => ladder_plan::keep(size, ladder, labels),
        None => ladder_plan::choose(size, ladder),
    };
    (chosen, frame_rate::wanted(&video.timing, request.fps))
}

/// What is wanted, and what is known of the source and the machine.
pub(super) struct Wanted<'a> {
    /// What is wanted.
    pub request: &'a Request,
    /// The source as the encoding ffmpeg sees it.
    pub report: &'a Report,
    /// Its video.
    pub video: &'a VideoTrack,
    /// What this ffmpeg can do.
    pub capability: &'a Capability,
    /// What else is known.
    pub known: &'a Known,
    /// Its audio, and the number of the input that it is on.
    pub audio: Option<(AudioTrack, usize)>,
    /// The source itself, where a feeder stands before the encoding ffmpeg.
    pub fed: Option<&'a Report>,
}

/// What has been decided.
struct Decided {
    encoder: Encoder,
    chosen: Chosen,
    rate: Rate,
    effort: Effort,
    /// Who makes which rung.
    making: Vec<Making>,
    /// The rung that is copied.
    copied: Option<usize>,
    head_start: HeadStart,
    renditions: Vec<PlannedRendition>,
    notes: Vec<String>,
}

/// Plans.
///
/// # Errors
/// Usage (2) or missing (5) for the encoder.
pub(super) fn plan(wanted: &Wanted<'_>) -> Outcome<Plan> {
    let decided = Decided::of(wanted)?;
    let invocation = Invocation {
        globals: decided.globals(),
        feeder: None,
        inputs: decided.inputs(wanted),
        graph: Some(decided.graph(wanted)).filter(|graph| !graph.is_empty()),
        output: decided.output(wanted),
    };
    let quality = decided.encodes().then_some(decided.effort.quality);
    let Decided { chosen, effort, making, renditions, mut notes, rate, .. } = decided;
    notes.extend(source_notes::picture(wanted.video, wanted.capability));
    notes.extend(source_notes::rate_note(wanted.video, rate, wanted.request.fps));
    notes.extend(chosen.notes);
    let encoded = renditions.iter().zip(&making).filter(|(_, making)| **making != Making::Copied);
    Ok(Plan {
        summary: format!("{}{}", source_notes::summary(&chosen.rungs, &making), effort.words),
        quality,
        cost: effort.cost,
        encoded: encoded.map(|(rendition, _)| rendition.size).collect(),
        renditions,
        notes,
        warnings: chosen.warnings,
        invocation,
    })
}

impl Decided {
    fn of(wanted: &Wanted<'_>) -> Outcome<Decided> {
        let Wanted { request, report, video, capability, known, audio, fed } = wanted;
        let encoder = match &known.encoder {
            Some(encoder) => encoder.clone(),
            None => Encoder::find(&request.encoder, capability)?,
        };
        let (mut chosen, rate) = rungs(request, video, known.kept.as_deref());
        let mut notes = source_notes::tracks(report, audio.is_some());
        let copied = copied(wanted, &chosen.rungs, rate, &mut notes);
        let making = making(chosen.rungs.len(), copied, &encoder, known.sessions);
        let zscale = capability.filters.contains("zscale");
        let (effort, making) =
            effort::chosen(request, report, &mut chosen, making, (rate, zscale), known.power);
        notes.extend(source_notes::sessions(&chosen.rungs, &making, &encoder));
        // Rungs above it may have been taken out.
        let copied = making.iter().position(|making| *making == Making::Copied);
        let renditions = chosen.rungs.iter().map(|rung| rendition(&request.key, rung)).collect();
        let head_start = HeadStart::None;
        let mut decided =
            Decided { encoder, chosen, rate, effort, making, copied, head_start, renditions, notes };
        if decided.encodes() && fed.is_none() {
            decided.head_start = HeadStart::of(&request.source, report, capability, copied.is_some());
        }
        Ok(decided)
    }

    fn encodes(&self) -> bool {
        self.making.iter().any(|making| *making != Making::Copied)
    }

    fn globals(&self) -> Vec<Argument> {
        let mut globals: Vec<Argument> = self.encoder.globals().into_iter().map(Argument::from).collect();
        if self.copied.is_some() {
            // Before 6.0 copied packets are otherwise counted in whole frames, which sets them apart from encoded ones where
            // a repeated file's round is not a whole number of frames.
            globals.extend(["-copytb", "1"].map(Argument::from));
        }
        globals
    }

    fn inputs(&self, wanted: &Wanted<'_>) -> Vec<Input> {
        let Wanted { request, report, video, capability, known, fed, .. } = wanted;
        let copies = self.copied.is_some();
        let all = match fed {
            Some(_) => vec![feeder::input()],
            None => {
                inputs(request, report, capability, Some(self.rate), copies, known.caption, self.head_start)
            }
        };
        decoded_cheaply(all, video, self.rate, known, copies && self.encodes())
    }

    fn graph(&self, wanted: &Wanted<'_>) -> String {
        let Wanted { request, report, video, capability, audio, fed, .. } = wanted;
        filter_graph::graph(&filter_graph::Wanted {
            report,
            rungs: &self.chosen.rungs,
            rate: self.copied.is_none().then_some(self.rate),
            audio: audio.as_ref().map(|(track, input)| (track, *input)),
            filters: &capability.filters,
            making: &self.making,
            steady: matches!(request.source, Source::Url(_) | Source::File(_)) && !report.still,
            turning: fed.and_then(|_| feeder::turning(video.rotation)),
            head_start: self.head_start,
        })
    }

    fn output(&self, wanted: &Wanted<'_>) -> Vec<Argument> {
        let Wanted { request, report, video, capability, audio, .. } = wanted;
        let mut output = Vec::new();
        for (index, making) in self.making.iter().enumerate() {
            output.extend(match making {
                Making::Copied => map(&format!("0:{}", report.video_specifier(video))),
                Making::Encoded(_) => map(&format!("[{}]", filter_graph::video_label(index))),
            });
        }
        if audio.is_some() {
            output.extend(map(&format!("[{}]", filter_graph::AUDIO_LABEL)));
        }
        let settings = encoder::Settings {
            quality: self.effort.quality,
            rate: self.rate,
            keyframes: match self.copied {
                Some(_) => Keyframes::Source,
                None => Keyframes::Every(request.keyframe_interval),
            },
            b_frames: request.b_frames.encoded(),
            live: request.source.live() || request.source == Source::Test,
        };
        let encoding = encoder::arguments(&settings, &self.chosen.rungs, &self.making);
        output.extend(encoding.into_iter().map(Argument::plain));
        output.extend(clocked(capability, self.copied.map(|_| self.head_start)));
        if audio.is_some() {
            output.extend(audio_encoding(request.audio_bitrate_bps));
            output.extend(interleaving(
                self.encoder.delay(self.effort.quality, self.rate, settings.live),
                self.rate,
            ));
        }
        output.extend(closing(request));
        output.extend(self.delivery(wanted));
        output
    }

    fn delivery(&self, wanted: &Wanted<'_>) -> Vec<Argument> {
        let audio = wanted.audio.is_some();
        let tracks = |index: usize| if audio { format!("v:{index},a:0") } else { format!("v:{index}") };
        let renditions = self.renditions.iter().enumerate();
        let delivered: Vec<Delivered<'_>> =
            renditions.map(|(index, r)| Delivered { name: &r.name, select: tracks(index) }).collect();
        let flow = Flow { video: self.rate.value(), audio: if audio { AUDIO_PACKETS } else { 0.0 } };
        delivery::tee(&delivered, &wanted.request.endpoint, flow)
    }
}

/// Who makes which rung.
fn making(rungs: usize, copied: Option<usize>, encoder: &Encoder, sessions: Option<usize>) -> Vec<Making> {
    let mut left = sessions.unwrap_or(usize::MAX);
    let mut maker = |index: usize| {
        if copied == Some(index) {
            return Making::Copied;
        }
        let room = left > 0;
        left = left.saturating_sub(1);
        Making::Encoded(if room { encoder.clone() } else { Encoder::named("x264") })
    };
    (0..rungs).map(&mut maker).collect()
}

/// The rung that the source goes into as it is; why there is none is told to whoever asked for it.
fn copied(wanted: &Wanted<'_>, rungs: &[PlannedRung], rate: Rate, notes: &mut Vec<String>) -> Option<usize> {
    let Wanted { request, report, capability, known, video, .. } = wanted;
    let settled = passthrough::candidate(request, report, capability, rungs, rate).and_then(|index| {
        match (&request.source, rungs.get(index)) {
            (Source::File(_), Some(rung)) => passthrough::settled(request, rung, known.packets.as_ref())?,
            _ => notes.push(
                "the source is copied without a look at its packets: its bitrate and keyframes cannot be known beforehand"
                    .into(),
            ),
        }
        Ok(index)
    });
    match settled {
        Ok(index) => {
            let reordered = known.packets.as_ref().is_some_and(|packets| packets.reordered);
            if let Some(rung) = rungs.get(index) {
                let label = rung.rung.label.as_str();
                notes.extend(source_notes::b_frames(video, reordered, label, "--no-b-frames"));
            }
            Some(index)
        }
        Err(why) => {
            let unread = known.packets.is_none() && packets_wanted(request, report, capability).is_some();
            if request.passthrough == Passthrough::Always {
                notes.push(format!("the source is not copied: {why}"));
            } else if unread {
                notes.push(format!(
                    "the source seems to fit a variant as it is, but {why}: it is encoded; \
                     --passthrough always copies it on its word"
                ));
            }
            None
        }
    }
}

fn rendition(key: &StreamKey, rung: &PlannedRung) -> PlannedRendition {
    let rendition = Rendition::Rung(rung.rung.label.clone());
    PlannedRendition {
        name: RenditionName::new(key, &rendition),
        rendition,
        size: rung.size,
        bitrate_bps: rung.rung.bitrate_bps,
    }
}
