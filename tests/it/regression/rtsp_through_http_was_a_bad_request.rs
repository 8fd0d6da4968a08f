//! RTSP through HTTP (GET and POST with an x-sessioncookie), which recorders use where only HTTP passes, was a bad request.

use crate::serving_rtsp::house::{Canary, House, Peer, Plan, Raw, SOON, interleaved, last_words};
use crate::stage::{Stage, needs, wait_for};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use msconv::protocol::rtsp::server::Limits;
use msconv::protocol::{RTSP_CONNECTION, RTSP_SESSION};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

/// Longer than any program here may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn get(house: &House, cookie: &str) -> Raw {
    let mut down = Raw::new(house);
    let request = format!(
        "GET /live/cam HTTP/1.0\r\nx-sessioncookie: {cookie}\r\nAccept: application/x-rtsp-tunnelled\r\n\r\n"
    );
    let answer = down.ask(request);
    assert!(
        answer.starts_with("HTTP/1.0 200 OK\r\n")
            && answer.contains("Content-Type: application/x-rtsp-tunnelled\r\n"),
        "{answer}"
    );
    down
}

fn post(house: &House, cookie: &str) -> TcpStream {
    let mut up = house.raw();
    let head =
        format!("POST /live/cam HTTP/1.0\r\nX-SessionCookie: {cookie}\r\nContent-Length: 32767\r\n\r\n");
    up.write_all(head.as_bytes()).unwrap();
    up
}

fn say(up: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    up.write_all(STANDARD.encode(bytes).as_bytes()).unwrap();
}

