//! A real MediaMTX without nginx-rtmp beside it: as a source of streams, and as a server that says no.

use super::{SOON, publisher, ready};
use crate::stage::{Mediamtx, Running, Serve, Stage, film, made, mediamtx, needs, wait_for};
use serde_json::Value;

/// Everybody publishes and reads any name.
const OPEN: &str = "paths:\n  all_others:\n";

/// Two streams on MediaMTX: H.264 and AAC by RTMP, H.265 and AAC by RTSP.
fn sources(stage: &Stage, server: &Mediamtx) -> Vec<Running> {
    let picture = "testsrc2=size=320x180:rate=25:duration=4";
    let args = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=sample_rate=48000:duration=4"];
    let codecs = [
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-x265-params",
        "log-level=error:keyint=25",
        "-c:a",
        "aac",
    ];
    let modern = made("h265-aac.mkv", &[&args[..], &codecs, &["-f", "matroska"]].concat());
    let (rtmp, rtsp) = (server.address("rtmp"), server.address("rtsp"));
    let first = publisher(stage, &film(8, 426, 240), &["-f", "flv", &format!("rtmp://{rtmp}/cam1")]);
    let second =
        publisher(stage, &modern, &["-f", "rtsp", "-rtsp_transport", "tcp", &format!("rtsp://{rtsp}/cam2")]);
    ready(server, "cam1");
    ready(server, "cam2");
    vec![first, second]
}

#[test]
fn its_paths_are_sources_and_come_back_with_it() {
    let Some(program) = mediamtx() else { return };
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("mtx-source");
    let _serve = Serve::start_at_stage(&stage);
    let server = Mediamtx::start(&stage, &program, OPEN);
    let publishers = sources(&stage, &server);
    let (rtmp, rtsp) = (server.address("rtmp"), server.address("rtsp"));
    let started: Vec<Running> = [
        ("a", format!("rtmp://{rtmp}/cam1"), &["--variants", "120p:150k:214:120"][..]),
        ("b", format!("rtsp://{rtsp}/cam2"), &["--variants", "90p:100k:160:90"]),
        ("c", format!("rtsp://{rtsp}/cam1"), &["-o"]),
    ]
    .into_iter()
    .map(|(key, url, more)| {
        stage.spawn_msconv(&[&["publish", "-s", key, "-r", &url, "--wait", "50s"], more].concat())
    })
    .collect();
    for publish in started {
        publish.wait(SOON).expect(0);
    }
    let live = |what: &str| {
        wait_for(what, SOON, || {
            let listing = stage.msconv(&["list", "--json"]).expect(0).json();
            let streams = listing["streams"].as_array().cloned().unwrap_or_default();
            let whole = |s: &Value| {
                let first = &s["renditions"][0];
                s["state"] == "live" && first["video"]["codec"] == "h264" && first["audio"]["codec"] == "aac"
            };
            if streams.len() == 3 && streams.iter().all(whole) {
                Ok(streams)
            } else {
                Err(listing.to_string())
            }
        })
    };
    live("three streams with video and audio");

    let ports = server.ports();
    drop(server);
    drop(publishers);
    wait_for("all three to notice", SOON, || {
        let status = stage.msconv(&["status", "--json"]).json();
        let streams = status["streams"].as_array().cloned().unwrap_or_default();
        let waits = |s: &Value| s["state"] != "live";
        if streams.len() == 3 && streams.iter().all(waits) { Ok(()) } else { Err(status.to_string()) }
    });
    let server = Mediamtx::on(&stage, &program, ports, OPEN);
    let _publishers = sources(&stage, &server);
    let streams = live("three streams again");
    assert!(streams.iter().all(|s| s["local"]["restarts"].as_u64() > Some(0)), "{streams:?}");
    stage.msconv(&["stop", "--all"]).expect(0);
}

#[test]
fn its_refusals_are_told_apart() {
    let Some(program) = mediamtx() else { return };
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("mtx-refuses");
    let _serve = Serve::start_at_stage(&stage);
    let player = stage.fake("thing", "exit 0");
    let play =
        || stage.msconv(&["play", "-s", "cam", "--protocol", "rtsp", "--player", player.to_str().unwrap()]);
    let _source = publisher(&stage, &film(8, 426, 240), &["-f", "flv", &format!("{}/cam", stage.rtmp_url())]);
    wait_for("cam to be listed", SOON, || stage.msconv(&["list", "-q"]).stdout.contains("cam"));
    let use_it = |server: &Mediamtx| {
        stage.set("MSCONV_MEDIAMTX_URL", &format!("http://{}", server.address("api")));
        stage.set("MSCONV_RTSP_URL", &format!("rtsp://{}", server.address("rtsp")));
    };

    // It lets nobody read or ask.
    let nobody = "authInternalUsers:\n  - user: any\n    permissions: [{action: publish}]\n";
    let server = Mediamtx::start(&stage, &program, &format!("{nobody}{OPEN}"));
    use_it(&server);
    stage.msconv(&["list"]).expect(0).prints("cam").says("HTTP 401").says("grant `action: api`");
    play().expect(6).says("lets nobody read cam without a password").says("--protocol rtmp");
    stage.msconv(&["doctor"]).prints("does not let us in");
    // What listens there is MediaMTX, but not its API.
    stage.set("MSCONV_MEDIAMTX_URL", &format!("http://{}", server.address("metrics")));
    stage.msconv(&["list"]).expect(0).prints("cam").says("HTTP 401");
    let ports = server.ports();
    drop(server);
    stage.msconv(&["list"]).expect(0).prints("cam").says("did not answer (connection refused)");
    play().expect(6).says("no RTSP server answers");

    // It is back, open, and has no such path.
    let server = Mediamtx::on(&stage, &program, ports.clone(), OPEN);
    stage.msconv(&["list"]).expect(0).prints("cam").says("it has no /v3 API there");
    use_it(&server);
    let list = stage.msconv(&["list"]).expect(0).prints("cam");
    assert!(list.stderr.is_empty(), "{list}");
    play().expect(6).says("has no path cam").says("it answers 404");
    drop(server);

    // The form of the URL before 1.20: it asks for the application live/cam, waits and gives up.
    let pulls = |form: &str| {
        format!(
            "paths:\n  \"~^(?:live/)?(.+)$\":\n    source: \"{}{form}\"\n    sourceOnDemand: yes\n    \
             sourceOnDemandStartTimeout: 2s\n",
            stage.rtmp_url()
        )
    };
    let server = Mediamtx::on(&stage, &program, ports.clone(), &pulls("/$G1"));
    play().expect(6).says("does not get cam").says("it answers 400").says("behind '#'");
    let left = stage.msconv(&["list", "--json"]).expect(0).json();
    assert_eq!(left["streams"][0]["viewers"], 0, "{left}");
    drop(server);
    let server = Mediamtx::on(&stage, &program, ports, &pulls("#$G1"));
    play().expect(0);
    drop(server);
}
