//! Looks at fake servers over real sockets.

use super::*;
use crate::base::next::Advice;
use crate::config::Layer;
use crate::model::State;
use std::cell::Cell;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server that gives `answer` for each request, counted from 0; its address.
async fn serve(answer: impl Fn(u64) -> String + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = Rc::new(answer);
    let count = Rc::new(Cell::new(0));
    tokio::task::spawn_local(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let (answer, count) = (answer.clone(), count.clone());
            tokio::task::spawn_local(async move {
                let mut head = Vec::new();
                let mut buffer = [0; 2048];
                while let Ok(n @ 1..) = socket.read(&mut buffer).await {
                    head.extend_from_slice(buffer.get(..n).unwrap());
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        let n = count.replace(count.get() + 1);
                        let _ = socket.write_all(answer(n).as_bytes()).await;
                    }
                }
            });
        }
    });
    address
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn stat(pid: u64, streams: &[(&str, u64)]) -> String {
    let streams: String = streams
        .iter()
        .map(|(name, bytes)| {
            format!(
                "<stream><name>{name}</name><time>60000</time><bw_in>800000</bw_in><bytes_in>{bytes}</bytes_in>\
                 <nclients>1</nclients><publishing/><active/></stream>"
            )
        })
        .collect();
    ok(&format!(
        "<rtmp><pid>{pid}</pid><server><application><name>live</name><live>{streams}</live></application></server></rtmp>"
    ))
}

const NO_PATHS: &str = r#"{"itemCount":0,"pageCount":0,"items":[]}"#;

