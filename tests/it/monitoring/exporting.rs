//! A real exporter: over a real stream, over recorded pages, over servers that are dead, lie or never end, and over names
//! that strangers chose.

use super::series;
use crate::listing::{page, serve};
use crate::live::{SMALL, SOON};
use crate::stage::{Running, Stage, checked_metrics, http_get, needs, raw, wait_for};
use msconv::manager::exporter::names;
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// An exporter in the foreground, on a free port.
pub struct Exporter {
    running: Running,
    pub address: SocketAddr,
}

impl Exporter {
    /// Once it listens.
    pub fn start(stage: &Stage, more: &[&str]) -> Exporter {
        Exporter::of(stage.spawn_msconv(&[&["exporter", "--listen", "127.0.0.1:0", "--json"], more].concat()))
    }

    fn of(running: Running) -> Exporter {
        let address = wait_for("the exporter to listen", SOON, || {
            let said: serde_json::Value =
                serde_json::from_str(&running.stdout()).map_err(|e| format!("{e}: {}", running.stderr()))?;
            said["metrics"].as_str().unwrap_or_default().parse().map_err(|e| format!("{e}: {said}"))
        });
        Exporter { running, address }
    }

    /// The page.
    pub fn page(&self) -> String {
        let (status, body) = http_get(self.address.port(), "/metrics").unwrap();
        assert_eq!(status, 200, "{body}");
        body
    }

    /// The value of a series, written as it stands on the page.
    pub fn value(&self, wanted: &str) -> Option<f64> {
        value(&self.page(), wanted)
    }

    /// Ends it as systemd would.
    pub fn end(self) {
        self.running.signal(Signal::SIGTERM);
        self.running.wait(SOON).expect(0);
    }
}

fn value(page: &str, wanted: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(wanted)?.strip_prefix(' ')?.parse().ok())
}

/// What Prometheus' own checker says of a page; nothing where all is well.
fn complaints(stage: &Stage, page: &str) -> String {
    if !needs("promtool") {
        return String::new();
    }
    let (code, said) = checked_metrics(stage, page);
    assert!(code == Some(0) || !said.is_empty());
    said
}

/// Asserts that a page is well formed, describes every metric and nothing else, and doubles no series.
fn well_formed(stage: &Stage, page: &str) {
    assert_eq!(complaints(stage, page), "", "{page}");
    let described: Vec<&str> =
        page.lines().filter_map(|l| l.strip_prefix("# HELP ")?.split(' ').next()).collect();
    assert_eq!(described, names::ALL.iter().map(|m| m.name).collect::<Vec<_>>());
    let mut seen = BTreeSet::new();
    for line in page.lines() {
        let Some((name, labels)) = series(line) else { continue };
        let metric = names::ALL.iter().find(|m| m.name == name).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(labels, metric.labels, "{line}");
        let (series, _) = line.rsplit_once(' ').unwrap();
        assert!(seen.insert(series.to_string()), "twice: {line}");
    }
}

