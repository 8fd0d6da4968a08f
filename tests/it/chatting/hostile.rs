//! Whatever a client sends or leaves undone, others go on.

use super::House;
use super::client::{Client, Coming, ask, until_viewers};
use crate::stage::{PATIENCE, raw, wait_for};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;

#[test]
fn frames_that_are_none_end_their_own_socket_alone() {
    let Some(house) = House::new("chat-hostile") else { return };
    let serve = &house.serve;
    let mut witness = Client::viewer(serve, "cam");
    // Too large, in one frame and in parts.
    for text in ["a".repeat(4097), "a".repeat(1 << 20)] {
        let mut client = Client::viewer(serve, "cam");
        let _ = client.socket.send(Message::text(text));
        // What was still on its way when the server closed may turn its last words into a reset.
        assert!(matches!(client.closed(), Some(CloseCode::Size) | None));
    }
    let mut client = Client::viewer(serve, "cam");
    client.socket.send(Message::binary(vec![1, 2, 3])).unwrap();
    assert_eq!(client.closed(), Some(CloseCode::Unsupported));
    // No JSON, and at last no more patience.
    let mut client = Client::viewer(serve, "cam");
    for text in [
        "",
        "{",
        "null",
        "[]",
        r#"{"type":"say"}"#,
        r#"{"type":"eval","text":"x"}"#,
        "\u{0}",
        r#"{"type":"ban"}"#,
    ] {
        client.socket.send(Message::text(text)).unwrap();
        assert_eq!(client.refused(), "bad_frame", "{text}");
    }
    client.said("still here");
    for _ in 0..2 {
        client.socket.send(Message::text("x")).unwrap();
    }
    assert_eq!(client.closed(), Some(CloseCode::Policy));
    // A flood, of frames that are fine as well.
    let mut client = Client::moderator(serve, "cam");
    for n in 0..70 {
        // It may be closed before all of them are sent.
        let _ =
            client.socket.send(Message::text(json!({ "type": "say", "text": format!("{n}") }).to_string()));
    }
    assert!(matches!(client.closed(), Some(CloseCode::Policy) | None));
    // A frame without a mask, one with reserved bits, half of one, and no UTF-8.
    for bytes in [&b"\x81\x02hi"[..], b"\xf1\x80\0\0\0\0", b"\x81\x85\0\0", b"\x81\x82\0\0\0\0\xff\xfe"] {
        let (socket, _) = ask(serve.address("web"), "cam", Coming::default()).unwrap();
        let mut stream: TcpStream = socket.get_ref().try_clone().unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
    until_viewers(serve, "cam", 1);
    witness.said("fine");
}

#[test]
fn who_may_not_come_is_told_why() {
    let Some(house) = House::new("chat-origin") else { return };
    let address = house.serve.address("web");
    let status = |fields| ask(address, "cam", Coming { fields, ..Coming::default() }).err();
    assert_eq!(status(&[("Origin", "http://HOST")]), None);
    assert_eq!(status(&[("Origin", "https://evil.example")]), Some(403));
    assert_eq!(status(&[("Origin", "null")]), Some(403));
    assert_eq!(status(&[("Sec-Fetch-Site", "cross-site")]), Some(403));
    for (target, fields, answer) in [
        ("/api/v1/streams/cam/chat/ws", "", "400"),
        ("/api/v1/streams/..%2Fcam/chat/messages", "", "404"),
        ("/api/v1/streams/none/chat/messages", "", "404"),
        ("/api/v1/streams/cam/chat/messages?before=x", "", "400"),
        ("/api/v1/streams/cam/chat/messages?before=1&after=1", "", "400"),
        ("/api/v1/streams/cam/chat/events?after=-1", "", "400"),
        ("/api/v1/streams/cam/chat/ws", "Upgrade: websocket\r\nConnection: upgrade\r\n", "400"),
    ] {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\r\n");
        let got = raw(address, request.as_bytes());
        assert!(got.starts_with(&format!("HTTP/1.1 {answer} ")), "{target}: {got}");
        assert!(got.contains("application/problem+json"), "{got}");
    }
}

#[test]
fn a_slow_viewer_is_told_what_it_missed_and_one_that_takes_nothing_goes() {
    let Some(house) = House::new("chat-gap") else { return };
    let serve = &house.serve;
    let small = Coming { buffer: Some(4 << 10), ..Coming::default() };
    let mut slow = Client::come(serve, "cam", small);
    let dead = Client::come(serve, "cam", small);
    let long = "x".repeat(3000);
    let mut last = 0;
    // More than the kernel and the ring hold, by several moderators, since each has a limit.
    for _ in 0..5 {
        let mut boss = Client::moderator(serve, "cam");
        for n in 0..50 {
            last = boss.said(&format!("{n} {long}"))["seq"].as_u64().unwrap();
        }
        boss.leave();
    }
    let (mut seen, mut gaps) = (0, 0);
    while seen < last {
        let frame = slow.next();
        match frame["type"].as_str().unwrap() {
            "message" => {
                let seq = frame["seq"].as_u64().unwrap();
                assert_eq!(seq, seen + 1, "nothing is lost without a word");
                seen = seq;
            }
            "gap" => {
                gaps += 1;
                let (from, to) = (frame["from"].as_u64().unwrap(), frame["to"].as_u64().unwrap());
                assert_eq!(from, seen + 1);
                // What was missed can be asked for.
                while seen < to {
                    let list = house.list(&format!("?after={seen}&limit=100"));
                    seen = list["items"].as_array().unwrap().last().unwrap()["seq"].as_u64().unwrap().min(to);
                }
            }
            _ => {}
        }
    }
    assert!(gaps > 0, "it never was behind");
    // The other one never reads.
    wait_for("the dead one to be gone", PATIENCE, || {
        let seen = Client::viewer(serve, "cam");
        let viewers = seen.hello["viewers"].as_u64().unwrap();
        seen.leave();
        if viewers == 2 { Ok(()) } else { Err(viewers.to_string()) }
    });
    drop(dead);
    slow.said("still here");
}
