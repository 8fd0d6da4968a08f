//! The players that people have: each is given the ladder's one address, and shows frames.

use super::house::House;
use crate::live::SOON;
use crate::stage::{PATIENCE, Run, Stage, needs, wait_for};

const LADDER: &str = "/live/cam/index.m3u8";

/// mpv plays to the frame that it was told, and says what it played.
#[test]
fn mpv_plays_video_and_audio() {
    if !needs("mpv") {
        return;
    }
    let Some(house) = House::new("hls-mpv") else { return };
    let url = house.url(LADDER);
    let said = "--term-playing-msg=played ${width}x${height} ${video-codec} ${audio-codec}";
    let args =
        ["--no-config", "--vo=null", "--ao=null", "--untimed", "--frames=75", "--msg-level=all=warn", said];
    let run = house.stage.spawn("mpv", &[&args[..], &["--msg-level=cplayer=info", &url]].concat());
    let run = run.wait(PATIENCE).expect(0);
    let played =
        run.stdout.lines().find(|line| line.starts_with("played ")).unwrap_or_else(|| panic!("{run}"));
    assert!(played.contains("640x360 h264") && played.to_lowercase().contains("aac"), "{run}");
    // It reads the initialisation segment again with each playlist, and says so.
    let bad = |line: &&str| line.starts_with("[ffmpeg") && !line.contains("duplicated MOOV");
    assert_eq!(run.stdout.lines().filter(bad).count(), 0, "{run}");
    house.stop();
}

/// Both demuxers of HLS that GStreamer has (hlsdemux in playbin, hlsdemux2 in playbin3): so many buffers of decoded video
/// and audio.
#[test]
fn gstreamer_plays_video_and_audio() {
    if !needs("gst-launch-1.0") {
        return;
    }
    let Some(house) = House::new("hls-gstreamer") else { return };
    let uri = format!("uri={}", house.url(LADDER));
    for player in ["playbin", "playbin3"] {
        // Each sink says what it gets.
        let sinks = ["video-sink=fakesink silent=false name=v", "audio-sink=fakesink silent=false name=a"];
        let run = house.stage.spawn("gst-launch-1.0", &[&["-v", player, &uri], &sinks[..]].concat());
        wait_for("decoded video and audio", SOON, || {
            let said = run.stdout();
            let got = ["(v:sink)", "(a:sink)"].map(|sink| said.matches(sink).count());
            let failed = run.stderr().contains("ERROR");
            assert!(!failed, "{player}: {}", run.stderr());
            if got.iter().all(|got| *got >= 75) { Ok(()) } else { Err(format!("{player}: {got:?}")) }
        });
    }
    house.stop();
}

/// VLC writes what it shows; it refuses to run as root.
#[test]
fn vlc_shows_frames() {
    if !needs("vlc") || !needs("root") || !needs("setpriv") {
        return;
    }
    let Some(house) = House::new("hls-vlc") else { return };
    let (frames, said) = frames_of_vlc(&house.stage, &house.url(LADDER));
    assert!(frames >= 3, "VLC showed {frames} frames: {said}");
    house.stop();
}

fn frames_of_vlc(stage: &Stage, url: &str) -> (usize, Run) {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(folder.path(), Some(65_534), Some(65_534)).unwrap();
    let path = folder.path().to_str().unwrap();
    let homes =
        ["HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"].map(|v| format!("{v}={path}"));
    let scene = format!("--scene-path={path}");
    let mut args = vec!["--reuid=nobody", "--regid=nogroup", "--clear-groups", "env"];
    args.extend(homes.iter().map(String::as_str));
    args.extend(["vlc", "--intf", "dummy", "--vout", "dummy", "--aout", "dummy", "--video-filter=scene"]);
    args.extend(["--scene-ratio=10", &scene, "--run-time=8", url, "vlc://quit"]);
    let run = stage.spawn("setpriv", &args).wait(PATIENCE);
    let frames = std::fs::read_dir(folder.path()).unwrap().flatten();
    (frames.filter(|e| e.path().extension().is_some_and(|e| e == "png")).count(), run)
}
