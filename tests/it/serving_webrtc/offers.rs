//! Offers and sessions over HTTP: what is no offer is refused with a reason, and a session has an address of its own.

use super::house::{House, offer};
use crate::stage::needs;

/// The type of an offer.
const SDP: &str = "Content-Type: application/sdp\r\n";
/// The type of candidates that come later.
const FRAGMENT: &str = "Content-Type: application/trickle-ice-sdpfrag\r\n";

#[test]
fn what_is_no_offer_is_refused() {
    let house = House::new("whep-refused", &[]);
    let receives = offer("recvonly");
    let long = "a".repeat(70_000);
    for (method, target, fields, body, status, said) in [
        ("POST", "/live/cam/whep", "", receives.as_str(), 415, "application/sdp"),
        ("POST", "/live/cam/whep", "Content-Type: application/json\r\n", &receives, 415, "application/sdp"),
        ("POST", "/live/cam/whep", SDP, "", 400, "SDP"),
        ("POST", "/live/cam/whep", SDP, "hello", 400, "SDP"),
        ("POST", "/live/cam/whep", SDP, &receives.replace("a=fingerprint", "a=x"), 400, "fingerprint"),
        ("POST", "/live/cam/whep", SDP, &offer("sendonly"), 400, "recvonly"),
        ("POST", "/live/cam/whip", SDP, &receives, 400, "sendonly"),
        ("POST", "/live/cam/whip", SDP, &offer("sendonly").replace("H264", "VP8"), 406, "VP8"),
        ("POST", "/live/cam/whep", SDP, &long, 413, "64 kB"),
        ("POST", "/live/cam/whep", SDP, &receives, 404, "nobody publishes"),
        ("POST", "/cam/whep", SDP, &receives, 404, "nobody publishes"),
        ("GET", "/live/cam/whep", "", "", 405, "POST"),
        ("DELETE", "/live/cam/whip", "", "", 405, "POST"),
        ("GET", "/live/cam/whep/00-00", "", "", 405, "PATCH"),
        ("DELETE", "/live/cam/whep/00-00", "", "", 404, "no such session"),
        ("PATCH", "/live/cam/whep/00-00", FRAGMENT, "a=ice-ufrag:peer\r\n", 404, "no such session"),
        ("PATCH", "/live/cam/whep/00-00", SDP, "x", 415, "trickle-ice-sdpfrag"),
    ] {
        let answer = house.send(method, target, fields, body);
        let short: String = body.chars().take(60).collect();
        assert_eq!(answer.status, status, "{method} {target} {fields} {short}: {answer:?}");
        assert!(answer.body.contains(said), "{method} {target} {short}: {answer:?}");
        assert_eq!(answer.field("access-control-allow-origin"), Some("*"), "{answer:?}");
        let kept = if status == 404 { "max-age=1" } else { "no-store" };
        assert_eq!(answer.field("cache-control"), Some(kept), "{answer:?}");
    }
    let wrong = house.send("GET", "/live/cam/whep", "", "");
    assert_eq!(wrong.field("allow"), Some("POST, OPTIONS"), "{wrong:?}");
    let wrong = house.send("POST", "/live/cam/whip/00-00", "", "");
    assert_eq!((wrong.status, wrong.field("allow")), (405, Some("PATCH, DELETE, OPTIONS")), "{wrong:?}");
    let asked = house.send("OPTIONS", "/live/cam/whep", "Origin: http://x\r\n", "");
    assert_eq!((asked.status, asked.field("accept-post")), (204, Some("application/sdp")), "{asked:?}");
    assert_eq!(
        asked.field("access-control-allow-methods"),
        Some("OPTIONS, POST, PATCH, DELETE"),
        "{asked:?}"
    );
    assert!(house.sessions().is_empty());
}

#[test]
fn a_session_is_ended_at_its_own_address() {
    let house = House::new("whip-session", &["--ice-server", "stun:stun.example.org:3478"]);
    let created = house.offer("/live/cam/whip", &offer("sendonly"));
    assert_eq!(
        (created.status, created.field("content-type")),
        (201, Some("application/sdp")),
        "{created:?}"
    );
    let exposed = created.field("access-control-expose-headers").unwrap_or_default();
    assert!(exposed.contains("Location") && exposed.contains("Link"), "{created:?}");
    let link = created.field("link");
    assert_eq!(link, Some("<stun:stun.example.org:3478>; rel=\"ice-server\""), "{created:?}");
    let location = created.field("location").unwrap().to_string();
    assert!(location.starts_with("/live/cam/whip/"), "{location}");
    assert!(created.body.starts_with("v=0\r\n") && created.body.contains("a=ice-lite"), "{}", created.body);
    let port = house.serve.address("webrtc").port();
    assert!(created.body.contains(&format!("127.0.0.1 {port} typ host")), "{}", created.body);
    // It waits for its media, and its name is taken meanwhile.
    let sessions = house.sessions();
    assert_eq!(
        (sessions.len(), &sessions[0]["peerConnectionEstablished"]),
        (1, &false.into()),
        "{sessions:?}"
    );
    assert_eq!(house.offer("/live/cam/whip", &offer("sendonly")).status, 409);
    let patch = |body: &str| house.send("PATCH", &location, FRAGMENT, body).status;
    assert_eq!(patch("a=ice-ufrag:peer\r\na=candidate:1 1 UDP 1 192.0.2.1 9 typ host\r\n"), 204);
    assert_eq!(patch("a=ice-ufrag:else\r\n"), 422);
    assert_eq!(house.send("OPTIONS", &location, "", "").status, 204);
    assert_eq!(house.send("DELETE", &location, "", "").status, 200);
    assert_eq!(house.send("DELETE", &location, "", "").status, 404);
    assert!(house.sessions().is_empty());
    assert_eq!(house.offer("/live/cam/whip", &offer("sendonly")).status, 201, "the name is free");
}

#[test]
fn frames_that_are_reordered_are_refused_with_the_address_of_hls() {
    if !needs("ffmpeg") {
        return;
    }
    let house = House::new("whep-reordered", &[]);
    let _publisher = house.publish("cam", &["-bf", "2"]);
    let refused = house.offer("/live/cam/whep", &offer("recvonly"));
    assert_eq!(refused.status, 406, "{refused:?}");
    let list = "/live/cam/index.m3u8";
    assert!(refused.body.contains("B-frames") && refused.body.contains(list), "{refused:?}");
    assert_eq!(house.serve.get("web", list).status, 200, "and there it is");
}

#[test]
fn a_viewer_without_opus_is_told_why_it_hears_nothing() {
    if !needs("ffmpeg") {
        return;
    }
    let house = House::new("whep-silent", &[]);
    let _publisher = house.publish("cam", &["-bf", "0"]);
    let created = house.offer("/live/cam/whep", &offer("recvonly").replace("opus/48000/2", "PCMU/8000"));
    assert_eq!(created.status, 201, "{created:?}");
    let why = created.field("msconv-without-audio").unwrap_or_default();
    assert!(why.contains("Opus") && why.contains("PCMU"), "{created:?}");
}
