//! The programs that people use: each publishes and reads both ways, decodes without errors, and shows video and audio
//! in step.

use super::house::{House, SOON};
use crate::stage::{Run, Running, Stage, made, needs, stream, wait_for};
use msconv::hub::client::get;
use msconv::protocol::RTSP_SESSION;
use nix::sys::signal::Signal;
use retina::client::{PlayOptions, Session, SessionOptions, SetupOptions, TcpTransportOptions, Transport};
use retina::codec::CodecItem;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

/// Longer than any program here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A film in which each second begins with a white picture and a beep.
#[derive(Clone, Copy)]
struct Flashing {
    name: &'static str,
    width: u32,
    height: u32,
    video: &'static [&'static str],
    audio: &'static [&'static str],
}

const H264_B: &[&str] =
    &["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "50", "-pix_fmt", "yuv420p"];
const H265: &[&str] = &[
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-x265-params",
    "log-level=error:bframes=2:keyint=50:open-gop=0",
    "-pix_fmt",
    "yuv420p",
    "-tag:v",
    "hvc1",
];
const AAC: &[&str] = &["-c:a", "aac", "-b:a", "96k"];

const FILM: Flashing = Flashing { name: "h264-b", width: 320, height: 240, video: H264_B, audio: AAC };

impl Flashing {
    /// Makes it, or takes the one made before.
    fn make(self) -> PathBuf {
        let Flashing { name, width, height, video, audio } = self;
        let picture = format!(
            "color=black:size={width}x{height}:rate=25:duration=60,drawbox=enable='lt(mod(t\\,1)\\,0.1)':color=white:t=fill"
        );
        let tone = "aevalsrc='if(lt(mod(t\\,1)\\,0.1)\\,0.8*sin(2*PI*1000*t)\\,0)':s=48000:d=60";
        let mut args = Vec::new();
        if !video.is_empty() {
            args.extend(["-f", "lavfi", "-i", &picture]);
        }
        if !audio.is_empty() {
            args.extend(["-f", "lavfi", "-i", tone]);
        }
        args.extend(video.iter().chain(audio));
        made(&format!("flashing-{name}-{width}x{height}.mkv"), &args)
    }
}

fn publish(stage: &Stage, house: &House, film: &Path, name: &str, transport: &str) -> Running {
    let url = house.url(name);
    let film = film.to_str().unwrap();
    let running = stage.spawn(
        "ffmpeg",
        &[
            "-nostdin",
            "-v",
            "warning",
            "-re",
            "-stream_loop",
            "-1",
            "-i",
            film,
            "-c",
            "copy",
            "-f",
            "rtsp",
            "-rtsp_transport",
            transport,
            &url,
        ],
    );
    wait_for("the stream to have frames or audio", PATIENCE, || {
        let view = house.hub.snapshot().into_iter().find(|v| v.name.name == name);
        match view {
            Some(view) if view.last_frame.is_some() && view.bytes_in > 3_000 => Ok(()),
            _ => Err(running.stderr()),
        }
    });
    running
}

/// Ends well and says nothing.
#[track_caller]
fn without_a_word(what: &str, run: &Run) {
    assert_eq!((run.code, run.stderr.trim()), (0, ""), "{what}: {}", run.stdout);
}

/// As [`without_a_word`], but for what GStreamer 1.22 now and then says of itself at its end: two of its threads take the
/// same signal handlers off, and GLib warns whoever comes second.
#[track_caller]
fn without_a_word_of_the_stream(what: &str, run: &Run) {
    let of_itself =
        |line: &&str| line.contains("GLib-GObject-WARNING") && line.contains("has no handler with id");
    let words =
        run.stderr.lines().filter(|line| !line.trim().is_empty() && !of_itself(line)).collect::<Vec<_>>();
    assert_eq!((run.code, words.as_slice()), (0, [""; 0].as_slice()), "{what}: {}", run.stdout);
}

/// Reads 4 seconds with ffmpeg: when the flashes began and when the beeps did.
fn watch(stage: &Stage, url: &str, transport: &str, frames: bool, audio: bool) -> (Vec<f64>, Vec<f64>) {
    watch_with(stage, &[], url, transport, frames, audio)
}

/// As [`watch`], with options for ffmpeg's input.
fn watch_with(
    stage: &Stage,
    options: &[&str],
    url: &str,
    transport: &str,
    frames: bool,
    audio: bool,
) -> (Vec<f64>, Vec<f64>) {
    let pid = std::process::id();
    let file = |kind: &str| stage.file(&format!("{kind}-{transport}-{pid}.txt"));
    let (light, loud) = (file("light"), file("loud"));
    let of_frames = format!("signalstats,metadata=print:key=lavfi.signalstats.YAVG:file={}", light.display());
    let of_audio = format!(
        "asetnsamples=n=48:p=0,astats=metadata=1:reset=1:measure_perchannel=none,\
         ametadata=print:key=lavfi.astats.Overall.Peak_level:file={}",
        loud.display()
    );
    let mut args = vec!["-nostdin", "-v", "warning"];
    args.extend(options);
    args.extend(["-rtsp_transport", transport, "-i", url, "-t", "4"]);
    if frames {
        args.extend(["-fps_mode", "passthrough", "-vf", &of_frames]);
    }
    if audio {
        args.extend(["-af", &of_audio]);
    }
    args.extend(["-copyts", "-f", "null", "-"]);
    without_a_word(&format!("ffmpeg over {transport}"), &stage.spawn("ffmpeg", &args).wait(PATIENCE));
    let begins = |path: &Path, above: f64, rest: f64| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let (mut time, mut quiet_since, mut found) = (0.0, f64::MAX, Vec::new());
        for line in text.lines() {
            if let Some((_, at)) = line.split_once("pts_time:") {
                time = at.trim().parse().unwrap();
            } else if let Some((_, level)) = line.split_once('=') {
                let high = level.trim().parse::<f64>().is_ok_and(|level| level > above);
                if high && time - quiet_since > rest {
                    found.push(time);
                }
                quiet_since = match (high, quiet_since == f64::MAX) {
                    (true, _) => f64::MAX,
                    (false, true) => time,
                    (false, false) => quiet_since,
                };
            }
        }
        found
    };
    (begins(&light, 100.0, 0.2), begins(&loud, -20.0, 0.2))
}

