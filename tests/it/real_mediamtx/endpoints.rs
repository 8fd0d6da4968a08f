//! The built-in server's `/v3` and `/metrics` against a real MediaMTX's: the same publishers and readers on both, and
//! the same questions to both. Whatever the two do not say alike is named in docs/reference/server.md.

use super::{SOON, publisher, reader, ready};
use crate::stage::{Answer, Mediamtx, Running, Serve, Stage, ask, film, made, mediamtx, needs, wait_for};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Both servers, with their publishers and readers.
struct Pair {
    real: Mediamtx,
    ours: Serve,
    _clients: Vec<Running>,
}

/// Who may read there what: with this password on both servers.
const PASSWORD: &str = "hunter22";

impl Pair {
    fn start(stage: &Stage, program: &std::path::Path) -> Pair {
        let users = "authInternalUsers:\n  - user: any\n    permissions: [{action: publish}, {action: api}, {action: metrics}]\n";
        let reads = format!("  - user: read\n    pass: {PASSWORD}\n    permissions: [{{action: read}}]\n");
        let paths = "pathDefaults:\n  overridePublisher: no\npaths:\n  all_others:\n";
        let real = Mediamtx::start(stage, program, &format!("{users}{reads}{paths}"));
        let file = stage.file("password");
        std::fs::write(&file, PASSWORD).unwrap();
        let ours = Serve::start(stage, &[&format!("--read-password-file={}", file.display())]);
        Pair { real, ours, _clients: Vec::new() }
    }

    /// Where a part of each listens: MediaMTX first.
    fn addresses(&self, part: &str) -> [SocketAddr; 2] {
        [self.real.address(part), self.ours.address(part)]
    }

    /// The same question to both.
    fn ask(&self, endpoint: &str, method: &str, target: &str) -> [Answer; 2] {
        self.addresses(endpoint).map(|address| ask(address, method, target, "Content-Length: 0\r\n"))
    }

    /// Four streams, by RTMP and by RTSP over TCP and UDP, the last one of two languages, and three readers of the first
    /// on both.
    fn populate(&mut self, stage: &Stage) {
        let clip = film(8, 426, 240);
        let modern = made(
            "h265-opus.mkv",
            &[
                "-f",
                "lavfi",
                "-i",
                "testsrc2=size=320x180:rate=25:duration=4",
                "-f",
                "lavfi",
                "-i",
                "sine=frequency=440:sample_rate=48000:duration=4",
                "-c:v",
                "libx265",
                "-preset",
                "ultrafast",
                "-x265-params",
                "log-level=error:keyint=25:bframes=0",
                "-c:a",
                "libopus",
                "-ac",
                "2",
                "-f",
                "matroska",
            ],
        );
        let (rtmp, rtsp) = (self.addresses("rtmp"), self.addresses("rtsp"));
        for (rtmp, rtsp, folder) in [(rtmp[0], rtsp[0], ""), (rtmp[1], rtsp[1], "live/")] {
            let url = |name: &str| format!("rtsp://{rtsp}/{name}");
            let over = |transport, name| {
                ["-f", "rtsp", "-rtsp_transport", transport]
                    .map(str::to_string)
                    .into_iter()
                    .chain([url(name)])
                    .collect::<Vec<_>>()
            };
            let flv = ["-f".to_string(), "flv".into(), format!("rtmp://{rtmp}/{folder}cam1")].to_vec();
            let languages = ["-map", "0:v", "-map", "0:a", "-map", "0:a"].map(str::to_string).into_iter();
            let languages = languages.chain(over("tcp", "cam4")).collect();
            let all = [
                (&clip, flv),
                (&clip, over("tcp", "cam2")),
                (&modern, over("udp", "cam3")),
                (&clip, languages),
            ];
            for (film, more) in all {
                let more: Vec<&str> = more.iter().map(String::as_str).collect();
                self._clients.push(publisher(stage, film, &more));
            }
        }
        for name in ["cam1", "cam2", "cam3", "cam4"] {
            ready(&self.real, name);
            wait_for(&format!("{name} here"), SOON, || {
                let answer = self.ours.get("api", &format!("/v3/paths/get/{name}"));
                if answer.status == 200 && answer.json()["ready"] == true { Ok(()) } else { Err(answer.body) }
            });
        }
        for (rtmp, rtsp, folder) in [(rtmp[0], rtsp[0], ""), (rtmp[1], rtsp[1], "live/")] {
            let rtsp = format!("rtsp://read:{PASSWORD}@{rtsp}/cam1");
            let tcp = reader(stage, &format!("{rtsp}?a=b"), &["-rtsp_transport", "tcp"], None);
            let udp = reader(stage, &rtsp, &["-rtsp_transport", "udp"], None);
            let rtmp = format!("rtmp://{rtmp}/{folder}cam1?user=read&pass={PASSWORD}");
            self._clients.extend([tcp, udp, reader(stage, &rtmp, &[], None)]);
        }
        // Until every reader has packets on both.
        for (endpoint, field) in [("rtspsessions", "outboundRTPPackets"), ("rtmpconns", "outboundBytes")] {
            wait_for(&format!("the readers in {endpoint}"), SOON, || {
                let lists = self.ask("api", "GET", &format!("/v3/{endpoint}/list"));
                let served = |list: &Answer| {
                    let items = list.json()["items"].as_array().cloned().unwrap_or_default();
                    let reads = items.iter().filter(|i| i["state"] == "read" && i[field].as_u64() > Some(50));
                    reads.count() == if endpoint == "rtmpconns" { 1 } else { 2 }
                };
                let said = || self._clients.iter().map(Running::stderr).collect::<String>();
                if lists.iter().all(served) { Ok(()) } else { Err(format!("{lists:?}\n{}", said())) }
            });
        }
    }
}

