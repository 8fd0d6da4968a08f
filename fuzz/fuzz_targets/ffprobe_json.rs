//! ffprobe's report, and the plan made from it: whatever a source claims, a publish is planned or refused, and what is
//! planned keeps its limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::ffmpeg::capability::Capability;
use msconv::ffmpeg::{decodable, plan_ladder, probe};
use msconv::model::{BFrames, LeaveOut, Passthrough, Quality, Source};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

/// What the ffmpeg of Debian 12 can do.
static CAPABILITY: LazyLock<Capability> = LazyLock::new(|| {
    Capability::read([
        include_str!("../../tests/data/ffmpeg/5.1.9-version.txt"),
        include_str!("../../tests/data/ffmpeg/5.1.9-encoders.txt"),
        include_str!("../../tests/data/ffmpeg/5.1.9-formats.txt"),
        include_str!("../../tests/data/ffmpeg/5.1.9-filters.txt"),
        include_str!("../../tests/data/ffmpeg/5.1.9-protocols.txt"),
    ])
    .expect("the listings of an ffmpeg")
});

fuzz_target!(|json: &[u8]| {
    let _ = (decodable::first(json, &[], 0), decodable::Counted::read(json));
    let Ok(report) = probe::parse(json) else { return };
    assert!(!report.summary().contains(|c: char| c.is_control()));
    for (source, original, once) in [
        (Source::File("/videos/a.mp4".into()), false, false),
        (Source::File("/videos/a.mp4".into()), true, false),
        (Source::File("/videos/a.mp4".into()), false, true),
        (Source::Url("rtmp://h/live/a".parse().expect("a URL")), false, false),
        (Source::Url("rtsp://h/a".parse().expect("a URL")), true, false),
    ] {
        let request = plan_ladder::Request {
            key: "a".parse().expect("a key"),
            source,
            original,
            ladder: None,
            once,
            quality: Quality::Fast,
            leave_out: LeaveOut::Top,
            encoder: "auto".into(),
            fps: None,
            keyframe_interval: Duration::from_secs(2),
            audio_bitrate_bps: 128_000,
            passthrough: Passthrough::Always,
            b_frames: BFrames::Auto,
            output_args: Vec::new(),
            endpoint: "rtmp://localhost:1935/live".parse().expect("a URL"),
            own_program: "msconv".into(),
        };
        let Ok(plan) = plan_ladder::plan(&request, &report, &CAPABILITY) else { continue };
        assert!((1..=12).contains(&plan.renditions.len()));
        if !original {
            for rendition in &plan.renditions {
                let (width, height) = rendition.size;
                assert!(width % 2 == 0 && height % 2 == 0, "{width}x{height}");
                assert!(width <= 1920 && height <= 1920, "{width}x{height}");
            }
        }
        for argument in plan.command_line(Path::new("ffmpeg"), Some(3)).shown_args() {
            // A zero byte cannot be passed, and the kernel takes at most 128 KiB for one argument. Line breaks are those
            // of an inline playlist.
            let odd = |c: char| c.is_control() && c != '\n';
            assert!(!argument.contains(odd) && argument.len() < 128 * 1024, "{argument:?}");
        }
        for words in plan.notes.iter().chain(&plan.warnings) {
            assert!(words.len() < 2000, "{words}");
        }
    }
});