#[track_caller]
fn in_step(what: &str, (flashes, beeps): (Vec<f64>, Vec<f64>)) {
    assert!(flashes.len() >= 3 && beeps.len() >= 3, "{what}: {flashes:?} {beeps:?}");
    let mut together = 0;
    for flash in &flashes {
        let Some(beep) = beeps.iter().min_by(|a, b| (*a - flash).abs().total_cmp(&(*b - flash).abs())) else {
            continue;
        };
        if (beep - flash).abs() < 0.5 {
            // The film itself is exact to about a millisecond.
            assert!((beep - flash).abs() < 0.005, "{what}: {flash} and {beep}");
            together += 1;
        }
    }
    assert!(together >= 2, "{what}: {flashes:?} {beeps:?}");
}

fn gstreamer(stage: &Stage, url: &str, transport: &str, tracks: usize) -> Running {
    let source = format!("location={url}");
    let protocols = format!("protocols={transport}");
    let mut args = vec!["-q", "rtspsrc", &source, &protocols, "latency=200", "name=s"];
    // Each sink takes its number and ends the pipeline when all have.
    for _ in 0..tracks {
        args.extend(["s.", "!", "queue", "!", "decodebin", "!", "fakesink", "num-buffers=50", "sync=false"]);
    }
    stage.spawn("gst-launch-1.0", &args)
}

fn mpv(stage: &Stage, url: &str, transport: &str) -> Running {
    let way = format!("--rtsp-transport={transport}");
    let args = [
        "--no-config",
        "--really-quiet",
        "--msg-level=all=warn",
        "--vo=null",
        "--ao=null",
        &way,
        "--length=2",
        url,
    ];
    stage.spawn("mpv", &args)
}

/// Reads with retina, which shares no code with us: so many frames and audio packets, nothing lost.
fn retina(url: &str, udp: bool, frames: usize, audio: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reading = async {
        let url = rtsp_types::Url::parse(url).unwrap();
        let mut session = Session::describe(url, SessionOptions::default()).await.expect("DESCRIBE");
        for stream in 0..session.streams().len() {
            let transport = if udp {
                Transport::Udp(Default::default())
            } else {
                Transport::Tcp(TcpTransportOptions::default())
            };
            session.setup(stream, SetupOptions::default().transport(transport)).await.expect("SETUP");
        }
        let mut demuxed =
            session.play(PlayOptions::default()).await.expect("PLAY").demuxed().expect("codecs");
        let (mut seen, mut heard) = (0, 0);
        while seen < frames || heard < audio {
            let next =
                std::future::poll_fn(|cx| futures_core::Stream::poll_next(Pin::new(&mut demuxed), cx)).await;
            match next.expect("the stream goes on").expect("RTP without faults") {
                CodecItem::VideoFrame(frame) => {
                    assert_eq!(frame.loss(), 0);
                    assert!(seen > 0 || frame.is_random_access_point(), "the first picture is a keyframe");
                    seen += 1;
                }
                CodecItem::AudioFrame(frame) => {
                    assert_eq!(frame.loss(), 0);
                    heard += 1;
                }
                _ => {}
            }
        }
    };
    runtime.block_on(async { tokio::time::timeout(PATIENCE, reading).await.expect("in time") });
}