/// Looks `times` at an nginx and a MediaMTX (their URLs; `None` where nothing listens), in a folder of its own.
fn looks<A, B>(nginx: Option<A>, mediamtx: Option<B>, times: usize) -> Vec<Outcome<Listing>>
where
    A: Fn(u64) -> String + 'static,
    B: Fn(u64) -> String + 'static,
{
    let dir = tempfile::tempdir().unwrap();
    let environment = Environment::made(&[("XDG_RUNTIME_DIR", dir.path().to_str().unwrap())], dir.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(tokio::task::LocalSet::new().run_until(async move {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let nginx = match nginx {
            Some(answer) => serve(answer).await,
            None => free.clone(),
        };
        let mediamtx = match mediamtx {
            Some(answer) => serve(answer).await,
            None => free,
        };
        let flags = Layer::flags([
            ("nginx_stat_url", Some(format!("http://u:hunter2@{nginx}/stat"))),
            ("mediamtx_url", Some(format!("http://{mediamtx}"))),
        ]);
        let settings = Settings::load(flags, &environment).unwrap();
        let mut outcomes = Vec::new();
        let mut lister = Lister::new(&settings, &environment, false);
        for _ in 0..times {
            outcomes.push(lister.look().await);
        }
        outcomes
    }))
}

fn look(nginx: impl Fn(u64) -> String + 'static, mediamtx: impl Fn(u64) -> String + 'static) -> Listing {
    looks(Some(nginx), Some(mediamtx), 1).remove(0).unwrap()
}

fn state(listing: &Listing, key: &str) -> State {
    listing.streams.iter().find(|s| s.key == key).unwrap().state
}

#[test]
fn foreign_streams_are_live_when_their_bytes_move() {
    // One moves at once, one at the fourth look, one never.
    let listing = look(
        |n| stat(1, &[("quick", n * 10), ("slow", if n < 4 { 5 } else { 6 }), ("dead", 7)]),
        |_| ok(NO_PATHS),
    );
    assert_eq!(state(&listing, "quick"), State::Live);
    assert_eq!(state(&listing, "slow"), State::Live);
    assert_eq!(state(&listing, "dead"), State::Stalled);
    assert!(listing.servers.iter().all(|s| s.ok && s.error.is_none()));
    assert_eq!(listing.notes, Vec::<String>::new());
}

#[test]
fn nothing_is_asked_twice_without_need() {
    let asked = Rc::new(Cell::new(0));
    let count = asked.clone();
    let listing = look(
        move |n| {
            count.set(n + 1);
            stat(1, &[])
        },
        |_| ok(NO_PATHS),
    );
    assert_eq!((listing.streams.len(), asked.get()), (0, 1));
    let count = asked.clone();
    let names: Vec<String> = (0..150).map(|n| format!("s{n}")).collect();
    let listing = look(
        move |n| {
            count.set(n + 1);
            stat(1, &names.iter().map(|name| (name.as_str(), 9)).collect::<Vec<_>>())
        },
        |_| ok(NO_PATHS),
    );
    assert_eq!((listing.streams.len(), asked.get()), (150, 1));
    assert!(listing.streams.iter().all(|s| s.state == State::Live));
}

#[test]
fn a_second_look_of_the_same_lister_needs_no_patience() {
    let asked = Rc::new(Cell::new(0));
    let count = asked.clone();
    let outcomes = looks(
        Some(move |n| {
            count.set(n + 1);
            stat(1, &[("x", n * 10)])
        }),
        Some(|_| ok(NO_PATHS)),
        3,
    );
    assert!(outcomes.into_iter().all(|o| state(&o.unwrap(), "x") == State::Live));
    assert_eq!(asked.get(), 4, "two looks at first, one each from then on");
}

#[test]
fn several_workers_are_taken_together_and_noted() {
    let listing =
        look(|n| if n % 2 == 0 { stat(1, &[("a", n)]) } else { stat(2, &[("b", n)]) }, |_| ok(NO_PATHS));
    assert_eq!(listing.streams.len(), 2);
    assert!(listing.notes.iter().any(|n| n.contains("worker_processes 1")), "{:?}", listing.notes);
}

#[test]
fn a_silent_source_is_a_note_and_two_are_a_failure() {
    let outcome = looks(Some(|n| stat(1, &[("x", n)])), None::<fn(u64) -> String>, 1).remove(0).unwrap();
    assert_eq!(state(&outcome, "x"), State::Live);
    let note = outcome.notes.first().unwrap();
    assert!(
        note.starts_with("MediaMTX (127.0.0.1:") && note.contains("did not answer (connection refused)"),
        "{note}"
    );
    assert!(note.contains("viewers are those of nginx-rtmp only"), "{note}");
    let broken = outcome.servers.iter().find(|s| !s.ok).unwrap();
    assert_eq!((broken.name.as_str(), broken.error.as_deref()), ("mediamtx", Some("connection refused")));

    let failure = looks(None::<fn(u64) -> String>, None::<fn(u64) -> String>, 1).remove(0).unwrap_err();
    assert_eq!(failure.kind(), Kind::Server);
    assert_eq!(failure.hints().first().unwrap().step, Advice::StartServers, "{failure}");
    assert!(!failure.to_string().contains("hunter2"), "{failure}");
}

#[test]
fn refusals_name_what_to_change() {
    let refused = |_| "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_string();
    let missing = |_| "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_string();
    let listing = look(|n| stat(1, &[("x", n)]), refused);
    let note = listing.notes.first().unwrap();
    assert!(
        note.contains("docker") && note.contains("authInternalUsers") && note.contains("--mediamtx-url"),
        "{note}"
    );
    let listing = look(missing, |_| ok(NO_PATHS));
    let note = listing.notes.first().unwrap();
    assert!(note.contains("location /stat") && note.contains("--nginx-stat-url"), "{note}");
    let failure = looks(Some(missing), Some(refused), 1).remove(0).unwrap_err();
    assert_eq!(failure.hints().len(), 3, "{failure}");
    let html = |_| ok("<!DOCTYPE html><html></html>");
    let listing = look(html, |_| ok(NO_PATHS));
    assert!(listing.notes.first().unwrap().contains("a web page"), "{:?}", listing.notes);
    let text = serde_json::to_string(&listing).unwrap();
    assert!(!text.contains("hunter2") && text.contains("***@"), "{text}");
}
