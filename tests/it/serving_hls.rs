//! A ladder as HLS over the web port: what ffmpeg publishes is what players get, low-latency requests wait for what is
//! about to come, and strange ones hold nothing up.

mod cache;
mod faults;
mod house;
mod listed;
mod passwords;
mod players;

use crate::live::SOON;
use crate::stage::{PATIENCE, Serve, Stage, needs, wait_for};
use house::{House, LABELS, Playlist, pending, value};
use msconv::process::run_record::RunRecord;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::Read;
use std::net::TcpStream;

#[test]
fn players_get_every_rendition_and_its_audio() {
    let Some(house) = House::new("hls-players") else { return };
    // The very first answer names all renditions, the best first.
    let all = house.text("/live/cam/index.m3u8");
    let uris: Vec<&str> = all.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(uris, LABELS.map(|label| format!("{label}/i.m3u8")), "{all}");
    assert!(all.contains("RESOLUTION=640x360") && all.contains("mp4a.40.2\""), "{all}");
    assert_eq!(house.text("/cam/index.m3u8"), all, "the short form is the same");
    let alone = house.text("/live/cam_240p/index.m3u8");
    assert_eq!(alone.lines().last(), Some("../cam/240p/i.m3u8"), "{alone}");
    for (path, size) in [
        ("/live/cam/index.m3u8", "640x360"),
        ("/live/cam_360p/index.m3u8", "640x360"),
        ("/live/cam_240p/index.m3u8", "426x240"),
        ("/cam_144p/index.m3u8", "256x144"),
    ] {
        let url = house.url(path);
        let decode = ["-hide_banner", "-xerror", "-i", &url, "-map", "0:v:0", "-map", "0:a:0", "-t", "3"];
        let run = house.stage.spawn("ffmpeg", &[&decode[..], &["-f", "null", "-"]].concat()).wait(PATIENCE);
        run.expect(0).says(size).says("Audio: aac");
    }
    let metrics = house.serve.get("metrics", "/metrics").body;
    for kind in ["multivariant", "playlist", "init", "segment"] {
        let count = value(&metrics, &format!("msconv_hls_requests_total{{kind=\"{kind}\"}} "));
        assert!(count.parse::<f64>().unwrap() > 0.0, "{kind}: {metrics}");
    }
    assert!(value(&metrics, "msconv_hls_bytes_total ").parse::<f64>().unwrap() > 10_000.0, "{metrics}");
    house.stop();
}

