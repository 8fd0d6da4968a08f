//! `docker/mediamtx.yml` on a real MediaMTX, with addresses of this machine in the place of the stack's names.

use super::{SOON, publisher, reader};
use crate::control_endpoints::outer_address;
use crate::live::ready;
use crate::stage::{Mediamtx, Nginx, Port, Stage, ask, film, mediamtx};
use std::net::SocketAddr;
use std::path::Path;

/// The shipped file, and the users that docker-compose.yml adds, with the addresses changed.
fn configuration(stage: &Stage, ports: &[(&'static str, Port)]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = std::fs::read_to_string(root.join("docker/mediamtx.yml")).unwrap();
    let port = |name: &str| &ports.iter().find(|(n, _)| *n == name).unwrap().1;
    for (theirs, ours) in [
        ("rtmp://nginx-rtmp:1935/".to_string(), format!("rtmp://127.0.0.1:{}/", stage.rtmp)),
        ("\":9997\"".into(), format!("\":{}\"", port("api"))),
        ("\":9998\"".into(), format!("\":{}\"", port("metrics"))),
        ("\":8554\"".into(), format!("\":{}\"", port("rtsp"))),
        ("\":8000\"".into(), format!("\":{}\"", port("web"))),
        ("/logs/mediamtx/mediamtx.log".into(), stage.file("mediamtx.log").display().to_string()),
    ] {
        assert_eq!(text.matches(&theirs).count(), 1, "{theirs} in docker/mediamtx.yml");
        text = text.replace(&theirs, &ours);
    }
    text
}

#[test]
fn the_stacks_configuration_lets_in_whom_it_says() {
    let Some(program) = mediamtx() else { return };
    if !ready() {
        return;
    }
    let stage = Stage::new("mtx-stack");
    let _nginx = Nginx::start(&stage);
    let ports: Vec<_> = ["rtsp", "api", "metrics", "web"].map(|name| (name, Port::free())).into();
    let server = Mediamtx::of(&stage, &program, &configuration(&stage, &ports), ports.clone());
    // No word of unknown keys, of deprecated ones, or of anything else.
    assert_eq!(server.complaints(), [""; 0]);
    assert!(stage.read("mediamtx.log").contains("[API] started"), "it writes the file as well");

    // Everybody may read; nobody publishes.
    let clip = film(8, 426, 240);
    let _source = publisher(&stage, &clip, &["-f", "flv", &format!("{}/cam1", stage.rtmp_url())]);
    let rtsp = server.address("rtsp");
    let intruder = publisher(
        &stage,
        &clip,
        &["-f", "rtsp", "-rtsp_transport", "tcp", &format!("rtsp://{rtsp}/intruder")],
    );
    let intruder = intruder.wait(SOON);
    assert!(intruder.code != 0 && intruder.stderr.contains("40"), "{intruder}");
    crate::stage::wait_for("cam1 on nginx", SOON, || {
        crate::stage::http_get(stage.stat.number(), "/stat")
            .is_ok_and(|(_, page)| page.contains("<name>cam1</name>"))
    });
    reader(&stage, &format!("rtsp://{rtsp}/cam1"), &[], Some("1")).wait(SOON).expect(0);
    // `list` knows where MediaMTX has it over HLS, and it is there.
    let api = format!("http://{}", server.address("api"));
    let list = stage.msconv(&["list", "--json", "--mediamtx-url", &api]).expect(0).json();
    let hls = list["streams"][0]["renditions"][0]["hls_url"].as_str().unwrap_or_else(|| panic!("{list}"));
    assert!(hls.ends_with(&format!(":{}/cam1/index.m3u8", server.address("web").port())), "{list}");
    assert!(list["streams"][0]["hls_url"].is_null(), "MediaMTX has no ladders: {list}");
    reader(&stage, hls, &[], Some("1")).wait(SOON).expect(0);

    // The API and the metrics: this machine by its loopback address, and no other one.
    for (endpoint, target) in [("api", "/v3/paths/list"), ("metrics", "/metrics")] {
        assert_eq!(server.get(endpoint, target).status, 200, "{endpoint}");
        let Some(outside) = outer_address() else {
            eprintln!("skipped: this machine has no address but loopback");
            continue;
        };
        let there = SocketAddr::new(outside, server.address(endpoint).port());
        let refused = ask(there, "GET", target, "");
        assert_eq!((refused.status, refused.json()["error"].as_str()), (401, Some("authentication error")));
    }
    drop(server);

    // With whom docker-compose.yml names beside it: the stack's network and MSCONV_TRUSTED.
    let Some(outside) = outer_address() else { return };
    let variable = "MTX_AUTHINTERNALUSERS_1_IPS";
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(std::fs::read_to_string(root.join("docker-compose.yml")).unwrap().contains(variable));
    stage.set(variable, &format!("127.0.0.1,::1,10.193.85.0/24,{outside}"));
    let server = Mediamtx::of(&stage, &program, &configuration(&stage, &ports), ports.clone());
    assert_eq!(server.complaints(), [""; 0]);
    for (endpoint, target) in [("api", "/v3/paths/list"), ("metrics", "/metrics")] {
        let there = SocketAddr::new(outside, server.address(endpoint).port());
        assert_eq!(ask(there, "GET", target, "").status, 200, "{endpoint}");
    }
}
