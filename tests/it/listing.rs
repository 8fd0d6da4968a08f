//! `list` as people and scripts meet it: tables, tabs, keys, JSON, again and again, and the picker at a terminal.

use crate::stage::{Nginx, Stage, film, keys, needs, wait_for};
use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

/// Answers every request with what `answer` makes of its number and head, on a port of its own; the address.
pub fn serve(answer: impl Fn(u64, &str) -> String + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = Arc::new(answer);
    let count = Arc::new(AtomicU64::new(0));
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let (answer, count) = (answer.clone(), count.clone());
            std::thread::spawn(move || converse(socket, &*answer, &count));
        }
    });
    address
}

fn converse(mut socket: TcpStream, answer: &dyn Fn(u64, &str) -> String, count: &AtomicU64) {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = socket.read(&mut buffer) {
        head.extend_from_slice(&buffer[..n]);
        if head.ends_with(b"\r\n\r\n") {
            let body = answer(count.fetch_add(1, Ordering::SeqCst), &String::from_utf8_lossy(&head));
            let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            if socket.write_all(text.as_bytes()).is_err() {
                return;
            }
            head.clear();
        }
    }
}

/// A page of `/stat` on which every name of `live` moves.
pub fn page(names: &[String], moved: u64) -> String {
    let streams: String = names
        .iter()
        .map(|name| {
            format!(
                "<stream><name>{name}</name><time>761000</time><bw_in>2400000</bw_in><bytes_in>{}</bytes_in>\
                 <client><address>10.0.0.7</address><time>761000</time><publishing/><active/></client>\
                 <meta><video><width>1280</width><height>720</height><frame_rate>30</frame_rate><codec>H264</codec>\
                 </video><audio><codec>AAC</codec><channels>2</channels><sample_rate>48000</sample_rate></audio></meta>\
                 <nclients>3</nclients><publishing/><active/></stream>",
                1_000_000 + moved * 1000
            )
        })
        .collect();
    format!(
        "<rtmp><pid>1</pid><server><application><name>live</name><live>{streams}</live></application></server></rtmp>"
    )
}

