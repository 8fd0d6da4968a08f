//! The load, asked of a server that carries a real stream: over HTTP, as text, and at a terminal.

use crate::live::SMALL;
use crate::stage::{PATIENCE, Serve, Stage, film, keys, needs, raw, wait_for};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;

/// A server, and what it says of its load.
struct House {
    // Ended first.
    serve: Serve,
    stage: Stage,
}

impl House {
    fn new(name: &str, more: &[&str]) -> House {
        let stage = Stage::new(name);
        let serve = Serve::start_at_stage_with(&stage, more);
        House { serve, stage }
    }

    fn load(&self) -> Result<Value, String> {
        let answer = self.serve.get("web", "/api/v1/load");
        if answer.status != 200 {
            return Err(answer.body);
        }
        serde_json::from_str(&answer.body).map_err(|e| e.to_string())
    }

    /// The first look that is as it shall be.
    fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, PATIENCE, || {
            let load = self.load()?;
            if wanted(&load) { Ok(load) } else { Err(load.to_string()) }
        })
    }
}

#[test]
fn a_stream_has_its_share_and_the_terminal_shows_it() {
    if !needs("ffmpeg") {
        return;
    }
    let house = House::new("top-stream", &[]);
    let stage = &house.stage;
    let clip = film(8, 426, 240);
    stage.msconv(&["publish", "-s", "a", "-f", clip.to_str().unwrap(), "--variants", SMALL]).expect(0);
    let load = house.until("a stream with its figures", |load| {
        let stream = &load["streams"][0];
        stream["cpu_percent"].as_f64().is_some_and(|cpu| cpu > 0.0)
            && stream["speed"].as_f64().is_some_and(|speed| speed > 0.0)
            && stream["in_bps"].as_u64().is_some_and(|bits| bits > 0)
    });
    let stream = &load["streams"][0];
    assert_eq!((&stream["name"], &stream["from"]), (&"a".into(), &"here".into()));
    assert_eq!(
        (&stream["encoder"], &stream["renditions"]),
        (&"libx264".into(), &serde_json::json!(["240p", "120p"]))
    );
    assert!(stream["memory_bytes"].as_u64().unwrap() > 1_000_000, "{stream}");
    assert!(load["machine"]["cpu"]["busy_percent"].as_f64().is_some(), "{load}");
    assert!(load["machine"]["disks"][0]["free_bytes"].as_u64().unwrap() > 0, "{load}");
    assert!(load["server"]["memory_bytes"].as_u64().unwrap() > 1_000_000, "{load}");

    let run = stage.msconv(&["top", "--once"]).expect(0).prints("a\tlive\t240p 120p\t").prints("libx264");
    run.prints("CPU").prints("memory");
    let run = stage.msconv(&["top", "--json"]).expect(0).json();
    assert_eq!((&run["schema"], &run["streams"][0]["name"]), (&"msconv.load/1".into(), &"a".into()));

    let mut terminal = stage.terminal(&["top"]);
    terminal.wait_for("> a");
    terminal.wait_for("libx264");
    assert!(!terminal.cursor_visible());
    terminal.resize(20, 44);
    terminal.wait_until_gone("libx264");
    terminal.resize(24, 100);
    terminal.wait_for("libx264");
    terminal.type_keys("?");
    terminal.wait_for("any key goes back");
    terminal.type_keys("?x");
    terminal.wait_for("stop a?");
    terminal.type_keys("n");
    terminal.wait_for("not stopped");
    terminal.type_keys("xy");
    terminal.wait_for("a: stopped in");
    terminal.wait_for("nothing is live");
    terminal.type_keys("q");
    assert_eq!(terminal.wait_exit(), 0);
    assert!(terminal.cursor_visible());
    assert_eq!(terminal.screen().trim(), "", "what was there before is back");
    stage.msconv(&["status", "--json"]).expect(0);
}

