//! The whole call of ffmpeg for each way to publish, one argument on a line, compared with a file.

use crate::golden::same_as_file;
use msconv::ffmpeg::capability::Capability;
use msconv::ffmpeg::cost::Power;
use msconv::ffmpeg::packet_times::Times;
use msconv::ffmpeg::packets::Packets;
use msconv::ffmpeg::plan_ladder::{Known, Plan, Request, plan, plan_knowing};
use msconv::ffmpeg::probe::{self, Report};
use msconv::model::{BFrames, LeaveOut, Passthrough, Quality, Source};
use std::path::Path;
use std::time::Duration;

/// What Debian's ffmpeg says of itself.
fn debian() -> Capability {
    let listing = |name: &str| {
        std::fs::read_to_string(crate::golden::root().join(format!("tests/data/ffmpeg/5.1.9-{name}.txt")))
            .unwrap()
    };
    let texts = ["version", "encoders", "formats", "filters", "protocols"].map(listing);
    Capability::read(texts.each_ref().map(String::as_str)).unwrap()
}

fn report(name: &str) -> Report {
    let path = crate::golden::root().join(format!("tests/data/ffprobe/5.1.9-{name}.json"));
    probe::parse(&std::fs::read(path).unwrap()).unwrap()
}

fn request(source: Source) -> Request {
    Request {
        key: "stream1".parse().unwrap(),
        source,
        original: false,
        ladder: None,
        once: false,
        quality: Quality::Auto,
        leave_out: LeaveOut::Top,
        encoder: "auto".into(),
        fps: None,
        keyframe_interval: Duration::from_secs(2),
        audio_bitrate_bps: 128_000,
        passthrough: Passthrough::Auto,
        b_frames: BFrames::Auto,
        output_args: Vec::new(),
        endpoint: "rtmp://localhost:1935/live".parse().unwrap(),
        own_program: "msconv".into(),
    }
}

fn file(path: &str) -> Request {
    request(Source::File(path.into()))
}

/// Packets of a film that may be copied.
fn even(average_bps: u64) -> Packets {
    Packets {
        count: 720,
        average_bps,
        highest_bps: average_bps + average_bps / 10,
        longest_gap: 2.0,
        even: true,
        ..Packets::default()
    }
}

/// H.264 without a container.
fn bare() -> Report {
    let film = report("fps60-mp4");
    Report { format: "h264".into(), duration: None, audio: None, audio_tracks: 0, ..film }
}

/// The plan as text: renditions, what is said, then the arguments as people see them.
fn text(plan: &Plan) -> String {
    let mut lines = Vec::new();
    for r in &plan.renditions {
        lines.push(format!("# {} {} {}x{} {}", r.rendition, r.name, r.size.0, r.size.1, r.bitrate_bps));
    }
    lines.push(format!("# {}", plan.summary));
    lines.extend(plan.notes.iter().map(|n| format!("# note: {n}")));
    lines.extend(plan.warnings.iter().map(|n| format!("# warning: {n}")));
    let command = plan.command_line(Path::new("ffmpeg"), Some(3));
    let plain = |args: Vec<String>| args.into_iter().map(|a| a.replace('\n', "\\n"));
    if let Some(feeder) = &command.feeder {
        lines.push(format!("# {} ... | ffmpeg ...", feeder.program.display()));
        lines.extend(plain(feeder.shown_args()));
        lines.push("|".into());
    }
    lines.extend(plain(command.shown_args()));
    lines.join("\n") + "\n"
}

