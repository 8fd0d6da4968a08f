//! Tests of `plan_ladder`.

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
    let audio = (0u32..70, prop_oneof!["aac", "mp3", "pcm_s16le", ""], any::<u32>(), any_seconds()).prop_map(
        |(index, codec, channels, duration)| AudioTrack {
            index,
            codec,
            channels,
            duration,
            ..AudioTrack::default()
        },
    );
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
