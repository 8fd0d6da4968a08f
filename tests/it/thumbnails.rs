//! `/live/NAME/thumbnail.jpg`: what is on the air, decoded only when somebody looks, and the last of what has ended.

use crate::stage::{PATIENCE, Running, Serve, Stage, enhanced, needs, raw, wait_for};
use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::net::TcpStream;

struct Image {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Image {
    fn field(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        });
        line.unwrap_or_default()
    }

    /// Width and height, as the frame header of a JPEG has them.
    fn size(&self) -> (u16, u16) {
        let at = self.body.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame header");
        let number = |at: usize| u16::from_be_bytes([self.body[at], self.body[at + 1]]);
        (number(at + 7), number(at + 5))
    }
}

/// Bytes, which an answer in text would not be.
fn get(serve: &Serve, path: &str, fields: &str) -> Image {
    let address = serve.address("web");
    let mut socket = TcpStream::connect(address).unwrap();
    let asked = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}\r\n");
    socket.write_all(asked.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Image { status, head, body: bytes[end + 4..].to_vec() }
}

fn publish(stage: &Stage, ffmpeg: &str, coded: &str, url: &str) -> Running {
    let source = "-nostdin -v error -re -f lavfi -i testsrc2=s=640x360:r=25";
    let args: Vec<&str> = source.split(' ').chain(coded.split(' ')).chain([url]).collect();
    stage.spawn(ffmpeg, &args)
}

fn until_there(serve: &Serve, path: &str) -> Image {
    wait_for(path, PATIENCE, || {
        let image = get(serve, path, "");
        if image.status == 200 {
            Ok(image)
        } else {
            Err(format!("{}\n{}", image.head, serve.running().stderr()))
        }
    })
}

const H264: &str = "-c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p -f flv";

#[test]
fn it_shows_what_is_on_the_air_and_the_last_of_what_was() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("thumbnails");
    let serve = Serve::start_at_stage(&stage);
    assert_eq!(get(&serve, "/live/cam/thumbnail.jpg", "").status, 404);
    let publisher = publish(&stage, "ffmpeg", H264, &format!("{}/cam", stage.rtmp_url()));
    let image = until_there(&serve, "/live/cam/thumbnail.jpg");
    assert_eq!(image.size(), (320, 180));
    assert_eq!(image.field("content-type"), "image/jpeg");
    assert_eq!(image.field("cache-control"), "max-age=10");
    assert_eq!(image.field("access-control-allow-origin"), "*");
    // The same for ten seconds, under the short name too, and not sent to whoever has it.
    let tag = image.field("etag").to_string();
    let again = get(&serve, "/cam/thumbnail.jpg", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((again.status, again.body.len()), (304, 0));
    let head = raw(
        serve.address("web"),
        b"HEAD /live/cam/thumbnail.jpg HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    assert_eq!(serve.ask("web", "POST", "/live/cam/thumbnail.jpg", "").status, 405);
    // Nobody is counted for looking.
    let listed = serve.get("web", "/streams").json();
    assert_eq!(listed[0]["viewers"], 0, "{listed}");
    publisher.signal(Signal::SIGINT);
    wait_for("it to end", PATIENCE, || {
        let live = serve.get("web", "/streams").json();
        if live.as_array().is_some_and(Vec::is_empty) { Ok(()) } else { Err(live.to_string()) }
    });
    let last = until_there(&serve, "/live/cam/thumbnail.jpg");
    assert_eq!(last.field("etag"), tag);
    // Also after a restart.
    drop(serve);
    let serve = Serve::start_at_stage(&stage);
    assert_eq!(get(&serve, "/live/cam/thumbnail.jpg", "").field("etag"), tag);
}

#[test]
fn other_codecs_have_one_too_and_audio_has_none() {
    let Some(ffmpeg) = enhanced() else { return };
    let stage = Stage::new("thumbnails-codecs");
    let serve = Serve::start_at_stage(&stage);
    let url = |name: &str| format!("{}/{name}", stage.rtmp_url());
    let codecs = [
        ("hevc", "-c:v libx265 -preset ultrafast -x265-params log-level=none -g 25 -pix_fmt yuv420p -f flv"),
        ("vp9", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -pix_fmt yuv420p -f flv"),
        ("bframes", "-c:v libx264 -preset medium -bf 2 -g 25 -pix_fmt yuv420p -f flv"),
        ("wide", "-vf setsar=2 -c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p -f flv"),
    ];
    let running: Vec<Running> =
        codecs.iter().map(|(name, coded)| publish(&stage, &ffmpeg, coded, &url(name))).collect();
    for (name, _) in codecs {
        let image = until_there(&serve, &format!("/live/{name}/thumbnail.jpg"));
        assert_eq!(image.size(), (320, if name == "wide" { 90 } else { 180 }), "{name}");
    }
    drop(running);
    let audio = "-nostdin -v error -re -f lavfi -i sine=sample_rate=48000 -c:a aac -f flv";
    let to = url("radio");
    let args: Vec<&str> = audio.split(' ').chain([to.as_str()]).collect();
    let _radio = stage.spawn(&ffmpeg, &args);
    wait_for("the radio", PATIENCE, || {
        let live = serve.get("web", "/streams").body;
        if live.contains("radio") { Ok(()) } else { Err(live) }
    });
    assert_eq!(get(&serve, "/live/radio/thumbnail.jpg", "").status, 404);
}

#[test]
fn whoever_may_not_watch_gets_none_and_no_dialog() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("thumbnails-closed");
    stage.set("MSCONV_READ_PASSWORD", "geheim!");
    let serve = Serve::start_at_stage(&stage);
    let _publisher = publish(&stage, "ffmpeg", H264, &format!("{}/cam", stage.rtmp_url()));
    let with = "/live/cam/thumbnail.jpg?token=geheim!";
    let image = until_there(&serve, with);
    assert_eq!(image.field("cache-control"), "private, max-age=10");
    let closed = get(&serve, "/live/cam/thumbnail.jpg", "");
    assert_eq!((closed.status, closed.field("www-authenticate")), (401, ""));
}
