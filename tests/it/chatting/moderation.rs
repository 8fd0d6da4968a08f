//! What moderators do, and what stays of it.

use super::House;
use super::client::{Client, Coming};
use crate::stage::{PATIENCE, wait_for};
use serde_json::json;

#[test]
fn slow_mode_names_and_a_closed_room() {
    let Some(house) = House::new("chat-slow") else { return };
    let (mut boss, mut ann) = (Client::moderator(&house.serve, "cam"), Client::viewer(&house.serve, "cam"));
    assert_eq!(boss.hello["you"]["role"], "moderator");
    // From this machine, but a page of somebody else's name: no moderator.
    let other =
        Client::come(&house.serve, "cam", Coming { host: "127.0.0.1.evil.example", ..Coming::default() });
    assert_eq!(other.hello["you"]["role"], "viewer");
    boss.send(&json!({ "type": "room", "slow_s": 60, "max_chars": 10 }));
    assert_eq!((&ann.until("room")["slow_s"], &boss.until("room")["max_chars"]), (&60.into(), &10.into()));
    ann.said("first");
    ann.say("second");
    let refused = ann.until("error");
    assert_eq!(refused["code"], "slow_mode");
    let wait = refused["retry_after_ms"].as_u64().unwrap();
    assert!((1..=60_000).contains(&wait), "{refused}");
    ann.say("eleven long");
    assert_eq!(ann.refused(), "too_long");
    for text in ["free", "of", "limits", "even of their length"] {
        assert_eq!(boss.said(text)["from"]["role"], "moderator");
    }
    boss.send(&json!({ "type": "room", "slow_s": 0, "open": false }));
    assert_eq!(ann.until("room")["open"], false);
    ann.say("second");
    assert_eq!(ann.refused(), "closed");
    boss.send(&json!({ "type": "room", "slow_s": 1000 }));
    assert_eq!(boss.refused(), "bad_setting");
    ann.send(&json!({ "type": "room", "open": true }));
    assert_eq!(ann.refused(), "forbidden");
    boss.send(&json!({ "type": "room", "open": true, "newcomers_wait_s": 3600 }));
    ann.until("room");
    let mut new = Client::viewer(&house.serve, "cam");
    assert_eq!(new.hello["room"]["newcomers_wait_s"], 3600);
    new.say("hi");
    assert_eq!(new.refused(), "newcomer");
}

#[test]
fn a_ban_survives_a_reconnect_and_messages_go() {
    let Some(house) = House::new("chat-ban") else { return };
    let (mut boss, mut ann) = (Client::moderator(&house.serve, "cam"), Client::viewer(&house.serve, "cam"));
    let mut troll = Client::viewer(&house.serve, "cam");
    let spam = troll.said("buy!")["id"].as_str().unwrap().to_string();
    boss.until("message");
    ann.send(&json!({ "type": "ban", "author": troll.id(), "seconds": 60 }));
    assert_eq!(ann.refused(), "forbidden");
    boss.send(&json!({ "type": "ban", "author": troll.id(), "seconds": 600 }));
    assert!(troll.until("banned")["until"].is_string());
    troll.say("buy!!");
    assert_eq!(troll.refused(), "banned");
    let mut again = troll.again(&house.serve, "cam");
    assert_eq!(again.id(), troll.id());
    assert!(again.next()["until"].is_string());
    again.say("buy!!!");
    assert_eq!(again.refused(), "banned");
    again.send(&json!({ "type": "name", "name": "Honest" }));
    assert_eq!(again.refused(), "banned");
    boss.send(&json!({ "type": "room", "pinned": spam }));
    assert_eq!(ann.until("room")["pinned"]["text"], "buy!");
    boss.send(&json!({ "type": "delete", "id": spam }));
    assert_eq!(ann.until("delete")["ids"], json!([spam]));
    assert!(ann.until("room")["pinned"].is_null());
    let new = Client::viewer(&house.serve, "cam");
    assert_eq!(new.hello["history"], json!([]));
    let list = house.list("?after=0")["items"].clone();
    assert_eq!((list[0]["type"].as_str(), list.as_array().unwrap().len()), (Some("delete"), 1), "{list}");
    assert!(!list.to_string().contains("buy"), "{list}");
    boss.send(&json!({ "type": "ban", "author": troll.id(), "seconds": 0 }));
    again.until("banned");
    again.said("sorry");
    boss.send(&json!({ "type": "clear" }));
    ann.until("clear");
    assert_eq!(Client::viewer(&house.serve, "cam").hello["history"], json!([]));
    let line = format!("bans {} (viewer-{}) until", troll.id(), &troll.id()[..4]);
    let said = wait_for("the ban in the log", PATIENCE, || {
        let said = house.serve.running().stderr();
        if said.contains(&line) { Ok(said) } else { Err(said) }
    });
    assert!(!said.contains(troll.cookie.split('=').next_back().unwrap()), "a token in the log");
}