#[test]
fn a_real_stream_is_exported_while_it_lives() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("monitoring-real");
    stage.msconv(&["up"]).expect(0);
    let exporter = Exporter::start(&stage, &[]);
    well_formed(&stage, &exporter.page());
    assert!(!exporter.page().contains("stream=\""));
    stage.msconv(&["publish", "-s", "a", "--test", "--variants", SMALL, "--wait", "50s"]).expect(0);
    let home = stage.home().canonicalize().unwrap();
    let of = |metric: &str, more: &str| format!("{metric}{{home=\"{}\",stream=\"a\"{more}}}", home.display());
    let live = of("msconv_publish_state", ",state=\"live\"");
    wait_for("the state", SOON, || (exporter.value(&live) == Some(1.0)).then_some(()).ok_or(exporter.page()));
    let received =
        "msconv_rendition_received_bytes_total{application=\"live\",stream=\"a\",variant=\"240p\"}";
    let first = wait_for("bytes", SOON, || exporter.value(received));
    wait_for("more bytes", SOON, || exporter.value(received).is_some_and(|now| now > first));
    for metric in [
        "msconv_publish_speed_ratio",
        "msconv_publish_frames_per_second",
        "msconv_publish_restarts_total",
        "msconv_publish_dropped_frames_total",
        "msconv_publish_planned_cpu_cores",
        "msconv_publish_report_age_seconds",
        "msconv_publish_live_since_seconds",
    ] {
        wait_for(metric, SOON, || exporter.value(&of(metric, "")));
    }
    for metric in [
        "msconv_publish_rendition_on_air",
        "msconv_publish_rendition_received_bytes_total",
        "msconv_publish_rendition_received_bytes_per_second",
        "msconv_publish_rendition_last_byte_age_seconds",
    ] {
        wait_for(metric, SOON, || exporter.value(&of(metric, ",variant=\"120p\"")));
    }
    let page = exporter.page();
    well_formed(&stage, &page);
    assert_eq!(value(&page, "msconv_server_up{server=\"nginx-rtmp\"}"), Some(1.0), "{page}");
    assert_eq!(value(&page, "msconv_server_up{server=\"mediamtx\"}"), Some(1.0), "{page}");
    assert!(page.contains("version=\"msconv-"), "{page}");
    assert_eq!(
        value(&page, "msconv_rendition_viewers{application=\"live\",stream=\"a\",variant=\"120p\"}"),
        Some(0.0)
    );
    // The built-in server speaks of the same bytes under other names.
    let own: BTreeSet<String> = page.lines().filter_map(series).map(|(name, _)| name).collect();
    assert!(own.iter().all(|name| !name.starts_with("msconv_stream_")));

    // An encoder that dies is seen as a restart.
    let pid = stage.pid("a").unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    let restarts = of("msconv_publish_restarts_total", "");
    wait_for("the restart", SOON, || exporter.value(&restarts) == Some(1.0));

    stage.msconv(&["stop", "-s", "a"]).expect(0);
    wait_for("the stream to be gone", SOON, || {
        let page = exporter.page();
        if page.contains("stream=\"a\"") { Err(page) } else { Ok(()) }
    });
    stage.msconv(&["down"]).expect(0);
    wait_for("the server to be missed", SOON, || {
        exporter.value("msconv_server_fault{server=\"nginx-rtmp\",fault=\"refused\"}") == Some(1.0)
    });
    exporter.end();
}

/// Whether process namespaces can be made here; within some containers they cannot.
fn namespaces(stage: &Stage) -> bool {
    let there = stage.spawn("unshare", &["--pid", "--fork", "--mount-proc", "true"]).wait(SOON).code == 0;
    if !there {
        eprintln!("skipped: process namespaces not found");
    }
    there
}

