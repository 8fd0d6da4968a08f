//! Chat without a WebSocket: requests and server-sent events; and what text may hold.

use super::client::{Client, OUTSIDE};
use super::{House, texts};
use crate::stage::{PATIENCE, raw};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

/// Texts that are scripts to careless pages.
const XSS: &str = include_str!("../../data/chat/xss.txt");

/// The answer to a request from elsewhere (or, by `localhost`, from here): status and body.
fn request(address: SocketAddr, host: &str, line: &str, fields: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let text = format!(
        "{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{kind}{fields}Content-Length: {length}\r\n\r\n{body}"
    );
    let answer = raw(address, text.as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn requests_write_list_and_moderate() {
    let Some(house) = House::new("chat-requests") else { return };
    let web = house.serve.address("web");
    let mut ann = Client::viewer(&house.serve, "cam");
    let cookie = format!("Cookie: {}\r\n", ann.cookie);
    let at = |rest: &str| format!("/api/v1/streams/cam/chat/{rest}");
    let post =
        |fields: &str, body: &str| request(web, OUTSIDE, &format!("POST {}", at("messages")), fields, body);
    let (status, said) = post(&cookie, r#"{"text":"by request","ref":"r1","name":"Ann"}"#);
    assert_eq!((status, &said["from"]["name"], &said["ref"]), (201, &"Ann".into(), &"r1".into()), "{said}");
    assert_eq!(ann.text(), "by request");
    let (status, problem) = post("", r#"{"text":"me too","name":"ann"}"#);
    assert_eq!((status, &problem["code"]), (409, &"name_taken".into()), "{problem}");
    let (status, problem) = post(&cookie, r#"{"text":"by request"}"#);
    assert_eq!((status, &problem["code"]), (409, &"duplicate".into()), "{problem}");
    assert!(problem["retry_after"].as_u64().is_some_and(|wait| wait <= 30), "{problem}");
    for (fields, body, status) in [
        ("Origin: http://evil.example\r\n", r#"{"text":"a"}"#.to_string(), 403),
        ("Content-Type: text/plain\r\n", String::new(), 400),
        ("", r#"{"text":5}"#.into(), 400),
        ("", "{".into(), 400),
        ("", "[".repeat(4000), 400),
        ("", format!(r#"{{"text":"{}"}}"#, "a".repeat(501)), 422),
        ("", format!(r#"{{"text":"{}"}}"#, "a".repeat(5000)), 413),
        ("", r#"{"text":" \u0007 "}"#.into(), 422),
    ] {
        let (got, problem) = post(fields, &body);
        assert_eq!(got, status, "{body}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    }
    // Moderation by request is for this machine.
    let id = said["id"].as_str().unwrap();
    let ban = json!({ "author": ann.id(), "seconds": 60 }).to_string();
    for (line, body) in [
        (format!("DELETE {}", at(&format!("messages/{id}"))), ""),
        (format!("POST {}", at("bans")), ban.as_str()),
        (format!("PATCH {}", at("room")), r#"{"slow_s":7}"#),
    ] {
        assert_eq!(request(web, OUTSIDE, &line, "", body).0, 403, "{line}");
        let foreign = "Origin: http://evil.example\r\n";
        assert_eq!(request(web, "localhost", &line, foreign, body).0, 403, "{line}");
        let (status, answer) = request(web, "localhost", &line, "", body);
        assert!((200..300).contains(&status), "{line}: {answer}");
    }
    assert_eq!(ann.until("delete")["ids"], json!([id]));
    ann.until("banned");
    assert_eq!(ann.until("room")["slow_s"], 7);
    assert_eq!(request(web, "localhost", &format!("DELETE {}", at("messages/m999")), "", "").0, 404);
    assert_eq!(request(web, "localhost", &format!("PUT {}", at("room")), "", "").0, 405);
    // Pages of the list, both ways.
    let mut boss = Client::moderator(&house.serve, "cam");
    for n in 0..10 {
        boss.said(&n.to_string());
    }
    let newest = house.list("?limit=4");
    assert_eq!(texts(&newest["items"]), ["6", "7", "8", "9"]);
    let older = house.list(&format!("?limit=4&before={}", newest["next"]));
    assert_eq!(texts(&older["items"]), ["2", "3", "4", "5"]);
    let (mut after, mut all) = (0, Vec::new());
    loop {
        let page = house.list(&format!("?limit=3&after={after}"));
        all.extend(texts(&page["items"]).into_iter().map(str::to_string));
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(all.concat(), "0123456789");
}

/// A reader of server-sent events.
struct Events(BufReader<TcpStream>);

impl Events {
    fn open(address: SocketAddr, fields: &str) -> Events {
        let mut peer = TcpStream::connect(address).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(peer, "GET /api/v1/streams/cam/chat/events HTTP/1.1\r\nHost: {OUTSIDE}\r\n{fields}\r\n")
            .unwrap();
        let mut events = Events(BufReader::new(peer));
        assert!(events.line().starts_with("HTTP/1.1 200"));
        let mut head = String::new();
        loop {
            match events.line() {
                line if line.is_empty() => break,
                line => head = head + &line.to_ascii_lowercase() + "\n",
            }
        }
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        events
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "it ended");
        line.trim_end().to_string()
    }

    /// The next event: its id and what it holds.
    fn next(&mut self) -> (u64, Value) {
        let mut id = 0;
        loop {
            let line = self.line();
            if let Some(text) = line.strip_prefix("id: ") {
                id = text.parse().unwrap();
            }
            if let Some(text) = line.strip_prefix("data: ") {
                return (id, serde_json::from_str(text).unwrap());
            }
        }
    }
}

#[test]
fn events_go_on_where_they_were() {
    let Some(house) = House::new("chat-events") else { return };
    let web = house.serve.address("web");
    let mut boss = Client::moderator(&house.serve, "cam");
    boss.said("before");
    let mut events = Events::open(web, "");
    let (id, hello) = events.next();
    assert_eq!((id, hello["type"].as_str(), texts(&hello["history"])), (1, Some("hello"), vec!["before"]));
    boss.said("one");
    let (id, one) = events.next();
    assert_eq!((id, one["text"].as_str()), (2, Some("one")));
    drop(events);
    for n in 0..40 {
        boss.said(&n.to_string());
    }
    let mut events = Events::open(web, &format!("Last-Event-ID: {id}\r\n"));
    let again: Vec<(u64, Value)> = (0..40).map(|_| events.next()).collect();
    assert!(
        again
            .iter()
            .enumerate()
            .all(|(n, (id, event))| *id == n as u64 + 3 && event["text"].as_str() == Some(&n.to_string()))
    );
    boss.said("live");
    assert_eq!(events.next().1["text"], "live");
    // A number of another life of the room begins anew.
    assert_eq!(Events::open(web, "Last-Event-ID: 99999\r\n").next().1["type"], "hello");
}

#[test]
fn text_is_text() {
    let Some(house) = House::new("chat-xss") else { return };
    let mut boss = Client::moderator(&house.serve, "cam");
    let all: Vec<&str> = XSS.lines().collect();
    assert!(all.len() >= 60, "{}", all.len());
    let mut half = all.chunks(30);
    for text in half.next().unwrap() {
        assert_eq!(boss.said(text)["text"], *text);
    }
    for text in half.flatten() {
        let body = json!({ "text": text }).to_string();
        let line = "POST /api/v1/streams/cam/chat/messages";
        let (status, said) = request(house.serve.address("web"), "localhost", line, "", &body);
        assert_eq!((status, said["text"].as_str()), (201, Some(*text)));
    }
    let listed = house.list("?after=0&limit=200");
    assert_eq!(texts(&listed["items"]), all);
    let answer = house.serve.get("web", "/api/v1/streams/cam/chat/messages");
    assert_eq!(answer.field("content-type"), Some("application/json"));
    assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
}