/// What an answer says without what is another on each server: ids, addresses and times by their form, counters by
/// whether they are 0, and those that depend on the moment by being numbers.
fn form(value: &Value) -> Value {
    form_of("", value, "")
}

fn form_of(key: &str, value: &Value, state: &str) -> Value {
    let of_the_moment = |key: &str| {
        let key = key.to_ascii_lowercase();
        let reports = key.contains("rtcp") || key.contains("jitter") || key.contains("lost");
        // Bytes in the direction in which only reports go.
        let back = match state {
            "read" => key == "inboundbytes" || key == "bytesreceived",
            "publish" => key == "outboundbytes" || key == "bytessent",
            _ => false,
        };
        reports || back
    };
    match value {
        Value::Object(fields) => {
            let state = fields.get("state").and_then(Value::as_str).unwrap_or("");
            fields.iter().map(|(name, value)| (name.clone(), form_of(name, value, state))).collect()
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|item| form_of(key, item, state)).collect();
            if matches!(key, "items" | "readers") {
                items.sort_by_key(Value::to_string);
            }
            Value::Array(items)
        }
        Value::Number(n) if of_the_moment(key) => {
            assert!(n.as_f64() >= Some(0.0), "{key} {n}");
            json!("number")
        }
        Value::Number(_) if key.contains("ytes") || key.contains("ackets") => {
            json!(if value == &json!(0) { "0" } else { "some" })
        }
        Value::String(text) if matches!(key, "id" | "session" | "conns") => {
            json!(if uuid::Uuid::parse_str(text).is_ok() { "id" } else { text })
        }
        Value::String(text) if key == "remoteAddr" => {
            json!(if text.parse::<SocketAddr>().is_ok_and(|a| a.ip().is_loopback()) {
                "address"
            } else {
                text
            })
        }
        Value::String(text) if key.ends_with("Time") || key == "created" || key == "started" => {
            json!(if msconv::base::clock::parse_stamp(text).is_some() { "time" } else { text })
        }
        // Ours is masked where there is one.
        Value::String(text) if key == "query" && !text.is_empty() => json!("a query"),
        other => other.clone(),
    }
}