#[test]
fn low_latency_requests_are_answered_when_there_is_something_new() {
    let Some(house) = House::new("hls-blocking") else { return };
    house.text("/live/cam/index.m3u8");
    let playlist = wait_for("a segment of each rendition", SOON, || {
        let playlist = house.playlist("240p");
        if playlist.segments.is_empty() { Err(playlist.text) } else { Ok(playlist) }
    });
    let text = &playlist.text;
    let target: u64 = value(text, "#EXT-X-TARGETDURATION:").parse().unwrap();
    let part_target: f64 = value(text, "#EXT-X-PART-INF:PART-TARGET=").parse().unwrap();
    for line in text.lines() {
        if let Some(length) = line.strip_prefix("#EXTINF:") {
            assert!(length.trim_end_matches(',').parse::<f64>().unwrap().round() <= target as f64, "{text}");
        }
        if let Some(length) = line.strip_prefix("#EXT-X-PART:DURATION=") {
            assert!(
                length.split(',').next().unwrap().parse::<f64>().unwrap() <= part_target + 0.001,
                "{text}"
            );
        }
    }
    // What is asked for is in the answer, and the renditions agree on the numbers.
    for label in LABELS {
        let (msn, part) = house.playlist(label).hinted();
        let path = format!("/live/cam/{label}/i.m3u8?_HLS_msn={msn}&_HLS_part={part}");
        let answer = house.serve.get("web", &path);
        let then = Playlist::of(&answer.body).hinted();
        assert!(then > (msn, part), "{then:?} after {msn}.{part}: {}", answer.body);
        let keep = answer.field("cache-control").unwrap_or_default();
        assert_eq!(keep, format!("public, max-age={}", target * 6), "{answer:?}");
    }
    let report = format!("#EXT-X-RENDITION-REPORT:URI=\"../360p/i.m3u8\",LAST-MSN={}", playlist.hinted().0);
    assert!(text.contains(report.trim_end_matches(char::is_numeric)), "{text}");
    // The part that is hinted at comes when it is there.
    let hint = house.playlist("144p").hint.unwrap();
    let answer = house.serve.get("web", &format!("/live/cam/144p/{hint}"));
    assert!(answer.status == 200 && answer.field("content-type") == Some("video/mp4"), "{}", answer.head);
    assert_eq!(answer.field("cache-control"), Some("public, max-age=60, immutable"));
    assert_eq!(answer.field("access-control-allow-origin"), Some("*"));
    // What lies too far ahead, is no number or is not there.
    let next = house.playlist("240p").next();
    for (path, status) in [
        (format!("240p/i.m3u8?_HLS_msn={}", next + 9), 400),
        (format!("240p/i.m3u8?_HLS_msn={next}&_HLS_part=900"), 400),
        ("240p/i.m3u8?_HLS_part=1".into(), 400),
        ("240p/i.m3u8?_HLS_msn=x".into(), 400),
        ("240p/i.m3u8?_HLS_skip=maybe".into(), 400),
        ("720p/i.m3u8".into(), 404),
        ("240p/00000000-0.m4s".into(), 404),
        ("240p/../i.m3u8".into(), 404),
    ] {
        let answer = house.serve.get("web", &format!("/live/cam/{path}"));
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        if status == 404 {
            assert_eq!(answer.field("cache-control"), Some("max-age=1"), "{path}");
        }
    }
    assert_eq!(house.serve.get("web", "/live/nobody/index.m3u8").status, 404);
    let post = house.serve.ask("web", "POST", "/live/cam/index.m3u8", "Content-Length: 0\r\n");
    assert_eq!((post.status, post.field("allow")), (405, Some("GET, HEAD, OPTIONS")));
    let head = house.serve.ask("web", "HEAD", "/live/cam/240p/i.m3u8", "");
    assert!(
        head.status == 200 && head.body.is_empty() && head.field("content-length") != Some("0"),
        "{head:?}"
    );
    assert_eq!(house.serve.ask("web", "OPTIONS", "/live/cam/240p/i.m3u8", "").status, 204);
    let gzipped = house.serve.ask("web", "GET", "/live/cam/240p/i.m3u8", "Accept-Encoding: br, gzip\r\n");
    assert_eq!(gzipped.field("content-encoding"), Some("gzip"), "{}", gzipped.head);
    // A delta update, once the window is long enough to leave anything out: never less than the tail.
    let delta = house.text("/live/cam/240p/i.m3u8?_HLS_skip=YES");
    assert!(delta.contains("#EXT-X-PART:"), "{delta}");
    house.stop();
}

/// Kills the ffmpeg of the ladder; its supervisor starts another one.
fn kill_encoder(house: &House) {
    let record = RunRecord::read(&house.stage.file("pids/.state/cam.json")).expect("a record");
    kill(Pid::from_raw(record.child.expect("ffmpeg").pid), Signal::SIGKILL).unwrap();
}

/// As [`kill_encoder`], and waits for what the next one sends.
fn killed_and_back(house: &House) {
    let returns = |playlist: &Playlist| playlist.text.matches("#EXT-X-DISCONTINUITY\n").count();
    let before = returns(&house.playlist(LABELS[0]));
    kill_encoder(house);
    wait_for("the ladder to be back", SOON, || {
        let playlist = house.playlist(LABELS[0]);
        if returns(&playlist) > before { Ok(()) } else { Err(playlist.text) }
    });
}

#[test]
fn viewers_see_a_discontinuity_when_the_publisher_comes_back() {
    let Some(house) = House::new("hls-return") else { return };
    house.text("/live/cam/index.m3u8");
    let before = wait_for("some segments", SOON, || {
        let playlist = house.playlist("360p");
        if playlist.segments.len() < 2 { Err(playlist.text) } else { Ok(playlist) }
    });
    kill_encoder(&house);
    // A player that goes on asking, as players do.
    let after = wait_for("segments behind the discontinuity", SOON, || {
        let playlist = house.playlist("360p");
        let behind = playlist.text.split_once("#EXT-X-DISCONTINUITY\n").map(|(_, behind)| behind.to_string());
        match behind.filter(|behind| behind.contains("#EXTINF:")) {
            Some(_) => Ok(playlist),
            None => Err(playlist.text),
        }
    });
    assert!(after.next() > before.next(), "{} {}", before.text, after.text);
    let epoch = |playlist: &Playlist| playlist.segments[0].split('-').next().unwrap().to_string();
    assert_eq!(epoch(&before), epoch(&after), "it is the same stream");
    // All renditions go on together.
    for label in LABELS {
        wait_for("all renditions to go on", SOON, || {
            let playlist = house.playlist(label);
            let there = playlist.text.matches("#EXT-X-DISCONTINUITY\n").count() == 1;
            if there && playlist.next() >= after.next() { Ok(()) } else { Err(playlist.text) }
        });
    }
    let url = house.url("/live/cam/index.m3u8");
    let decode = ["-hide_banner", "-v", "error", "-i", &url, "-t", "3", "-f", "null", "-"];
    house.stage.spawn("ffmpeg", &decode).wait(PATIENCE).expect(0);
    house.stop();
}

