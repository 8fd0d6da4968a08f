//! A source of which no frame decodes was started again and again, and ended with "not live within 15 s". It is refused
//! at once, with the reason; a track of two that decodes goes out.

use crate::changing_sources::web;
use crate::live::SMALL;
use crate::stage::{Run, Serve, Stage, made, needs};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Six seconds with video and audio; `coding` comes last.
fn clip(name: &str, coding: &[&str]) -> PathBuf {
    let mut args = vec!["-f", "lavfi", "-i", "testsrc2=size=426x240:rate=25:duration=6"];
    args.extend(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=6"]);
    args.extend(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]);
    args.extend(coding);
    made(name, &args)
}

const KEY: [&str; 6] = [
    "-encryption_scheme",
    "cenc-aes-ctr",
    "-encryption_key",
    "76a6c65c5ea762046bd749a2e632ccbb",
    "-encryption_kid",
    "a7e61c373e219033c21091fa607bf3b8",
];

/// `of` with noise in all packets of these kinds, under this name.
fn noise(stage: &Stage, name: &str, of: &Path, kinds: &[&str]) -> PathBuf {
    let listing = Command::new("ffprobe")
        .args(["-v", "error", "-show_packets", "-show_entries", "packet=codec_type,pos,size", "-of", "json"])
        .arg(of)
        .output()
        .unwrap();
    let listing: Value = serde_json::from_slice(&listing.stdout).unwrap();
    let mut bytes = std::fs::read(of).unwrap();
    let number = |packet: &Value, name: &str| packet[name].as_str().unwrap().parse::<usize>().unwrap();
    let mut random = 1u32;
    for packet in listing["packets"].as_array().unwrap() {
        if kinds.contains(&packet["codec_type"].as_str().unwrap()) {
            let (from, size) = (number(packet, "pos"), number(packet, "size"));
            for byte in &mut bytes[from..from + size] {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = (random >> 24) as u8;
            }
        }
    }
    let path = stage.file(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// `publish` of this source, as a small ladder or as it is.
fn publish(stage: &Stage, source: &[&str], original: bool) -> Run {
    let how: &[&str] = if original { &["-o"] } else { &["--variants", SMALL] };
    stage.msconv(&[&["publish", "-s", "a", "--wait", "50s"], source, how].concat())
}

fn refused(run: Run, words: &str) {
    let run = run.expect(7);
    assert!(run.stderr.contains(words), "{run}");
    // Whoever was tried would have a log.
    assert!(run.stderr.contains("try: ") && !run.stderr.contains("log: "), "{run}");
}

#[test]
fn what_no_frame_decodes_of_is_refused_at_once() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("undecodable");
    let _server = Serve::start_at_stage(&stage);
    let plain = clip("plain-to-spoil.mp4", &[]);
    let encrypted = clip("encrypted.mp4", &KEY);
    let silent = clip("encrypted-silent.mov", &[&["-an"], &KEY[..]].concat());
    for original in [false, true] {
        for file in [&encrypted, &silent] {
            refused(publish(&stage, &["-f", file.to_str().unwrap()], original), "is encrypted");
        }
        for (name, of, kinds) in [
            ("noise.mp4", &plain, &["video", "audio"][..]),
            ("noise.mkv", &clip("plain-to-spoil.mkv", &[]), &["video", "audio"]),
            ("noise-silent.mp4", &clip("plain-silent-to-spoil.mp4", &["-an"]), &["video"]),
        ] {
            let file = noise(&stage, name, of, kinds);
            refused(publish(&stage, &["-f", file.to_str().unwrap()], original), "can be decoded");
        }
    }
}

#[test]
fn the_track_that_decodes_goes_out_alone() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("one-track");
    let _server = Serve::start_at_stage(&stage);
    let plain = clip("plain-to-spoil.mp4", &[]);
    for (kind, live) in [("video", "audio"), ("audio", "240p 120p")] {
        let file = noise(&stage, &format!("{kind}-noise.mp4"), &plain, &[kind]);
        let run = publish(&stage, &["-f", file.to_str().unwrap()], false).expect(0).prints(live);
        assert!(run.stderr.contains(&format!("the {kind} of the source cannot be decoded")), "{run}");
        stage.msconv(&["stop", "-s", "a"]).expect(0);
    }
    // What only begins badly goes out whole.
    let mut begun = std::fs::read(clip("cut-in-the-middle.ts", &["-g", "25", "-f", "mpegts"])).unwrap();
    begun.drain(..188 * 120);
    let file = stage.file("cut.ts");
    std::fs::write(&file, begun).unwrap();
    let run = publish(&stage, &["-f", file.to_str().unwrap()], false).expect(0).prints("240p 120p");
    assert!(!run.stderr.contains("cannot be decoded"), "{run}");
    stage.msconv(&["stop", "-s", "a"]).expect(0);
}

#[test]
fn an_encrypted_source_on_the_web_is_refused_at_once() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("undecodable-web");
    let _server = Serve::start_at_stage(&stage);
    let folder = stage.file("www");
    std::fs::create_dir_all(&folder).unwrap();
    let encrypted = clip("encrypted-fast.mp4", &[&["-movflags", "+faststart"], &KEY[..]].concat());
    std::fs::copy(encrypted, folder.join("film.mp4")).unwrap();
    std::fs::write(folder.join("key"), [7u8; 16]).unwrap();
    let port = web(folder.clone());
    std::fs::write(folder.join("info"), format!("http://127.0.0.1:{port}/key\nkey\n")).unwrap();
    let plain = clip("plain-to-spoil.mp4", &[]);
    let mut cut = stage.command("ffmpeg");
    cut.current_dir(&folder).args(["-nostdin", "-v", "error", "-i", plain.to_str().unwrap(), "-c", "copy"]);
    cut.args(["-f", "hls", "-hls_key_info_file", "info", "-hls_list_size", "0", "list.m3u8"]);
    assert!(cut.status().unwrap().success());
    let list = std::fs::read_to_string(folder.join("list.m3u8")).unwrap();
    std::fs::write(folder.join("no-key.m3u8"), list.replace("/key", "/no-key")).unwrap();
    std::fs::write(folder.join("other"), [9u8; 16]).unwrap();
    std::fs::write(folder.join("other-key.m3u8"), list.replace("/key", "/other")).unwrap();
    let at = |name: &str| format!("http://127.0.0.1:{port}/{name}");
    let from = |name: &str| publish(&stage, &["-r", &at(name), "--allow-http"], false);
    refused(from("film.mp4"), "is encrypted");
    refused(from("no-key.m3u8"), "it is encrypted and its key cannot be had");
    refused(from("other-key.m3u8"), "cannot read");
    from("list.m3u8").expect(0);
    stage.msconv(&["stop", "-s", "a"]).expect(0);
}
