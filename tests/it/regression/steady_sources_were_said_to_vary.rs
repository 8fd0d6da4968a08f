//! "25.333 fps, varies" for a steady 25 fps: an RTMP source whose SPS says no rate, with 8 kHz of audio, whose packets are
//! so long that a look at the source sees a handful of frames. Without metadata it was even taken for 1000 fps.

use crate::live::SOON;
use crate::stage::{Serve, Stage, enhanced, needs, wait_for};

#[test]
fn a_steady_source_keeps_its_rate_whatever_its_audio() {
    // OpenH264 writes no timing into its SPS; Debian's ffmpeg lacks it.
    let Some(ffmpeg) = enhanced().filter(|_| needs("ffmpeg")) else { return };
    let stage = Stage::new("steady");
    let _server = Serve::start_at_stage(&stage);
    let mut publishers = Vec::new();
    let mut wanted = Vec::new();
    for (rate, shown) in [("25", "25"), ("30", "30"), ("15", "15"), ("30000/1001", "29.97")] {
        for audio in ["8000", "16000", "44100"] {
            for metadata in ["", "+no_metadata"] {
                let name = format!("src{}", wanted.len());
                let url = format!("{}/{name}", stage.rtmp_url());
                let video = format!("testsrc2=size=160x120:rate={rate}");
                let tone = format!("sine=frequency=440:sample_rate={audio}");
                let mut args = vec!["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", &video];
                args.extend(["-re", "-f", "lavfi", "-i", &tone, "-c:v", "libopenh264", "-g", "50"]);
                args.extend(["-pix_fmt", "yuv420p", "-c:a", "aac", "-ar", audio, "-f", "flv"]);
                if !metadata.is_empty() {
                    args.extend(["-flvflags", metadata]);
                }
                args.push(&url);
                publishers.push(stage.spawn(&ffmpeg, &args));
                wanted.push((name, shown, metadata));
            }
        }
        for (name, shown, metadata) in wanted.iter().rev().take(6) {
            let url = format!("{}/{name}", stage.rtmp_url());
            let run = wait_for("the source to be there", SOON, || {
                let run =
                    stage.msconv(&["publish", "-s", "a", "-r", &url, "--quality", "fastest", "--dry-run"]);
                if run.code == 0 { Ok(run) } else { Err(run.to_string()) }
            });
            let filter = if *shown == "29.97" { "fps=30000/1001,".into() } else { format!("fps={shown},") };
            // Counted over twenty frames, 29.97 is not always told from 30.
            let near = *shown == "29.97" && !metadata.is_empty() && run.stdout.contains("fps=30,");
            assert!(near || run.stdout.contains(&filter), "{name} {shown} {metadata}: {run}");
            assert!(!run.stderr.contains("varies") && !run.stderr.contains("unknown"), "{name}: {run}");
        }
        publishers.clear();
    }
}
