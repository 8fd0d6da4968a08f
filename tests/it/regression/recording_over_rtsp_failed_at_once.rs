//! `ffmpeg -rtsp_transport tcp ... -c copy`, the first thing that a network video recorder does, failed at once on every
//! rendition: "unknown timestamp". Ffmpeg never finds the time of the first frame of an RTSP session that begins with its
//! keyframe where there are B-frames. So a ladder has none, and what is copied from a source that has them says so.

use crate::live::{SMALL, SOON};
use crate::stage::{Running, Serve, Stage, bunny, enhanced, made, needs};
use std::path::{Path, PathBuf};

/// Containers that people record into.
const CONTAINERS: [&str; 4] = ["mkv", "ts", "flv", "mp4"];
/// How much is recorded, in seconds of the stream.
const RECORDED: &str = "3";

/// A recording that goes on.
struct Recording {
    running: Running,
    what: String,
    path: PathBuf,
    /// UDP loses what a busy machine's readers are too slow to take.
    lossy: bool,
}

/// Starts to copy a stream into a file with exactly what people type.
fn record(stage: &Stage, ffmpeg: &str, name: &str, transport: &str, container: &str) -> Recording {
    let url = format!("{}/{name}", stage.rtsp_url());
    let whose = Path::new(ffmpeg).file_name().unwrap().to_string_lossy().into_owned();
    let path = stage.file(&format!("{name}-{transport}-{whose}.{container}"));
    let to = path.to_str().unwrap();
    let args = ["-nostdin", "-v", "error", "-y", "-rtsp_transport", transport, "-i", &url, "-t", RECORDED];
    let running = stage.spawn(ffmpeg, &[&args[..], &["-c", "copy", to]].concat());
    let what = format!("{name} over {transport} into {container} with {whose}");
    Recording { running, what, path, lossy: transport == "udp" }
}

/// It ended well without a word, and has every frame.
fn whole(stage: &Stage, recording: Recording, rate: f64) {
    let Recording { running, what, path, lossy } = recording;
    let run = running.wait(SOON);
    assert_eq!((run.code, run.stderr.trim()), (0, ""), "{what}: {run}");
    every_frame(stage, &what, &path, (rate, lossy));
}

/// The frames stand at even distances, none is missing, and they decode; of what is lossy most are there.
fn every_frame(stage: &Stage, what: &str, path: &Path, (rate, lossy): (f64, bool)) {
    let path = path.to_str().unwrap();
    let entries = ["-show_entries", "frame=pts_time:stream=has_b_frames", "-of", "compact=p=0"];
    let list = [&["-v", "error", "-select_streams", "v:0"], &entries[..], &[path]].concat();
    let run = stage.spawn("ffprobe", &list).wait(SOON).expect(0);
    assert!(lossy || run.stderr.trim().is_empty(), "{what}: {}", run.stderr);
    let field =
        |line: &str, name: &str| Some(line.split('|').find_map(|f| f.strip_prefix(name))?.to_string());
    let times: Vec<f64> =
        run.stdout.lines().filter_map(|line| field(line, "pts_time=")?.parse().ok()).collect();
    let seconds: f64 = RECORDED.parse().unwrap();
    let least = if lossy { 0.2 } else { 0.9 } * seconds * rate;
    assert!(times.len() as f64 >= least, "{what}: {} frames", times.len());
    // The first time is what ffmpeg makes of the second one, and of what it takes for the rate.
    for pair in times.windows(2).skip(1).filter(|_| !lossy) {
        let frames = (pair[1] - pair[0]) * rate;
        assert!((0.9..1.1).contains(&frames), "{what}: {frames} frames from {} to {}", pair[0], pair[1]);
    }
    assert!(run.stdout.contains("has_b_frames=0"), "{what}: {}", run.stdout.lines().last().unwrap_or(""));
}

/// Records every one of these streams in every way.
fn in_every_way(stage: &Stage, names: &[&str], transports: &[&str], rate: f64) {
    let programs: Vec<String> = std::iter::once("ffmpeg".to_string()).chain(enhanced()).collect();
    for (name, transport) in names.iter().flat_map(|name| transports.iter().map(move |t| (name, t))) {
        let ways = programs.iter().flat_map(|program| CONTAINERS.map(|container| (program, container)));
        let recordings: Vec<Recording> =
            ways.map(|(program, container)| record(stage, program, name, transport, container)).collect();
        for recording in recordings {
            whole(stage, recording, rate);
        }
    }
}

