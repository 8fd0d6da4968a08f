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
mod tests {
    use super::*;
    use crate::ffmpeg::frame_rate::{Rate, Timing};
    use crate::ffmpeg::report::{Transfer, VideoTrack};
    use crate::model::{BFrames, LeaveOut, Passthrough, Quality};
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