/// A stage whose servers are made up: nginx-rtmp with these names, MediaMTX with one pull of the first.
pub fn staged(test: &str, names: &[&str]) -> Stage {
    let stage = Stage::new(test);
    let names: Vec<String> = names.iter().map(|n| n.to_string()).collect();
    let first = names.first().cloned();
    let nginx = serve(move |n, _| page(&names, n));
    let mediamtx = serve(move |_, _| {
        let items: Vec<String> = first
            .iter()
            .map(|name| {
                format!(
                    r#"{{"name":"{name}","ready":true,"source":{{"type":"rtmpSource"}},"readers":[{{"type":"rtspSession"}}]}}"#
                )
            })
            .collect();
        format!(r#"{{"itemCount":{0},"pageCount":{0},"items":[{1}]}}"#, items.len(), items.join(","))
    });
    stage.set("MSCONV_NGINX_STAT_URL", &format!("http://{nginx}/stat"));
    stage.set("MSCONV_MEDIAMTX_URL", &format!("http://{mediamtx}"));
    stage
}

#[test]
fn scripts_get_tabs_keys_and_json() {
    let stage = staged("list-scripts", &["a_720p", "a_360p", "relayCam"]);
    let run = stage.msconv(&["list"]).expect(0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines[0], "STREAM\tSTATE\tVARIANTS\tVIDEO\tBITRATE\tVIEWERS\tUPTIME\tFROM");
    assert_eq!(lines[1], "a\tlive\t720p 360p\th264 1280x720\t4.8 Mb/s\t4\t00:12:41\t10.0.0.7");
    assert_eq!(lines[2], "relayCam\tlive\toriginal\th264 1280x720\t2.4 Mb/s\t2\t00:12:41\t10.0.0.7");
    assert_eq!((lines.len(), run.stderr.as_str()), (3, ""));
    assert!(!run.stdout.contains('\u{1b}'));

    assert_eq!(stage.msconv(&["list", "-q"]).expect(0).stdout, "a\nrelayCam\n");
    let run = stage.msconv(&["ls", "--variants"]).expect(0);
    assert_eq!(run.stdout.lines().count(), 4);
    let json = stage.msconv(&["list", "--json"]).expect(0).json();
    assert_eq!(json["schema"], "msconv.list/1");
    assert_eq!(
        json["streams"][0]["renditions"][0]["rtsp_url"],
        format!("rtsp://127.0.0.1:{}/a_720p", stage.rtsp)
    );
    assert_eq!(
        json["streams"][0]["renditions"][0]["viewers"], 2,
        "two players less one pull, and one reader"
    );
    assert_eq!(json["servers"][1]["name"], "mediamtx");
}

#[test]
fn nothing_live_is_friendly_and_no_server_is_six() {
    let stage = staged("list-nothing", &[]);
    let run = stage.msconv(&["list"]).expect(0).says("nothing is live");
    assert_eq!(run.stdout, "");
    assert_eq!(stage.msconv(&["list", "-q"]).expect(0).stdout, "");
    assert_eq!(stage.msconv(&["list", "--json"]).expect(0).json()["streams"], serde_json::json!([]));
    for unset in ["MSCONV_NGINX_STAT_URL", "MSCONV_MEDIAMTX_URL"] {
        stage.set(unset, "http://127.0.0.1:1");
    }
    stage
        .msconv(&["list"])
        .expect(6)
        .says("no media server answers")
        .says("try: msconv up")
        .says("connection refused");
    stage.msconv(&["list", "--watch"]).expect(6);
}

#[test]
fn a_thousand_streams_in_two_calls() {
    let names: Vec<String> =
        (0..1000).map(|n| format!("s{}_{}p", n / 4, [1080, 720, 480, 360][n % 4])).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let stage = staged("list-thousand", &names);
    for _ in 0..2 {
        let run = stage.msconv(&["list"]).expect(0);
        assert_eq!(run.stdout.lines().filter(|l| l.contains("\tlive\t1080p 720p 480p 360p\t")).count(), 250);
    }
}

#[test]
fn the_picker_needs_a_person_and_something_to_pick() {
    let stage = staged("pick-nobody", &["a"]);
    stage.msconv(&["list", "-l"]).expect(2).says("needs a terminal").says("try: msconv list -q");
    let mut terminal = stage.terminal(&["list", "-l", "--no-input"]);
    assert_eq!(terminal.wait_exit(), 2);
    stage.set("CI", "true");
    let mut terminal = stage.terminal(&["list", "-l"]);
    assert_eq!(terminal.wait_exit(), 2);
    let stage = staged("pick-nothing", &[]);
    let mut terminal = stage.terminal(&["list", "-l"]);
    assert_eq!(terminal.wait_exit(), 4);
}

#[test]
fn arrows_and_letters_pick_and_only_the_key_goes_to_stdout() {
    let stage = staged("pick-keys", &["alpha", "beta", "gamma"]);
    let mut terminal = stage.terminal_with_piped_stdout(&["list", "-l"]);
    terminal.wait_for("> alpha");
    assert!(!terminal.cursor_visible());
    terminal.type_keys(keys::DOWN);
    terminal.wait_for("> beta");
    terminal.type_keys(keys::UP);
    terminal.wait_for("> alpha");
    terminal.type_keys("amm");
    terminal.wait_for("> gamma");
    terminal.wait_until_gone("alpha");
    terminal.type_keys(keys::ENTER);
    assert_eq!(terminal.wait_exit(), 0);
    assert_eq!(terminal.stdout(), "gamma\n");
    assert!(terminal.cursor_visible());
    assert_eq!(terminal.screen().trim(), "", "the picker's lines are cleared");

    for (print, start) in [("url", "rtsp://127.0.0.1:"), ("json", "{\"key\":\"alpha\"")] {
        let mut terminal = stage.terminal_with_piped_stdout(&["list", "-l", "--print", print]);
        terminal.wait_for("> alpha");
        terminal.type_keys(keys::ENTER);
        assert_eq!(terminal.wait_exit(), 0);
        assert!(terminal.stdout().starts_with(start), "{}", terminal.stdout());
    }
}

#[test]
fn every_way_out_of_the_picker_gives_the_terminal_back() {
    let stage = staged("pick-leave", &["alpha", "beta"]);
    for leave in [keys::ESC, keys::CTRL_C] {
        let mut terminal = stage.terminal_with_piped_stdout(&["list", "-l"]);
        terminal.wait_for("> alpha");
        terminal.type_keys(leave);
        assert_eq!(terminal.wait_exit(), 130);
        assert_eq!((terminal.stdout().as_str(), terminal.cursor_visible()), ("", true));
        assert_eq!(terminal.screen().trim(), "");
    }
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let mut terminal = stage.terminal(&["list", "-l"]);
        terminal.wait_for("> alpha");
        terminal.signal(signal);
        assert_eq!(terminal.wait_exit(), code);
        assert!(terminal.cursor_visible());
        assert_eq!(terminal.screen().trim(), "");
    }
}

