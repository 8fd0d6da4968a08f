//! A live source that lost one of its tracks stopped everybody for 11 s. The other goes on at once, silence or the last
//! picture stands in, and the track is taken up again.

use crate::live::SOON;
use crate::stage::{Clip, Recording, Serve, Stage, live, needs, stopped, wait_for};
use msconv::process::run_record::RunRecord;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Publishes what is `without` for 6 s of every 12 s, as a ladder and as it is; what readers of both got, with the longest
/// time for which the ladder's gave no packet.
fn relayed(stage: &Stage, without: &str) -> ([Recording; 2], Duration) {
    let _server = Serve::start_at_stage(stage);
    let file: PathBuf = Clip { seconds: 60, ..Clip::default() }.make("minute.mp4");
    let source = format!("{}/source", stage.rtmp_url());
    let input = ["-nostdin", "-v", "error", "-re", "-i", file.to_str().unwrap(), "-c", "copy"];
    let output = [without, "-max_interleave_delta", "1", "-f", "flv", &source];
    let (option, filter) = without.split_once(' ').unwrap();
    let mut args = [&input[..], &[option, filter], &output[1..]].concat();
    let _publisher = stage.spawn("ffmpeg", &std::mem::take(&mut args));
    wait_for("the source", SOON, || stage.msconv(&["list", "--json"]).stdout.contains("\"source\""));
    live(stage, "a", &["-r", &source, "--variants", "120p:150k:160:120"]);
    live(stage, "o", &["-r", &format!("{}/source", stage.rtsp_url()), "-o"]);
    let url = |name: &str| format!("{}/{name}", stage.rtmp_url());
    let packets = ["-nostdin", "-v", "error", "-i", &url("a_120p"), "-t", "18", "-c", "copy"];
    let shown = ["-max_interleave_delta", "1", "-flush_packets", "1", "-f", "framecrc", "-"];
    let mut arriving = stage.spawn("ffmpeg", &[&packets[..], &shown[..]].concat());
    let readers = ["a_120p", "o"].map(|name| Recording::begin(stage, &url(name), 18));
    let (mut seen, mut since, mut longest) = (0, Instant::now(), Duration::ZERO);
    wait_for("18 s to be read", SOON * 2, || {
        let now = arriving.stdout().len();
        if now > seen {
            longest = if seen > 0 { longest.max(since.elapsed()) } else { Duration::ZERO };
            (seen, since) = (now, Instant::now());
        }
        !arriving.running()
    });
    let recordings = readers.map(Recording::end);
    for key in ["a", "o"] {
        let record = RunRecord::read(&stage.file(&format!("pids/.state/{key}.json"))).expect("a record");
        let log = stage.read(&format!("logs/ffmpeg/{key}.log"));
        assert_eq!(record.restarts, 0, "{key}: {log}");
        let kind = if option == "-bsf:a" { "audio" } else { "video" };
        for words in [format!("sends no {kind} now"), format!("sends {kind} again")] {
            assert!(log.contains(&words), "{key}: {log}");
        }
        stopped(stage, key);
    }
    (recordings, longest)
}

#[test]
fn without_audio_the_video_goes_on() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("muted");
    let (recordings, longest) = relayed(&stage, "-bsf:a noise=drop='gte(mod(n,562),281)'");
    for recording in recordings {
        let (video, audio) = (&recording.video, &recording.audio);
        assert!(video.count() > 435 && video.largest_gap() < 0.3, "{recording:?}");
        assert!((audio.span() - video.span()).abs() < 0.5 && audio.largest_gap() < 0.3, "{recording:?}");
        assert!((5..=14).contains(&recording.beeps.len()) && recording.astray().len() <= 1, "{recording:?}");
        assert!(recording.flashes.len() > 15, "{recording:?}");
    }
    assert!(longest < Duration::from_secs(5), "{longest:?}");
}

#[test]
fn without_video_the_audio_goes_on_and_a_picture_is_held() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("dark");
    let (recordings, longest) = relayed(&stage, "-bsf:v noise=drop='gte(mod(n,300),150)'");
    for (recording, gap) in recordings.into_iter().zip([0.3, 1.5]) {
        let (video, audio) = (&recording.video, &recording.audio);
        assert!(audio.count() > 800 && audio.largest_gap() < 0.3, "{recording:?}");
        assert!((audio.span() - video.span()).abs() < 1.5 && video.largest_gap() < gap, "{recording:?}");
        assert!((5..=14).contains(&recording.flashes.len()) && recording.beeps.len() > 15, "{recording:?}");
    }
    assert!(longest < Duration::from_secs(5), "{longest:?}");
}
