//! Two recordings put together with `cat`, the second one beginning earlier: 2 s, a stall of 10 s, a restart, for ever. Steps
//! of every size, in both directions and in every container play through, as they are and as a ladder.

use crate::stage::{Clip, Recording, Serve, Stage, joined, joined_flv, live, needs, stopped};
use msconv::process::run_record::RunRecord;
use std::path::PathBuf;

const LADDER: [&str; 2] = ["--variants", "120p:150k:160:120"];

/// Publishes all of them at once, some as they are; each plays through without a restart.
fn play(stage: &Stage, sources: &[(&str, PathBuf, bool)]) {
    let name = |key: &str, original: bool| if original { key.to_string() } else { format!("{key}_120p") };
    for (key, file, original) in sources {
        let how: &[&str] = if *original { &["-o"] } else { &LADDER };
        live(stage, key, &[&["-f", file.to_str().unwrap()], how].concat());
    }
    let readers: Vec<_> = sources
        .iter()
        .map(|(key, _, original)| {
            Recording::begin(stage, &format!("{}/{}", stage.rtmp_url(), name(key, *original)), 9)
        })
        .collect();
    for ((key, _, _), reader) in sources.iter().zip(readers) {
        let recording = Recording::end(reader);
        let record = RunRecord::read(&stage.file(&format!("pids/.state/{key}.json"))).expect("a record");
        let log = stage.read(&format!("logs/ffmpeg/{key}.log"));
        assert_eq!(record.restarts, 0, "{key}: {log}");
        recording.runs_on(&format!("{key}: {log}"));
    }
    sources.iter().for_each(|(key, ..)| stopped(stage, key));
}

/// 3 s from 100 s on, then 3 s from there on.
fn stepping(stage: &Stage, name: &str, to: &str, like: Clip<'_>) -> PathBuf {
    let stem = name.replace('.', "-");
    let part = |from: &str| {
        let clip = Clip { seconds: 3, from: Some(from), ..like };
        clip.make(&format!("{stem}-{from}.{}", name.rsplit('.').next().unwrap()))
    };
    joined(stage, name, &[part("100"), part(to)])
}

#[test]
fn joined_transport_streams_play_through() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("steps-ts");
    let _server = Serve::start_at_stage(&stage);
    let plain = Clip::default();
    let back = stepping(&stage, "back.ts", "50", plain);
    let little = stepping(&stage, "little.ts", "102.5", plain);
    let ahead = stepping(&stage, "ahead.ts", "10900", plain);
    play(
        &stage,
        &[
            ("back", back.clone(), false),
            ("backo", back, true),
            ("little", little.clone(), false),
            ("littleo", little, true),
            ("ahead", ahead.clone(), false),
            ("aheado", ahead, true),
        ],
    );
    // The clock of 33 bits runs over; other codecs.
    let over = Clip { seconds: 6, from: Some("95440.5"), ..plain }.make("over.ts");
    let hevc = ["libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=25"];
    let hevc = stepping(&stage, "hevc.ts", "50", Clip { video: &hevc, audio: &["libmp3lame"], ..plain });
    let mpeg2 = Clip { video: &["mpeg2video", "-g", "12"], audio: &["ac3"], ..plain };
    let mpeg2 = stepping(&stage, "mpeg2.ts", "70", mpeg2);
    play(&stage, &[("over", over, false), ("hevc", hevc, false), ("mpeg2", mpeg2, false)]);
}

#[test]
fn steps_in_other_containers_play_through() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("steps-others");
    let _server = Serve::start_at_stage(&stage);
    let clip = |from, name: &str| Clip { seconds: 3, from: Some(from), ..Clip::default() }.make(name);
    let flv = joined_flv(&stage, "joined.flv", &[clip("100", "step-100.flv"), clip("50", "step-50.flv")]);
    let mkv = joined(&stage, "joined.mkv", &[clip("20", "step-20.mkv"), clip("2", "step-2.mkv")]);
    // An MP4 knows no way back.
    let whole = Clip { seconds: 6, ..Clip::default() }.make("step.mp4");
    let ahead = stage.file("ahead.mp4");
    let leap = "setts=ts='if(gte(TS*TB,3),TS+10800/TB,TS)'";
    let args = ["-nostdin", "-v", "error", "-i", whole.to_str().unwrap(), "-c", "copy", "-bsf:v", leap];
    stage
        .spawn("ffmpeg", &[&args[..], &["-bsf:a", leap, ahead.to_str().unwrap()]].concat())
        .wait(crate::live::SOON);
    play(
        &stage,
        &[
            ("flv", flv.clone(), false),
            ("flvo", flv, true),
            ("mkv", mkv.clone(), false),
            ("mkvo", mkv, true),
            ("mp4", ahead.clone(), false),
            ("mp4o", ahead, true),
        ],
    );
}

#[test]
fn played_once_it_lasts_as_long_as_it_is() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("steps-once");
    let _server = Serve::start_at_stage(&stage);
    let file = stepping(&stage, "once.ts", "50", Clip::default());
    live(&stage, "a", &["-f", file.to_str().unwrap(), "--once", LADDER[0], LADDER[1]]);
    let url = format!("{}/a_120p", stage.rtmp_url());
    let recording = Recording::end(Recording::begin(&stage, &url, 30));
    let span = recording.video.span();
    assert!((2.5..=6.2).contains(&span), "{span} of 6 s: {recording:?}");
    crate::stage::wait_for("its end", crate::live::SOON, || !stage.file("pids/a.pid").exists());
    let log = stage.read("logs/ffmpeg/a.log");
    assert!(log.contains("finished") && !log.contains("restarting"), "{log}");
}