#[test]
fn viewers_are_counted_where_readers_are() {
    let Some(house) = House::new("hls-viewers") else { return };
    let path = "/live/cam/240p/i.m3u8";
    for agent in ["one", "two"] {
        house.serve.ask("web", "GET", path, &format!("User-Agent: {agent}\r\n"));
        house.serve.ask("web", "GET", path, &format!("User-Agent: {agent}\r\n"));
    }
    let path = house.serve.get("api", "/v3/paths/get/live/cam_240p").json();
    let readers: Vec<&str> =
        path["readers"].as_array().unwrap().iter().map(|reader| reader["type"].as_str().unwrap()).collect();
    assert_eq!(readers, ["hlsSession"; 2], "{path}");
    let sessions = house.serve.get("api", "/v3/hlssessions/list").json();
    let of = |field: &str| sessions["items"][0][field].clone();
    assert_eq!((of("path"), of("userAgent")), ("cam_240p".into(), "one".into()), "{sessions}");
    assert!(of("outboundBytes").as_u64().unwrap() > 1000, "{sessions}");
    let list = house.stage.msconv(&["list", "--json"]).expect(0).json();
    assert_eq!(list["streams"][0]["viewers"].as_u64(), Some(2), "{list}");
    assert!(house.serve.get("metrics", "/metrics").body.contains("msconv_hls_viewers 2"));
    assert!(house.serve.get("stat", "/stat").body.contains("<flashver>HLS/one</flashver>"));
    wait_for("those who ask no more to be gone", PATIENCE, || {
        let metrics = house.serve.get("metrics", "/metrics").body;
        if metrics.contains("msconv_hls_viewers 0") { Ok(()) } else { Err(metrics) }
    });
    house.stop();
}

#[test]
fn a_rendition_of_another_encoder_has_a_playlist_of_its_own() {
    let Some(house) = House::new("hls-apart") else { return };
    house.text("/live/cam/index.m3u8");
    // Keyframes every 0.7 s meet those of the ladder, every 2 s, only now and then.
    let target = format!("rtmp://{}/live/cam_72p", house.serve.address("rtmp"));
    let source =
        ["-re", "-f", "lavfi", "-i", "testsrc2=s=128x72:r=30", "-c:v", "libx264", "-preset", "ultrafast"];
    let shape =
        ["-pix_fmt", "yuv420p", "-x264-params", "keyint=21:min-keyint=21:scenecut=0", "-f", "flv", &target];
    let other = house.stage.spawn("ffmpeg", &[&source[..], &shape].concat());
    wait_for("it to have a list of its own", SOON, || {
        let answer = house.serve.get("web", "/live/cam_72p/index.m3u8");
        let ladder = house.text("/live/cam/index.m3u8");
        let apart = house.serve.running().stderr().contains("the rendition '72p' has its keyframes");
        if apart && answer.status == 200 && !ladder.contains("72p") { Ok(()) } else { Err(ladder) }
    });
    let playlist = wait_for("segments of it", SOON, || {
        let playlist = house.playlist("72p");
        if playlist.segments.len() > 1 { Ok(playlist) } else { Err(playlist.text) }
    });
    assert!(!playlist.text.contains("RENDITION-REPORT"), "{}", playlist.text);
    let url = house.url("/live/cam_72p/index.m3u8");
    let decode = ["-hide_banner", "-v", "error", "-i", &url, "-t", "2", "-f", "null", "-"];
    house.stage.spawn("ffmpeg", &decode).wait(PATIENCE).expect(0);
    house.stage.msconv(&["doctor"]).prints("live/cam_72p").prints("keyframes");
    drop(other);
    house.stop();
}

