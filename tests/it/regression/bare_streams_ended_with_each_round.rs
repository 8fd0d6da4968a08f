//! Raw `.h264` and `.hevc` were not repeated without a seam: each round ended the stream for its readers.

use crate::stage::{Clip, Recording, Serve, Stage, live, needs, stopped};
use msconv::process::run_record::RunRecord;

#[test]
fn readers_stay_over_many_rounds() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("bare");
    let _server = Serve::start_at_stage(&stage);
    let bare = Clip { seconds: 2, tone: None, ..Clip::default() };
    let hevc = ["libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=25"];
    let h264 = bare.make("bare.h264");
    let b_frames = ["libx264", "-preset", "veryfast", "-bf", "2", "-g", "25"];
    let sources = [
        ("h264", h264.clone(), "h264_120p"),
        ("original", h264, "original"),
        ("bframes", Clip { video: &b_frames, ..bare }.make("bare-b.h264"), "bframes_120p"),
        ("hevc", Clip { video: &hevc, ..bare }.make("bare.hevc"), "hevc_120p"),
    ];
    for (key, file, name) in &sources {
        let how: &[&str] = if key == name { &["-o"] } else { &["--variants", "120p:150k:160:120"] };
        live(&stage, key, &[&["-f", file.to_str().unwrap()], how].concat());
    }
    let url = |name: &str| format!("{}/{name}", stage.rtmp_url());
    let readers: Vec<_> = sources.iter().map(|(.., name)| Recording::begin(&stage, &url(name), 9)).collect();
    for ((key, ..), reader) in sources.iter().zip(readers) {
        let recording = Recording::end(reader);
        let log = stage.read(&format!("logs/ffmpeg/{key}.log"));
        // Four rounds and a half.
        assert!(
            recording.video.span() > 8.5 && recording.video.largest_gap() < 0.3,
            "{key}: {recording:?}\n{log}"
        );
        assert!((215..=230).contains(&recording.video.count()), "{key}: {recording:?}\n{log}");
        assert!(recording.flashes.len() >= 7, "{key}: {recording:?}\n{log}");
        let record = RunRecord::read(&stage.file(&format!("pids/.state/{key}.json"))).expect("a record");
        assert_eq!(record.restarts, 0, "{key}: {log}");
        stopped(&stage, key);
    }
}
