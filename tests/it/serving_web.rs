//! The web port beside HLS: TLS and HTTP/2, a certificate that is renewed, health, and problems in words.

use crate::stage::{PATIENCE, Serve, Stage, needs, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// A certificate of its own for `localhost`, and its key.
fn certificate(stage: &Stage, name: &str) -> [String; 2] {
    let [certificate, key] =
        ["pem", "key"].map(|kind| stage.file(&format!("{name}.{kind}")).display().to_string());
    let made =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    let subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    let into = ["-keyout", &key, "-out", &certificate];
    stage.spawn("openssl", &[&made[..], &subject, &into].concat()).wait(PATIENCE).expect(0);
    [certificate, key]
}

/// What curl gets with the certificate `trusted`: HTTP version, status and body, or nothing where it does not trust.
fn curl(stage: &Stage, trusted: &str, more: &[&str], url: &str) -> Option<(String, String)> {
    let quiet = ["-sS", "--cacert", trusted, "-w", "\n%{http_version} %{http_code}"];
    let run = stage.spawn("curl", &[&quiet[..], more, &[url]].concat()).wait(PATIENCE);
    let (body, facts) = run.stdout.rsplit_once('\n')?;
    (run.code == 0).then(|| (facts.to_string(), body.to_string()))
}

#[test]
fn the_web_port_speaks_tls_and_takes_a_renewed_certificate() {
    if !needs("curl") || !needs("openssl") {
        return;
    }
    let stage = Stage::new("web-tls");
    let [first, key] = certificate(&stage, "first");
    let [second, second_key] = certificate(&stage, "second");
    let serve = Serve::start(&stage, &["--tls-cert", &first, "--tls-key", &key]);
    let url = format!("https://localhost:{}", serve.address("web").port());
    let health = format!("{url}/health");
    let fine = r#"{"status":"ok"}"#.to_string();
    assert_eq!(curl(&stage, &first, &["--http2"], &health), Some(("2 200".into(), fine.clone())));
    assert_eq!(curl(&stage, &first, &["--http1.1"], &health), Some(("1.1 200".into(), fine.clone())));
    let playlist = format!("{url}/live/nobody/index.m3u8");
    let (facts, why) = curl(&stage, &first, &["--http2"], &playlist).expect("an answer");
    assert_eq!((facts.as_str(), why.trim()), ("2 404", "nobody publishes this name"));
    // Who forgets the s is told.
    let plain = serve.get("web", "/health");
    assert!(plain.status == 400 && plain.body.starts_with("this port speaks https"), "{plain:?}");
    // Nobody trusts a certificate that is not served yet.
    assert_eq!(curl(&stage, &second, &[], &health), None);
    let pid = Pid::from_raw(serve.running().pid());
    let renewed = |times: usize| {
        kill(pid, Signal::SIGHUP).unwrap();
        wait_for("the answer to SIGHUP", PATIENCE, || {
            let said = serve.running().stderr();
            if said.matches("web: the certificate").count() >= times { Ok(said) } else { Err(said) }
        })
    };
    // A key of another certificate: everything stays as it was.
    std::fs::copy(&second, &first).unwrap();
    let said = renewed(1);
    assert!(said.contains("the certificate stays as it was") && said.contains("not the key"), "{said}");
    assert_eq!(curl(&stage, &second, &[], &health), None);
    std::fs::copy(&second_key, &key).unwrap();
    assert!(renewed(2).contains("the certificate was read anew"));
    assert_eq!(curl(&stage, &second, &["--http2"], &health), Some(("2 200".into(), fine)));
}

#[test]
fn a_certificate_that_cannot_be_used_is_refused_before_anything_listens() {
    if !needs("openssl") {
        return;
    }
    let stage = Stage::new("web-bad-tls");
    let [certificate_file, key] = certificate(&stage, "one");
    let [_, other_key] = certificate(&stage, "other");
    let text = stage.file("text");
    std::fs::write(&text, "no certificate\n").unwrap();
    let text = text.display().to_string();
    for (args, why) in [
        (vec!["--tls-cert", &certificate_file], "tls_cert is set, and tls_key is not"),
        (vec!["--tls-key", &key], "tls_key is set, and tls_cert is not"),
        (vec!["--tls-cert", &text, "--tls-key", &key], "there is no certificate in it"),
        (vec!["--tls-cert", "/no/such", "--tls-key", &key], "tls_cert cannot be used: /no/such"),
        (vec!["--tls-cert", &certificate_file, "--tls-key", &text], "tls_key cannot be used"),
        (
            vec!["--tls-cert", &certificate_file, "--tls-key", &other_key],
            "it is not the key of the certificate",
        ),
    ] {
        stage.msconv(&[&["serve"][..], &args].concat()).expect(2).says(why);
    }
}

#[test]
fn health_is_told_and_problems_have_a_form() {
    let stage = Stage::new("web-health");
    let serve = Serve::start(&stage, &[]);
    for path in ["/health", "/ready", "/api/v1/health", "/api/v1/ready"] {
        let answer = serve.get("web", path);
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"status":"ok"}"#), "{path}");
        let wrong = serve.ask("web", "DELETE", path, "");
        assert_eq!((wrong.status, wrong.field("allow")), (405, Some("GET, HEAD")), "{path}");
    }
    let problem = serve.get("web", "/api/v1/nothing");
    assert_eq!(problem.field("content-type"), Some("application/problem+json"));
    let json = problem.json();
    let fields = (json["status"].as_u64(), json["code"].as_str(), json["instance"].as_str());
    assert_eq!(fields, (Some(404), Some("not_found"), Some("/api/v1/nothing")), "{json}");
}

