//! `publish` of a 720p clip lost its 720p because a compiler ran beside it, or because another stream of ours had taken a
//! better quality; `play -v 720p` then failed. What others do at this moment costs quality and is given back, streams of
//! ours make room, and a variant goes only where the whole machine cannot carry it.
//!
//! Everything runs on one processor, and ffmpeg claims how fast that is: so a plan can be foretold.

use crate::efforts::{claiming, on_one_processor};
use crate::live::{SMALL, SOON};
use crate::stage::{Film, PATIENCE, Run, Running, Serve, Stage, film, needs, wait_for};
use msconv::model::State;
use msconv::process::budget::{self, Share};
use msconv::process::run_record::RunRecord;
use nix::sys::signal::Signal;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longer than it takes until a machine that others work on, too, is calm for a moment.
const CALM: Duration = Duration::from_secs(240);
/// Seconds that the machine claims to need for its trial, so that the clip needs more than half of the processor
/// at the fastest quality: alone it has room, beside other work it has not.
const WEAK: &str = "0.8";
/// The same, so that the best quality of the clip finds room on a processor that has nothing else to do, and only there.
const STRONG: &str = "0.107";
/// The same for the small ladder.
const STRONG_FOR_SMALL: &str = "0.485";

/// How the qualities are seen in a command of ffmpeg.
const BEST: &str = "-preset:v medium";
const BALANCED: &str = "-preset:v veryfast";
const FASTEST: &str = "-preset:v ultrafast";
/// What is said of a variant that finds no room.
const LOST: &str = "left out: all variants";

/// A stage with the built-in server.
struct House {
    /// Declared before the stage so that it is dropped first.
    _serve: Serve,
    stage: Stage,
}

impl House {
    fn new(name: &str) -> Option<House> {
        if !needs("ffmpeg") || !needs("taskset") {
            return None;
        }
        let stage = Stage::new(name);
        Some(House { _serve: Serve::start_at_stage(&stage), stage })
    }

    /// From now on the machine is said to need `seconds` for its trial.
    fn claims(&self, seconds: &str) {
        let ffmpeg = claiming(&self.stage, seconds);
        self.stage.set("MSCONV_FFMPEG", ffmpeg.to_str().unwrap());
    }

    fn publish(&self, key: &str, path: &Path, more: &[&str]) -> Run {
        self.publish_source(key, &["-f", path.to_str().unwrap()], more)
    }

    fn publish_source(&self, key: &str, source: &[&str], more: &[&str]) -> Run {
        self.publish_within(&[], key, source, more)
    }

    /// As [`House::publish_source`], by way of another program.
    fn publish_within(&self, program: &[&str], key: &str, source: &[&str], more: &[&str]) -> Run {
        let args = [Stage::binary(), "publish", "-s", key];
        on_one_processor(&self.stage, &[program, &args, source, more].concat()).wait(PATIENCE).expect(0)
    }

    /// Something that keeps the processor busy until it is dropped.
    fn burner(&self, nicely: &[&str]) -> Running {
        let burning = on_one_processor(&self.stage, &[nicely, &["sh", "-c", "while :; do :; done"]].concat());
        wait_for("it to burn", SOON, || {
            let command = std::fs::read(format!("/proc/{}/cmdline", burning.pid())).unwrap_or_default();
            command.starts_with(b"sh\0")
        });
        burning
    }

    fn record(&self, key: &str) -> Option<RunRecord> {
        RunRecord::read(&self.stage.file(&format!("pids/.state/{key}.json")))
    }

    fn log(&self, key: &str) -> String {
        self.stage.read(&format!("logs/ffmpeg/{key}.log"))
    }

    fn share(&self, key: &str) -> Share {
        let shares = budget::read(&budget::path(&self.stage.root().join("run/msconv")));
        let share = shares.iter().find(|share| share.key == key);
        share.unwrap_or_else(|| panic!("{key} is not in {shares:?}")).clone()
    }

