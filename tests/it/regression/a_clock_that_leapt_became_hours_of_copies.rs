//! A live source whose clock leapt by 26 h became 26 h of copies of one frame at 40 times real time, in 1.1 GB of memory,
//! and was said to be live.

use crate::changing_sources::web;
use crate::live::SOON;
use crate::stage::{Clip, Recording, Serve, Stage, joined, live, needs, stopped, wait_for};
use msconv::model::State;
use msconv::process::run_record::RunRecord;

/// Largest memory of a process so far, in kB, for all of this group.
fn peak_memory(group: i32) -> u64 {
    let of = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let member = stat.rsplit(')').next()?.split_whitespace().nth(2)? == group.to_string();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok().filter(|_| member)?;
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?
            .split_whitespace()
            .next()?
            .parse::<u64>()
            .ok()
    };
    let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    all.filter_map(|entry| of(entry.file_name().to_str()?)).sum()
}

#[test]
fn a_clock_that_leaps_is_played_on() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("leap");
    let _server = Serve::start_at_stage(&stage);
    let file = Clip { seconds: 60, ..Clip::default() }.make("minute.mp4");
    // Every 8 s; in milliseconds, as FLV counts.
    let leaps = [
        ("TS+93600000*floor(TS/8000)", "step ahead by 93600.0 s"),
        ("TS+30000*floor(TS/8000)", "step ahead by 30.0 s"),
    ];
    for (times, words) in leaps {
        let source = format!("{}/source", stage.rtmp_url());
        let leap = format!("setts=ts='{times}'");
        let input = ["-nostdin", "-v", "error", "-re", "-i", file.to_str().unwrap(), "-c", "copy"];
        let output = ["-bsf:v", &leap, "-bsf:a", &leap, "-f", "flv", &source];
        let publisher = stage.spawn("ffmpeg", &[&input[..], &output[..]].concat());
        wait_for("the source", SOON, || stage.msconv(&["list", "--json"]).stdout.contains("\"source\""));
        live(&stage, "a", &["-r", &source, "--variants", "120p:150k:160:120"]);
        live(&stage, "o", &["-r", &format!("{}/source", stage.rtsp_url()), "-o"]);
        let url = |name: &str| format!("{}/{name}", stage.rtmp_url());
        let readers =
            [("a", "a_120p"), ("o", "o")].map(|(key, name)| (key, Recording::begin(&stage, &url(name), 12)));
        for (key, reader) in readers {
            let recording = Recording::end(reader);
            let log = stage.read(&format!("logs/ffmpeg/{key}.log"));
            let record = RunRecord::read(&stage.file(&format!("pids/.state/{key}.json"))).expect("a record");
            assert_eq!((record.state, record.restarts), (State::Live, 0), "{key}: {log}");
            assert!(record.speed.is_none_or(|speed| speed < 1.5), "{key}: {:?}", record.speed);
            assert!(log.contains(words), "{key}: {log}");
            let memory = peak_memory(record.child.expect("an ffmpeg").pid);
            assert!(memory > 1_000 && memory < 600_000, "{key}: {memory} kB");
            recording.runs_on(&format!("{key} {times}: {log}"));
            stopped(&stage, key);
        }
        drop(publisher);
    }
}

#[test]
fn a_stream_over_http_whose_clock_goes_back_is_played_on() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("leap-http");
    let _server = Serve::start_at_stage(&stage);
    let folder = stage.file("www");
    std::fs::create_dir_all(&folder).unwrap();
    let part = |from: &str| {
        Clip { seconds: 7, from: Some(from), ..Clip::default() }.make(&format!("http-{from}.ts"))
    };
    joined(&stage, "www/back.ts", &[part("200"), part("100"), part("93700")]);
    let url = format!("http://127.0.0.1:{}/back.ts", web(folder));
    live(&stage, "a", &["-r", &url, "--allow-http", "--variants", "120p:150k:160:120"]);
    let reader = Recording::begin(&stage, &format!("{}/a_120p", stage.rtmp_url()), 15);
    let recording = Recording::end(reader);
    let log = stage.read("logs/ffmpeg/a.log");
    assert!(
        log.contains("step ahead by") && log.contains("step back by") && !log.contains("restarting"),
        "{log}"
    );
    recording.runs_on(&log);
    stopped(&stage, "a");
}