#[test]
fn the_picker_fits_whatever_the_terminal_becomes() {
    let names: Vec<String> = (0..60).map(|n| format!("stream{n:02}-{}", "x".repeat(50))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let stage = staged("pick-resize", &names);
    let mut terminal = stage.terminal(&["list", "-l"]);
    terminal.wait_for("> stream00");
    terminal.type_keys(keys::UP);
    terminal.wait_for("> stream59");
    terminal.resize(8, 30);
    terminal.wait_for("60 of 60");
    terminal.wait_for("> stream59");
    terminal.resize(40, 120);
    terminal.wait_for("stream45");
    terminal.type_keys(keys::ESC);
    assert_eq!(terminal.wait_exit(), 130);
}

#[test]
fn watch_redraws_until_ctrl_c() {
    let stage = staged("list-watch", &["alpha"]);
    let mut terminal = stage.terminal(&["list", "--watch"]);
    terminal.wait_for("alpha");
    // Drawn a second time in the same place: still one line of titles.
    wait_for("a second frame", SOON, || (terminal.raw().matches("STREAM").count() > 1).then_some(()));
    assert_eq!(terminal.screen().matches("STREAM").count(), 1);
    terminal.type_keys(keys::CTRL_C);
    assert_eq!(terminal.wait_exit(), 130);
    assert!(terminal.cursor_visible());

    let running = stage.spawn_msconv(&["list", "--watch", "--json"]);
    wait_for("two objects", SOON, || (running.stdout().lines().count() > 1).then_some(()));
    running.signal(Signal::SIGINT);
    let run = running.wait(SOON).expect(130);
    for line in run.stdout.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(object["schema"], "msconv.list/1");
    }
}

#[test]
fn a_real_server_is_listed_and_a_frozen_publisher_is_stalled() {
    if !needs("nginx-rtmp") || !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("list-real");
    let nginx = Nginx::start(&stage);
    let publisher = nginx.foreign_publisher(&stage, &film(30, 320, 180), "clip_180p");
    let seen = |state: &'static str| {
        move |json: serde_json::Value| {
            (json["streams"][0]["state"] == state).then(|| json["streams"][0].clone())
        }
    };
    let look = || stage.msconv(&["list", "--json"]).expect(0).json();
    let stream = wait_for("live", SOON, || seen("live")(look()));
    assert_eq!(
        (stream["key"].as_str(), stream["renditions"][0]["label"].as_str()),
        (Some("clip"), Some("180p"))
    );
    assert_eq!(stream["from"], "127.0.0.1");
    publisher.signal(Signal::SIGSTOP);
    wait_for("stalled", SOON, || seen("stalled")(look()));
    publisher.signal(Signal::SIGCONT);
    wait_for("live again", SOON, || seen("live")(look()));
    stage.msconv(&["list"]).expect(0).says("MediaMTX").says("did not answer");
}
