//! RTMP with the programs that people publish and play with.

use crate::stage::{PATIENCE, Running, Stage, enhanced, needs, wait_for};
use nix::sys::signal::Signal;

/// `msconv serve` on free ports.
struct Serve {
    running: Running,
    port: u16,
    /// Dropped last.
    stage: Stage,
}

impl Serve {
    fn new(name: &str) -> Serve {
        Serve::with(name, &[])
    }

    fn with(name: &str, more: &[&str]) -> Serve {
        let stage = Stage::new(name);
        let mut args = vec!["serve"];
        for flag in [
            "--rtmp-port",
            "--rtsp-port",
            "--rtp-port",
            "--stat-port",
            "--api-port",
            "--metrics-port",
            "--web-port",
        ] {
            args.extend([flag, "0"]);
        }
        args.extend(more);
        let running = stage.spawn_msconv(&args);
        running.wait_for_words("ready rtmp=127.0.0.1:", PATIENCE);
        let said = running.stdout();
        let (_, from) = said.split_once("ready rtmp=127.0.0.1:").unwrap();
        let port = from.split(' ').next().unwrap().trim().parse().unwrap();
        Serve { running, port, stage }
    }

    fn url(&self, name: &str) -> String {
        format!("rtmp://127.0.0.1:{}/live/{name}", self.port)
    }

    /// Publishes with `ffmpeg`, and waits until the server says so.
    fn publish(&self, ffmpeg: &str, name: &str, args: &[&str]) -> Running {
        let url = self.url(name);
        let mut all = vec!["-hide_banner", "-loglevel", "warning", "-nostdin", "-re"];
        all.extend(args);
        all.extend(["-f", "flv", &url]);
        let before = self.times(name);
        let running = self.stage.spawn(ffmpeg, &all);
        wait_for(&format!("{name} to be published"), PATIENCE, || {
            if self.times(name) > before { Ok(()) } else { Err(running.stderr() + &self.running.stderr()) }
        });
        running
    }

    fn times(&self, name: &str) -> usize {
        self.running.stderr().lines().filter(|l| l.ends_with(&format!(" publishes {name}"))).count()
    }

    /// Reads two seconds with `ffmpeg`: no complaint, and how many frames.
    #[track_caller]
    fn read(&self, ffmpeg: &str, name: &str) -> u32 {
        let url = self.url(name);
        let args = ["-loglevel", "error", "-nostdin", "-i", &url, "-t", "2", "-fps_mode", "passthrough"];
        let more = ["-progress", "pipe:1", "-f", "null", "-"];
        let run = self.stage.spawn(ffmpeg, &[&args[..], &more[..]].concat()).wait(PATIENCE).expect(0);
        assert_eq!(run.stderr, "", "{run}");
        frames(&run.stdout)
    }

    fn end(self) {
        self.running.signal(Signal::SIGTERM);
        let run = self.running.wait(PATIENCE).expect(0);
        assert!(!run.stderr.contains("panicked"), "{run}");
    }
}

/// The last `frame=` of ffmpeg's progress; 0 for audio alone.
fn frames(progress: &str) -> u32 {
    let last = progress.lines().filter_map(|l| l.strip_prefix("frame=")).next_back();
    last.map_or(0, |n| n.trim().parse().unwrap())
}

const PICTURE: [&str; 4] = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25"];
const TONE: [&str; 4] = ["-f", "lavfi", "-i", "sine=440:sample_rate=48000"];
/// H.264 with B-frames.
fn h264() -> Vec<&'static str> {
    let codec = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "25", "-pix_fmt", "yuv420p"];
    codec.to_vec()
}

/// Ends a publisher politely.
fn stop(publisher: Running) {
    publisher.signal(Signal::SIGTERM);
    publisher.wait(PATIENCE).expect(255);
}