/// Everybody reads it both ways.
fn everybody_reads(stage: &Stage, house: &House, name: &str, frames: bool, audio: bool) {
    let url = house.url(name);
    let tracks = usize::from(frames) + usize::from(audio);
    for transport in ["tcp", "udp"] {
        let gstreamer = needs("gst-launch-1.0").then(|| gstreamer(stage, &url, transport, tracks));
        let mpv = needs("mpv").then(|| mpv(stage, &url, transport));
        let seen = watch(stage, &url, transport, frames, audio);
        let what = format!("{name} over {transport}");
        match (frames, audio) {
            (true, true) => in_step(&what, seen),
            (true, false) => assert!(seen.0.len() >= 3, "{what}: {seen:?}"),
            _ => assert!(seen.1.len() >= 3, "{what}: {seen:?}"),
        }
        if let Some(run) = gstreamer {
            without_a_word_of_the_stream(&format!("GStreamer, {what}"), &run.wait(PATIENCE));
        }
        if let Some(run) = mpv {
            without_a_word(&format!("mpv, {what}"), &run.wait(PATIENCE));
        }
        retina(&url, transport == "udp", if frames { 60 } else { 0 }, if audio { 80 } else { 0 });
    }
}

fn whole_round(name: &'static str, film: Flashing, transport: &str) {
    if !needs("ffmpeg") {
        return;
    }
    let film_path = film.make();
    let stage = Stage::new(name);
    let house = House::new();
    let publisher = publish(&stage, &house, &film_path, name, transport);
    everybody_reads(&stage, &house, name, !film.video.is_empty(), !film.audio.is_empty());
    let source = house.client(RTSP_SESSION, |c| c.details().role == msconv::hub::Role::Publish);
    assert_eq!(source.details().transport.map(str::to_lowercase).as_deref(), Some(transport));
    assert_eq!((get(&source.counters.packets_lost), get(&source.counters.packets_in_error)), (0, 0));
    drop(source);
    publisher.signal(Signal::SIGTERM);
    let run = publisher.wait(PATIENCE);
    assert_eq!(run.stderr.trim().lines().filter(|l| !l.contains("signal 15")).count(), 0, "{}", run.stderr);
    wait_for("the name to be free", SOON, || !house.hub.is_published(&stream(name)));
    wait_for("nobody to be left", SOON, || house.hub.registry().list(RTSP_SESSION).is_empty());
}

#[test]
fn h264_with_b_frames_published_over_tcp() {
    whole_round("h264-tcp", FILM, "tcp");
}

#[test]
fn h264_with_b_frames_published_over_udp() {
    whole_round("h264-udp", FILM, "udp");
}

#[test]
fn h265_published_over_tcp() {
    whole_round("h265-tcp", Flashing { name: "h265", video: H265, ..FILM }, "tcp");
}

#[test]
fn frames_alone() {
    whole_round("frames", Flashing { name: "frames", audio: &[], ..FILM }, "udp");
}

#[test]
fn audio_alone() {
    whole_round("audio", Flashing { name: "audio", video: &[], ..FILM }, "tcp");
}

#[test]
fn opus_and_mp3_and_telephone_audio() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("audio");
    let house = House::new();
    let audio: [(&str, &[&str]); 3] = [
        ("opus", &["-c:a", "libopus"]),
        ("mp3", &["-c:a", "libmp3lame", "-ar", "44100"]),
        ("alaw", &["-c:a", "pcm_alaw", "-ar", "8000", "-ac", "1"]),
    ];
    let publishers = audio.map(|(name, audio)| {
        let film = Flashing { name, video: &[], audio, ..FILM }.make();
        publish(&stage, &house, &film, name, "tcp")
    });
    for (name, _) in audio {
        for transport in ["tcp", "udp"] {
            // With its parser ffmpeg 5 loses the time of the first packet of any RTSP server.
            let options = ["-fflags", "+noparse"];
            let (_, beeps) = watch_with(&stage, &options, &house.url(name), transport, false, true);
            assert!(beeps.len() >= 3, "{name} over {transport}: {beeps:?}");
            let apart = beeps.windows(2).all(|w| (w[1] - w[0] - 1.0).abs() < 0.03);
            assert!(apart, "{name} over {transport}: a second lasts a second: {beeps:?}");
        }
    }
    drop(publishers);
}

