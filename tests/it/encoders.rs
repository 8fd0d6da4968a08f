//! Which encoder is taken: hardware that works, x264 where it does not, both where the card is full. The card is a script
//! around the real ffmpeg that encodes with x264 whatever it is asked to encode with NVENC.

use crate::live::{Air, NAMES, SMALL, SOON, ready};
use crate::stage::Stage;
use msconv::model::State;
use std::path::PathBuf;

/// `card` says how many NVENC encoders one call may open; each call that opens one is noted in `calls`.
fn card(stage: &Stage) -> PathBuf {
    let root = stage.root().display().to_string();
    let script = format!(
        r#"asked=0
for a in "$@"; do [ "$a" = h264_nvenc ] && asked=$((asked+1)); done
[ $asked -gt 0 ] && echo "$asked" >> {root}/calls
room=$(cat {root}/card 2>/dev/null || echo 0)
if [ $room = hang ] && [ $asked -gt 0 ]; then exec sleep 300; fi
# One option for all outputs opens one encoder for each of them.
for a in "$@"; do case $a in -c:v) all=1;; esac; done
case "$*" in *"-f tee"*) [ "${{all:-}}" = 1 ] && [ $asked -gt 0 ] && asked=2;; esac
if [ $asked -gt "$room" ]; then
  echo "[h264_nvenc @ 0x1] [error] OpenEncodeSessionEx failed: out of memory (10): (no details)" >&2
  exit 1
fi
for a in "$@"; do
  shift
  [ -n "${{drop:-}}" ] && drop= && continue
  case $a in
    h264_nvenc) set -- "$@" libx264 ;;
    -rc:*|-cq:*|-forced-idr:*|-b:v*) drop=1 ;;
    -preset:*) set -- "$@" "$a"; preset=1; continue ;;
    p[1-7]) [ -n "${{preset:-}}" ] && set -- "$@" ultrafast || set -- "$@" "$a" ;;
    *) set -- "$@" "$a" ;;
  esac
  preset=
done
exec ffmpeg "$@""#
    );
    stage.fake("ffmpeg-with-card", &script)
}

struct Bench {
    air: Air,
}

impl Bench {
    fn new(name: &str) -> Bench {
        let air = Air::new(name);
        let ffmpeg = card(&air.stage);
        air.stage.set("MSCONV_FFMPEG", ffmpeg.to_str().unwrap());
        Bench { air }
    }

    fn room(&self, room: &str) {
        std::fs::write(self.air.stage.root().join("card"), room).unwrap();
    }

    fn calls(&self) -> usize {
        std::fs::read_to_string(self.air.stage.root().join("calls")).map_or(0, |t| t.lines().count())
    }
}

const ENCODE: [&str; 3] = ["--wait", "50s", "--no-passthrough"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    ENCODE.into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn auto_takes_what_works_and_asks_once() {
    if !ready() {
        return;
    }
    let bench = Bench::new("card");
    bench.room("2");
    bench.air.publish_with(&ENCODE).expect(0).prints("in 2 variants with nvenc");
    let first = bench.calls();
    bench.air.stop();
    bench.air.publish_with(&ENCODE).expect(0).prints("with nvenc");
    // The five frames of one size were encoded once; those of all sizes, and the stream itself, each time.
    assert_eq!(bench.calls() - first, first - 1);
    bench.air.stop();
    bench.air.publish_with(&with(&["--encoder", "x264"])).expect(0).prints("with x264");
    bench.air.stop();
}

#[test]
fn a_card_that_fails_or_hangs_is_left_alone() {
    if !ready() {
        return;
    }
    let bench = Bench::new("no-card");
    bench.air.publish_with(&ENCODE).expect(0).prints("in 2 variants with x264");
    bench.air.stop();
    let asked = bench.air.publish_with(&with(&["--encoder", "nvenc"])).expect(7);
    asked
        .says("the encoder nvenc does not work on this machine")
        .says("OpenEncodeSessionEx failed")
        .says("--encoder auto");
    assert!(!bench.air.stage.file("pids/a.pid").exists());
    let bench = Bench::new("hung-card");
    bench.room("hang");
    bench.air.publish_with(&ENCODE).expect(0).prints("with x264");
    bench.air.stop();
}

#[test]
fn a_full_card_leaves_the_smaller_ones_to_x264() {
    if !ready() {
        return;
    }
    let bench = Bench::new("full-card");
    bench.room("1");
    let run = bench.air.publish_with(&ENCODE).expect(0);
    run.prints("with nvenc and x264").says("120p with x264: nvenc takes no more renditions at once");
    for name in NAMES {
        assert!(bench.air.nginx.bytes_in(name).unwrap() > 0, "{name}");
    }
    // The card is taken by somebody else while the stream runs, and ffmpeg has to begin anew.
    bench.room("0");
    let before = bench.air.record().unwrap();
    crate::live::signal(before.child, nix::sys::signal::Signal::SIGKILL);
    let after = bench.air.wait_record("x264", |r| {
        r.state == State::Live && r.child != before.child && !r.argv.iter().any(|a| a == "h264_nvenc")
    });
    assert!(after.last_error.unwrap().contains("went on with x264"));
    bench.air.stop();
}

#[test]
fn arguments_after_two_dashes_reach_the_outputs() {
    if !ready() {
        return;
    }
    let air = Air::new("output-arguments");
    air.publish_with(&with(&["--", "-profile:v", "baseline", "-ac", "1"])).expect(0);
    for name in NAMES {
        let url = format!("{}/{name}", air.nginx.rtmp_url());
        let args =
            ["-v", "error", "-rw_timeout", "30000000", "-show_entries", "stream=profile,channels", &url];
        let said = air.stage.spawn("ffprobe", &args).wait(SOON).expect(0).stdout;
        assert!(said.contains("profile=Constrained Baseline") && said.contains("channels=1"), "{said}");
    }
    air.stop();
    assert_eq!(SMALL.matches(',').count() + 1, NAMES.len());
}