/// The keys of a JSON text in its own order.
fn keys(text: &str) -> Vec<&str> {
    let words = text.split('"').collect::<Vec<_>>();
    words.windows(2).filter(|pair| pair[1].starts_with(':')).map(|pair| pair[0]).collect()
}

/// Lines of MediaMTX's own metrics without ids, addresses and moments.
fn series(page: &str) -> (Vec<String>, Vec<String>) {
    let mut lines = Vec::new();
    let mut order = Vec::new();
    for line in page.split("# msconv\n").next().unwrap_or_default().lines().filter(|l| !l.is_empty()) {
        let title = line.split(['{']).next().unwrap_or(line);
        let title = if title.starts_with('#') { title } else { title.split(' ').next().unwrap_or(title) };
        if !order.iter().any(|seen| seen == title) {
            order.push(title.to_string());
        }
        let mut line = line.to_string();
        for label in ["id", "remoteAddr"] {
            if let Some((head, tail)) = line.split_once(&format!("{label}=\"")) {
                line = format!("{head}{label}=\"{}", tail.split_once('"').map_or("", |(_, t)| t));
            }
        }
        if let Some((name, value)) = line.clone().rsplit_once(' ').filter(|_| !line.starts_with('#')) {
            let number: f64 = value.parse().unwrap_or_else(|e| panic!("{e}: {line}"));
            let reports = ["rtcp", "jitter", "lost"].iter().any(|word| name.contains(word));
            let back = (name.contains("state=\"read\"")
                && (name.contains("inbound_bytes{") || name.contains("received{")))
                || (name.contains("state=\"publish\"")
                    && (name.contains("outbound_bytes{") || name.contains("sent{")));
            let shown = match () {
                () if reports || back => "number".to_string(),
                () if number > 9.0 => "some".to_string(),
                () => value.to_string(),
            };
            line = format!("{name} {shown}");
        }
        lines.push(line);
    }
    lines.sort();
    (lines, order)
}

fn same(
    what: &str,
    real: impl std::fmt::Debug + PartialEq,
    ours: impl std::fmt::Debug + PartialEq,
    equal: bool,
) {
    assert!(equal, "{what}\nMediaMTX: {real:#?}\nours: {ours:#?}");
}

/// The whole answers, word for word.
fn alike(pair: &Pair, endpoint: &str, method: &str, target: &str) {
    let [real, ours] = pair.ask(endpoint, method, target);
    let whole = |answer: &Answer| {
        // The metrics' own type names its version besides; an empty answer needs none.
        let kind = answer.field("content-type").and_then(|k| k.split(';').next()).map(str::to_string);
        (answer.status, kind.filter(|_| !answer.body.is_empty()), answer.body.trim_end().to_string())
    };
    let (real, ours) = (whole(&real), whole(&ours));
    same(&format!("{method} {target}"), &real, &ours, real == ours);
}