    /// Waits until `words` stand in a stream's log.
    #[track_caller]
    fn says(&self, key: &str, words: &str, patience: Duration) {
        wait_for(&format!("{words:?} in the log of {key}"), patience, || {
            let log = self.log(key);
            if log.contains(words) { Ok(()) } else { Err(format!("{:?}\n{log}", self.record(key))) }
        });
    }

    /// Reads a stream over both protocols until [`Viewer::saw_no_break`].
    fn viewers(&self, name: &str) -> [Viewer; 2] {
        let urls = [format!("{}/{name}", self.stage.rtmp_url()), format!("{}/{name}", self.stage.rtsp_url())];
        urls.map(|url| Viewer::new(&self.stage, &url))
    }

    fn stop(&self, key: &str) {
        self.stage.msconv(&["stop", "-s", key]).expect(0);
    }
}

/// A 720p clip that costs little to encode.
fn clip() -> PathBuf {
    Film { fps: 12, ..Film::new(8, 1280, 720) }.make()
}

/// A real ffmpeg that writes down what it gets.
struct Viewer {
    running: Running,
    got: PathBuf,
}

impl Viewer {
    fn new(stage: &Stage, url: &str) -> Viewer {
        let got = stage.root().join(format!("{}.crc", url.split(':').next().unwrap()));
        let mut args = vec!["-nostdin", "-v", "warning", "-y"];
        if url.starts_with("rtsp:") {
            args.extend(["-rtsp_transport", "tcp"]);
        }
        let copy = ["-map", "0:v", "-c", "copy", "-flush_packets", "1", "-f", "framecrc"];
        let running =
            stage.spawn("ffmpeg", &[&args[..], &["-i", url], &copy, &[got.to_str().unwrap()]].concat());
        let viewer = Viewer { running, got };
        wait_for("the first frames", SOON, || viewer.times().len() > 10);
        viewer
    }

    /// When each frame is to be decoded, in seconds.
    fn times(&self) -> Vec<f64> {
        let text = std::fs::read_to_string(&self.got).unwrap_or_default();
        // The last line may be half written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let base = whole.lines().find_map(|line| line.strip_prefix("#tb 0: ")?.split_once('/'));
        let base = base.map_or(1.0, |(num, den)| num.parse::<f64>().unwrap() / den.parse::<f64>().unwrap());
        let frames = whole.lines().filter(|line| !line.starts_with('#'));
        frames.map(|line| line.split(',').nth(1).unwrap().trim().parse::<f64>().unwrap() * base).collect()
    }

    /// It goes on, and all the time no more was missing than what is between two keyframes.
    #[track_caller]
    fn saw_no_break(mut self) {
        let seen = self.times().len();
        wait_for("more frames", SOON, || self.times().len() > seen + 50);
        assert!(self.running.running(), "{}", self.running.stderr());
        let times = self.times();
        let gap = times.windows(2).map(|pair| pair[1] - pair[0]);
        let (least, most) =
            gap.fold((f64::MAX, f64::MIN), |(least, most), gap| (least.min(gap), most.max(gap)));
        assert!(least > 0.0 && most <= 2.0, "{} {least} {most}: {times:?}", self.got.display());
        self.running.signal(Signal::SIGINT);
        let run = self.running.wait(PATIENCE);
        assert!(!run.stderr.contains("rror"), "{run}");
    }
}

