//! The control endpoints of `msconv serve` as programs see them: real streams, raw requests, Prometheus' own checker.

use crate::stage::{Running, Serve, Stage, checked_metrics, film, needs, raw, wait_for};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(60);

/// ffmpeg publishing a short film for ever, without msconv.
fn publisher(stage: &Stage, serve: &Serve, name: &str) -> Running {
    let (clip, url) = (film(8, 426, 240), format!("rtmp://{}/live/{name}", serve.address("rtmp")));
    let args = ["-nostdin", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", clip.to_str().unwrap()];
    let running = stage.spawn("ffmpeg", &[&args[..], &["-c", "copy", "-f", "flv", &url]].concat());
    wait_for(&format!("{name} to be ready"), SOON, || {
        let path = serve.get("api", &format!("/v3/paths/get/{name}"));
        if path.status == 200 && path.json()["ready"] == true {
            Ok(())
        } else {
            Err(running.stderr() + &path.body)
        }
    });
    running
}

/// ffmpeg reading a name over RTMP, for ever.
fn reader(stage: &Stage, serve: &Serve, name: &str) -> Running {
    let url = format!("rtmp://{}/live/{name}", serve.address("rtmp"));
    stage.spawn("ffmpeg", &["-nostdin", "-loglevel", "error", "-i", &url, "-c", "copy", "-f", "null", "-"])
}

fn item<'a>(list: &'a Value, state: &str) -> Option<&'a Value> {
    list["items"].as_array()?.iter().find(|i| i["state"] == state)
}

