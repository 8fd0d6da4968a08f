//! `up --backend native` with nginx-rtmp and a real MediaMTX: every command against the pair, and nothing left of it.

use super::{SOON, reader};
use crate::live::{SMALL, ready};
use crate::stage::{Stage, complaints, film, http_get, keys, mediamtx, wait_for};
use serde_json::Value;

/// The rendition of a label in `list --json`, and the whole answer.
fn listed(stage: &Stage, label: &str) -> (Value, Value) {
    let json = stage.msconv(&["list", "--json"]).expect(0).json();
    let renditions = json["streams"][0]["renditions"].as_array().cloned().unwrap_or_default();
    (renditions.into_iter().find(|r| r["label"] == label).unwrap_or_default(), json)
}

/// `paths/list` of MediaMTX.
fn paths(stage: &Stage) -> Value {
    let (status, body) = http_get(stage.api.number(), "/v3/paths/list").unwrap();
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[test]
fn a_ladder_goes_from_nginx_to_readers_over_rtsp() {
    let Some(program) = mediamtx() else { return };
    if !ready() {
        return;
    }
    let stage = Stage::new("mtx-native");
    stage.set("MSCONV_MEDIAMTX", program.to_str().unwrap());
    stage.set("MSCONV_BACKEND", "native");
    let up = stage.msconv(&["up"]).expect(0);
    assert!(up.stdout.contains("ok  MediaMTX answers after") && up.stderr.is_empty(), "{up}");
    stage.msconv(&["up"]).expect(0).prints("MediaMTX was up already");
    // No word of unknown settings or deprecated ones.
    assert_eq!(complaints(&stage.read("logs/mediamtx/mediamtx.log")), [""; 0]);

    let clip = film(8, 426, 240);
    let publish = ["publish", "-s", "a", "-f", clip.to_str().unwrap(), "--variants", SMALL, "--wait", "50s"];
    stage.msconv(&publish).expect(0).prints(&format!("{}/a_", stage.rtsp_url()));

    // Nobody reads: nothing is pulled, and both servers answer.
    assert_eq!(paths(&stage)["itemCount"], 0);
    let (picture, json) = listed(&stage, "240p");
    assert_eq!(
        (&json["servers"][0]["ok"], &json["servers"][1]["ok"]),
        (&true.into(), &true.into()),
        "{json}"
    );
    assert_eq!((&picture["viewers"], &picture["video"]["width"]), (&0.into(), &426.into()), "{json}");

    // Each rendition over TCP, by both spellings of its path; UDP is refused and ffmpeg then takes TCP by itself.
    let url = |path: &str| format!("{}/{path}", stage.rtsp_url());
    let tcp = ["-rtsp_transport", "tcp"];
    let watched: Vec<_> =
        [("a_240p", &tcp[..]), ("a_120p", &tcp[..]), ("live/a_240p", &tcp[..]), ("a_120p", &[])]
            .into_iter()
            .map(|(path, transport)| reader(&stage, &url(path), transport, Some("1")))
            .collect();
    let refused = reader(&stage, &url("a_240p"), &["-rtsp_transport", "udp"], Some("1"));
    let staying = reader(&stage, &url("a_240p"), &tcp, None);
    for running in watched {
        running.wait(SOON).expect(0);
    }
    let refused = refused.wait(SOON);
    assert!(refused.code != 0 && refused.stderr.contains("461"), "{refused}");

    // One viewer: MediaMTX's, and not MediaMTX itself, which is a client of nginx.
    wait_for("one viewer", SOON, || {
        let (picture, json) = listed(&stage, "240p");
        let bits = picture["bitrate_bps"].as_u64().unwrap_or(0);
        if picture["viewers"] == 1 && bits > 0 {
            Ok(())
        } else {
            Err(format!("{json}\n{}", staying.stderr()))
        }
    });
    stage.msconv(&["list"]).expect(0).prints("\th264 426x240\t");
    let mut picker = stage.terminal_with_piped_stdout(&["list", "-l", "--print", "json"]);
    picker.wait_for("> a ");
    picker.type_keys(keys::ENTER);
    assert_eq!(picker.wait_exit(), 0);
    let picked: Value = serde_json::from_str(&picker.stdout()).unwrap();
    assert_eq!((&picked["key"], &picked["viewers"]), (&"a".into(), &1.into()), "{picked}");

    drop(staying);
    let json = stage.msconv(&["play", "-s", "a", "-v", "240p", "--print-url", "--json"]).expect(0).json();
    assert_eq!(json["url"], url("a_240p"), "{json}");
    let status = stage.msconv(&["status"]).expect(0);
    let server = status.stdout.lines().find(|l| l.trim_start().starts_with("mediamtx")).unwrap_or_default();
    assert!(server.contains("running") && server.contains(&stage.rtsp_url()), "{status}");
    stage.msconv(&["doctor"]).prints("the API of MediaMTX v1.20.1 answers").prints("RTSP answers at");

    // The pulls end by themselves some time after the last reader has left: nginx has its publishers alone. MediaMTX
    // goes on listing the paths, not ready, and they are nobody's viewers.
    wait_for("the pulls to end", SOON, || {
        let (_, page) = http_get(stage.stat.number(), "/stat")?;
        if page.matches("<nclients>1</nclients>").count() == 2 { Ok(()) } else { Err(page) }
    });
    let left = paths(&stage);
    assert!(left["items"].as_array().unwrap().iter().all(|p| p["ready"] == false), "{left}");
    assert_eq!(listed(&stage, "240p").0["viewers"], 0);
    let log = stage.msconv(&["logs", "--service", "mediamtx"]).expect(0);
    for words in ["is reading from path 'a_240p', with TCP", "stopped: not needed by anyone"] {
        assert!(log.stdout.contains(words), "{words}: {log}");
    }
    stage.msconv(&["stop", "-s", "a"]).expect(0);
    stage.msconv(&["down"]).expect(0).prints("MediaMTX (pid ").prints("nginx (pid ");
    assert!(!stage.file("pids/.native").exists());
    stage.msconv(&["status"]).expect(0);
}
