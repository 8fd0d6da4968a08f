//! `/api/v1`: every field's edges, versions, pages, and what is no request.

use super::house::House;
use serde_json::{Value, json};

#[test]
fn streams_are_registered_changed_and_removed() {
    let house = House::new("rest-streams", &[]);
    let made = house.registered(json!({ "name": "One", "slug": "one", "ladder": "auto", "listed": false }));
    let place = made.field("location").unwrap().to_string();
    assert_eq!(place, format!("/api/v1/streams/{}", made.text("public_id")));
    let one = house.get(&place).expect(200);
    let tag = one.field("etag").unwrap().to_string();
    assert_eq!((one.text("slug"), one.text("ladder"), one.text("state")), ("one", "auto", "waiting"));
    assert_eq!(one.json["listed"], false);
    let change = |fields: &str, body: Value| house.ask("PATCH", &place, fields, Some(body));
    let changed =
        change(&format!("If-Match: {tag}\r\n"), json!({ "name": "Two", "ladder": null })).expect(200);
    assert_eq!((changed.text("name"), &changed.json["ladder"]), ("Two", &Value::Null));
    change(&format!("If-Match: {tag}\r\n"), json!({ "name": "Three" })).expect(412);
    change("If-Match: \"x\"\r\n", json!({ "name": "Three" })).expect(412);
    change("", json!({ "slug": "uno" })).expect(200);
    house.get("/api/v1/streams/uno").expect(200);
    house.get("/api/v1/streams/one").expect(404);
    house.registered(json!({ "name": "Other", "slug": "other" }));
    change("", json!({ "slug": "other" })).expect(409);
    // Nor what a rendition of another is called.
    house.post("/api/v1/streams", json!({ "name": "x", "slug": "other_720p" })).expect(409);
    house.ask("DELETE", &place, "", None).expect(204);
    house.ask("DELETE", &place, "", None).expect(404);
    house.get(&place).expect(404);
    house.registered(json!({ "name": "again", "slug": "uno" }));
}

#[test]
fn every_value_has_its_edges() {
    let house = House::new("rest-edges", &[]);
    let long = "я".repeat(121);
    for (body, field) in [
        (json!({}), "name"),
        (json!({ "name": "" }), "name"),
        (json!({ "name": long }), "name"),
        (json!({ "name": "a\u{0}b" }), "name"),
        (json!({ "name": "a", "slug": "a b" }), "slug"),
        (json!({ "name": "a", "slug": "" }), "slug"),
        (json!({ "name": "a", "slug": "key_x" }), "slug"),
        (json!({ "name": "a", "slug": "a".repeat(49) }), "slug"),
        (json!({ "name": "a", "ladder": "720p" }), "ladder"),
        (json!({ "name": "a", "read": "all" }), "read"),
        (json!({ "name": "a", "expires_at": "tomorrow" }), "expires_at"),
        (json!({ "name": "a", "expires_at": "2000-01-01T00:00:00Z" }), "expires_at"),
        (json!({ "name": "a", "description": "x".repeat(2001) }), "description"),
    ] {
        let refused = house.post("/api/v1/streams", body.clone()).expect(422);
        assert_eq!(refused.json["errors"][0]["field"], field, "{body}: {}", refused.json);
        assert_eq!(refused.field("content-type"), Some("application/problem+json"));
        assert_eq!((refused.text("code"), &refused.json["status"]), ("invalid", &json!(422)));
    }
    for body in [
        json!({ "name": 7 }),
        json!({ "name": "a", "nmae": 1 }),
        json!({ "name": "a", "listed": "yes" }),
        json!([]),
    ] {
        house.post("/api/v1/streams", body).expect(422);
    }
    let typed = "Content-Type: application/json\r\n";
    house.bytes("POST", "/api/v1/streams", typed, b"{").expect(400);
    house.bytes("POST", "/api/v1/streams", typed, b"\xff\xfe").expect(400);
    house.bytes("POST", "/api/v1/streams", typed, "[".repeat(5000).as_bytes()).expect(422);
    house.bytes("POST", "/api/v1/streams", typed, &vec![b' '; (64 << 10) + 1]).expect(413);
    house.bytes("POST", "/api/v1/streams", "Content-Type: text/plain\r\n", b"{\"name\":\"a\"}").expect(415);
    house.ask("PUT", "/api/v1/streams", "", Some(json!({}))).expect(405);
    let nothing = house.get("/api/v1/nothing").expect(404);
    assert_eq!(nothing.field("content-type"), Some("application/problem+json"));
    for limit in ["0", "501", "x", "-1"] {
        house.get(&format!("/api/v1/streams?limit={limit}")).expect(422);
    }
    // What would be more than text to somebody less careful.
    for name in ["'; DROP TABLE streams; --", "<script>alert(1)</script>", "%s%n", "🎬\u{202e}x"] {
        let made = house.registered(json!({ "name": name }));
        assert_eq!(
            house.get(&format!("/api/v1/streams/{}", made.text("public_id"))).expect(200).text("name"),
            name
        );
    }
    assert_eq!(house.get("/api/v1/streams/%27%20OR%20%271%27=%271").expect(404).text("code"), "not_found");
}

