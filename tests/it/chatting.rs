//! Chat of the web port, by WebSockets, requests and server-sent events.

mod browsers;
mod client;
mod hostile;
mod kept;
mod moderation;
mod requests;

use crate::stage::{PATIENCE, Running, Serve, Stage, film, needs, wait_for};
use client::Client;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tungstenite::protocol::frame::coding::CloseCode;

/// A server with a stream `cam` on it. The server goes first.
struct House {
    publisher: Running,
    serve: Serve,
    stage: Stage,
}

impl House {
    fn new(name: &str) -> Option<House> {
        if !needs("ffmpeg") {
            return None;
        }
        let stage = Stage::new(name);
        let serve = Serve::start(&stage, &[]);
        let publisher = publish(&stage, &serve, "cam");
        Some(House { publisher, serve, stage })
    }

    /// The list of messages that a query gives.
    fn list(&self, query: &str) -> Value {
        let answer = self.serve.get("web", &format!("/api/v1/streams/cam/chat/messages{query}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }
}

/// A real stream that costs nothing.
fn publish(stage: &Stage, serve: &Serve, name: &str) -> Running {
    let (clip, url) = (film(8, 426, 240), format!("rtmp://{}/live/{name}", serve.address("rtmp")));
    let args = ["-nostdin", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", clip.to_str().unwrap()];
    let running = stage.spawn("ffmpeg", &[&args[..], &["-c", "copy", "-f", "flv", &url]].concat());
    wait_for("the stream to be live", PATIENCE, || {
        let path = serve.get("api", &format!("/v3/paths/get/{name}"));
        if path.status == 200 && path.json()["ready"] == true {
            Ok(())
        } else {
            Err(running.stderr() + &path.body)
        }
    });
    running
}

/// The texts of messages.
fn texts(frames: &Value) -> Vec<&str> {
    frames
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["text"].is_string())
        .map(|f| f["text"].as_str().unwrap())
        .collect()
}

#[test]
fn two_viewers_talk_and_one_who_comes_back_has_lost_nothing() {
    let Some(house) = House::new("chat-talk") else { return };
    let serve = &house.serve;
    let (mut ann, mut bob) = (Client::viewer(serve, "cam"), Client::viewer(serve, "cam"));
    assert_eq!((&ann.hello["you"]["role"], &ann.hello["state"]), (&"viewer".into(), &"live".into()));
    assert_eq!(
        ann.hello["room"],
        json!({"slow_s":0,"open":true,"newcomers_wait_s":0,"max_chars":500,"pinned":null})
    );
    assert!(ann.cookie.starts_with("msconv_chat=") && ann.id() != bob.id(), "{}", ann.hello);
    ann.send(&json!({ "type": "say", "text": "hello", "ref": "1" }));
    let (own, heard) = (ann.until("message"), bob.until("message"));
    assert_eq!((&own["text"], &own["ref"], &own["seq"]), (&"hello".into(), &"1".into(), &1.into()));
    assert_eq!((&heard["from"]["id"], &heard["id"]), (&ann.id().into(), &"m1".into()));
    assert_eq!(heard["from"]["name"], format!("viewer-{}", &ann.id()[..4]));
    // A name of one's own, which nobody else may have.
    ann.send(&json!({ "type": "name", "name": "Ann" }));
    assert_eq!(ann.until("you")["you"]["name"], "Ann");
    bob.send(&json!({ "type": "name", "name": "аnn" }));
    assert_eq!(bob.refused(), "name_taken");
    bob.say("hi");
    assert_eq!((ann.text(), bob.text()), ("hi".into(), "hi".into()));
    // He is away while two things are said, and comes back as who he was.
    let seen = ann.list_seq(&house);
    let cookie = bob.cookie.clone();
    let id = bob.id().to_string();
    bob.leave();
    for text in ["one", "two"] {
        ann.said(text);
    }
    let fields = [("Cookie", cookie.as_str())];
    let mut bob = Client::come(serve, "cam", client::Coming { fields: &fields, ..Default::default() });
    assert!(bob.id() == id && bob.cookie.is_empty(), "{}", bob.hello);
    assert_eq!(texts(&bob.hello["history"]), ["hello", "hi", "one", "two"]);
    assert_eq!(texts(&house.list(&format!("?after={seen}"))["items"]), ["one", "two"]);
    assert_eq!(bob.hello["history"][3]["from"]["name"], "Ann");
    bob.said("back");
    assert_eq!(ann.text(), "back");
    // The stream ends and the room stays.
    house.publisher.signal(Signal::SIGTERM);
    assert_eq!(ann.until("stream")["state"], "ended");
    ann.said("bye");
    assert_eq!(bob.text(), "bye");
    assert_eq!(client::ask(serve.address("web"), "nobody", Default::default()).err(), Some(404));
    // The server ends at once, and says so.
    let running = house.serve.into_running();
    running.signal(Signal::SIGTERM);
    let away = Some(CloseCode::Away);
    assert_eq!((ann.closed(), bob.closed()), (away, away));
    running.wait(PATIENCE).expect(0);
    drop(house.stage);
}

impl Client {
    /// The number of the last message of the room.
    fn list_seq(&self, house: &House) -> u64 {
        house.list("")["items"].as_array().unwrap().last().unwrap()["seq"].as_u64().unwrap()
    }
}