#[test]
fn ffmpeg_publishes_and_everybody_plays() {
    if !needs("ffmpeg") {
        return;
    }
    let serve = Serve::new("rtmp-programs");
    let publisher =
        serve.publish("ffmpeg", "film", &[&PICTURE[..], &TONE, &h264(), &["-c:a", "aac"]].concat());
    let url = serve.url("film");
    assert!(serve.read("ffmpeg", "film") >= 40);
    let streams = ["-v", "error", "-show_entries", "stream=codec_name,width,sample_rate", "-of", "csv=p=0"];
    let run = serve.stage.spawn("ffprobe", &[&streams[..], &[&url]].concat()).wait(PATIENCE).expect(0);
    let mut seen: Vec<&str> = run.stdout.lines().collect();
    seen.sort_unstable();
    assert_eq!(seen, ["aac,48000", "h264,320"], "two tracks and nothing else: {run}");
    if needs("mpv") {
        let args = ["--no-config", "--vo=null", "--ao=null", "--length=2", "--no-terminal", &url];
        serve.stage.spawn("mpv", &args).wait(PATIENCE).expect(0);
    }
    if needs("gst-launch-1.0") {
        for source in ["rtmp2src", "rtmpsrc"] {
            let location = format!("location={url}");
            let args =
                format!("-q {source} LOCATION ! flvdemux ! h264parse ! avdec_h264 ! fakesink num-buffers=50");
            let args: Vec<&str> = args
                .split(' ')
                .map(|word| if word == "LOCATION" { location.as_str() } else { word })
                .collect();
            serve.stage.spawn("gst-launch-1.0", &args).wait(PATIENCE).expect(0);
        }
    }
    vlc_shows_frames(&serve, &url);
    stop(publisher);
    serve.end();
}

/// VLC writes what it shows; it refuses to run as root.
fn vlc_shows_frames(serve: &Serve, url: &str) {
    if !needs("vlc") || !needs("root") || !needs("setpriv") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(folder.path(), Some(65_534), Some(65_534)).unwrap();
    let path = folder.path().to_str().unwrap();
    let user = ["--reuid=nobody", "--regid=nogroup", "--clear-groups", "env"];
    let homes =
        [format!("HOME={path}"), format!("XDG_RUNTIME_DIR={path}"), format!("XDG_CONFIG_HOME={path}")];
    let scene = format!("--scene-path={path}");
    let mut args = user.to_vec();
    args.extend(homes.iter().map(String::as_str));
    args.extend(["vlc", "-q", "--intf", "dummy", "--vout", "dummy", "--no-audio", "--video-filter=scene"]);
    args.extend(["--scene-ratio=10", &scene, "--run-time=4", url, "vlc://quit"]);
    serve.stage.spawn("setpriv", &args).wait(PATIENCE);
    let frames = std::fs::read_dir(folder.path()).unwrap().flatten();
    let frames = frames.filter(|e| e.path().extension().is_some_and(|e| e == "png")).count();
    assert!(frames >= 3, "VLC showed {frames} frames");
}

#[test]
fn frames_alone_audio_alone_and_older_audio() {
    if !needs("ffmpeg") {
        return;
    }
    let serve = Serve::new("rtmp-alone");
    let publishers = [
        serve.publish("ffmpeg", "frames", &[&PICTURE[..], &h264()].concat()),
        serve.publish("ffmpeg", "audio", &[&TONE[..], &["-c:a", "aac"]].concat()),
        serve.publish("ffmpeg", "mp3", &[&TONE[..], &["-c:a", "libmp3lame", "-ar", "44100"]].concat()),
        serve.publish("ffmpeg", "phone", &[&TONE[..], &["-c:a", "pcm_alaw", "-ar", "8000"]].concat()),
    ];
    assert!(serve.read("ffmpeg", "frames") >= 40);
    for name in ["audio", "mp3", "phone"] {
        assert_eq!(serve.read("ffmpeg", name), 0, "{name}");
    }
    publishers.into_iter().for_each(stop);
    serve.end();
}

#[test]
fn gstreamer_publishes() {
    if !needs("ffmpeg") || !needs("gst-launch-1.0") {
        return;
    }
    let serve = Serve::new("rtmp-gst");
    for (sink, name) in [("rtmp2sink", "new"), ("rtmpsink", "old")] {
        let location =
            format!("location={}{}", serve.url(name), if sink == "rtmpsink" { " live=1" } else { "" });
        let args = format!(
            "-q -e videotestsrc is-live=true ! video/x-raw,width=320,height=180,framerate=25/1 ! x264enc \
             key-int-max=25 tune=zerolatency ! h264parse ! flvmux streamable=true ! {sink} LOCATION"
        );
        let args: Vec<&str> =
            args.split(' ').map(|word| if word == "LOCATION" { location.as_str() } else { word }).collect();
        let publisher = serve.stage.spawn("gst-launch-1.0", &args);
        wait_for(name, PATIENCE, || serve.times(name) > 0);
        assert!(serve.read("ffmpeg", name) >= 40, "{sink}");
        publisher.signal(Signal::SIGINT);
        publisher.wait(PATIENCE);
    }
    serve.end();
}

