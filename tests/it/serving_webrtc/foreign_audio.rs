//! Audio that the server does not decode itself: an ffmpeg makes Opus of it while somebody hears it, and no longer.

use super::aiortc::{is_watched, report};
use super::house::{House, aiortc, offer};
use crate::live::SOON;
use crate::stage::{PATIENCE, Running, Serve, Stage, needs, wait_for};
use msconv::ffmpeg::to_opus;
use msconv::process::identity::Identity;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::path::Path;

/// Publishes test video and a tone of 440 Hz over RTMP, with these options of the audio encoder.
fn publish(house: &House, name: &str, audio: &[&str]) -> Running {
    let target = format!("rtmp://{}/live/{name}", house.serve.address("rtmp"));
    let source = ["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=25"];
    let tone = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"];
    let video = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "50", "-pix_fmt", "yuv420p"];
    let running =
        house.stage.spawn("ffmpeg", &[&source[..], &tone, &video, audio, &["-f", "flv", &target]].concat());
    house.ready(name, &running);
    running
}

/// The ffmpegs of the server that make Opus.
fn converters(house: &House) -> Vec<i32> {
    let server = house.serve.running().pid().to_string();
    let numbers = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_child = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)) == Some(&server)
    };
    // Another one is asked what it can.
    let makes =
        |pid: &i32| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|all| all.ends_with(b"pipe:1\0"));
    numbers.filter(is_child).filter(makes).collect()
}

/// The only one, once it is there.
fn one(house: &House) -> Identity {
    wait_for("the ffmpeg", SOON, || match converters(house)[..] {
        [one] => Identity::of(one).ok_or(String::new()),
        ref others => Err(format!("{others:?} {}", house.serve.running().stderr())),
    })
}