/// What the kernel is said to count: other tests run on this machine, so how busy it is for half a minute is not ours to
/// choose. Seen by programs that are started through [`Counters::program`].
struct Counters {
    path: PathBuf,
    busy: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Counters {
    /// A machine of many processors, each of them busy until [`Counters::calm`].
    fn new(stage: &Stage) -> Counters {
        let path = stage.root().join("stat");
        let (busy, over) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let file = File::create(&path).unwrap();
        let (is_busy, is_over) = (busy.clone(), over.clone());
        // Lines of one length, written in place: no reader sees half of one.
        let write = move |(user, idle): (u64, u64)| {
            let one = |n| format!("cpu{n} {user:012} 0 0 {idle:012} 0 0 0 0 0 0\n");
            file.write_all_at((0..1024).map(one).collect::<String>().as_bytes(), 0).unwrap();
        };
        let mut ticks = (0, 0);
        write(ticks);
        let thread = std::thread::spawn(move || {
            let mut last = Instant::now();
            while !is_over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
                let passed = last.elapsed().as_millis() as u64 / 10;
                last += Duration::from_millis(passed * 10);
                match is_busy.load(Ordering::Relaxed) {
                    // What msconv and its own programs use is taken off, and is not in here.
                    true => ticks.0 += 2 * passed,
                    false => ticks.1 += passed,
                }
                write(ticks);
            }
        });
        Counters { path, busy, over, thread: Some(thread) }
    }

    /// The start of a command line by which a program sees these counters.
    fn program(&self) -> [&str; 6] {
        let script = r#"mount --bind "$0" /proc/stat && exec "$@""#;
        ["unshare", "--mount", "sh", "-c", script, self.path.to_str().unwrap()]
    }

    fn calm(&self) {
        self.busy.store(false, Ordering::Relaxed);
    }
}

