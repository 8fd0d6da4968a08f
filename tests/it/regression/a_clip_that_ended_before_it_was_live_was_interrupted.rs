//! `publish --once` of a clip that is shorter than its own start-up ended with 130, "stopped, or its source ended, before it
//! was live". What was published to its end is a success, however short it is.

use crate::live::{Air, SMALL, ready};
use crate::stage::{Serve, Stage, made, needs};
use std::path::PathBuf;

/// One frame, a few, and a moment of audio.
fn clips() -> Vec<PathBuf> {
    let picture =
        |frames: &'static str| ["-f", "lavfi", "-i", "testsrc2=s=426x240:r=25", "-frames:v", frames];
    let coded = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"];
    let tone = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "0.1", "-c:a", "aac"];
    vec![
        made("one-frame.mp4", &[&picture("1")[..], &coded].concat()),
        made("five-frames.mkv", &[&picture("5")[..], &coded].concat()),
        made("a-moment.m4a", &tone),
    ]
}

#[test]
fn a_clip_that_was_published_to_its_end_is_a_success() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("short-clip");
    let _server = Serve::start_at_stage(&stage);
    for clip in clips() {
        let publish = |more: &[&str]| {
            let args = ["publish", "-s", "a", "-f", clip.to_str().unwrap(), "--once", "--wait", "50s"];
            stage.msconv(&[&args[..], more].concat()).expect(0)
        };
        // A quick machine may see it live for a moment.
        let run = publish(&[]);
        assert!(run.stdout.contains("published to its end") || run.stdout.contains("live after"), "{run}");
        stage.msconv(&["stop", "-s", "a", "-q"]);
        let state = publish(&["--json"]).json()["state"].as_str().unwrap().to_string();
        assert!(["finished", "live", "weak"].contains(&state.as_str()), "{state}");
        stage.msconv(&["stop", "-s", "a", "-q"]);
    }
}

#[test]
fn the_same_on_another_server() {
    if !ready() {
        return;
    }
    let air = Air::new("short-clip-nginx");
    let clip = &clips()[0];
    let args = ["publish", "-s", "a", "-f", clip.to_str().unwrap(), "--once", "--wait", "50s"];
    air.stage.msconv(&[&args[..], &["--variants", SMALL]].concat()).expect(0);
    air.stage.msconv(&["stop", "-s", "a", "-q"]);
    air.gone();
}