#[test]
fn an_idle_server_answers_on_every_endpoint() {
    let stage = Stage::new("endpoints-idle");
    let serve = Serve::start(&stage, &[]);
    let stat = serve.get("stat", "/stat");
    assert_eq!((stat.status, stat.field("content-type")), (200, Some("text/xml")));
    assert!(stat.body.contains("<name>live</name>\r\n<live>\r\n<nclients>0</nclients>"), "{}", stat.body);
    let info = serve.get("api", "/v3/info");
    assert_eq!(info.field("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!((info.field("server"), &info.json()["version"]), (Some("mediamtx"), &"v1.20.1".into()));
    assert_eq!(serve.get("api", "/v3/paths/list").body, r#"{"itemCount":0,"pageCount":0,"items":[]}"#);
    let metrics = serve.get("metrics", "/metrics");
    assert_eq!(metrics.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(metrics.body.starts_with("# Paths\npaths 0\n"), "{}", metrics.body);
    for endpoint in ["stat", "api", "metrics"] {
        let health = serve.get(endpoint, "/health");
        assert_eq!((health.status, &health.json()["status"]), (200, &"ok".into()));
        assert_eq!(health.json()["serving"]["rtmp"], true, "{}", health.body);
        let nowhere = serve.get(endpoint, "/nowhere");
        assert_eq!((nowhere.status, nowhere.field("content-type")), (404, Some("text/plain")), "{endpoint}");
    }
    for (method, endpoint, target) in [
        ("DELETE", "stat", "/stat"),
        ("POST", "metrics", "/metrics"),
        ("GET", "stat", "/control/drop/publisher"),
        ("GET", "stat", "/stat/"),
        ("GET", "api", "/v3/config/global/get"),
        ("OPTIONS", "api", "/v3/paths/list"),
    ] {
        assert_eq!(serve.ask(endpoint, method, target, "").status, 404, "{method} {target}");
    }
    let head = serve.ask("stat", "HEAD", "/stat", "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.field("content-length").map(|n| n.parse::<usize>().unwrap() > 300), Some(true));
}

#[test]
fn streams_and_viewers_are_on_every_endpoint() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("endpoints-live");
    let serve = Serve::start(&stage, &[]);
    let _publisher = publisher(&stage, &serve, "cam1");
    let _other = publisher(&stage, &serve, "cam2");
    let _reader = reader(&stage, &serve, "cam1");
    let list = wait_for("the reader", SOON, || {
        let list = serve.get("api", "/v3/rtmpconns/list").json();
        item(&list, "read").map(|_| list.clone()).ok_or_else(|| list.to_string())
    });
    assert_eq!(list["itemCount"], 3);
    let reading = item(&list, "read").unwrap();
    assert_eq!((&reading["path"], &reading["userAgent"]), (&"cam1".into(), &"LNX 9,0,124,2".into()));
    let path = serve.get("api", "/v3/paths/get/cam1").json();
    assert_eq!(path["source"]["type"], "rtmpConn");
    assert_eq!(path["readers"][0]["id"], reading["id"]);
    assert_eq!(path["tracks2"][0]["codecProps"]["width"], 426);

    // Byte counters live: they grow between any two looks.
    let bytes = || serve.get("api", "/v3/paths/get/cam1").json()["inboundBytes"].as_u64().unwrap();
    let before = bytes();
    wait_for("bytes to grow", SOON, || bytes() > before);
    let page = wait_for("the reader on /stat", SOON, || {
        let page = serve.get("stat", "/stat").body;
        let stream = page.split("<stream>").find(|s| s.contains("<name>cam1</name>")).map(str::to_string);
        stream.filter(|s| s.contains("<nclients>2</nclients>")).ok_or(page)
    });
    assert!(page.contains("<width>426</width><height>240</height>"), "{page}");
    assert!(
        page.contains("<flashver>LNX 9,0,124,2</flashver>")
            && page.contains("<publishing/><active/></client>")
    );
    wait_for("a rate", SOON, || {
        let page = serve.get("stat", "/stat").body;
        let rate = page.split("<bw_video>").nth(1).and_then(|s| s.split('<').next()?.parse::<u64>().ok());
        rate.is_some_and(|bits| bits > 10_000)
    });
    let metrics = serve.get("metrics", "/metrics").body;
    for line in [
        "paths{name=\"cam1\",state=\"ready\"} 1\n",
        "paths_readers{name=\"cam1\",readerType=\"rtmpConn\",state=\"ready\"} 1\n",
        "msconv_streams 2\n",
        "msconv_readers 1\n",
        "msconv_connections{protocol=\"rtmp\",state=\"publish\"} 2\n",
        "msconv_stream_readers{stream=\"cam1\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    let first = serve.get("api", "/v3/paths/list?itemsPerPage=1").json();
    assert_eq!(
        (&first["itemCount"], &first["pageCount"], &first["items"][0]["name"]),
        (&2.into(), &2.into(), &"cam1".into())
    );
    let second = serve.get("api", "/v3/paths/list?itemsPerPage=1&page=1").json();
    assert_eq!(second["items"][0]["name"], "cam2");
    assert_eq!(
        serve.get("api", "/v3/paths/list?itemsPerPage=1&page=9").json()["items"],
        Value::Array(vec![])
    );
}

#[test]
fn a_kick_ends_its_client_and_nobody_else() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("endpoints-kick");
    let serve = Serve::start(&stage, &[]);
    let mut publisher = publisher(&stage, &serve, "cam1");
    let mut kicked = reader(&stage, &serve, "cam1");
    let find = |state: &str| {
        wait_for(&format!("one that {state}s"), SOON, || {
            let list = serve.get("api", "/v3/rtmpconns/list").json();
            item(&list, state).map(|i| i["id"].as_str().unwrap().to_string()).ok_or_else(|| list.to_string())
        })
    };
    let id = find("read");
    let wrong = serve.ask("api", "POST", &format!("/v3/rtspsessions/kick/{id}"), "");
    assert_eq!(
        (wrong.status, wrong.body.as_str()),
        (404, r#"{"status":"error","error":"session not found"}"#)
    );
    assert_eq!(
        serve.ask("api", "GET", &format!("/v3/rtmpconns/kick/{id}"), "").status,
        404,
        "a look does nothing"
    );
    let page = "Origin: https://evil.example\r\n";
    assert_eq!(
        serve.ask("api", "POST", &format!("/v3/rtmpconns/kick/{id}"), page).status,
        403,
        "a web page may not"
    );
    assert!(kicked.running());
    let ok = serve.ask("api", "POST", &format!("/v3/rtmpconns/kick/{id}"), "Content-Length: 0\r\n");
    assert_eq!((ok.status, ok.body.as_str()), (200, r#"{"status":"ok"}"#));
    wait_for("the reader to end", SOON, || !kicked.running());
    assert!(publisher.running(), "the publisher stays");
    let again = serve.ask("api", "POST", &format!("/v3/rtmpconns/kick/{id}"), "");
    assert_eq!(again.body, r#"{"status":"error","error":"connection not found"}"#);
    let id = find("publish");
    assert_eq!(serve.ask("api", "POST", &format!("/v3/rtmpconns/kick/{id}"), "").status, 200);
    wait_for("the publisher to end", SOON, || !publisher.running());
    wait_for("the name to be free", SOON, || {
        let path = serve.get("api", "/v3/paths/get/cam1");
        if path.status == 404 || path.json()["ready"] == false { Ok(()) } else { Err(path.body) }
    });
}

#[test]
fn requests_beyond_their_bounds_are_refused_while_others_are_served() {
    let stage = Stage::new("endpoints-bounds");
    let serve = Serve::start(&stage, &[]);
    let api = serve.address("api");
    let long = "a".repeat(5000);
    let many: String = (0..101).map(|n| format!("X-{n}: y\r\n")).collect();
    for (request, status) in [
        (format!("GET /v3/{long} HTTP/1.1\r\nHost: x\r\n\r\n"), 414),
        (format!("GET /v3/info HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(17_000)), 431),
        (format!("GET /v3/info HTTP/1.1\r\nHost: x\r\n{many}\r\n"), 431),
        ("POST /v3/rtmpconns/kick/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n".into(), 413),
        (
            format!(
                "POST /v3/info HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n{}",
                "b".repeat(70_000)
            ),
            413,
        ),
        ("\u{1}\u{2}\u{3}\r\n\r\n".into(), 400),
    ] {
        let said = raw(api, request.as_bytes());
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {said:?}");
    }
    let metrics = serve.get("metrics", "/metrics").body;
    for limit in ["http_target", "http_field", "http_head", "http_body"] {
        assert!(
            metrics.contains(&format!("msconv_limit_exceeded_total{{limit=\"{limit}\"}} ")),
            "{limit}: {metrics}"
        );
    }
    // A thousand that say nothing: the last request is served all the same.
    let crowd: Vec<TcpStream> = (0..1000).filter_map(|_| TcpStream::connect(api).ok()).collect();
    assert!(crowd.len() > 900, "{}", crowd.len());
    assert_eq!(serve.get("api", "/v3/info").status, 200);
    assert_eq!(serve.get("stat", "/stat").status, 200);
}

#[test]
fn a_slow_request_is_ended_and_nobody_waits_for_it() {
    let stage = Stage::new("endpoints-slow");
    let serve = Serve::start(&stage, &[]);
    let begun = Instant::now();
    let mut slow = TcpStream::connect(serve.address("api")).unwrap();
    slow.set_read_timeout(Some(SOON)).unwrap();
    slow.write_all(b"GET /v3/info HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
    assert_eq!(serve.get("api", "/v3/info").status, 200);
    let mut said = String::new();
    let _ = slow.read_to_string(&mut said);
    assert!(said.starts_with("HTTP/1.1 408 "), "{said:?}");
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(9), "its ten seconds were cut to {took:?}");
}

#[test]
fn prometheus_accepts_our_metrics() {
    if !needs("promtool") || !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("endpoints-promtool");
    let serve = Serve::start(&stage, &[]);
    let check = |page: &str| checked_metrics(&stage, page);
    let looks = || {
        let own = serve.get("metrics", "/metrics?type=msconv").body;
        let (code, said) = check(&own);
        assert_eq!(code, Some(0), "{said}\n{own}");
        // The others keep MediaMTX's form, which its own checker finds fault with; but every line of it is read.
        let (code, said) = check(&serve.get("metrics", "/metrics").body);
        assert!(code != Some(1), "{said}");
        assert!(!said.contains("msconv_"), "{said}");
    };
    looks();
    let _publisher = publisher(&stage, &serve, "cam1");
    let _ = raw(serve.address("api"), b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n");
    looks();
}

#[test]
fn strangers_get_health_and_nothing_else() {
    let stage = Stage::new("endpoints-strangers");
    let Some(own) = outer_address() else {
        eprintln!("skipped: this machine has no address but loopback");
        return;
    };
    let password = stage.file("pw");
    std::fs::write(&password, "hunter22\n").unwrap();
    let there = |serve: &Serve, endpoint: &str, request: &str| {
        let address = (own, serve.address(endpoint).port()).into();
        raw(address, format!("{request}Connection: close\r\n\r\n").as_bytes())
    };
    let kick = "POST /v3/rtmpconns/kick/00000000-0000-0000-0000-000000000000 HTTP/1.1\r\nHost: h\r\n";
    let looks = [
        ("stat", "GET /stat HTTP/1.1\r\nHost: h\r\n"),
        ("api", "GET /v3/paths/list HTTP/1.1\r\nHost: h\r\n"),
        ("metrics", "GET /metrics HTTP/1.1\r\nHost: h\r\n"),
        ("api", kick),
    ];
    // Without a password: this machine alone, by whichever address.
    let serve = Serve::start(&stage, &["--listen", "0.0.0.0"]);
    wait_for("the warning", SOON, || serve.running().stderr().contains("publishing by this machine alone"));
    for (endpoint, request) in looks {
        let said = there(&serve, endpoint, request);
        assert!(said.starts_with("HTTP/1.1 403 ") && said.contains("answer this machine only"), "{said}");
    }
    assert!(there(&serve, "api", "GET /health HTTP/1.1\r\nHost: h\r\n").starts_with("HTTP/1.1 200 "));
    assert_eq!(serve.get("api", "/v3/info").status, 200, "from this machine");
    drop(serve);

    // With one: whoever knows it. Ten wrong guesses shut an address out.
    let flag = format!("--publish-password-file={}", password.display());
    let serve = Serve::start(&stage, &["--listen", "0.0.0.0", &flag]);
    for (endpoint, request) in looks {
        let said = there(&serve, endpoint, request);
        assert!(said.starts_with("HTTP/1.1 401 ") && said.contains("Www-Authenticate: Basic"), "{said}");
        // publish:hunter22
        let said =
            there(&serve, endpoint, &format!("{request}Authorization: Basic cHVibGlzaDpodW50ZXIyMg==\r\n"));
        assert!(said.starts_with("HTTP/1.1 200 ") || said.contains("connection not found"), "{said}");
    }
    assert!(!serve.running().stderr().contains("hunter22"));
    drop(serve);

    // A trusted network needs none.
    let serve = Serve::start(&stage, &["--listen", "0.0.0.0", "--trusted", &own.to_string()]);
    assert!(there(&serve, "stat", looks[0].1).starts_with("HTTP/1.1 200 "));
    // And with the endpoints on loopback a stranger finds nothing at all.
    drop(serve);
    let serve = Serve::start(&stage, &["--listen", "0.0.0.0", "--control-listen", "127.0.0.1"]);
    assert!(TcpStream::connect((own, serve.address("api").port())).is_err());
    let mut serve = serve.into_running();
    serve.signal(Signal::SIGTERM);
    wait_for("its end", SOON, || !serve.running());
}

/// An address of this machine that is not loopback.
pub fn outer_address() -> Option<std::net::IpAddr> {
    // Nothing is sent: connecting a datagram socket only asks which way it would go.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}
