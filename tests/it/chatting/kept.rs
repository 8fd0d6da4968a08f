//! What is kept of rooms: through a server that is killed, and not beyond its stream.

use super::client::{Client, Coming};
use super::{publish, texts};
use crate::stage::{PATIENCE, Postgres, Serve, Stage, missing, needs, post, wait_for};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tungstenite::protocol::frame::coding::CloseCode;

/// Registers a stream.
fn registered(serve: &Serve, slug: &str) -> Value {
    let body = json!({ "name": slug, "slug": slug }).to_string();
    let made = post(serve.address("web"), "/api/v1/streams", &body);
    assert_eq!(made.status, 201, "{made:?}");
    made.json()
}

fn come(serve: &Serve, cookie: &str) -> Client {
    Client::come(serve, "cam", Coming { fields: &[("Cookie", cookie)], ..Coming::default() })
}

#[test]
fn a_killed_server_has_lost_nothing_of_a_room() {
    let stage = Stage::new("chat-killed");
    let serve = Serve::start(&stage, &[]);
    registered(&serve, "cam");
    let (mut boss, mut ann) = (Client::moderator(&serve, "cam"), Client::viewer(&serve, "cam"));
    let mut troll = Client::viewer(&serve, "cam");
    ann.send(&json!({ "type": "name", "name": "Ann" }));
    ann.until("you");
    ann.said("one");
    let pinned = ann.said("two");
    let gone = troll.said("bad");
    boss.send(&json!({ "type": "delete", "id": gone["id"] }));
    ann.until("delete");
    boss.send(&json!({ "type": "ban", "author": troll.id() }));
    assert_eq!(troll.until("banned")["until"], Value::Null);
    boss.send(&json!({ "type": "room", "slow_s": 1, "pinned": pinned["id"] }));
    let seq = ann.said("three")["seq"].as_u64().unwrap();

    let killed = serve.into_running();
    killed.signal(Signal::SIGKILL);
    assert!(ann.heard().is_err() || ann.closed().is_none());
    drop(killed);
    let serve = Serve::start(&stage, &[]);
    let (cookie, banned) = (ann.cookie.clone(), troll.cookie.clone());
    let mut ann = come(&serve, &cookie);
    assert_eq!(texts(&ann.hello["history"]), ["one", "two", "three"]);
    assert_eq!((&ann.hello["you"]["name"], &ann.hello["room"]["slow_s"]), (&"Ann".into(), &1.into()));
    assert_eq!(ann.hello["room"]["pinned"]["text"], "two");
    assert!(ann.hello["seq"].as_u64().unwrap() >= seq, "{}", ann.hello);
    let mut troll = come(&serve, &banned);
    assert_eq!(troll.until("banned")["until"], Value::Null);
    troll.say("I am back");
    assert_eq!(troll.refused(), "banned");
    let mut other = Client::viewer(&serve, "cam");
    other.send(&json!({ "type": "name", "name": "ann" }));
    assert_eq!(other.refused(), "name_taken");
    assert!(ann.said("four")["seq"].as_u64().unwrap() > seq);
    let list = serve.get("web", "/api/v1/streams/cam/chat/messages?after=0").json();
    assert_eq!(texts(&list["items"]), ["one", "two", "three", "four"]);
    assert!(!list.to_string().contains("bad"), "{list}");
}

#[test]
fn a_removed_stream_takes_its_room_along() {
    let stage = Stage::new("chat-removed");
    let serve = Serve::start(&stage, &[]);
    for by_path in [false, true] {
        let made = registered(&serve, "cam");
        let id = made["public_id"].as_str().unwrap();
        let mut ann = Client::viewer(&serve, "cam");
        assert!(texts(&ann.hello["history"]).is_empty());
        ann.said("hello");
        if by_path {
            let field = format!("Private-Id: {}\r\n", made["private_id"].as_str().unwrap());
            assert_eq!(serve.ask("web", "POST", &format!("/stop_stream/{id}"), &field).status, 200);
        } else {
            assert_eq!(serve.ask("web", "DELETE", &format!("/api/v1/streams/{id}"), "").status, 204);
        }
        assert_eq!(ann.closed(), Some(CloseCode::Away));
        assert_eq!(serve.get("web", &format!("/api/v1/streams/{id}/chat/messages")).status, 404);
    }
    let log = serve.running().stderr();
    assert!(!log.contains("cannot be stored"), "{log}");
}