#[test]
fn our_endpoints_say_what_mediamtx_says() {
    let Some(program) = mediamtx() else { return };
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("mtx-endpoints");
    let mut pair = Pair::start(&stage, &program);
    // While nobody is there.
    for target in ["paths/list", "rtspsessions/list", "rtspconns/list", "rtmpconns/list"] {
        alike(&pair, "api", "GET", &format!("/v3/{target}"));
    }
    compare_metrics(&pair, "");
    alike(&pair, "metrics", "GET", "/metrics?path=none");

    pair.populate(&stage);
    for target in [
        "info",
        "paths/list",
        "rtspsessions/list",
        "rtspconns/list",
        "rtmpconns/list",
        "paths/get/cam1",
        "paths/get/cam2",
        "paths/get/cam3",
        "paths/get/cam4",
        "paths/list?itemsPerPage=2",
        "paths/list?itemsPerPage=2&page=1",
    ] {
        let [real, ours] = pair.ask("api", "GET", &format!("/v3/{target}"));
        assert_eq!((real.status, ours.status), (200, 200), "{target}");
        let (theirs, own) = (form(&real.json()), form(&ours.json()));
        same(target, &theirs, &own, theirs == own);
        let order =
            |answer: &Answer| keys(&answer.body).into_iter().map(str::to_string).collect::<BTreeSet<_>>();
        same(target, order(&real), order(&ours), order(&real) == order(&ours));
        if target.contains("get") || target == "info" {
            same(target, keys(&real.body), keys(&ours.body), keys(&real.body) == keys(&ours.body));
        }
        for field in ["server", "content-type"] {
            assert_eq!(real.field(field), ours.field(field), "{target}");
        }
    }
    // Each item by its id is what the list has.
    for (list, state) in
        [("rtspsessions", "publish"), ("rtspsessions", "read"), ("rtmpconns", "read"), ("rtspconns", "")]
    {
        let items = pair.ask("api", "GET", &format!("/v3/{list}/list")).map(|answer| {
            let items = answer.json()["items"].as_array().cloned().unwrap_or_default();
            items.into_iter().find(|i| state.is_empty() || i["state"] == state).unwrap()
        });
        let one = |address, item: &Value| {
            ask(address, "GET", &format!("/v3/{list}/get/{}", item["id"].as_str().unwrap()), "")
        };
        let [real, ours] = pair.addresses("api");
        let (real, ours) = (one(real, &items[0]), one(ours, &items[1]));
        same(list, keys(&real.body), keys(&ours.body), keys(&real.body) == keys(&ours.body));
    }
    compare_what_does_not_exist(&pair);
    for query in [
        "",
        "?type=paths",
        "?type=rtsp_sessions",
        "?type=rtmp_conns",
        "?type=rtsp_conns",
        "?type=x",
        "?path=cam1",
        "?path=none",
        "?rtmp_conn=x",
        "?rtsp_session=x",
        "?rtsp_conn=x",
        "?type=paths&rtmp_conn=x",
        "?type=rtmp_conns&path=cam1",
    ] {
        compare_metrics(&pair, query);
    }
    compare_a_session_that_waits(&pair);
    compare_refusals(&pair);
    compare_kicks(&pair);
}

fn compare_metrics(pair: &Pair, query: &str) {
    let [real, ours] = pair.ask("metrics", "GET", &format!("/metrics{query}"));
    assert_eq!((real.status, ours.status), (200, 200), "{query}");
    let ((real, theirs), (ours, own)) = (series(&real.body), series(&ours.body));
    let (only_real, only_ours): (Vec<_>, Vec<_>) = (
        real.iter().filter(|l| !ours.contains(l)).collect(),
        ours.iter().filter(|l| !real.contains(l)).collect(),
    );
    same(&format!("metrics{query}"), only_real, only_ours, real == ours);
    same(&format!("the order of metrics{query}"), &theirs, &own, theirs == own);
}

fn compare_what_does_not_exist(pair: &Pair) {
    let nobody = "00000000-0000-0000-0000-000000000000";
    for target in [
        "/v3/paths/get/none",
        "/v3/paths/get/",
        "/v3/paths/get//cam1",
        "/v3/paths/list?page=x",
        "/v3/paths/list?page=-1",
        "/v3/paths/list?page=9",
        "/v3/paths/list?itemsPerPage=0",
        "/v3/paths/list?itemsPerPage=99999999999",
        "/v3/paths/list?itemsPerPage=1e2",
        "/v3/rtspsessions/get/abc",
        "/v3/rtmpconns/get/",
        "/v3/hlsmuxers/list",
        "/v3/srtconns/list",
        "/v3/rtmpsconns/list",
        "/v3/rtspsconns/list",
        "/v3/nowhere",
        "/v3/",
        "/v3",
        "/",
        "/v2/paths/list",
    ] {
        alike(pair, "api", "GET", target);
    }
    for kind in ["rtspsessions", "rtspconns", "rtmpconns"] {
        for id in [nobody, "zzzzzzzz-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}"] {
            alike(pair, "api", "GET", &format!("/v3/{kind}/get/{id}"));
            alike(pair, "api", "POST", &format!("/v3/{kind}/kick/{id}"));
        }
    }
    for (endpoint, method, target) in [
        ("api", "POST", "/v3/paths/list"),
        ("api", "DELETE", "/v3/paths/get/cam1"),
        ("api", "GET", "/metrics"),
        ("metrics", "POST", "/metrics"),
        ("metrics", "GET", "/"),
        ("metrics", "GET", "/v3/paths/list"),
    ] {
        alike(pair, endpoint, method, target);
    }
}

