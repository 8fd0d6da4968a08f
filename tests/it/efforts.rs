//! `--quality auto`: the best that the machine carries, said in the first line; and one step down where it was wrong.

use crate::live::{Air, SOON, ready};
use crate::stage::{Running, Stage, made};
use msconv::model::State;
use std::path::PathBuf;

/// The real ffmpeg, but whoever asks how fast the machine is hears `seconds`.
pub fn claiming(stage: &Stage, seconds: &str) -> PathBuf {
    let script = format!(
        r#"case "$*" in *-benchmark*) echo "bench: utime={seconds}s stime=0.001s rtime=0.01s" >&2; exit 0;; esac
exec ffmpeg "$@""#
    );
    stage.fake("ffmpeg-claiming", &script)
}

/// Starts a program on one processor, always the same, whatever the machine has.
pub fn on_one_processor(stage: &Stage, command: &[&str]) -> Running {
    let allowed = std::fs::read_to_string("/proc/self/status").unwrap();
    let list = allowed.lines().find_map(|l| l.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_string();
    let first = list.split([',', '-']).next().unwrap();
    stage.spawn("taskset", &[&["-c", first], command].concat())
}

/// Dear to encode: large, fast and noisy.
fn dear() -> PathBuf {
    let picture = "testsrc2=size=1280x720:rate=50:duration=4,noise=alls=24:allf=t";
    made(
        "dear.mp4",
        &["-f", "lavfi", "-i", picture, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"],
    )
}

#[test]
fn the_first_line_says_what_was_chosen_and_why() {
    if !ready() {
        return;
    }
    let air = Air::new("effort");
    let slow = claiming(&air.stage, "13.5");
    air.stage.set("MSCONV_FFMPEG", slow.to_str().unwrap());
    let film = dear();
    let film = film.to_str().unwrap();
    // A machine on which everything takes fifty times as long carries nothing but the smallest.
    let dry = |more: &[&str]| {
        let args = [
            "publish",
            "-s",
            "a",
            "-f",
            film,
            "--dry-run",
            "--variants",
            "720p:4M:1280:720,120p:150k:214:120",
        ];
        let all: Vec<&str> = args.into_iter().chain(more.iter().copied()).collect();
        air.stage.msconv(&all).expect(0)
    };
    let run = dry(&[]).says("720p left out: all variants need about").says("--leave-out bottom or none");
    assert!(run.stdout.contains("a_120p") && !run.stdout.contains("a_720p"), "{run}");
    let run = dry(&["--leave-out", "none"]).says("it may fall behind");
    assert!(run.stdout.contains("a_120p") && run.stdout.contains("a_720p"), "{run}");
    let run = dry(&["--quality", "balanced"]).says("quality balanced needs about");
    assert!(run.stdout.contains("a_720p") && run.stdout.contains("veryfast"), "{run}");
    // One of which nothing is known is asked nothing of.
    let mute = air.stage.fake("ffmpeg-mute", r#"case "$*" in *-benchmark*) exit 1;; esac; exec ffmpeg "$@""#);
    air.stage.set("MSCONV_FFMPEG", mute.to_str().unwrap());
    let run = dry(&[]);
    assert!(run.stdout.contains("a_720p") && !run.stderr.contains("CPUs"), "{run}");
    // A stream of ours counts from its first moment.
    let quick = claiming(&air.stage, "0.2");
    air.stage.set("MSCONV_FFMPEG", quick.to_str().unwrap());
    air.publish_with(&["--wait", "50s"]).expect(0).prints("in 2 variants with x264, quality best (about 0.");
    assert!(air.record().unwrap().cost.is_some_and(|cost| cost > 0.0));
    air.stop();
}

#[test]
fn a_machine_that_was_thought_faster_steps_down_once() {
    if !ready() {
        return;
    }
    let air = Air::new("step-down");
    let optimist = claiming(&air.stage, "0.012");
    air.stage.set("MSCONV_FFMPEG", optimist.to_str().unwrap());
    let film = dear();
    let mut args = vec![Stage::binary(), "publish", "-s", "a", "-f", film.to_str().unwrap()];
    args.extend(["--fps", "50", "--variants", "720p:20M:1280:720,120p:150k:214:120", "--wait", "55s"]);
    let run = on_one_processor(&air.stage, &args).wait(SOON).expect(0);
    run.prints("quality best");
    let before = air.record().unwrap();
    air.wait_record("weak, with the way out", |r| {
        r.state == State::Weak
            && r.reason
                .as_ref()
                .is_some_and(|why| why.contains("slower than real time") && why.contains("--quality"))
    });
    let after = air.wait_restarted(&before);
    assert!(after.last_error.as_ref().is_some_and(|why| why.contains("went on at quality")), "{after:?}");
    assert!(after.argv.iter().all(|a| a != "medium") && after.restarts == 1, "{after:?}");
    assert!(after.cost < before.cost);
    air.stop();
}
