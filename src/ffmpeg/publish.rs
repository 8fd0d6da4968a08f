//! The plan of a publish: from what is wanted and what the source is, to the renditions and the one call of ffmpeg
//! that makes them.

use super::capability::Capability;
use super::delivery::{self, Delivered, Flow};
use super::effort;
use super::encoder::{self, Encoder, Keyframes, Making};
use super::feeder;
use super::filter_graph;
use super::frame_rate::{self, Rate};
use super::head_start::HeadStart;
use super::invocation::Invocation;
use super::ladder_plan::{self, Chosen, PlannedRung};
use super::original;
use super::output::{SOUND_PACKETS, clocked, closing, interleaving, map, sound_encoding};
use super::passthrough;
pub use super::plan::{Known, Plan, PlannedRendition, Request};
use super::reading::{decoded_cheaply, inputs};
use super::report::{AudioTrack, Report, VideoTrack};
use super::source_notes;
use crate::base::command_line::Argument;
use crate::base::{Failure, Kind, Outcome};
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
    let (sound, fed) = (sound(request, report), fed.then_some(source));
    let mut plan = match (&report.video, sound) {
        (Some(_), sound) => pictures(request, report, capability, sound, known, fed)?,
        (None, Some(track)) => sound_only(request, report, capability, &track, fed),
        (None, None) => {
            return Err(Failure::new(Kind::Input, "there is neither picture nor sound in the source")
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

/// A sound track and the number of the input it is on: a device's sound is an input of its own.
fn sound(request: &Request, report: &Report) -> Option<(AudioTrack, usize)> {
    match &request.source {
        Source::Device { audio: Some(_), .. } => {
            // The device is asked for what it has only when it is opened; stereo serves both kinds.
            Some((AudioTrack { index: 0, channels: 2, ..AudioTrack::default() }, 1))
        }
        _ => report.audio.clone().map(|track| (track, 0)),
    }
}

fn pictures(
    request: &Request,
    report: &Report,
    capability: &Capability,
    sound: Option<(AudioTrack, usize)>,
    known: &Known,
    fed: Option<&Report>,
) -> Outcome<Plan> {
    let Some(video) = &report.video else { return Err(Failure::internal("a plan of pictures without one")) };
    let encoder = match &known.encoder {
        Some(encoder) => encoder.clone(),
        None => Encoder::find(&request.encoder, capability)?,
    };
    let (mut chosen, rate) = rungs(request, video, known.kept.as_deref());
    let mut notes = source_notes::tracks(report, sound.is_some());
    let copied = copied(request, report, capability, &chosen.rungs, rate, known, &mut notes);
    let making = making(chosen.rungs.len(), copied, &encoder, known.sessions);
    let zscale = capability.filters.contains("zscale");
    let (effort, making) = effort::chosen(request, report, &mut chosen, making, (rate, zscale), known.power);
    let copied = making.iter().position(|making| *making == Making::Copied);
    notes.extend(source_notes::sessions(&chosen.rungs, &making, &encoder));
    let encodes = making.iter().any(|making| *making != Making::Copied);
    let head_start = if encodes && fed.is_none() {
        HeadStart::of(&request.source, report, capability, copied.is_some())
    } else {
        HeadStart::None
    };
    let graph = filter_graph::graph(&filter_graph::Wanted {
        report,
        rungs: &chosen.rungs,
        rate: copied.is_none().then_some(rate),
        sound: sound.as_ref().map(|(track, input)| (track, *input)),
        filters: &capability.filters,
        making: &making,
        steady: matches!(request.source, Source::Url(_) | Source::File(_)) && !report.still,
        turning: fed.and_then(|_| feeder::turning(video.rotation)),
        head_start,
    });
    let renditions: Vec<PlannedRendition> =
        chosen.rungs.iter().map(|rung| rendition(&request.key, rung)).collect();
    let mut output = Vec::new();
    for (index, making) in making.iter().enumerate() {
        output.extend(match making {
            Making::Copied => map(&format!("0:{}", report.picture_specifier(video))),
            Making::Encoded(_) => map(&format!("[{}]", filter_graph::picture_label(index))),
        });
    }
    if sound.is_some() {
        output.extend(map(&format!("[{}]", filter_graph::SOUND_LABEL)));
    }
    let settings = encoder::Settings {
        quality: effort.quality,
        rate,
        keyframes: if copied.is_some() {
            Keyframes::Source
        } else {
            Keyframes::Every(request.keyframe_interval)
        },
        b_frames: request.b_frames.encoded(),
    };
    output.extend(encoder::arguments(&settings, &chosen.rungs, &making).into_iter().map(Argument::plain));
    output.extend(clocked(capability, copied.map(|_| head_start)));
    if sound.is_some() {
        output.extend(sound_encoding(request.audio_bitrate_bps));
        output.extend(interleaving(encoder.delay(effort.quality, rate), rate));
    }
    output.extend(closing(request));
    let tracks = |index: usize| if sound.is_some() { format!("v:{index},a:0") } else { format!("v:{index}") };
    let delivered: Vec<Delivered<'_>> = renditions
        .iter()
        .enumerate()
        .map(|(index, r)| Delivered { name: &r.name, select: tracks(index) })
        .collect();
    let flow = Flow { pictures: rate.value(), sounds: if sound.is_some() { SOUND_PACKETS } else { 0.0 } };
    output.extend(delivery::tee(&delivered, &request.endpoint, flow));

    notes.extend(source_notes::picture(video, capability));
    notes.extend(source_notes::rate_note(video, rate, request.fps));
    notes.extend(chosen.notes);
    let mut globals: Vec<Argument> = encoder.globals().into_iter().map(Argument::from).collect();
    if copied.is_some() {
        // Before 6.0 copied packets are otherwise counted in whole pictures, which sets them apart from encoded ones where
        // a repeated file's round is not a whole number of pictures.
        globals.extend(["-copytb", "1"].map(Argument::from));
    }
    Ok(Plan {
        summary: format!("{}{}", source_notes::summary(&chosen.rungs, &making), effort.words),
        quality: encodes.then_some(effort.quality),
        cost: effort.cost,
        encoded: renditions
            .iter()
            .zip(&making)
            .filter(|(_, making)| **making != Making::Copied)
            .map(|(rendition, _)| rendition.size)
            .collect(),
        renditions,
        notes,
        warnings: chosen.warnings,
        invocation: Invocation {
            globals,
            feeder: None,
            inputs: decoded_cheaply(
                match fed {
                    Some(_) => vec![feeder::input()],
                    None => inputs(
                        request,
                        report,
                        capability,
                        Some(rate),
                        copied.is_some(),
                        known.caption,
                        head_start,
                    ),
                },
                video,
                rate,
                known,
                copied.is_some() && encodes,
            ),
            graph: Some(graph).filter(|graph| !graph.is_empty()),
            output,
        },
    })
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
fn copied(
    request: &Request,
    report: &Report,
    capability: &Capability,
    rungs: &[PlannedRung],
    rate: Rate,
    known: &Known,
    notes: &mut Vec<String>,
) -> Option<usize> {
    let settled = passthrough::candidate(request, report, capability, rungs, rate).and_then(|index| {
        match (&request.source, rungs.get(index)) {
            (Source::File(_), Some(rung)) => passthrough::settled(request, rung, known.packets.as_ref())?,
            _ => notes.push(
                "the source is copied on its word: its bitrate and keyframes cannot be known beforehand"
                    .into(),
            ),
        }
        Ok(index)
    });
    match settled {
        Ok(index) => {
            let reordered = known.packets.as_ref().is_some_and(|packets| packets.reordered);
            if let (Some(video), Some(rung)) = (&report.video, rungs.get(index)) {
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

fn sound_only(
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
        report.sound_specifier(track),
        filter_graph::sound(track, HeadStart::None),
        filter_graph::SOUND_LABEL
    );
    let mut output = map(&format!("[{}]", filter_graph::SOUND_LABEL));
    output.extend(sound_encoding(request.audio_bitrate_bps));
    output.extend(closing(request));
    let delivered = [Delivered { name: &name, select: "a:0".into() }];
    let flow = Flow { pictures: 0.0, sounds: SOUND_PACKETS };
    output.extend(delivery::tee(&delivered, &request.endpoint, flow));
    let mut notes = source_notes::tracks(report, true);
    if report.undecodable.is_none() {
        notes.push("no picture in the source: the sound only".into());
    }
    Plan {
        renditions: vec![PlannedRendition {
            rendition,
            name,
            size: (0, 0),
            bitrate_bps: request.audio_bitrate_bps,
        }],
        summary: "sound only".into(),
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

fn rendition(key: &StreamKey, rung: &PlannedRung) -> PlannedRendition {
    let rendition = Rendition::Rung(rung.rung.label.clone());
    PlannedRendition {
        name: RenditionName::new(key, &rendition),
        rendition,
        size: rung.size,
        bitrate_bps: rung.rung.bitrate_bps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffmpeg::frame_rate::Timing;
    use crate::ffmpeg::report::Transfer;
    use crate::model::{BFrames, LeaveOut, Quality};
    use proptest::prelude::*;
    use std::path::Path;
    use std::time::Duration;

    fn any_rate() -> impl Strategy<Value = Option<Rate>> {
        (any::<u32>(), any::<u32>()).prop_map(|(num, den)| Rate::new(num % 100_000, den % 2_000))
    }

    fn any_seconds() -> impl Strategy<Value = Option<f64>> {
        proptest::option::of(prop_oneof![0.0..100_000.0f64, Just(1e-9), Just(1e308)])
    }

    fn any_video() -> impl Strategy<Value = VideoTrack> {
        let shape = (1u32..=65_535, 1u32..=65_535, 1u32..=65_535, 1u32..=65_535, any::<bool>(), 0u32..4);
        let codec = prop_oneof!["h264", "hevc", "", "\\PC{0,8}"];
        let format = prop_oneof!["yuv420p", "yuvj420p", "yuv444p10le", "bgr0", ""];
        let kind = (any_rate(), any_rate(), any::<bool>(), any::<bool>(), 0u8..3);
        (shape, codec, format, kind, any_seconds()).prop_map(|(shape, codec, pix_fmt, kind, duration)| {
            VideoTrack {
                width: shape.0,
                height: shape.1,
                coded_width: shape.2,
                coded_height: shape.3,
                square: shape.4,
                rotation: shape.5 * 90,
                codec,
                pix_fmt,
                timing: Timing { average: kind.0, real: kind.1, interlaced: kind.2 },
                interlaced: kind.2,
                full_range: kind.3,
                transfer: [Transfer::Sdr, Transfer::Pq, Transfer::Hlg][usize::from(kind.4)],
                duration,
                ..VideoTrack::default()
            }
        })
    }

    fn any_report() -> impl Strategy<Value = Report> {
        let audio = (0u32..70, prop_oneof!["aac", "mp3", "pcm_s16le", ""], any::<u32>(), any_seconds())
            .prop_map(|(index, codec, channels, duration)| AudioTrack {
                index,
                codec,
                channels,
                duration,
                ..AudioTrack::default()
            });
        let format = prop_oneof!["mov,mp4", "mpegts", "flv", "png_pipe", "hls", "", "\\PC{0,8}"];
        let all = (
            proptest::option::of(any_video()),
            proptest::option::of(audio),
            format,
            any_seconds(),
            any::<bool>(),
        );
        all.prop_map(|(video, audio, format, duration, still)| Report {
            video,
            audio,
            format,
            duration,
            still,
            ..Report::default()
        })
    }

    fn any_request() -> impl Strategy<Value = Request> {
        let source = prop_oneof![
            Just(Source::File("/films/a b'c.ts".into())),
            Just(Source::Test),
            Just(Source::Url("rtmp://u:geheim@h/live/x".parse().unwrap())),
            Just(Source::Device { video: "screen".into(), audio: Some("default".into()) }),
        ];
        let ladder = proptest::option::of("[a-z]{1,3}:[1-9][0-9]{2}k:[1-9][0-9]{1,2}0:[1-9][0-9]{1,2}0");
        let quality = prop_oneof![
            Just(Quality::Auto),
            Just(Quality::Fastest),
            Just(Quality::Fast),
            Just(Quality::Balanced),
            Just(Quality::Best)
        ];
        let flags = (any::<bool>(), any::<bool>(), proptest::option::of(1.0..240.0f64), 200u64..20_000);
        (source, ladder, quality, flags).prop_map(|(source, ladder, quality, flags)| Request {
            key: "k_1".parse().unwrap(),
            source,
            original: flags.0,
            ladder: ladder.and_then(|text| text.parse().ok()),
            once: flags.1,
            quality,
            leave_out: if flags.0 { LeaveOut::Top } else { LeaveOut::Bottom },
            encoder: "auto".into(),
            fps: flags.2,
            keyframe_interval: Duration::from_millis(flags.3),
            audio_bitrate_bps: 128_000,
            passthrough: Passthrough::Always,
            b_frames: [BFrames::Never, BFrames::Auto, BFrames::Allowed]
                [usize::from(flags.0) + usize::from(flags.1)],
            output_args: vec!["-x".into()],
            endpoint: "rtmp://me:secret@h/live?t=1".parse().unwrap(),
            own_program: "msconv".into(),
        })
    }

    proptest! {
        #[test]
        fn any_source_is_planned_or_refused(request in any_request(), report in any_report(), zscale: bool) {
            let mut capability = Capability { version: (5, 1, 9), ..Capability::default() };
            capability.encoders.insert("libx264".into());
            capability.demuxers.insert("concat".into());
            capability.input_protocols.insert("pipe".into());
            if zscale {
                capability.filters.extend(["zscale", "bwdif", "tonemap"].map(String::from));
            }
            if let Ok(plan) = plan(&request, &report, &capability) {
                prop_assert!(!plan.renditions.is_empty());
                let names: std::collections::BTreeSet<_> = plan.renditions.iter().map(|r| r.name.clone()).collect();
                prop_assert_eq!(names.len(), plan.renditions.len());
                let shown = plan.command_line(Path::new("ffmpeg"), Some(3)).shell_line();
                prop_assert!(!shown.contains("secret") && !shown.contains("geheim"));
                let source = report.video.as_ref().map(|v| (v.width.max(16), v.height.max(16)));
                for r in plan.renditions.iter().filter(|r| matches!(r.rendition, Rendition::Rung(_))) {
                    prop_assert!(r.size.0 >= 16 && r.size.1 >= 16 && r.size.0 % 2 == 0 && r.size.1 % 2 == 0);
                    if let (None, Some((width, height))) = (&request.ladder, source) {
                        prop_assert!(r.size.0 <= width && r.size.1 <= height);
                    }
                }
            }
        }
    }
}