#[test]
fn a_supervisor_that_was_killed_leaves_a_stopped_stream() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("monitoring-killed");
    stage.msconv(&["up"]).expect(0);
    stage.msconv(&["publish", "-s", "a", "--test", "--variants", SMALL, "--wait", "50s"]).expect(0);
    let record = msconv::process::run_record::RunRecord::read(&stage.file("pids/.state/a.json")).unwrap();
    let exporter = Exporter::start(&stage, &[]);
    // Another process namespace, as in a container: neither the lock nor the processes can be seen from there.
    let inside = (needs("root") && namespaces(&stage)).then(|| {
        let port = crate::stage::Port::free();
        let listen = format!("127.0.0.1:{port}");
        let args = [
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            Stage::binary(),
            "exporter",
            "--json",
            "--listen",
        ];
        Exporter::of(stage.spawn("unshare", &[&args[..], &[listen.as_str()]].concat()))
    });
    let home = stage.home().canonicalize().unwrap();
    let state = |word: &str| {
        format!("msconv_publish_state{{home=\"{}\",stream=\"a\",state=\"{word}\"}}", home.display())
    };
    // Another home of the same user: the index names this one.
    std::fs::create_dir_all(stage.file("other")).unwrap();
    let elsewhere = Exporter::start(&stage, &["--home", "other"]);
    for seen in [Some(&exporter), Some(&elsewhere), inside.as_ref()].into_iter().flatten() {
        wait_for("the live stream", SOON, || {
            let page = seen.page();
            (value(&page, &state("live")) == Some(1.0)).then_some(()).ok_or(page)
        });
    }
    if inside.is_some() {
        // From there its files look like leftovers; they are left alone.
        let args = ["--pid", "--fork", "--kill-child", "--mount-proc", Stage::binary(), "stop", "-s", "a"];
        stage.spawn("unshare", &args).wait(SOON).expect(1).says("outside this container");
        assert!(stage.pid("a").is_some() && stage.file("pids/.state/a.json").is_file());
    }
    let supervisor = nix::unistd::Pid::from_raw(record.supervisor.unwrap().pid);
    nix::sys::signal::kill(supervisor, Signal::SIGKILL).unwrap();
    for seen in [Some(&exporter), inside.as_ref()].into_iter().flatten() {
        wait_for("the stopped stream", SOON, || {
            let page = seen.page();
            (value(&page, &state("stopped")) == Some(1.0)).then_some(()).ok_or(page)
        });
        assert!(!seen.page().contains("msconv_publish_speed_ratio{"), "a dead stream has no speed");
    }
    // A record that is none, and one that nobody may read, are counted.
    std::fs::write(stage.file("pids/.state/b.json"), "{{{").unwrap();
    wait_for("the broken record", SOON, || exporter.value("msconv_exporter_records_unreadable") == Some(1.0));
    if let Some(inside) = inside {
        drop(inside);
    }
    stage.msconv(&["stop", "--all"]);
    stage.msconv(&["down"]).expect(0);
}

#[test]
fn recorded_pages_of_nginx_are_exported() {
    let stage = Stage::new("monitoring-recorded");
    let folder = super::place("tests/data/nginx_stat");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let body = String::from_utf8_lossy(&std::fs::read(file.path()).unwrap()).into_owned();
        let address = serve(move |_, _| body.clone());
        let url = format!("http://{address}/stat");
        let exporter = Exporter::start(&stage, &["--nginx-stat-url", &url]);
        let page = exporter.page();
        well_formed(&stage, &page);
        assert_eq!(value(&page, "msconv_server_up{server=\"nginx-rtmp\"}"), Some(1.0), "{name}: {page}");
        assert_eq!(value(&page, "msconv_server_fault{server=\"mediamtx\",fault=\"refused\"}"), Some(1.0));
        let count = page.lines().filter(|l| l.starts_with("msconv_rendition_received_bytes_total{")).count();
        match name.as_str() {
            "stat-four-renditions-plus-other-22s.xml" => {
                assert!(page.contains("variant=\"720p\"") && count >= 5, "{page}");
            }
            "stat-two-players.xml" => {
                let viewers = page.lines().find(|l| l.starts_with("msconv_rendition_viewers{")).unwrap();
                assert!(viewers.ends_with(" 2"), "{page}");
            }
            "stat-player-without-publisher.xml" | "stat-idle.xml" => assert_eq!(count, 0, "{page}"),
            _ => {}
        }
        seen += 1;
    }
    assert!(seen > 15);
}

#[test]
fn viewers_are_those_that_list_counts() {
    let stage = Stage::new("monitoring-viewers");
    let recorded = |file: &str| super::read(&format!("tests/data/{file}"));
    let stat = recorded("nginx_stat/stat-mediamtx-pulls.xml");
    let paths = recorded("mediamtx/paths-list-four-renditions.json");
    let stat_url = format!("http://{}/stat", serve(move |_, _| stat.clone()));
    let api_url = format!("http://{}", serve(move |_, _| paths.clone()));
    let servers = ["--nginx-stat-url", &stat_url, "--mediamtx-url", &api_url];
    let page = Exporter::start(&stage, &servers).page();
    well_formed(&stage, &page);
    let listed = stage.msconv(&[&["list", "--all", "--json"], &servers[..]].concat()).expect(0).json();
    let mut compared = 0;
    for stream in listed["streams"].as_array().unwrap() {
        for rendition in stream["renditions"].as_array().unwrap() {
            // A name that only waits for a publisher is not being published.
            if rendition["state"] == "pending" {
                continue;
            }
            let [application, key, label] =
                [&stream["application"], &stream["key"], &rendition["label"]].map(|v| v.as_str().unwrap());
            let labels = format!("{{application=\"{application}\",stream=\"{key}\",variant=\"{label}\"}}");
            let viewers = value(&page, &format!("msconv_rendition_viewers{labels}"));
            assert_eq!(viewers, rendition["viewers"].as_f64(), "{labels}: {page}");
            compared += 1;
        }
    }
    assert!(compared >= 4, "{listed}");
    assert_eq!(page.matches("\nmsconv_rendition_viewers{").count(), compared, "{page}\n{listed}");
}

