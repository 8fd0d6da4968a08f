//! The operator from elsewhere: a password and a session for a browser, tokens with scopes for programs.

use super::house::{House, Reply};
use serde_json::{Value, json};

/// As if it came from elsewhere, through a proxy on this machine.
const ELSEWHERE: &str = "X-Forwarded-For: 192.0.2.7\r\n";

fn from_elsewhere(house: &House, method: &str, path: &str, shown: &str, body: Option<Value>) -> Reply {
    house.ask(method, path, &format!("{ELSEWHERE}{shown}"), body)
}

#[test]
fn a_browser_signs_in_with_the_password_that_was_set() {
    let house = House::new("signing-in", &[]);
    assert_eq!(
        house.get("/api/v1/session").expect(200).json,
        json!({ "operator": true, "has_password": false })
    );
    let away = from_elsewhere(&house, "GET", "/api/v1/session", "", None).expect(200);
    assert_eq!(away.json, json!({ "operator": false, "has_password": false }));
    let session = |password: &str, set: bool, fields: &str| {
        house.ask("POST", "/api/v1/session", fields, Some(json!({ "password": password, "set": set })))
    };
    session("long enough", true, ELSEWHERE).expect(401);
    session("short", true, "").expect(422);
    session("long enough", true, "").expect(200);
    session("wrong password", false, ELSEWHERE).expect(401);
    let signed = session("long enough", false, ELSEWHERE).expect(200);
    let cookie = signed.field("set-cookie").unwrap();
    for word in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    let shown = format!("Cookie: a=b; {}\r\n", cookie.split(';').next().unwrap());
    from_elsewhere(&house, "GET", "/api/v1/tokens", &shown, None).expect(200);
    // Another page that sends the cookie along changes nothing.
    let foreign = format!("{shown}Origin: http://evil.example\r\n");
    from_elsewhere(&house, "POST", "/api/v1/streams", &foreign, Some(json!({ "name": "x" }))).expect(403);
    from_elsewhere(&house, "GET", "/api/v1/tokens", &foreign, None).expect(401);
    // A new password ends every session but the one that set it.
    session("another password", true, "").expect(200);
    from_elsewhere(&house, "GET", "/api/v1/tokens", &shown, None).expect(401);
    let signed = session("another password", false, ELSEWHERE).expect(200);
    let shown = format!("Cookie: {}\r\n", signed.field("set-cookie").unwrap().split(';').next().unwrap());
    let out = from_elsewhere(&house, "DELETE", "/api/v1/session", &shown, None).expect(204);
    assert!(out.field("set-cookie").unwrap().contains("Max-Age=0"));
    from_elsewhere(&house, "GET", "/api/v1/tokens", &shown, None).expect(401);
    let log = house.serve.running().stderr();
    assert!(!log.contains("long enough") && !log.contains("ses_"), "{log}");
}

#[test]
fn the_set_up_link_sets_the_password_once() {
    let house = House::new("set-up", &[]);
    from_elsewhere(&house, "POST", "/api/v1/session/setup", "", None).expect(401);
    let secret = || {
        let made = house.stage.msconv(&["token", "setup"]).expect(0).stdout;
        let (page, secret) = made.trim().split_once("/console#setup=").unwrap();
        assert!(page.starts_with("http://") && secret.starts_with("set_"), "{made}");
        secret.to_string()
    };
    let (first, second) = (secret(), secret());
    let set = |setup: &str| {
        let body = json!({ "password": "long enough", "setup": setup });
        from_elsewhere(&house, "POST", "/api/v1/session", "", Some(body))
    };
    set(&first).expect(401);
    let signed = set(&second).expect(200);
    let shown = format!("Cookie: {}\r\n", signed.field("set-cookie").unwrap().split(';').next().unwrap());
    from_elsewhere(&house, "GET", "/api/v1/tokens", &shown, None).expect(200);
    set(&second).expect(401);
    let log = house.serve.running().stderr();
    assert!(!log.contains(&first) && !log.contains(&second), "{log}");
}

#[test]
fn tokens_do_what_their_scopes_say() {
    let house = House::new("tokens", &[]);
    let token = |scopes: &str| {
        let made = house.post("/api/v1/tokens", json!({ "label": scopes, "scopes": scopes })).expect(201);
        (made.text("token_id").to_string(), format!("Authorization: Bearer {}\r\n", made.text("token")))
    };
    let ((all, with_all), (_, with_streams), (_, with_read)) =
        (token("all"), token("streams"), token("read"));
    let body = || Some(json!({ "name": "x" }));
    let status = |method: &str, path: &str, shown: &str, body: Option<Value>| {
        from_elsewhere(&house, method, path, shown, body).status
    };
    assert_eq!(status("POST", "/api/v1/streams", &with_all, body()), 201);
    assert_eq!(status("POST", "/api/v1/streams", &with_streams, body()), 201);
    assert_eq!(status("POST", "/api/v1/streams", &with_read, body()), 403);
    assert_eq!(status("GET", "/api/v1/tokens", &with_streams, None), 403);
    assert_eq!(status("GET", "/api/v1/tokens", &with_all, None), 200);
    assert_eq!(status("DELETE", &format!("/api/v1/tokens/{all}"), &with_all, None), 204);
    assert_eq!(status("GET", "/api/v1/tokens", &with_all, None), 401);
    for wrong in ["tok_0000000000000000000000", "x", ""] {
        assert_eq!(
            status("GET", "/api/v1/streams", &format!("Authorization: Bearer {wrong}\r\n"), None),
            401
        );
    }
    let list = house.get("/api/v1/tokens").expect(200).json;
    assert!(list["items"].as_array().unwrap().len() == 2 && !list.to_string().contains("tok_"), "{list}");
    for body in [json!({}), json!({ "label": "" }), json!({ "label": "x", "scopes": "root" })] {
        house.post("/api/v1/tokens", body).expect(422);
    }
}