fn is_gone(house: &House, identity: Identity) {
    wait_for("the ffmpeg to be gone", SOON, || {
        let left = converters(house);
        if left.is_empty() && Identity::of(identity.pid) != Some(identity) {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    });
}

#[test]
fn mp3_and_six_channels_are_heard_and_no_program_is_left_when_nobody_listens() {
    let Some(python) = aiortc() else { return };
    let house = House::new("foreign-audio", &[]);
    for (name, audio) in [
        ("mp3", &["-c:a", "libmp3lame", "-ac", "2"][..]),
        ("six", &["-af", "pan=5.1|FL=c0|FR=c0|FC=c0|LFE=c0|BL=c0|BR=c0", "-c:a", "aac", "-b:a", "256k"]),
    ] {
        let publisher = publish(&house, name, audio);
        assert_eq!(converters(&house), [0; 0], "nobody listens to {name}");
        let url = house.url(&format!("/live/{name}/whep"));
        let viewers = [house.peer(&python, "watch", &url, "5"), house.peer(&python, "watch", &url, "5")];
        let program = one(&house);
        for viewer in viewers {
            let report = report(&viewer.wait(SOON).expect(0).stdout);
            println!("{name}: {report}");
            is_watched(&report, 50);
        }
        is_gone(&house, program);
        drop(publisher);
        house.gone(name);
    }
}

#[test]
fn a_program_that_dies_is_started_again_and_ends_with_its_stream_and_with_the_server() {
    let Some(python) = aiortc() else { return };
    let house = House::new("foreign-audio-dies", &[]);
    let mp3 = ["-c:a", "libmp3lame"];
    let publisher = publish(&house, "cam", &mp3);
    let viewer = house.peer(&python, "watch", &house.url("/live/cam/whep"), "8");
    let first = one(&house);
    kill(Pid::from_raw(first.pid), Signal::SIGKILL).unwrap();
    house.serve.running().wait_for_words("live/cam: ffmpeg was ended by SIGKILL", SOON);
    wait_for("another one", SOON, || converters(&house).iter().any(|pid| *pid != first.pid));
    let second = one(&house);
    let report = report(&viewer.wait(SOON).expect(0).stdout);
    assert!(report["audio"]["rms"].as_f64().unwrap() > 1000.0, "it is heard again: {report}");
    is_gone(&house, second);

    // Its stream ends while somebody listens.
    let viewer = house.peer(&python, "watch", &house.url("/live/cam/whep"), "60");
    let third = one(&house);
    drop(publisher);
    is_gone(&house, third);
    let publisher = publish(&house, "cam", &mp3);
    let fourth = one(&house);

    // The server ends while somebody listens.
    let House { serve, stage } = house;
    let server = serve.into_running();
    server.signal(Signal::SIGTERM);
    server.wait(SOON).expect(0);
    wait_for("the ffmpeg to end with the server", SOON, || Identity::of(fourth.pid) != Some(fourth));
    drop((publisher, viewer));

    // So it does if the server is killed.
    let house = House { serve: Serve::start_at_stage_with(&stage, &[]), stage };
    let publisher = publish(&house, "cam", &mp3);
    let viewer = house.peer(&python, "watch", &house.url("/live/cam/whep"), "60");
    let fifth = one(&house);
    house.serve.running().signal(Signal::SIGKILL);
    wait_for("the ffmpeg to die with the server", SOON, || Identity::of(fifth.pid) != Some(fifth));
    drop((publisher, viewer));
}

#[test]
fn who_gets_no_audio_is_told_why_and_gets_the_video() {
    if !needs("ffmpeg") {
        return;
    }
    for (script, said) in [
        (None, "there is no ffmpeg at"),
        (Some("echo \"Codec 'libopus' is not recognized by FFmpeg.\""), "was built without libopus"),
    ] {
        let stage = Stage::new("foreign-audio-none");
        let set = script.map_or_else(|| stage.root().join("nothing"), |script| stage.fake("lacking", script));
        // Another one than that which publishes.
        stage.set("MSCONV_FFMPEG", set.to_str().unwrap());
        let house = House { serve: Serve::start_at_stage_with(&stage, &[]), stage };
        let _publisher = publish(&house, "cam", &["-c:a", "libmp3lame"]);
        let created = house.offer("/live/cam/whep", &offer("recvonly"));
        assert_eq!(created.status, 201, "{created:?}");
        let why = created.field("msconv-without-audio").unwrap_or_default();
        assert!(why.contains("MP3") && why.contains(said), "{created:?}");
        assert!(created.body.contains("m=video 9") && created.body.contains("m=audio 0"), "{created:?}");
    }
}

/// When silence ends, in seconds, by ffmpeg's own count.
fn tone_begins(stage: &Stage, file: &Path) -> f64 {
    let args = ["-nostdin", "-hide_banner", "-copyts", "-i", file.to_str().unwrap()];
    let filter = ["-af", "silencedetect=n=0.05:d=0.3", "-f", "null", "-"];
    let said = stage.spawn("ffmpeg", &[&args[..], &filter].concat()).wait(PATIENCE).expect(0).stderr;
    let found =
        said.split("silence_end: ").nth(1).and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    found.unwrap_or_else(|| panic!("{said}"))
}

#[test]
fn the_program_gives_audio_back_at_the_time_at_which_it_came() {
    if !needs("ffmpeg") || !needs("ffprobe") {
        return;
    }
    let stage = Stage::new("foreign-audio-times");
    for (name, channels, codec) in [("mp3", "2", "libmp3lame"), ("six", "6", "aac")] {
        let source = "aevalsrc=if(gte(t\\,1)\\,0.5*sin(2*PI*440*t)\\,0):s=44100:d=3";
        let (input, output) = (stage.file(&format!("{name}.nut")), stage.file(&format!("{name}-opus.nut")));
        let coded = ["-nostdin", "-v", "error", "-f", "lavfi", "-i", source, "-ac", channels, "-c:a", codec];
        // Far from zero, as times of a long stream are.
        let moved = ["-output_ts_offset", "100", input.to_str().unwrap()];
        stage.spawn("ffmpeg", &[&coded[..], &moved].concat()).wait(PATIENCE).expect(0);
        let line = to_opus::command_line(Path::new("ffmpeg"));
        let mut command = stage.command(&line.program);
        command.args(line.args.iter().map(|arg| arg.text()));
        command.stdin(File::open(&input).unwrap()).stdout(File::create(&output).unwrap());
        assert!(command.status().unwrap().success());
        let (before, after) = (tone_begins(&stage, &input), tone_begins(&stage, &output));
        println!("{name}: the tone begins at {before} s, and at {after} s as Opus");
        assert!((before - after).abs() < 0.02, "{name}: {before} s became {after} s");
        let args = ["-v", "error", "-show_entries", "packet=pts", "-of", "csv=p=0", output.to_str().unwrap()];
        let packets = stage.spawn("ffprobe", &args).wait(PATIENCE).expect(0).stdout;
        let times: Vec<i64> = packets
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| line.trim_end_matches(',').parse().unwrap())
            .collect();
        assert!(times.len() > 140 && times.windows(2).all(|two| two[1] - two[0] == 960), "{times:?}");
    }
}