/// Answers each connection with `act`; its address.
fn rogue(act: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let act = std::sync::Arc::new(act);
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let act = act.clone();
            std::thread::spawn(move || {
                let _ = socket.read(&mut [0; 4096]);
                act(socket);
            });
        }
    });
    address.to_string()
}

fn says(text: &'static [u8]) -> impl Fn(TcpStream) + Send + Sync {
    move |mut socket| drop(socket.write_all(text))
}

#[test]
fn servers_that_lie_dawdle_or_never_end_are_told_by_name() {
    let stage = Stage::new("monitoring-rogues");
    let endless = |mut socket: TcpStream| {
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<rtmp>");
        while socket.write_all(&[b' '; 65536]).is_ok() {}
    };
    let drip = |mut socket: TcpStream| {
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        let mut byte = [0];
        socket.set_read_timeout(Some(std::time::Duration::from_millis(100))).unwrap();
        // A byte each tenth of a second, until the other side goes.
        while socket.write_all(b" ").is_ok() && !matches!(socket.read(&mut byte), Ok(0)) {}
    };
    let silent = |mut socket: TcpStream| drop(socket.read(&mut [0; 16]));
    let two_gigabytes: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n<rtmp>";
    let cases: Vec<(&[&str], String)> = vec![
        (&["garbage"], rogue(says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))),
        (&["garbage"], rogue(says(b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n<!doctype html><html>"))),
        (&["garbage"], rogue(says(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n<rtmp><server><appli"))),
        (&["garbage"], rogue(says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))),
        (&["not_http"], rogue(says(b"220 mail ready\r\n"))),
        (&["closed_early"], rogue(says(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<rtmp>"))),
        (&["http_status"], rogue(says(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"))),
        (&["not_allowed"], rogue(says(b"HTTP/1.1 401 Who\r\nContent-Length: 0\r\n\r\n"))),
        (
            &["redirect"],
            rogue(says(b"HTTP/1.1 302 Away\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")),
        ),
        (&["too_large"], rogue(says(two_gigabytes))),
        // Which bound comes first depends on the machine.
        (&["too_large", "timed_out"], rogue(endless)),
        (&["timed_out"], rogue(drip)),
        (&["timed_out"], rogue(silent)),
    ];
    for (words, address) in cases {
        // Both servers at once: their time limits do not add up.
        let (stat, api) = (format!("http://{address}/stat"), format!("http://{address}"));
        let exporter = Exporter::start(&stage, &["--nginx-stat-url", &stat, "--mediamtx-url", &api]);
        let page = exporter.page();
        well_formed(&stage, &page);
        for server in ["nginx-rtmp", "mediamtx"] {
            assert_eq!(
                value(&page, &format!("msconv_server_up{{server=\"{server}\"}}")),
                Some(0.0),
                "{page}"
            );
        }
        let told = |word: &&&str| {
            value(&page, &format!("msconv_server_fault{{server=\"nginx-rtmp\",fault=\"{word}\"}}"))
                == Some(1.0)
        };
        assert!(words.iter().any(|word| told(&word)), "{words:?}: {page}");
        assert!(page.contains("\nmsconv_exporter_collect_seconds "), "{page}");
    }
}

#[test]
fn names_of_strangers_are_bounded_and_never_break_the_page() {
    let stage = Stage::new("monitoring-names");
    let mut names: Vec<String> = (0..2000).map(|n| format!("flood{n}")).collect();
    let long = "x".repeat(250);
    // As the server escapes them in XML.
    let odd = [
        "&quot;} 1",
        "a\\",
        "a&#10;b 2",
        "&lt;b&gt;",
        "поток",
        "&#x202e;evil",
        "&#27;[31m",
        "{stream=&quot;x&quot;}",
        "",
        " ",
        "a_720p_720p",
        "original",
        "x_original",
        "_720p",
    ];
    names.extend(odd.map(str::to_string));
    // Cut to the length of a label these are one.
    names.extend([format!("{long}1"), format!("{long}2")]);
    let address = serve(move |count, _| page(&names, count));
    let exporter = Exporter::start(&stage, &["--nginx-stat-url", &format!("http://{address}/stat")]);
    let page = exporter.page();
    well_formed(&stage, &page);
    let listed = page.lines().filter(|l| l.starts_with("msconv_rendition_viewers{")).count();
    assert_eq!(listed, 500);
    let left_out = value(&page, "msconv_exporter_streams_left_out").unwrap();
    assert!(left_out >= 1500.0, "{left_out}");
    assert!(page.len() < 2_000_000 && page.lines().all(|l| l.len() < 2_000));

    let few: Vec<String> =
        odd.iter().map(|s| s.to_string()).chain([format!("{long}1"), format!("{long}2")]).collect();
    let address = serve(move |count, _| self::page(&few, count));
    let exporter = Exporter::start(&stage, &["--nginx-stat-url", &format!("http://{address}/stat")]);
    let page = exporter.page();
    well_formed(&stage, &page);
    assert_eq!(
        value(&page, "msconv_exporter_streams_left_out"),
        Some(1.0),
        "the two long ones are one: {page}"
    );
    assert!(page.contains(r#"stream="\"} 1""#) && page.contains(r#"stream="a\\""#), "{page}");
    assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}'), "{page}");
}

#[test]
fn the_endpoint_answers_within_its_rules() {
    let stage = Stage::new("monitoring-endpoint");
    let exporter = Exporter::start(&stage, &[]);
    let ask = |method: &str, target: &str, fields: &str| {
        let host = if fields.contains("Host:") { "" } else { "Host: localhost\r\n" };
        let text = format!("{method} {target} HTTP/1.1\r\n{host}Connection: close\r\n{fields}\r\n");
        raw(exporter.address, text.as_bytes())
    };
    for (method, target, fields, status) in [
        ("GET", "/metrics", "", 200),
        ("HEAD", "/metrics", "", 200),
        ("GET", "/metrics?x=y", "", 200),
        ("GET", "/health", "", 200),
        ("GET", "/", "", 404),
        ("POST", "/metrics", "", 405),
        ("GET", "/metrics", "Origin: http://evil.example\r\n", 403),
        ("GET", "/metrics", "Host: rebound.example\r\n", 403),
        ("POST", "/metrics", "Content-Length: 99999999\r\n", 413),
    ] {
        let answer = ask(method, target, fields);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {target} {fields}: {answer}");
    }
    wait_for("the broken limit", SOON, || {
        exporter.value("msconv_exporter_limit_exceeded_total{limit=\"http_body\"}") == Some(1.0)
    });
    let taken = exporter.address.to_string();
    stage.msconv(&["exporter", "--listen", &taken]).expect(6).says("is taken by");
    stage.msconv(&["exporter", "--listen", "9781"]).expect(2).says("127.0.0.1:9781");
    exporter.end();

    // A home that cannot be read is told, and the page comes all the same.
    std::fs::create_dir_all(stage.file("other/pids")).unwrap();
    std::fs::write(stage.file("other/pids/.state"), "no folder").unwrap();
    let exporter = Exporter::start(&stage, &["--home", "other"]);
    assert_eq!(exporter.value("msconv_exporter_home_readable"), Some(0.0));
    let exporter = Exporter::start(&stage, &[]);
    assert_eq!(
        exporter.value("msconv_exporter_home_readable"),
        Some(1.0),
        "nothing published yet is no fault"
    );
}