#[test]
fn a_client_publishes_and_reads_through_it() {
    let house = House::new();
    // The POST may come first, in pieces that end anywhere, and break off and come again.
    let mut up = post(&house, "abc");
    let sdp = "v=0\r\nm=audio 0 RTP/AVP 8\r\n";
    let text = STANDARD.encode(format!(
        "ANNOUNCE rtsp://h/live/cam RTSP/1.0\r\nCSeq: 1\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    ));
    let (one, two) = text.split_at(37);
    up.write_all(one.as_bytes()).unwrap();
    let mut down = get(&house, "abc");
    up.write_all(two.as_bytes()).unwrap();
    assert!(down.answer().starts_with("RTSP/1.0 200 "));
    drop(up);
    let mut up = post(&house, "abc");
    say(
        &mut up,
        "SETUP rtsp://h/live/cam RTSP/1.0\r\nCSeq: 2\r\nTransport: RTP/AVP/TCP;interleaved=0-1;mode=record\r\n\r\n",
    );
    assert!(down.answer().starts_with("RTSP/1.0 200 "));
    say(&mut up, "RECORD rtsp://h/live/cam RTSP/1.0\r\nCSeq: 3\r\n\r\n");
    assert!(down.answer().starts_with("RTSP/1.0 200 "));
    for n in 0..50_u16 {
        say(&mut up, interleaved(0, 8, n, u32::from(n) * 160, false, &[0xd5; 160]));
    }
    wait_for("the audio", SOON, || house.hub.snapshot().iter().any(|v| v.totals.audio_bytes == 50 * 160));
    // Somebody else reads it the same way.
    let mut other = get(&house, "def");
    let mut asking = post(&house, "def");
    for request in [
        "DESCRIBE rtsp://h/live/cam RTSP/1.0\r\nCSeq: 1\r\n\r\n",
        "SETUP rtsp://h/live/cam/trackID=1 RTSP/1.0\r\nCSeq: 2\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n",
        "PLAY rtsp://h/live/cam RTSP/1.0\r\nCSeq: 3\r\n\r\n",
        "GET_PARAMETER rtsp://h/live/cam RTSP/1.0\r\nCSeq: 4\r\n\r\n",
    ] {
        say(&mut asking, request);
        assert!(other.answer().starts_with("RTSP/1.0 200 "), "{request}");
    }
    assert_eq!(house.hub.registry().list(RTSP_SESSION).len(), 2);
    // The end of what the client hears is the end of all of it.
    drop((down, other));
    wait_for("nobody to be left", SOON, || house.hub.registry().list(RTSP_CONNECTION).is_empty());
}

#[test]
fn nobody_gets_into_another_ones_tunnel_and_none_stays_for_ever() {
    let limits = Limits { message: Duration::from_millis(700), ..Limits::default() };
    let house = House::with(Plan { limits, ..Plan::default() });
    let canary = Canary::new(&house);
    let down = get(&house, "abc");
    // The cookie is taken; a POST without a GET, one that is no base64, and a GET without a POST end.
    let mut second = house.raw();
    second.write_all(b"GET / HTTP/1.0\r\nx-sessioncookie: abc\r\n\r\n").unwrap();
    assert!(last_words(&second).starts_with("HTTP/1.0 409 Conflict\r\n"));
    assert!(last_words(&post(&house, "xyz")).starts_with("HTTP/1.0 404 Not Found\r\n"));
    let mut noise = post(&house, "abc");
    noise.write_all(&[b'!'; 4000]).unwrap();
    assert_eq!(last_words(&noise), "");
    house.wait_broken("rtsp_tunnel_base64", 1);
    assert!(last_words(&down.socket).contains("RTSP/1.0 408 "));
    // A browser is told what is wrong.
    let mut browser = house.raw();
    browser.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    assert!(
        last_words(&browser).ends_with(
            "this port speaks RTSP; HTTP only carries it, by GET and POST with an x-sessioncookie\n"
        )
    );
    // What is no RTSP is answered down the tunnel, and ends both sides.
    let down = get(&house, "ghi");
    let mut up = post(&house, "ghi");
    say(&mut up, "garbage");
    assert!(last_words(&down.socket).contains("RTSP/1.0 400 "));
    assert_eq!(last_words(&up), "");
    // A flood up the tunnel does not get further than its own connection.
    let down = get(&house, "jkl");
    let mut up = post(&house, "jkl");
    let flood = STANDARD.encode(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n".repeat(1000));
    while up.write_all(flood.as_bytes()).is_ok() {}
    house.wait_broken("rtsp_unread_answers", 1);
    drop(down);
    canary.sings();
}

#[test]
fn programs_read_through_it() {
    if !needs("ffmpeg") || !needs("gst-launch-1.0") || !needs("mpv") {
        return;
    }
    let stage = Stage::new("http-tunnel");
    let house = House::new();
    let url = house.url("cam");
    let film = "testsrc2=size=320x240:rate=25";
    let publish = [
        "-nostdin",
        "-v",
        "error",
        "-re",
        "-f",
        "lavfi",
        "-i",
        film,
        "-re",
        "-f",
        "lavfi",
        "-i",
        "sine=440:sample_rate=48000",
    ];
    let codecs = [
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-g",
        "25",
        "-bf",
        "0",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "aac",
        "-f",
        "rtsp",
        &url,
    ];
    let publisher = stage.spawn("ffmpeg", &[&publish[..], &codecs].concat());
    wait_for("the stream", PATIENCE, || {
        let view = house.hub.snapshot().into_iter().find(|v| v.totals.video_frames > 25);
        view.ok_or_else(|| publisher.stderr())
    });
    let ffmpeg =
        ["-nostdin", "-v", "warning", "-rtsp_transport", "http", "-i", &url, "-t", "3", "-f", "null", "-"];
    let location = format!("location={}", url.replacen("rtsp://", "rtsph://", 1));
    let gst = [
        "-q",
        "rtspsrc",
        &location,
        "latency=200",
        "name=s",
        "s.",
        "!",
        "decodebin",
        "!",
        "fakesink",
        "num-buffers=50",
        "sync=false",
    ];
    let mpv = [
        "--no-config",
        "--really-quiet",
        "--msg-level=all=warn",
        "--vo=null",
        "--ao=null",
        "--rtsp-transport=http",
        "--length=2",
        &url,
    ];
    let runs =
        [stage.spawn("ffmpeg", &ffmpeg), stage.spawn("gst-launch-1.0", &gst), stage.spawn("mpv", &mpv)];
    for run in runs {
        run.wait(PATIENCE).expect(0);
    }
    assert_eq!(house.said(&["speaks through HTTP"]).len(), 3);
    let mut still = Peer::reader(&house, "cam", false);
    assert!(still.unit().is_some());
}