/// Names in a folder; none where there is no such folder.
fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn viewers_go_back_as_far_as_a_long_window_reaches() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("hls-long-window");
    let flags = ["--hls-window", "90s", "--hls-segment", "1s"];
    let serve = Serve::start(&stage, &flags);
    let folder = stage.file("data/hls");
    // A minute of it in some seconds; nobody watches yet.
    let target = format!("rtmp://{}/live/cam", serve.address("rtmp"));
    let source = ["-readrate", "8", "-f", "lavfi", "-i", "testsrc2=s=256x144:r=25:d=300", "-c:v", "libx264"];
    let shape = ["-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-f", "flv", &target];
    let publisher = stage.spawn("ffmpeg", &[&source[..], &shape].concat());
    let files = || {
        let owners = names(&folder);
        owners.iter().flat_map(|owner| names(&folder.join(owner))).collect::<Vec<_>>()
    };
    wait_for("segments on the disk", SOON, || if files().len() > 20 { Ok(()) } else { Err(files().len()) });
    let playlist = wait_for("a long playlist", SOON, || {
        let playlist = Playlist::of(&serve.get("web", "/live/cam/original/i.m3u8").body);
        if playlist.segments.len() > 60 { Ok(playlist) } else { Err(playlist.segments.len()) }
    });
    // The oldest of them is read from its file.
    let oldest = serve.get("web", &format!("/live/cam/original/{}", playlist.segments[0]));
    assert_eq!(oldest.status, 200, "{}", oldest.head);
    let url = format!("http://{}/live/cam/index.m3u8", serve.address("web"));
    let from_the_first = ["-v", "error", "-xerror", "-live_start_index", "0", "-i", &url, "-t", "5"];
    stage.spawn("ffmpeg", &[&from_the_first[..], &["-f", "null", "-"]].concat()).wait(PATIENCE).expect(0);
    let metrics = serve.get("metrics", "/metrics").body;
    let held: f64 = value(&metrics, "msconv_hls_window_bytes ").parse().unwrap();
    assert!(held < 30e6, "what is stored is not in memory: {metrics}");
    drop(publisher);
    // A server that is killed leaves its files, and the next one removes them.
    kill(Pid::from_raw(serve.running().pid()), Signal::SIGKILL).unwrap();
    drop(serve);
    assert_eq!(names(&folder).len(), 1);
    let left = names(&folder);
    let serve = Serve::start(&stage, &flags);
    wait_for("a folder of its own and no other", SOON, || {
        let now = names(&folder);
        if now.len() == 1 && now != left { Ok(()) } else { Err(now.join(" ")) }
    });
    // One that ends leaves nothing.
    kill(Pid::from_raw(serve.running().pid()), Signal::SIGTERM).unwrap();
    serve.into_running().wait(PATIENCE).expect(0);
    assert_eq!(names(&folder), [""; 0]);
}

#[test]
fn many_who_wait_are_answered_and_strange_requests_hold_nobody_up() {
    let Some(house) = House::new("hls-crowd") else { return };
    house.text("/live/cam/index.m3u8");
    // Half a request, one that is read a byte at a time, and one with an endless query: nobody else notices.
    let _half = pending(&house, "GET /live/cam/index.m3u8 HTTP/1.1\r\nHos");
    let segment = wait_for("a segment", SOON, || {
        let playlist = house.playlist("360p");
        playlist.segments.last().cloned().ok_or(playlist.text)
    });
    let mut slow = pending(&house, &format!("GET /live/cam/360p/{segment} HTTP/1.1\r\nHost: a\r\n\r\n"));
    slow.read_exact(&mut [0]).unwrap();
    let mut endless =
        pending(&house, &format!("GET /live/cam/index.m3u8?{} HTTP/1.1\r\n", "a".repeat(100_000)));
    let mut refused = [0; 10];
    // Over unread bytes the refusal may be lost by a reset.
    if endless.read_exact(&mut refused).is_ok() {
        assert_eq!(&refused, b"HTTP/1.1 4");
    }
    for round in 0..3 {
        let (msn, part) = house.playlist("240p").hinted();
        let request = format!(
            "GET /live/cam/240p/i.m3u8?_HLS_msn={msn}&_HLS_part={part} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        );
        let crowd: Vec<TcpStream> = (0..200).map(|_| pending(&house, &request)).collect();
        for mut one in crowd {
            let mut text = String::new();
            one.read_to_string(&mut text).unwrap();
            let (_, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("round {round}: {text:?}"));
            assert!(Playlist::of(body).hinted() > (msn, part), "round {round}: {text}");
        }
    }
    let metrics = house.serve.get("metrics", "/metrics").body;
    let held: f64 = value(&metrics, "msconv_hls_window_bytes ").parse().unwrap();
    assert!(held > 0.0 && held < 20e6, "{metrics}");
    house.stop();
}