#[test]
fn a_source_that_starts_again_with_another_size() {
    if !needs("ffmpeg") {
        return;
    }
    let (small, large) = (FILM.make(), Flashing { width: 640, height: 360, ..FILM }.make());
    let stage = Stage::new("another-size");
    let house = House::new();
    let url = house.url("cam");
    let size = || {
        let probe = ["-v", "error", "-rtsp_transport", "tcp", "-select_streams", "v", "-show_entries"];
        let more = ["stream=width,height", "-of", "csv=p=0", &url];
        stage.spawn("ffprobe", &[&probe[..], &more].concat()).wait(PATIENCE).stdout.trim().to_string()
    };
    let read = || {
        stage.spawn(
            "ffmpeg",
            &["-nostdin", "-rtsp_transport", "tcp", "-i", &url, "-vf", "showinfo", "-f", "null", "-"],
        )
    };
    let sessions = || house.hub.registry().list(RTSP_SESSION).len();
    let first = publish(&stage, &house, &small, "cam", "tcp");
    assert_eq!(size(), "320,240");
    let reader = read();
    wait_for("a reader", SOON, || sessions() == 2);
    // Politely: the reader is ended at once.
    first.signal(Signal::SIGTERM);
    first.wait(PATIENCE);
    assert_eq!(reader.wait(PATIENCE).code, 0);
    let second = publish(&stage, &house, &large, "cam", "udp");
    assert_eq!(size(), "640,360");
    // Without a word: the reader waits, and goes on when it comes back in another size.
    let mut reader = read();
    wait_for("a reader", SOON, || sessions() == 2);
    second.signal(Signal::SIGKILL);
    second.wait(PATIENCE);
    wait_for("the name to be free", SOON, || !house.hub.is_published(&stream("cam")));
    assert!(reader.running());
    let third = publish(&stage, &house, &small, "cam", "tcp");
    reader.wait_for_words(" s:320x240 ", PATIENCE);
    assert_eq!(size(), "320,240");
    third.signal(Signal::SIGTERM);
    third.wait(PATIENCE);
    let run = reader.wait(PATIENCE).expect(0);
    assert!(run.stderr.contains(" s:640x360 "), "{run}");
}

#[test]
fn gstreamer_publishes_what_rtsp_reads() {
    if !needs("gst-launch-1.0") || !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("gst-rtmp");
    let house = House::new();
    let location = format!("location=rtmp://{}/live/gst", house.rtmp);
    let publisher = stage.spawn(
        "gst-launch-1.0",
        &[
            "-q",
            "videotestsrc",
            "is-live=true",
            "!",
            "video/x-raw,width=320,height=240,framerate=25/1",
            "!",
            "x264enc",
            "tune=zerolatency",
            "key-int-max=25",
            "!",
            "h264parse",
            "!",
            "flvmux",
            "streamable=true",
            "name=m",
            "!",
            "rtmp2sink",
            &location,
            "audiotestsrc",
            "is-live=true",
            "!",
            "avenc_aac",
            "!",
            "aacparse",
            "!",
            "m.",
        ],
    );
    wait_for("the stream to be ready", PATIENCE, || {
        let view = house.hub.snapshot().into_iter().find(|v| v.name.name == "gst");
        view.is_some_and(|v| v.ready_ms.is_some() && v.totals.video_frames > 5)
    });
    for transport in ["tcp", "udp"] {
        let url = house.url("gst");
        let args = [
            "-nostdin",
            "-v",
            "warning",
            "-rtsp_transport",
            transport,
            "-i",
            &url,
            "-t",
            "2",
            // A reader that guesses half the frame rate counts frames in steps too coarse for them.
            "-enc_time_base:v",
            "1:90000",
            "-f",
            "null",
            "-",
        ];
        without_a_word(transport, &stage.spawn("ffmpeg", &args).wait(PATIENCE));
        retina(&url, transport == "udp", 30, 30);
    }
    drop(publisher);
}