#[test]
fn lists_come_in_pages_and_hide_what_is_not_for_everybody() {
    let house = House::new("rest-pages", &[]);
    let mut ids: Vec<String> = (0..7)
        .map(|n| house.registered(json!({ "name": format!("n{n}") })).text("public_id").to_string())
        .collect();
    ids.sort();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = house.get(&format!("/api/v1/streams?limit=3&after={after}")).expect(200).json;
        seen.extend(
            page["items"].as_array().unwrap().iter().map(|i| i["public_id"].as_str().unwrap().to_string()),
        );
        match page["next"].as_str() {
            Some(next) => after = next.to_string(),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    let hidden = house.registered(json!({ "name": "h", "slug": "hidden", "listed": false }));
    let own = house.registered(json!({ "name": "o", "slug": "own", "read": "owner" }));
    let stranger = "X-Forwarded-For: 192.0.2.7\r\n";
    let count = |fields: &str, path: &str| {
        let list = house.ask("GET", path, fields, None).expect(200).json;
        list.get("items").unwrap_or(&list).as_array().unwrap().len()
    };
    for path in ["/api/v1/streams", "/streams?state=all"] {
        assert_eq!((count("", path), count(stranger, path)), (9, 7), "{path}");
    }
    // Who has the address of an unlisted one sees it; the other is its owner's alone.
    house.ask("GET", "/api/v1/streams/hidden", stranger, None).expect(200);
    house.ask("GET", "/api/v1/streams/own", stranger, None).expect(404);
    let owner = format!("{stranger}Private-Id: {}\r\n", own.text("private_id"));
    house.ask("GET", "/api/v1/streams/own", &owner, None).expect(200);
    let other = format!("{stranger}Private-Id: {}\r\n", hidden.text("private_id"));
    house.ask("GET", "/api/v1/streams/own", &other, None).expect(404);
    // The owner makes a new key, and nobody else.
    house.ask("POST", "/api/v1/streams/own/key", &other, None).expect(403);
    house.ask("POST", "/api/v1/streams/own/key", stranger, None).expect(401);
    house.ask("POST", "/api/v1/streams/own/key", &owner, None).expect(200);
    house.ask("DELETE", "/api/v1/streams/own", stranger, None).expect(401);
}

#[test]
fn what_only_its_owner_may_watch_is_closed_to_others() {
    let house = House::new("rest-read", &[]);
    let own = house.registered(json!({ "name": "o", "slug": "own", "read": "owner" }));
    // This machine may, and hears that nobody publishes.
    assert_eq!(house.serve.get("web", "/live/own/index.m3u8").status, 404);
    let token = format!("/live/own/index.m3u8?token={}", own.text("private_id"));
    assert_eq!(house.serve.get("web", &token).status, 404);
}