#[test]
fn a_source_that_comes_back_with_another_size_plays_on() {
    if !needs("ffmpeg") {
        return;
    }
    let serve = Serve::new("rtmp-resize");
    let first = serve.publish("ffmpeg", "film", &[&PICTURE[..], &TONE, &h264(), &["-c:a", "aac"]].concat());
    let url = serve.url("film");
    let sizes =
        ["-loglevel", "info", "-nostdin", "-nostats", "-i", &url, "-vf", "showinfo", "-f", "null", "-"];
    let reader = serve.stage.spawn("ffmpeg", &sizes);
    reader.wait_for_words("s:320x180", PATIENCE);
    first.signal(Signal::SIGKILL);
    first.wait(PATIENCE);
    let larger = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=25"];
    let second = serve.publish("ffmpeg", "film", &[&larger[..], &TONE, &h264(), &["-c:a", "aac"]].concat());
    reader.wait_for_words("s:640x360", PATIENCE);
    stop(second);
    // Polite at the end: the reader ends by itself.
    let run = reader.wait(PATIENCE).expect(0);
    for trouble in ["error while decoding", "Non-monotonous", "non monotonically", "corrupt", "Invalid data"]
    {
        assert!(!run.stderr.contains(trouble), "{trouble}: {run}");
    }
    serve.end();
}

#[test]
fn ffmpeg_shows_its_password_in_both_ways() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = tempfile::tempdir().unwrap();
    let password = stage.path().join("password");
    std::fs::write(&password, "s3cret&more\n").unwrap();
    let flags = ["--publish-user", "bob", "--publish-password-file", password.to_str().unwrap()];
    let serve = Serve::with("rtmp-password", &flags);
    let publish = |url: String| {
        let args =
            [&["-loglevel", "error", "-nostdin"], &PICTURE[..], &h264()[..], &["-t", "0.5", "-f", "flv"]]
                .concat();
        serve.stage.spawn("ffmpeg", &[&args[..], &[&url]].concat()).wait(PATIENCE)
    };
    let host = format!("127.0.0.1:{}/live", serve.port);
    assert_eq!(publish(format!("rtmp://{host}/a?user=bob&pass=s3cret%26more")).code, 0);
    assert_eq!(publish(format!("rtmp://{host}?user=bob&pass=s3cret%26more/b")).code, 0);
    publish(format!("rtmp://{host}/c")).expect(1).says("publishing needs a user and a password");
    // The attempt before this one showed nothing, so this one is asked, and answers.
    assert_eq!(publish(format!("rtmp://bob:s3cret&more@{host}/d")).code, 0);
    publish(format!("rtmp://{host}/e?user=bob&pass=guess")).expect(1).says("wrong user or password");
    for name in ["a", "b", "d"] {
        assert_eq!(serve.times(name), 1, "{name}");
    }
    assert!(!serve.running.stderr().contains("s3cret"), "the log keeps the password");
    serve.end();
}

#[test]
fn enhanced_rtmp_carries_newer_codecs() {
    let Some(ffmpeg) = enhanced() else { return };
    let serve = Serve::new("rtmp-enhanced");
    let h265 = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", "-g", "25"];
    let av1 = ["-c:v", "libsvtav1", "-preset", "12", "-g", "25"];
    let vp9 = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "500k", "-g", "25"];
    let aac = ["-c:a", "aac", "-pix_fmt", "yuv420p"];
    for (name, args) in [
        ("h265", [&PICTURE[..], &TONE, &h265, &aac].concat()),
        ("av1", [&PICTURE[..], &TONE, &av1, &aac].concat()),
        ("vp9", [&PICTURE[..], &TONE, &vp9, &aac].concat()),
        ("opus", [&PICTURE[..], &TONE, &h264(), &["-c:a", "libopus", "-b:a", "64k"]].concat()),
    ] {
        let publisher = serve.publish(&ffmpeg, name, &args);
        assert!(serve.read(&ffmpeg, name) >= 40, "{name}");
        publisher.signal(Signal::SIGTERM);
        publisher.wait(PATIENCE);
    }
    let refused = serve.publish(&ffmpeg, "flac", &[&TONE[..], &["-c:a", "flac"]].concat());
    refused.wait_for_words("the codec with the FourCC 'fLaC' is not carried", PATIENCE);
    serve.end();
}
