//! The paths that other programs know: list, start, look, stop, and the question about a key.

use super::house::House;
use crate::stage::{PATIENCE, needs};
use serde_json::{Value, json};

#[test]
fn a_stream_lives_from_start_to_stop() {
    if !needs("ffmpeg") {
        return;
    }
    let house = House::new("paths", &[]);
    let made = house.ask("POST", "/start_stream?name=My%20show%20%D0%AF", "", None).expect(201);
    let fields: Vec<&str> = made.json.as_object().unwrap().keys().map(String::as_str).collect();
    let wanted = [
        "chat_url",
        "hls_url",
        "name",
        "page",
        "private_id",
        "public_id",
        "rtmp_url",
        "rtsp_url",
        "stream_key",
        "whip_url",
    ];
    assert_eq!(fields, wanted);
    let (id, private) = (made.text("public_id"), made.text("private_id"));
    assert!(made.text("name") == "My show Я" && id.len() == 11, "{}", made.json);
    assert!(
        private.starts_with("prv_") && private.len() == 26 && made.text("stream_key").starts_with("key_")
    );

    assert_eq!(house.get("/streams").expect(200).json, json!([]), "nothing is live");
    let all = house.get("/streams?state=all").expect(200);
    assert_eq!(
        (all.json[0]["state"].as_str(), all.json[0]["public_id"].as_str()),
        (Some("waiting"), Some(id))
    );
    assert_eq!(house.get(&format!("/stream/{id}")).expect(200).text("state"), "waiting");

    let publisher = house.publish("flv", &format!("{}/{}", made.text("rtmp_url"), made.text("stream_key")));
    house.until(id, "live");
    let live = house.get("/streams").expect(200).json;
    assert_eq!(live[0]["href"], format!("/stream/{id}"));
    for (query, label) in [
        ("", Value::Null),
        ("?bitrate=5M", json!("original")),
        ("?bitrate=1", json!("original")),
        ("?bitrate=1500k", json!("original")),
        ("?bitrate=original", json!("original")),
    ] {
        let look = house.get(&format!("/stream/{id}{query}")).expect(200);
        assert_eq!((&look.json["label"], look.text("state")), (&label, "live"), "{query}: {}", look.json);
        let path = look.text("url").split_once("/live/").unwrap().1;
        assert_eq!(house.serve.get("web", &format!("/live/{path}")).status, 200);
    }
    house.get(&format!("/stream/{id}?bitrate=fast")).expect(422);

    // Its owner stops it, and nobody else.
    let stop = format!("/stop_stream/{id}");
    house.ask("POST", &stop, "", None).expect(401);
    house.ask("POST", &stop, "Private-Id: prv_0000000000000000000000\r\n", None).expect(403);
    house.ask("POST", &stop, &format!("Private-Id: {}\r\n", made.text("stream_key")), None).expect(403);
    house.ask("POST", "/stop_stream/nothing", &format!("Private-Id: {private}\r\n"), None).expect(404);
    let stopped = house.ask("POST", &stop, &format!("Private-Id: {private}\r\n"), None).expect(200);
    assert_eq!(stopped.json, json!({ "public_id": id, "state": "deleted" }));
    assert_ne!(publisher.wait(PATIENCE).code, 0, "its publisher is ended");
    assert_eq!(house.get("/streams?state=all").expect(200).json, json!([]));
    house.get(&format!("/stream/{id}")).expect(404);
    house.get(&format!("/api/streams/{}", made.text("stream_key"))).expect(404);
    house.ask("POST", &stop, &format!("Private-Id: {private}\r\n"), None).expect(404);
}

#[test]
fn the_private_id_comes_in_three_fields() {
    let house = House::new("paths-fields", &[]);
    for field in ["Private-Id: ", "X-Private-Id: ", "Authorization: Bearer "] {
        let made = house.ask("GET", "/start_stream?name=x", "", None).expect(201);
        let (id, private) = (made.text("public_id"), made.text("private_id"));
        let shown = format!("{field}{private}\r\n");
        let token = house.ask("POST", &format!("/start_wrtc_stream/{id}"), &shown, None).expect(200);
        assert!(token.text("token").starts_with("pub_"), "{}", token.json);
        assert_eq!(token.text("page"), format!("/studio?stream={id}"));
        house.ask("POST", &format!("/start_wrtc_stream/{id}"), "", None).expect(401);
        house.ask("DELETE", &format!("/stop_stream/{id}"), &shown, None).expect(200);
    }
}

#[test]
fn strangers_register_only_where_they_may() {
    let stranger = "X-Forwarded-For: 192.0.2.7\r\n";
    let closed = House::new("paths-closed", &[]);
    closed.ask("POST", "/start_stream?name=x", stranger, None).expect(401);
    closed.ask("POST", "/api/v1/streams", stranger, Some(json!({ "name": "x" }))).expect(401);
    closed.ask("GET", "/api/streams/key_0000000000000000000000", stranger, None).expect(401);
    let foreign = "Origin: http://evil.example\r\n";
    for method in ["GET", "POST"] {
        closed.ask(method, "/start_stream?name=x", foreign, None).expect(403);
        closed.ask(method, "/start_stream?name=x", "Sec-Fetch-Site: cross-site\r\n", None).expect(403);
    }
    let open = House::new("paths-open", &["--open-registration"]);
    for _ in 0..10 {
        open.ask("POST", "/start_stream?name=x", stranger, None).expect(201);
    }
    let much = open.ask("POST", "/start_stream?name=x", stranger, None).expect(429);
    assert!(
        much.field("retry-after").is_some() && much.json["retry_after"].as_u64().is_some(),
        "{}",
        much.head
    );
    open.ask("POST", "/start_stream?name=x", foreign, None).expect(403);
    // This machine is not bounded by that.
    open.ask("POST", "/start_stream?name=x", "", None).expect(201);
}
