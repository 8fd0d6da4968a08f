//! A fault at one place of a file started the same command again and again, without a word. Now another way is taken where
//! there is one; where there is none, the stream ends and says what is wrong.

use crate::stage::{Clip, Serve, Stage, live, needs, stopped, wait_for};
use msconv::model::State;
use msconv::process::run_record::RunRecord;
use std::io::{Seek, SeekFrom, Write};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(120);
const LADDER: [&str; 2] = ["--variants", "120p:150k:160:120"];

#[test]
fn where_ffmpeg_gets_stuck_its_times_are_mended() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("stuck");
    let _server = Serve::start_at_stage(&stage);
    // A step of three hours in a file that is too large to be looked at; what makes it large is a hole in it.
    let whole = Clip { seconds: 6, ..Clip::default() }.make("stuck.mp4");
    let path = stage.file("large.mp4");
    let leap = "setts=ts='if(gte(TS*TB,3),TS+10800/TB,TS)'";
    let args = ["-nostdin", "-v", "error", "-i", whole.to_str().unwrap(), "-c", "copy", "-bsf:v", leap];
    stage.spawn("ffmpeg", &[&args[..], &["-bsf:a", leap, path.to_str().unwrap()]].concat()).wait(LONG);
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    let (end, free) = (file.seek(SeekFrom::End(0)).unwrap(), 300u32 << 20);
    file.write_all(&[&free.to_be_bytes()[..], b"free"].concat()).unwrap();
    file.set_len(end + u64::from(free)).unwrap();
    live(&stage, "a", &["-f", path.to_str().unwrap(), "-o"]);
    let record = || RunRecord::read(&stage.file("pids/.state/a.json"));
    wait_for("another way to be taken", LONG, || {
        let log = stage.read("logs/ffmpeg/a.log");
        let found = log.contains("went on with its times mended on the way");
        if found && record().is_some_and(|r| r.state == State::Live) { Ok(()) } else { Err(log) }
    });
    let before = record().unwrap().restarts;
    wait_for("the step to be behind it", LONG, || {
        stage.read("logs/ffmpeg/a.log").contains("step ahead by 10800.0 s")
    });
    assert_eq!(record().map(|r| (r.state, r.restarts)), Some((State::Live, before)));
    stopped(&stage, "a");
}

#[test]
fn what_always_ends_at_one_place_says_so_and_ends() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("same-place");
    let _server = Serve::start_at_stage(&stage);
    let mut bytes =
        std::fs::read(Clip { video: &["png"], ..Clip::default() }.make("same-place.mkv")).unwrap();
    let middle = bytes.len() / 2;
    let picture = bytes[middle..].windows(4).position(|w| w == b"\x89PNG").unwrap() + middle;
    bytes[picture..picture + 4].copy_from_slice(b"none");
    let path = stage.file("damaged.mkv");
    std::fs::write(&path, bytes).unwrap();
    live(&stage, "a", &["-f", path.to_str().unwrap(), LADDER[0], LADDER[1], "--", "-xerror"]);
    let why = wait_for("it to fail", LONG, || {
        let record = RunRecord::read(&stage.file("pids/.state/a.json")).ok_or("no record")?;
        if record.state == State::Failed { Ok(record.reason) } else { Err(stage.read("logs/ffmpeg/a.log")) }
    });
    let why = why.expect("a reason");
    assert!(why.contains("Invalid PNG signature") && why.contains("3 times at"), "{why}");
    stage.msconv(&["stop", "-s", "a"]).expect(3);
}