#[test]
fn every_rendition_of_the_film_is_recorded_by_copying_it() {
    if !needs("ffmpeg") || !needs("bunny") {
        return;
    }
    let stage = Stage::new("recording-film");
    let _server = Serve::start_at_stage(&stage);
    let film = bunny();
    let args = ["publish", "-s", "a", "-f", film.to_str().unwrap(), "--leave-out", "none", "--wait", "100s"];
    stage.msconv(&[&args[..], &["--quality", "fastest"]].concat()).expect(0).prints("1080p 720p 480p 360p");
    in_every_way(&stage, &["a_1080p", "a_720p", "a_480p", "a_360p"], &["tcp", "udp"], 24.0);
    stage.msconv(&["stop", "-s", "a"]).expect(0);
}

#[test]
fn every_quality_is_recorded_by_copying_it() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("recording-qualities");
    let _server = Serve::start_at_stage(&stage);
    for quality in ["auto", "fastest", "fast", "balanced", "best"] {
        let args = ["publish", "-s", "t", "--test", "--variants", SMALL, "--wait", "50s"];
        stage.msconv(&[&args[..], &["--quality", quality]].concat()).expect(0);
        in_every_way(&stage, &["t_240p", "t_120p"], &["tcp"], 30.0);
        stage.msconv(&["stop", "-s", "t"]).expect(0);
    }
}

/// Two minutes with B-frames and a keyframe each second: no recording meets the seam.
fn with_b_frames() -> PathBuf {
    let mut args = vec!["-f", "lavfi", "-i", "testsrc2=size=426x240:rate=25:duration=120"];
    args.extend(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=120"]);
    args.extend(["-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "25", "-pix_fmt", "yuv420p"]);
    args.extend(["-b:v", "250k", "-c:a", "aac", "-movflags", "+faststart"]);
    made("with-b-frames.mp4", &args)
}

#[test]
fn what_is_copied_with_b_frames_says_what_that_means() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("recording-copied");
    let _server = Serve::start_at_stage(&stage);
    let film = with_b_frames();
    let publish = |more: &[&str]| {
        let args = ["publish", "-s", "a", "-f", film.to_str().unwrap(), "--wait", "50s"];
        stage.msconv(&[&args[..], more].concat()).expect(0)
    };
    let notes = |said: &str| said.lines().filter(|line| line.contains("B-frames")).count();
    let run = publish(&["-o"]);
    assert!(run.stderr.contains("the stream keeps the source's B-frames"), "{run}");
    assert_eq!(notes(&run.stderr), 1, "{run}");
    the_documented_recipes_work(&stage);
    stage.msconv(&["stop", "-s", "a"]).expect(0);
    let run = publish(&["--variants", "240p:300k:426:240", "--dry-run"]);
    assert!(run.stderr.contains("240p keeps the source's B-frames"), "{run}");
    let run = publish(&["--variants", "240p:300k:426:240", "--no-b-frames", "--dry-run"]);
    assert!(notes(&run.stderr) == 0 && run.stdout.contains("-bf:v 0"), "{run}");
    let run = publish(&["--variants", "240p:300k:426:240", "--no-passthrough", "--b-frames", "--dry-run"]);
    assert!(notes(&run.stderr) == 0 && !run.stdout.contains("-bf:v"), "{run}");
}

/// What docs/troubleshooting.md says of recording a stream with B-frames, as it stands there.
fn the_documented_recipes_work(stage: &Stage) {
    let page = crate::golden::root().join("docs/troubleshooting.md");
    let page = std::fs::read_to_string(page).unwrap();
    let recipes: Vec<&str> =
        page.lines().filter(|line| line.starts_with("ffmpeg ") && line.contains("-c copy")).collect();
    assert!(recipes.len() >= 2, "{recipes:?}");
    for program in std::iter::once("ffmpeg".to_string()).chain(enhanced()) {
        for (number, recipe) in recipes.iter().enumerate() {
            for container in CONTAINERS {
                let to = stage.file(&format!("recipe.{container}"));
                let url = |text: &str| {
                    text.replace("rtmp://localhost:1935/live/stream1", &format!("{}/a", stage.rtmp_url()))
                        .replace("rtsp://localhost:8554/stream1", &format!("{}/a", stage.rtsp_url()))
                };
                let mut words: Vec<String> = recipe.split_ascii_whitespace().skip(1).map(url).collect();
                assert_eq!(words.pop().as_deref(), Some("recording.mkv"), "{recipe}");
                let to = to.to_str().unwrap().to_string();
                words.extend(["-t", "5", "-y", "-nostdin", "-v", "error"].map(String::from));
                words.push(to.clone());
                let what = format!("{recipe} into {container} with {program}");
                let run = stage.spawn(&program, &words).wait(SOON);
                assert_eq!((run.code, run.stderr.trim()), (0, ""), "{what}: {run}");
                let args = ["-nostdin", "-v", "error", "-i", &to, "-f", "null", "-"];
                let run = stage.spawn("ffmpeg", &args).wait(SOON).expect(0);
                assert_eq!(run.stderr.trim(), "", "{number}: {what}");
            }
        }
    }
}