#[test]
fn every_way_out_gives_the_terminal_back() {
    let house = House::new("top-leave", &[]);
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130), (Signal::SIGHUP, 129)] {
        let mut terminal = house.stage.terminal(&["top"]);
        terminal.wait_for("nothing is live");
        terminal.signal(signal);
        assert_eq!(terminal.wait_exit(), code);
        assert!(
            terminal.cursor_visible() && terminal.raw().ends_with("\u{1b}[?1049l"),
            "{:?}",
            terminal.raw()
        );
    }
    let mut terminal = house.stage.terminal(&["top"]);
    terminal.wait_for("nothing is live");
    terminal.type_keys(keys::CTRL_C);
    assert_eq!(terminal.wait_exit(), 0);
    assert!(terminal.cursor_visible());
    // Stopped and made to go on, from outside as by a key.
    for stop in [None, Some(Signal::SIGTSTP)] {
        let mut terminal = house.stage.terminal(&["top"]);
        terminal.wait_for("nothing is live");
        match stop {
            Some(signal) => terminal.signal(signal),
            None => terminal.type_keys("\u{1a}"),
        }
        wait_for("the terminal to be given back", PATIENCE, || terminal.cursor_visible().then_some(()));
        terminal.signal(Signal::SIGCONT);
        terminal.wait_for("nothing is live");
        terminal.type_keys("q");
        assert_eq!(terminal.wait_exit(), 0);
    }
}

#[test]
fn a_server_that_goes_is_told_and_one_that_was_never_there_is_an_error() {
    let house = House::new("top-gone", &[]);
    let mut terminal = house.stage.terminal(&["top", "--interval", "1s"]);
    terminal.wait_for("nothing is live");
    let House { serve, stage } = house;
    drop(serve);
    terminal.wait_for("asking again");
    terminal.type_keys("q");
    assert_eq!(terminal.wait_exit(), 0);
    stage.msconv(&["top"]).expect(6).says("no server of ours answers").says("try: msconv up");
    stage.msconv(&["top", "--json"]).expect(6);
    stage.msconv(&["top", "--interval", "1ms"]).expect(2).says("between 1s and 60s");
}

#[test]
fn history_is_bounded_and_events_go_on() {
    let house = House::new("top-history", &[]);
    house.until("a look", |_| true);
    let history = |query: &str| {
        let answer = house.serve.get("web", &format!("/api/v1/load/history{query}"));
        (answer.status, serde_json::from_str::<Value>(&answer.body).unwrap())
    };
    let (status, all) = history("");
    assert_eq!((status, &all["seconds"], &all["step_s"]), (200, &900.into(), &2.into()));
    assert!(!all["items"].as_array().unwrap().is_empty());
    assert_eq!(history("?seconds=99999999").1["seconds"], 900);
    assert_eq!(history("?seconds=0").1["seconds"], 2);
    assert_eq!(history("?seconds=-1").0, 422);
    assert_eq!(history("?seconds=x").0, 422);

    let mut live = TcpStream::connect(house.serve.address("web")).unwrap();
    live.set_read_timeout(Some(PATIENCE)).unwrap();
    live.write_all(b"GET /api/v1/load/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").unwrap();
    let (mut heard, mut bytes) = (String::new(), [0u8; 4096]);
    while heard.matches("event: load\ndata: {").count() < 2 {
        let n = live.read(&mut bytes).unwrap();
        assert!(n > 0, "{heard}");
        heard.push_str(&String::from_utf8_lossy(&bytes[..n]));
    }
    assert!(heard.contains("text/event-stream"), "{heard}");
}

#[test]
fn only_the_operator_sees_it() {
    let house = House::new("top-others", &[]);
    house.until("a look", |_| true);
    let web = house.serve.address("web");
    for path in ["/api/v1/load", "/api/v1/load/history", "/api/v1/load/live"] {
        let through_a_proxy = format!(
            "GET {path} HTTP/1.1\r\nHost: {web}\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n"
        );
        let text = raw(web, through_a_proxy.as_bytes());
        assert!(text.starts_with("HTTP/1.1 401"), "{path}: {text}");
    }
}