#[test]
fn what_is_said_reaches_other_programs_as_an_event() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("chat-events");
    let serve = Serve::start(&stage, &[]);
    let _publisher = publish(&stage, &serve, "open");
    let id = registered(&serve, "cam")["public_id"].clone();
    let (mut boss, mut ann) = (Client::moderator(&serve, "cam"), Client::viewer(&serve, "cam"));
    let said = ann.said("to everybody");
    boss.send(&json!({ "type": "delete", "id": said["id"] }));
    ann.until("delete");
    boss.send(&json!({ "type": "ban", "author": ann.id(), "seconds": 60 }));
    ann.until("banned");
    Client::viewer(&serve, "open").said("elsewhere");
    let events = wait_for("all events", PATIENCE, || {
        let list = serve.get("web", "/api/v1/events?types=chat.*").json();
        if list["items"].as_array().is_some_and(|items| items.len() == 4) {
            Ok(list["items"].clone())
        } else {
            Err(list)
        }
    });
    let kinds: Vec<&str> =
        events.as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["chat.message", "chat.deleted", "chat.banned", "chat.message"]);
    let (message, deleted, banned) = (&events[0], &events[1], &events[2]);
    assert_eq!((&message["public_id"], &message["data"]["name"]), (&id, &"cam".into()));
    assert_eq!(message["data"]["message"]["text"], "to everybody");
    assert_eq!(message["data"]["message"]["from"]["id"], ann.id());
    assert_eq!(deleted["data"]["ids"], json!([said["id"]]));
    assert_eq!((&banned["data"]["author"], &banned["data"]["by"]), (&ann.id().into(), &boss.id().into()));
    assert_eq!((&events[3]["public_id"], &events[3]["data"]["name"]), (&"open".into(), &"open".into()));
    let all = events.to_string();
    let secrets = [ann.cookie.split('=').nth(1).unwrap(), "127.0.0.1", "place"];
    secrets.iter().for_each(|secret| assert!(!all.contains(secret), "{secret}: {all}"));
}

#[test]
fn chat_goes_on_without_the_database_and_catches_up() {
    let Some(mut postgres) = Postgres::start() else { return missing("PostgreSQL") };
    let stage = Stage::new("chat-database");
    let serve = Serve::start(&stage, &["--database", &postgres.url()]);
    registered(&serve, "cam");
    let mut ann = Client::viewer(&serve, "cam");
    ann.said("before");
    postgres.stop();
    wait_for("the server to see it", PATIENCE, || {
        let answer = post(serve.address("web"), "/api/v1/streams", r#"{"name":"x"}"#);
        if answer.status == 503 { Ok(()) } else { Err(answer.status) }
    });
    ann.said("meanwhile");
    let mut bob = Client::viewer(&serve, "cam");
    assert_eq!(texts(&bob.hello["history"]), ["before", "meanwhile"]);
    bob.said("heard by all");
    assert_eq!(ann.text(), "heard by all");
    postgres.begin();
    let list = wait_for("what was said to be stored", PATIENCE, || {
        let list = serve.get("web", "/api/v1/streams/cam/chat/messages").json();
        if texts(&list["items"]).len() == 3 { Ok(list) } else { Err(list) }
    });
    assert_eq!(texts(&list["items"]), ["before", "meanwhile", "heard by all"]);
    ann.said("after");
    let killed = serve.into_running();
    killed.signal(Signal::SIGKILL);
    drop(killed);
    let serve = Serve::start(&stage, &["--database", &postgres.url()]);
    let ann = come(&serve, &ann.cookie);
    assert_eq!(texts(&ann.hello["history"]), ["before", "meanwhile", "heard by all", "after"]);
}
