//! A thousand who wait, some who hardly read, and a publisher that comes back again and again: nobody else notices, and
//! memory stays bounded.

use super::house::{House, LABELS, Playlist, pending, value};
use crate::live::SOON;
use crate::stage::{PATIENCE, Running, Serve, Stage, needs, wait_for};
use nix::sys::signal::Signal;
use std::io::Read;
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

/// Resident memory of the server in MB.
fn memory(serve: &Serve) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", serve.running().pid())).unwrap();
    value(&status, "VmRSS:").trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Takes one byte of each answer a second until it is told to end.
fn sip(mut viewers: Vec<TcpStream>, end: &mpsc::Receiver<()>) {
    while let Err(mpsc::RecvTimeoutError::Timeout) = end.recv_timeout(Duration::from_secs(1)) {
        for viewer in &mut viewers {
            let _ = viewer.read(&mut [0]);
        }
    }
}

#[test]
fn a_thousand_blocked_polls_and_slow_viewers_hold_nobody_up() {
    let Some(house) = House::new("hls-thousand") else { return };
    house.text("/live/cam/index.m3u8");
    let segment = wait_for("a segment", SOON, || {
        let playlist = house.playlist("360p");
        playlist.segments.last().cloned().ok_or(playlist.text)
    });
    let before = memory(&house.serve);
    let get = |path: &str, close: &str| {
        let request = format!("GET /live/cam/{path} HTTP/1.1\r\nHost: a\r\n{close}\r\n");
        pending(&house, &request)
    };
    let slow: Vec<TcpStream> = (0..50).map(|_| get(&format!("360p/{segment}"), "")).collect();
    let (end, ends) = mpsc::channel();
    let sips = std::thread::spawn(move || sip(slow, &ends));
    let url = house.url("/live/cam/index.m3u8");
    let decode = ["-v", "error", "-xerror", "-i", &url, "-t", "8", "-f", "null", "-"];
    let player = house.stage.spawn("ffmpeg", &decode);
    let mut most = before;
    for round in 0..3 {
        let (msn, part) = house.playlist("240p").hinted();
        // So far ahead that all are waiting when the last one has asked.
        let (msn, part) = if part < 12 { (msn, part + 5) } else { (msn + 1, 2) };
        let path = format!("240p/i.m3u8?_HLS_msn={msn}&_HLS_part={part}");
        let polls: Vec<TcpStream> = (0..1000).map(|_| get(&path, "Connection: close\r\n")).collect();
        // Others are served meanwhile.
        house.text("/live/cam/144p/i.m3u8");
        most = most.max(memory(&house.serve));
        let mut late = 0;
        for mut poll in polls {
            let mut text = String::new();
            poll.read_to_string(&mut text).unwrap();
            let (head, body) =
                text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("round {round}: {text:?}"));
            assert!(head.starts_with("HTTP/1.1 200 "), "round {round}: {head}");
            // On a busy machine a part may take longer than a request is held; the answer is then what is there.
            late += usize::from(Playlist::of(body).hinted() <= (msn, part));
        }
        most = most.max(memory(&house.serve));
        eprintln!("round {round}: 1000 polls answered, {late} of them before the part was there; {most} MB");
    }
    player.wait(PATIENCE).expect(0);
    end.send(()).unwrap();
    sips.join().unwrap();
    assert!(most < 200, "{before} MB before, {most} MB with a thousand who wait");
    wait_for("the connections to end", SOON, || {
        let sockets = std::fs::read_dir(format!("/proc/{}/fd", house.serve.running().pid())).unwrap().count();
        if sockets < 100 { Ok(()) } else { Err(format!("{sockets} files are open")) }
    });
    for label in LABELS {
        assert!(house.playlist(label).hint.is_some());
    }
    house.stop();
}

/// A publisher of one rendition by RTMP.
fn publisher(stage: &Stage, serve: &Serve) -> Running {
    let url = format!("rtmp://{}/live/cam", serve.address("rtmp"));
    let mut args =
        vec!["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=256x144:rate=30"];
    args.extend(["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]);
    args.extend([
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-tune",
        "zerolatency",
        "-g",
        "60",
        "-pix_fmt",
        "yuv420p",
    ]);
    args.extend(["-c:a", "aac", "-f", "flv", &url]);
    stage.spawn("ffmpeg", &args)
}

#[test]
fn ten_returns_of_a_publisher_are_one_stream() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("hls-returns");
    let serve = Serve::start(&stage, &[]);
    let mut now = publisher(&stage, &serve);
    let list = wait_for("the ladder", SOON, || {
        let answer = serve.get("web", "/live/cam/index.m3u8");
        if answer.status == 200 { Ok(answer.body) } else { Err(answer.body) }
    });
    let path = format!("/live/cam/{}", list.lines().last().unwrap());
    let playlist = || {
        let answer = serve.get("web", &path);
        assert_eq!(answer.status, 200, "{answer:?}");
        Playlist::of(&answer.body)
    };
    // Discontinuities of all times, and whether a segment is complete behind the last.
    let torn = |playlist: &Playlist| {
        let gone: usize = value(&playlist.text, "#EXT-X-DISCONTINUITY-SEQUENCE:").parse().unwrap();
        let listed: Vec<&str> = playlist.text.split("#EXT-X-DISCONTINUITY\n").collect();
        (gone + listed.len() - 1, listed.last().unwrap().contains("#EXTINF:"))
    };
    let url = format!("http://{}/live/cam/index.m3u8", serve.address("web"));
    let mut reader = None;
    let mut before = (0, 0);
    for run in 0..=10 {
        let after = wait_for("a segment of this run", SOON, || {
            let playlist = playlist();
            if torn(&playlist) == (run, true) { Ok(playlist) } else { Err(playlist.text) }
        });
        assert!((after.first, after.next()) >= before, "numbers go back: {before:?}: {}", after.text);
        before = (after.first, after.next());
        reader.get_or_insert_with(|| {
            let args = [
                "-v",
                "error",
                "-i",
                &url,
                "-map",
                "0:v",
                "-map",
                "0:a",
                "-f",
                "null",
                "-progress",
                "pipe:1",
            ];
            stage.spawn("ffmpeg", &[&args[..], &["-"]].concat())
        });
        // Every other time it says goodbye.
        now.signal(if run % 2 == 0 { Signal::SIGKILL } else { Signal::SIGTERM });
        now.wait(PATIENCE);
        if run < 10 {
            now = publisher(&stage, &serve);
        } else {
            break;
        }
    }
    let reader = reader.unwrap();
    let frames = || {
        let said = reader.stdout();
        said.lines()
            .rev()
            .find_map(|line| line.strip_prefix("frame="))
            .map_or(0, |n| n.trim().parse::<u64>().unwrap())
    };
    // Ten runs of at least one segment of sixty frames each.
    wait_for("a player to have decoded all of them", SOON, || {
        if frames() >= 600 { Ok(()) } else { Err(format!("{} frames: {}", frames(), reader.stderr())) }
    });
    eprintln!("ten returns: {} frames decoded; {}", frames(), reader.stderr());
    // It would ask for more for as long as the ladder is kept.
    let said = reader.stderr();
    drop(reader);
    let bad = |line: &&str| line.contains("Invalid data") || line.contains("error while decoding");
    assert_eq!(said.lines().filter(bad).count(), 0, "{said}");
}
