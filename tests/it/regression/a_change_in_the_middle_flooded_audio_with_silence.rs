//! A source that changed its size, rate or channels got silence for all the time up to there, at once: after 15 minutes
//! 84,000 packets. Here files, an RTMP and an RTSP source and a playlist change every few seconds.

use crate::changing_sources::web;
use crate::live::SOON;
use crate::stage::{
    Clip, Recording, Running, Serve, Stage, joined, joined_flv, live, needs, stopped, wait_for,
};
use msconv::process::run_record::RunRecord;
use std::path::{Path, PathBuf};

const LADDER: [&str; 2] = ["--variants", "120p:150k:160:120"];

/// Six times 5 s, alternately as it was and as `other`; a transport stream or an FLV.
fn changing(stage: &Stage, name: &str, other: Clip<'_>) -> PathBuf {
    let (stem, ending) = name.split_once('.').unwrap();
    let part = |number: u32| {
        let from = (number * 5).to_string();
        let like = if number % 2 == 1 { other } else { Clip::default() };
        let clip = Clip { seconds: 5, from: Some(&from), ..like };
        clip.make(&format!("change-{stem}-{number}.{ending}"))
    };
    let parts: Vec<PathBuf> = (0..6).map(part).collect();
    if ending == "flv" { joined_flv(stage, name, &parts) } else { joined(stage, name, &parts) }
}

/// 12 s of each ladder are whole and in time; none was started again.
fn run_on(stage: &Stage, keys: &[&str]) {
    let url = |key: &str| format!("{}/{key}_120p", stage.rtmp_url());
    let readers: Vec<_> = keys.iter().map(|key| Recording::begin(stage, &url(key), 12)).collect();
    for (key, reader) in keys.iter().zip(readers) {
        let recording = Recording::end(reader);
        let record = RunRecord::read(&stage.file(&format!("pids/.state/{key}.json"))).expect("a record");
        let log = stage.read(&format!("logs/ffmpeg/{key}.log"));
        assert_eq!(record.restarts, 0, "{key}: {log}");
        // AAC has 46.875 packets a second at 48 kHz.
        let packets = recording.audio.count() as f64 / 46.875;
        assert!((packets - recording.audio.span()).abs() < 0.5, "{key}: {packets} s in {recording:?}\n{log}");
        recording.runs_on(&format!("{key}: {log}"));
    }
    keys.iter().for_each(|key| stopped(stage, key));
}

#[test]
fn files_that_change_stay_in_time() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("change-files");
    let _server = Serve::start_at_stage(&stage);
    let plain = Clip::default();
    let others = [
        ("size", Clip { size: Some("240x320"), ..plain }),
        ("rate", Clip { tone: Some((44_100, 1)), ..plain }),
        ("channels", Clip { tone: Some((48_000, 2)), ..plain }),
        ("all", Clip { size: Some("120x160"), tone: Some((44_100, 2)), ..plain }),
    ];
    for (key, other) in others {
        let file = changing(&stage, &format!("{key}.ts"), other);
        live(&stage, key, &["-f", file.to_str().unwrap(), LADDER[0], LADDER[1]]);
    }
    run_on(&stage, &others.map(|(key, _)| key));
}

/// Somebody publishes `file` as `name`, in real time.
fn published(stage: &Stage, file: &Path, name: &str) -> Running {
    let url = format!("{}/{name}", stage.rtmp_url());
    let args =
        ["-nostdin", "-v", "error", "-re", "-i", file.to_str().unwrap(), "-c", "copy", "-f", "flv", &url];
    let publisher = stage.spawn("ffmpeg", &args);
    let shown = format!("\"{name}\"");
    wait_for("the source", SOON, || stage.msconv(&["list", "--json"]).stdout.contains(&shown));
    publisher
}

#[test]
fn live_sources_and_playlists_that_change_stay_in_time() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("change-live");
    let _server = Serve::start_at_stage(&stage);
    let all = Clip { size: Some("120x160"), tone: Some((44_100, 2)), ..Clip::default() };
    // Over RTSP other audio is another description, so only video changes there.
    let size = Clip { size: Some("120x160"), ..Clip::default() };
    let _publishers = [("all", all), ("size", size)]
        .map(|(name, other)| published(&stage, &changing(&stage, &format!("{name}.flv"), other), name));
    let file = changing(&stage, "all.ts", all);
    let folder = stage.file("www");
    std::fs::create_dir_all(&folder).unwrap();
    let mut cut = stage.command("ffmpeg");
    cut.current_dir(&folder).args(["-nostdin", "-v", "error", "-i", file.to_str().unwrap(), "-c", "copy"]);
    cut.args(["-f", "hls", "-hls_time", "2", "-hls_list_size", "0", "list.m3u8"]);
    assert!(cut.status().unwrap().success());
    let playlist = format!("http://127.0.0.1:{}/list.m3u8", web(folder));
    live(&stage, "rtmp", &["-r", &format!("{}/all", stage.rtmp_url()), LADDER[0], LADDER[1]]);
    live(&stage, "rtsp", &["-r", &format!("{}/size", stage.rtsp_url()), LADDER[0], LADDER[1]]);
    live(&stage, "hls", &["-r", &playlist, "--allow-http", LADDER[0], LADDER[1]]);
    run_on(&stage, &["rtmp", "rtsp", "hls"]);
}