#[test]
fn each_way_to_publish_has_its_arguments() {
    let debian = debian();
    let ladder = |text: &str| Some(text.parse().unwrap());
    let url = |text: &str| Source::Url(text.parse().unwrap());
    let device = |video: &str, audio: Option<&str>| Source::Device {
        video: video.into(),
        audio: audio.map(Into::into),
    };
    let film = || report("film-mp4");
    let long_ts = Report { duration: Some(7200.0), ..report("pal-ts") };
    let progressive = {
        let mut report = report("plain-ts");
        let (video, audio) = (report.video.clone().unwrap(), report.audio.as_mut().unwrap());
        (audio.start, audio.duration) = (video.start, video.duration);
        report.duration = Some(7200.0);
        report
    };
    let old = Capability { version: (4, 4, 2), ..debian.clone() };
    let plain = Capability { filters: ["scale", "split"].map(String::from).into(), ..debian.clone() };
    let new = Capability { version: (9, 0, 2), ..debian.clone() };
    let cases: Vec<(&str, Request, Report, &Capability)> = vec![
        ("film", file("/films/test.mp4"), film(), &debian),
        ("film-unread", file("/films/test.mp4"), film(), &debian),
        ("film-once", Request { once: true, ..file("/films/test.mp4") }, film(), &debian),
        ("film-balanced", Request { quality: Quality::Balanced, ..file("/films/test.mp4") }, film(), &debian),
        ("film-ffmpeg-4.4", file("/films/test.mp4"), film(), &old),
        ("film-ffmpeg-9.0", file("/films/test.mp4"), film(), &new),
        ("film-without-zscale", file("/films/test.mp4"), film(), &plain),
        ("no-audio", file("/films/60.mp4"), report("fps60-mp4"), &debian),
        (
            "one-rung",
            Request { ladder: ladder("hd:2M:1280:720"), ..file("/films/test.mp4") },
            film(),
            &debian,
        ),
        (
            "custom-variants",
            Request { ladder: ladder("big:6M:2560:1440,small:300k:320:180"), ..file("/films/test.mp4") },
            film(),
            &debian,
        ),
        ("portrait", file("/films/phone.mov"), report("portrait-mov"), &debian),
        ("rotated", file("/films/rotated.mp4"), report("rotated-mp4"), &debian),
        ("interlaced-ts", file("/films/it's a:film.ts"), long_ts, &debian),
        ("hdr", file("/films/hdr.mp4"), report("hdr-mp4"), &debian),
        ("variable-rate", file("/films/screen.mp4"), report("vfr-mp4"), &debian),
        ("still-picture", file("/films/100%d.png"), report("still-png"), &debian),
        (
            "still-picture-once",
            Request { once: true, ..file("/films/slide.png") },
            report("still-png"),
            &debian,
        ),
        ("audio-only", file("/films/song.mp3"), report("cover-mp3"), &debian),
        ("fps-asked", Request { fps: Some(60.0), ..file("/films/60.mp4") }, report("fps60-mp4"), &debian),
        ("vaapi", Request { encoder: "vaapi".into(), ..file("/films/test.mp4") }, film(), &debian),
        ("nvenc", Request { encoder: "h264_nvenc".into(), ..file("/films/test.mp4") }, film(), &debian),
        ("screen-and-microphone", request(device("screen", Some("pulse"))), report("x11grab"), &debian),
        ("camera", request(device("/dev/video0", Some("hw:1"))), report("mjpeg-avi"), &debian),
        ("rtmp", request(url("rtmp://10.0.0.7:1935/live/cam")), report("rtmp-source"), &debian),
        ("http", request(url("https://bob:secret@web.local/live/list.m3u8?x=1")), film(), &debian),
        ("rtsp", request(url("rtsp://bob:secret@cam.local/stream?x=1")), film(), &debian),
        ("original", Request { original: true, ..file("/films/test.mp4") }, film(), &debian),
        ("original-pcm", Request { original: true, ..file("/films/a.mov") }, report("portrait-mov"), &debian),
        (
            "original-rtmp",
            Request { original: true, ..request(url("rtmp://10.0.0.7/live/cam")) },
            report("rtmp-source"),
            &debian,
        ),
        ("test-picture", request(Source::Test), Report::test_picture(), &debian),
        (
            "output-arguments",
            Request { output_args: vec!["-metadata".into(), "title=a b".into()], ..file("/films/test.mp4") },
            film(),
            &debian,
        ),
        ("copied", file("/films/test.mp4"), film(), &debian),
        ("copied-without-zscale", file("/films/test.mp4"), film(), &plain),
        ("copied-ts", file("/films/a.ts"), progressive, &debian),
        (
            "copied-one-rung",
            Request { ladder: ladder("hd:8M:1920:1080"), once: true, ..file("/films/test.mp4") },
            film(),
            &debian,
        ),
        (
            "copied-below-a-larger-one",
            Request {
                ladder: ladder("uhd:9M:3840:2160,hd:5M:1920:1080,sd:600k:640:360"),
                ..file("/films/test.mp4")
            },
            film(),
            &debian,
        ),
        (
            "copied-live",
            Request {
                passthrough: Passthrough::Always,
                ladder: ladder("hd:5M:640:360,sd:600k:160:90"),
                ..request(url("rtmp://10.0.0.7:1935/live/cam"))
            },
            report("rtmp-source"),
            &debian,
        ),
        ("stepping", file("/films/two.mkv"), film(), &debian),
        (
            "stepping-once",
            Request { once: true, ..file("/films/phone.mov") },
            report("portrait-mov"),
            &debian,
        ),
        ("stepping-original", Request { original: true, ..file("/films/two.ts") }, film(), &debian),
        ("stepping-audio", file("/films/two.mp3"), report("cover-mp3"), &debian),
        ("long-ts", file("/films/tv.ts"), report("plain-ts"), &debian),
        ("without-container", file("/films/a.h264"), bare(), &debian),
        (
            "never-b-frames",
            Request { b_frames: BFrames::Never, passthrough: Passthrough::Always, ..file("/films/test.mp4") },
            film(),
            &debian,
        ),
        (
            "endpoint-with-secrets",
            Request {
                endpoint: "rtmp://me:word@10.0.0.9/app/sub?token=a|b&c=[d]:e".parse().unwrap(),
                ..file("/films/test.mp4")
            },
            film(),
            &debian,
        ),
    ];
    let mut wrong = Vec::new();
    for (name, request, report, capability) in cases {
        // The other films were read and are above what their variants may have.
        let bps = if name.starts_with("copied") { 3_500_000 } else { 90_000_000 };
        let packets = (name != "film-unread").then(|| even(bps));
        let times = match name {
            "film-unread" | "long-ts" => Times::Unread,
            _ if name.starts_with("stepping") => Times::Faulty("they step back by 54.0 s at 00:00:04".into()),
            _ => Times::Plain,
        };
        let known = Known { caption: name == "test-picture", packets, times, ..Known::default() };
        let plan = plan_knowing(&request, &report, capability, &known).unwrap();
        wrong.extend(same_as_file(&format!("tests/golden/argv/publish-{name}.txt"), &text(&plan)).err());
        let line = plan.command_line(Path::new("ffmpeg"), Some(3));
        assert!(!line.shell_line().contains("word@") && !line.shell_line().contains("secret@"), "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_cannot_go_out_as_it_is_says_the_way_out() {
    let debian = debian();
    for (name, word) in
        [("vp9-webm", "vp9"), ("hdr-mp4", "hevc"), ("mjpeg-avi", "mjpeg"), ("anamorphic-mpg", "mpeg2video")]
    {
        let request = Request { original: true, ..file("/films/x") };
        let failure = plan(&request, &report(name), &debian).unwrap_err();
        assert_eq!(failure.kind().exit_code(), 7);
        assert!(failure.what().contains(word), "{failure}");
        assert!(msconv::ui::failure_text::text(&failure).contains("leave out -o"), "{failure}");
    }
    let camera = Source::Device { video: "/dev/video0".into(), audio: None };
    let request = Request { original: true, ..request(camera) };
    assert!(plan(&request, &report("x11grab"), &debian).unwrap_err().what().contains("a raw picture"));
}

#[test]
fn playlists_are_refused() {
    let failure = plan(&file("/films/list.m3u8"), &report("list-m3u8"), &debian()).unwrap_err();
    assert_eq!(failure.kind().exit_code(), 7);
    assert!(failure.what().contains("playlist"), "{failure}");
}

/// A film, changed in one way each, and why it is not copied then.
#[test]
fn copying_has_its_conditions() {
    let debian = debian();
    let why = |change: &dyn Fn(&mut Request, &mut Report, &mut Packets, &mut Capability)| {
        let mut request = Request { passthrough: Passthrough::Always, ..file("/films/test.mp4") };
        let (mut film, mut packets, mut capability) = (report("film-mp4"), even(3_500_000), debian.clone());
        change(&mut request, &mut film, &mut packets, &mut capability);
        let known = Known { packets: Some(packets), ..Known::default() };
        let plan = plan_knowing(&request, &film, &capability, &known).unwrap();
        plan.notes
            .iter()
            .find_map(|n| n.strip_prefix("the source is not copied: ").map(str::to_string))
            .unwrap_or_default()
    };
    assert_eq!(why(&|_, _, _, _| ()), "");
    type Change = fn(&mut Request, &mut Report, &mut Packets, &mut Capability);
    let cases: [(&str, Change); 22] = [
        ("H.264", |_, r, _, _| r.video.as_mut().unwrap().codec = "hevc".into()),
        ("8 bit", |_, r, _, _| r.video.as_mut().unwrap().pix_fmt = "yuv422p".into()),
        ("8 bit", |_, r, _, _| r.video.as_mut().unwrap().bit_depth = 10),
        ("colours", |_, r, _, _| r.video.as_mut().unwrap().full_range = true),
        ("interlaced", |_, r, _, _| r.video.as_mut().unwrap().interlaced = true),
        ("turned", |_, r, _, _| r.video.as_mut().unwrap().rotation = 180),
        ("stretched", |_, r, _, _| r.video.as_mut().unwrap().square = false),
        ("frame rate", |q, _, _, _| q.fps = Some(12.0)),
        ("no variant has its size", |q, _, _, _| q.ladder = Some("a:9M:1280:720".parse().unwrap())),
        ("end together", |_, r, _, _| r.audio.as_mut().unwrap().duration = Some(29.0)),
        ("end together", |_, r, _, _| r.audio.as_mut().unwrap().duration = None),
        ("begin", |_, r, _, _| r.audio.as_mut().unwrap().start = Some(0.2)),
        ("evenly", |_, _, p, _| p.even = false),
        ("evenly", |_, _, p, _| p.damaged = true),
        ("open groups", |_, _, p, _| p.open_groups = true),
        ("4.1 s pass", |_, _, p, _| p.longest_gap = 4.1),
        ("2.0 s pass", |q, _, _, _| q.keyframe_interval = Duration::from_millis(500)),
        ("4200 kbit/s are above", |_, _, p, _| p.average_bps = 4_200_000),
        ("peak of 6100", |_, _, p, _| p.highest_bps = 6_100_000),
        ("B-frames", |q, _, p, _| {
            q.b_frames = BFrames::Never;
            p.reordered = true;
        }),
        ("too old", |_, _, _, c| c.version = (4, 3, 0)),
        ("not encoded yet", |q, _, _, _| q.source = Source::Test),
    ];
    for (words, change) in cases {
        let why = why(&change);
        assert!(why.contains(words), "'{why}' speaks of {words}");
    }
    // A film played once may end as it likes; a longer gap is no reason where a longer interval is wanted.
    assert_eq!(why(&|q, r, _, _| (q.once, r.audio.as_mut().unwrap().duration) = (true, None)), "");
    // What could not be read to its end is copied by nobody who was not asked to.
    let unread = |passthrough| {
        plan(&Request { passthrough, ..file("/films/test.mp4") }, &report("film-mp4"), &debian)
            .unwrap()
            .summary
    };
    assert_eq!(unread(Passthrough::Auto), "in 4 variants with x264");
    assert!(unread(Passthrough::Always).contains("1080p copied"));
    let packets = Some(even(3_500_000));
    let never = Request { passthrough: Passthrough::Never, ..file("/films/test.mp4") };
    let known = Known { packets, ..Known::default() };
    assert_eq!(
        plan_knowing(&never, &report("film-mp4"), &debian, &known).unwrap().summary,
        "in 4 variants with x264"
    );
}

/// What is said and left out where the machine carries more or less.
#[test]
fn the_machine_decides_and_says_so() {
    let debian = debian();
    let on = |change: &dyn Fn(&mut Request), free: f64| {
        let mut request = file("/films/test.mp4");
        change(&mut request);
        let known = Known { power: Some(Power { slowness: 1.0, free, most: free }), ..Known::default() };
        plan_knowing(&request, &report("film-mp4"), &debian, &known).unwrap()
    };
    let auto = |_: &mut Request| ();
    assert_eq!(
        on(&auto, 1.1).summary,
        "in 4 variants with x264, quality fast (about 1.0 of 1.1 free CPUs, balanced 1.2)"
    );
    assert_eq!(
        (on(&auto, 9.0).quality, on(&auto, 5.0).quality),
        (Some(Quality::Best), Some(Quality::Balanced))
    );
    assert!(
        on(&auto, 9.0).summary.ends_with("quality best (about 2.8 of 9.0 free CPUs)"),
        "{}",
        on(&auto, 9.0).summary
    );
    let labels =
        |plan: &Plan| plan.renditions.iter().map(|r| r.rendition.to_string()).collect::<Vec<_>>().join(" ");
    let short = on(&auto, 0.6);
    assert_eq!(labels(&short), "720p 480p 360p");
    assert!(
        short.warnings[0].starts_with("1080p left out: all variants need about 0.8 CPUs"),
        "{:?}",
        short.warnings
    );
    assert!(!short.invocation.graph.as_ref().unwrap().contains("[v3]") && short.cost.unwrap() <= 0.6);
    assert_eq!(labels(&on(&|r| r.leave_out = LeaveOut::Bottom, 0.7)), "1080p");
    let all = on(&|r| r.leave_out = LeaveOut::None, 0.6);
    assert_eq!(labels(&all), "1080p 720p 480p 360p");
    assert!(all.warnings[0].starts_with("it may fall behind: about 0.8 CPUs"), "{:?}", all.warnings);
    assert_eq!(labels(&on(&auto, 0.1)), "360p", "one always stays");
    // What was asked for is done, with a warning.
    let asked = on(&|r| r.quality = Quality::Best, 1.0);
    assert_eq!((asked.summary.as_str(), asked.renditions.len()), ("in 4 variants with x264", 4));
    assert!(
        asked.warnings[0].contains("quality best needs about 2.8 CPUs and 1.0 are free"),
        "{:?}",
        asked.warnings
    );
    // What others do now costs quality, not variants.
    let busy = Known { power: Some(Power { slowness: 1.0, free: 0.5, most: 1.2 }), ..Known::default() };
    let plan = plan_knowing(&file("/films/test.mp4"), &report("film-mp4"), &debian, &busy).unwrap();
    assert_eq!((plan.renditions.len(), plan.quality), (4, Some(Quality::Fastest)));
}