/// One that has set up a track and does not play.
fn compare_a_session_that_waits(pair: &Pair) {
    let waiting = pair.addresses("rtsp").map(|address| {
        let mut socket = TcpStream::connect(address).unwrap();
        let login = "Authorization: Basic cmVhZDpodW50ZXIyMg==\r\nUser-Agent: hand\r\n";
        let url = format!("rtsp://{address}/cam2");
        for request in [
            format!("DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n{login}\r\n"),
            format!("SETUP {url}/trackID=0 RTSP/1.0\r\nCSeq: 2\r\n{login}Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"),
        ] {
            let said = exchange(&mut socket, &request);
            assert!(said.starts_with("RTSP/1.0 200 "), "{request}{said}");
        }
        socket
    });
    let [real, ours] = pair.ask("api", "GET", "/v3/rtspsessions/list").map(|answer| {
        let items = form(&answer.json())["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().find(|i| i["state"] == "idle")
    });
    assert!(real.is_some());
    same("a session that waits", &real, &ours, real == ours);
    drop(waiting);
}

/// Who asks for a stream without a password, and for what nobody publishes.
fn compare_refusals(pair: &Pair) {
    for (name, login, status) in
        [("cam1", "", "401"), ("none", "Authorization: Basic cmVhZDpodW50ZXIyMg==\r\n", "404")]
    {
        for address in pair.addresses("rtsp") {
            let question = format!("DESCRIBE rtsp://{address}/{name} RTSP/1.0\r\nCSeq: 1\r\n{login}\r\n");
            let mut socket = TcpStream::connect(address).unwrap();
            let said = exchange(&mut socket, &question);
            assert!(said.starts_with(&format!("RTSP/1.0 {status} ")), "{name} at {address}: {said}");
        }
    }
}

/// One RTSP request, and the begin of the answer.
fn exchange(socket: &mut TcpStream, request: &str) -> String {
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut said = [0; 8192];
    let n = socket.read(&mut said).unwrap();
    String::from_utf8_lossy(&said[..n]).into_owned()
}

/// A reader of each protocol is thrown out, and is gone.
fn compare_kicks(pair: &Pair) {
    for kind in ["rtspsessions", "rtmpconns"] {
        let ids = pair.ask("api", "GET", &format!("/v3/{kind}/list")).map(|answer| {
            let items = answer.json()["items"].as_array().cloned().unwrap_or_default();
            let reads = items.iter().find(|i| i["state"] == "read").unwrap();
            reads["id"].as_str().unwrap().to_string()
        });
        for (address, id) in pair.addresses("api").into_iter().zip(&ids) {
            let kicked = ask(address, "POST", &format!("/v3/{kind}/kick/{id}"), "Content-Length: 0\r\n");
            assert_eq!((kicked.status, kicked.body.as_str()), (200, r#"{"status":"ok"}"#), "{kind}");
            let gone = wait_for("it to be gone", SOON, || {
                let answer = ask(address, "GET", &format!("/v3/{kind}/get/{id}"), "");
                if answer.status == 404 { Ok(answer) } else { Err(answer.body) }
            });
            assert!(gone.json()["error"].as_str().is_some_and(|e| e.ends_with(" not found")), "{gone:?}");
        }
    }
}
