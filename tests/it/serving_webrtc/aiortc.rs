//! aiortc, an implementation that shares nothing with ours, at either end.

use super::house::{House, aiortc};
use crate::live::SOON;
use crate::stage::wait_for;
use serde_json::Value;

/// The last line of what a peer said.
pub fn report(said: &str) -> Value {
    let line = said.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {said}"))
}

/// Video that changes with every frame, and the tone.
pub fn is_watched(report: &Value, least: u64) {
    let number = |value: &Value| value.as_f64().unwrap();
    assert!(report["frames"].as_u64().unwrap() > least, "{report}");
    assert!(report["changes"].as_u64().unwrap() > least, "its frames differ: {report}");
    assert_eq!((&report["size"], &report["state"]), (&"320x240".into(), &"connected".into()), "{report}");
    assert!(number(&report["audio"]["rms"]) > 1000.0, "audio that is heard: {report}");
    assert!((number(&report["audio"]["hz"]) - 440.0).abs() < 10.0, "the tone that was sent: {report}");
}

#[test]
fn it_watches_a_stream_of_aac_and_is_counted_and_ended() {
    let Some(python) = aiortc() else { return };
    let house = House::new("whep-aiortc", &[]);
    let _publisher = house.publish("cam", &["-bf", "0"]);
    let viewer = house.peer(&python, "watch", &house.url("/live/cam/whep"), "5");
    let (id, session) = wait_for("the session to be connected", SOON, || {
        let sessions = house.sessions();
        match sessions.first().filter(|session| session["peerConnectionEstablished"] == true) {
            Some(session) => Ok((session["id"].as_str().unwrap().to_string(), session.clone())),
            None => Err(format!("{sessions:?} {}", viewer.stderr())),
        }
    });
    assert_eq!((&session["state"], &session["path"]), (&"read".into(), &"cam".into()), "{session}");
    assert!(session["localCandidate"].as_str().unwrap().starts_with("host/udp/127.0.0.1/"), "{session}");
    assert!(session["remoteCandidate"].as_str().unwrap().starts_with("prflx/udp/127.0.0.1/"), "{session}");
    assert_eq!(house.serve.get("api", &format!("/v3/webrtcsessions/get/{id}")).json()["id"], id.as_str());
    let path = house.serve.get("api", "/v3/paths/get/live/cam").json();
    assert_eq!(path["readers"][0]["type"], "webRTCSession", "{path}");
    assert!(house.serve.get("stat", "/stat").body.contains("<flashver>WEBRTC/Python"));
    let list = house.stage.msconv(&["list", "--json"]).expect(0).json();
    assert_eq!(list["streams"][0]["viewers"], 1, "{list}");
    assert_eq!(list["streams"][0]["whep_url"], house.url("/live/cam/whep"));
    let page = house.serve.get("metrics", "/metrics?type=webrtc_sessions").body;
    assert!(page.contains(&format!("webrtc_sessions{{id=\"{id}\",path=\"cam\"")), "{page}");
    let run = viewer.wait(SOON).expect(0);
    let report = report(&run.stdout);
    is_watched(&report, 50);
    assert_eq!(report["deleted"], 200, "{report}");
    assert_eq!(house.sessions(), [] as [Value; 0]);
    assert!(house.metric("msconv_webrtc_packets_total{direction=\"out\"}") > 100.0);
    // Another one is asked to leave.
    let viewer = house.peer(&python, "watch", &house.url("/live/cam/whep"), "60");
    let id = wait_for("the next session", SOON, || {
        let sessions = house.sessions();
        let there = sessions.first().filter(|session| session["peerConnectionEstablished"] == true);
        there.map(|session| session["id"].as_str().unwrap().to_string()).ok_or(format!("{sessions:?}"))
    });
    let kicked =
        house.serve.ask("api", "POST", &format!("/v3/webrtcsessions/kick/{id}"), "Content-Length: 0\r\n");
    assert_eq!((kicked.status, kicked.body.as_str()), (200, "{\"status\":\"ok\"}"));
    wait_for("the session to be gone", SOON, || house.sessions().is_empty());
    house.serve.running().wait_for_words("stops watching live/cam: it was asked to leave", SOON);
    drop(viewer);
}

#[test]
fn what_it_publishes_is_watched_over_webrtc_and_rtsp() {
    let Some(python) = aiortc() else { return };
    let house = House::new("whip-aiortc", &[]);
    let publisher = house.peer(&python, "publish", &house.url("/live/cam/whip"), "60");
    house.ready("cam", &publisher);
    let viewer = house.peer(&python, "watch", &house.url("/live/cam/whep"), "4");
    is_watched(&report(&viewer.wait(SOON).expect(0).stdout), 40);
    let rtsp = format!("rtsp://{}/cam", house.serve.address("rtsp"));
    let said = house.decodes("ffmpeg", &["-rtsp_transport", "tcp", "-i", &rtsp]);
    assert!(said.contains("320x240") && said.contains("Audio: opus"), "{said}");
    // It goes without a word: its session ends by itself.
    drop(publisher);
    house.gone("cam");
}