impl Drop for Counters {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[test]
fn a_compiler_beside_it_costs_quality_only() {
    let Some(house) = House::new("ladder-busy") else { return };
    let burning = house.burner(&[]);
    let labels = ["720p", "480p", "360p"];
    // Where the best would find room, another quality is taken; where the fastest hardly does, it is said.
    for (claim, quality) in [(STRONG, BALANCED), (WEAK, FASTEST)] {
        house.claims(claim);
        for choice in ["top", "bottom", "none"] {
            let run = house.publish("a", &clip(), &["--dry-run", "--leave-out", choice]);
            assert!(run.stdout.contains(quality) && !run.stderr.contains(LOST), "{run}");
            assert!(labels.iter().all(|label| run.stdout.contains(&format!("a_{label}"))), "{run}");
        }
    }
    let run = house.publish("a", &clip(), &["--wait", "55s"]);
    run.prints("720p 480p 360p").says("it may fall behind until others let go");
    let record = house.record("a").expect("a record");
    assert_eq!(record.renditions.iter().map(|r| r.label.as_str()).collect::<Vec<_>>(), labels);
    drop(burning);
    house.stop("a");
}

#[test]
fn work_that_gives_way_is_not_taken_as_busy() {
    let Some(house) = House::new("ladder-nice") else { return };
    house.claims(STRONG);
    for nicely in [&["nice", "-n", "10"][..], &["nice", "-n", "19"], &["chrt", "-i", "0"]] {
        let burning = house.burner(nicely);
        // Others may be working on this machine at any one moment.
        wait_for("a moment without other work", CALM, || {
            let run = house.publish("a", &clip(), &["--dry-run"]);
            if run.stdout.contains(BEST) { Ok(()) } else { Err(run.to_string()) }
        });
        drop(burning);
    }
}

/// `source` is published in its best quality, and another stream comes that needs nearly all of the machine.
fn makes_room(house: &House, key: &str, source: &[&str]) {
    // The first takes its best quality even on a busy machine.
    house.claims("0.405");
    house.publish_source(key, source, &["--variants", SMALL, "--wait", "55s"]).prints("quality best");
    let before = house.share(key);
    assert_eq!((before.way, before.ways.len()), (0, 4), "{before:?}");
    let viewers = house.viewers(&format!("{key}_240p"));
    house.claims("1.13");
    let run = house.publish("b", &clip(), &["--wait", "55s"]).prints("720p 480p 360p");
    assert!(!run.stderr.contains(LOST), "{run}");
    house.says(key, "went on at quality", SOON);
    let (after, beside) = (house.share(key), house.share("b"));
    assert!(after.way > 0 && after.cost() + beside.cost() <= 1.0, "{after:?} {beside:?}");
    assert!(before.cost() + beside.cost() > 1.0, "{before:?} {beside:?}");
    viewers.into_iter().for_each(Viewer::saw_no_break);
    let live = |record: Option<RunRecord>| record.is_some_and(|record| record.state.on_air());
    assert!(live(house.record(key)) && live(house.record("b")));
    house.stop("b");
    house.stop(key);
}

#[test]
fn a_stream_in_a_better_quality_makes_room_for_a_new_one() {
    let Some(house) = House::new("ladder-room") else { return };
    makes_room(&house, "short", &["-f", film(8, 426, 240).to_str().unwrap()]);
    // A long one is entered in the middle, beside the run on the air.
    makes_room(&house, "long", &["-f", film(130, 426, 240).to_str().unwrap()]);
}

#[test]
fn a_live_source_goes_on_in_a_cheaper_way_at_once() {
    let Some(house) = House::new("ladder-live") else { return };
    let url = format!("{}/camera", house.stage.rtmp_url());
    let small = film(8, 426, 240);
    let args = ["-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-i", small.to_str().unwrap()];
    let camera = house.stage.spawn("ffmpeg", &[&args[..], &["-c", "copy", "-f", "flv", &url]].concat());
    makes_room(&house, "a", &["-r", &url]);
    drop(camera);
}

#[test]
fn what_a_busy_moment_took_is_given_back() {
    let Some(house) = House::new("ladder-back").filter(|_| needs("root") && needs("unshare")) else { return };
    house.claims(STRONG_FOR_SMALL);
    let counters = Counters::new(&house.stage);
    let args = ["--variants", SMALL, "--wait", "55s"];
    let small = film(8, 426, 240);
    let source = ["-f", small.to_str().unwrap()];
    house.publish_within(&counters.program(), "a", &source, &args).prints("quality balanced");
    let viewers = house.viewers("a_240p");
    let before = house.record("a").expect("a record");
    counters.calm();
    house.says("a", "went on at quality best", 2 * SOON);
    viewers.into_iter().for_each(Viewer::saw_no_break);
    let after = wait_for("it to be live", SOON, || house.record("a").filter(|r| r.state == State::Live));
    assert!(after.child != before.child && after.supervisor == before.supervisor);
    assert_eq!((after.restarts, house.share("a").way), (before.restarts, 0));
    house.stop("a");
}

#[test]
fn a_variant_goes_only_where_the_whole_machine_cannot_carry_it() {
    let Some(house) = House::new("ladder-whole") else { return };
    let dry = |more: &[&str]| house.publish("b", &clip(), &[&["--dry-run"], more].concat());
    let whole = |run: Run| assert!(!run.stderr.contains(LOST) && run.stdout.contains("b_720p"), "{run}");
    // All three need nine tenths of the processor, which are there.
    house.claims("1.2");
    whole(dry(&[]).prints(FASTEST));
    // Beside a stream whose quality was asked for there is no room for all.
    let small = film(8, 426, 240);
    let args = ["--variants", "120p:150k:214:120", "--quality", "fastest", "--wait", "55s"];
    house.publish("a", &small, &args);
    assert!(house.share("a").ways.len() == 1 && house.share("a").cost() > 0.1, "{:?}", house.share("a"));
    let run = dry(&[]).says("720p left out: all variants need about 0.9 CPUs");
    assert!(!run.stdout.contains("b_720p") && run.stdout.contains("b_360p"), "{run}");
    let run = dry(&["--leave-out", "bottom"]).says(LOST);
    assert!(run.stdout.contains("b_720p") && !run.stdout.contains("b_360p"), "{run}");
    let run = dry(&["--leave-out", "none"]).says("it may fall behind");
    assert!(run.stdout.contains("b_720p") && run.stdout.contains("b_360p"), "{run}");
    house.stop("a");
    whole(dry(&[]));
}