#[test]
fn without_a_web_port_nobody_speaks_of_one() {
    if !needs("ffmpeg") || !needs("ffprobe") {
        return;
    }
    let stage = Stage::new("web-none");
    let serve = Serve::start_at_stage_with(&stage, &["--no-web"]);
    assert!(!serve.has("web") && serve.has("metrics"));
    let health = serve.get("api", "/health").json();
    assert_eq!((&health["status"], health["serving"].get("web")), (&"ok".into(), None), "{health}");
    let args = ["publish", "-s", "cam", "--test", "--quality", "fastest", "--variants", "144p:120k:256:144"];
    let published = stage.msconv(&[&args[..], &["--json"]].concat()).expect(0).json();
    assert_eq!((&published["page_url"], &published["hls_url"]), (&Value::Null, &Value::Null), "{published}");
    let list = stage.msconv(&["list", "--json"]).expect(0).json();
    let stream = &list["streams"][0];
    assert_eq!((&stream["page_url"], &stream["hls_url"]), (&Value::Null, &Value::Null), "{list}");
    assert_eq!(stream["whep_url"], Value::Null, "{list}");
    let play = ["play", "-s", "cam", "--browser"];
    stage.msconv(&play).expect(6).says("no server here has a page that plays it");
    let doctor = stage.msconv(&["doctor", "--json"]).json();
    let names: Vec<&Value> =
        doctor["checks"].as_array().unwrap().iter().map(|check| &check["name"]).collect();
    assert!(names.contains(&&"metrics".into()) && !names.contains(&&"web".into()), "{doctor}");
    for args in [&["list"][..], &["status", "cam"]] {
        let run = stage.msconv(args).expect(0);
        assert!(!run.stdout.contains("http"), "{run}");
    }
    stage
        .msconv(&["play", "-s", "cam", "--protocol", "hls", "--print-url"])
        .expect(6)
        .says("without its web port");
    stage.msconv(&["play", "-s", "cam", "--print-url"]).expect(0).prints("rtsp://");
    // Nothing is divided, and nothing kept for it.
    let metrics = serve.get("metrics", "/metrics").body;
    assert!(metrics.contains("msconv_streams") && !metrics.contains("msconv_hls"), "{metrics}");
    stage.msconv(&["stop", "-s", "cam"]).expect(0);
}

#[test]
fn up_brings_a_server_without_a_web_port() {
    let stage = Stage::new("web-none-up");
    // Whoever has the port does not stand in the way.
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    stage.set("MSCONV_WEB_PORT", &taken.local_addr().unwrap().port().to_string());
    let up = stage.msconv(&["up", "--no-web", "--json"]).expect(0).json();
    let urls = up["servers"][0]["urls"].as_array().unwrap();
    assert_eq!(urls.len(), 5, "{up}");
    assert!(!up.to_string().contains(&taken.local_addr().unwrap().to_string()), "{up}");
    stage.msconv(&["up", "--no-web"]).expect(0).prints("was up already");
    stage.msconv(&["down"]).expect(0);
}
