//! A source that could not be read was told in three `why:` lines that repeated each other, and one that takes the
//! connection and says nothing "does not speak RTMP". Five causes, one sentence each, over every protocol.

use crate::live::SOON;
use crate::stage::{Port, Run, Serve, Stage, needs, wait_for};
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};

const SCHEMES: [&str; 7] = ["rtmp", "rtmps", "rtsp", "rtsps", "http", "https", "srt"];

fn refused(stage: &Stage, url: &str) -> Run {
    let mut args = vec!["publish", "-s", "a", "-r", url, "--wait", "1s"];
    args.extend(url.starts_with("http").then_some("--allow-http"));
    let run = stage.msconv(&args).expect(7);
    let whys = run.stderr.matches("\n  why: ").count();
    assert_eq!(whys, 1, "one cause is told once: {run}");
    run
}

#[test]
fn nothing_there() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("why-refused");
    let port = Port::free();
    for scheme in SCHEMES {
        refused(&stage, &format!("{scheme}://127.0.0.1:{port}/live/x")).says("why: nothing listens there");
        refused(&stage, &format!("{scheme}://no-such-host.invalid/live/x"))
            .says("why: there is no host no-such-host.invalid");
    }
}

#[test]
fn silent() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("why-silent");
    let port = Port::free();
    // The kernel takes the connections, and nobody answers.
    let _listener = TcpListener::bind(("127.0.0.1", port.number())).unwrap();
    let _socket = UdpSocket::bind(("127.0.0.1", port.number())).unwrap();
    let ask = |scheme: &str| {
        let run = refused(&stage, &format!("{scheme}://127.0.0.1:{port}/live/x")).says("why: it is silent");
        assert!(!run.stderr.contains("speak"), "{run}");
    };
    // ffprobe waits for ten seconds, so all at once.
    std::thread::scope(|scope| {
        for scheme in ["rtmp", "rtmps", "rtsp", "http", "srt"] {
            scope.spawn(move || ask(scheme));
        }
    });
}

#[test]
fn another_protocol() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("why-other");
    for (name, said) in [
        ("HTTP", &b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"[..]),
        ("RTSP", b"RTSP/1.0 400 Bad Request\r\n\r\n"),
        ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n"),
    ] {
        let port = Port::free();
        let listener = TcpListener::bind(("127.0.0.1", port.number())).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 16]);
                let _ = stream.write_all(said);
            }
        });
        for scheme in ["rtmp", "rtmps", "rtsp", "rtsps", "http", "https"] {
            if scheme.eq_ignore_ascii_case(name) {
                continue;
            }
            let run = refused(&stage, &format!("{scheme}://127.0.0.1:{port}/live/x"));
            run.says("why: it does not speak ").says(&format!(", but {name}\n"));
        }
    }
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = format!("srt://{}", socket.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut asked = [0; 1500];
        while let Ok((_, peer)) = socket.recv_from(&mut asked) {
            let _ = socket.send_to(b"what?", peer);
        }
    });
    refused(&stage, &url).says("why: it does not speak SRT");
}

#[test]
fn no_such_stream() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("why-nobody");
    let _server = Serve::start_at_stage(&stage);
    for url in [format!("{}/x", stage.rtmp_url()), format!("{}/x", stage.rtsp_url())] {
        refused(&stage, &url).says("why: nobody publishes that stream");
    }
    let url = format!("{}/x.m3u8", stage.api_url());
    refused(&stage, &url).says("why: nobody publishes that stream").says("404");
    // SRT tells no cause; a listener that wants a passphrase refuses as one does that has no such stream.
    let port = Port::free();
    let url = format!("srt://127.0.0.1:{port}?mode=listener&passphrase=0123456789abc");
    let args = [
        "-nostdin",
        "-v",
        "error",
        "-re",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=160x120",
        "-f",
        "mpegts",
        &url,
    ];
    let mut listener = stage.spawn("ffmpeg", &args);
    wait_for("the listener", SOON, || {
        let taken = UdpSocket::bind(("127.0.0.1", port.number())).is_err();
        if taken { Ok(()) } else { Err(listener.stderr()) }
    });
    refused(&stage, &format!("srt://127.0.0.1:{port}")).says("why: it refuses the stream");
    assert!(listener.running());
}
