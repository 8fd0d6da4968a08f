//! Recorded answers of MediaMTX 1.20.1, older and damaged forms of them, and servers that page, change and refuse.

use super::*;
use crate::status::fetch::Limits;
use proptest::prelude::*;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const FOUR: &str = include_str!("../../tests/data/mediamtx/paths-list-four-renditions.json");
const DIRECT: &str = include_str!("../../tests/data/mediamtx/paths-list-direct-publishers.json");
const EMPTY: &str = include_str!("../../tests/data/mediamtx/paths-list-empty.json");
const CLOSING: &str = include_str!("../../tests/data/mediamtx/paths-list-closing.json");
const MIDDLE: &str = include_str!("../../tests/data/mediamtx/paths-list-page-1-of-3.json");
const REFUSED: &str = include_str!("../../tests/data/mediamtx/unauthorized.http.txt");
const NOT_FOUND: &str = include_str!("../../tests/data/mediamtx/hlsmuxers-disabled.http.txt");

fn named<'a>(page: &'a Page, name: &str) -> &'a Path {
    page.paths.iter().find(|p| p.name == name).unwrap()
}

#[test]
fn reads_the_recorded_pages() {
    let page = parse_page(FOUR.as_bytes()).unwrap();
    assert_eq!((page.item_count, page.page_count, page.paths.len()), (6, 1, 6));
    let path = named(&page, "live/stream1_720p");
    assert!(path.ready && path.pulled_over_rtmp());
    assert_eq!((path.readers, path.bytes_in), (1, 700_125));
    assert_eq!(path.tracks.first().unwrap().size, Some((1280, 720)));
    assert_eq!(path.tracks.get(1).unwrap().sample_rate, Some(44100));
    assert!(path.ready_since_ms.unwrap() > 1_700_000_000_000);
    let nobody = named(&page, "nobody");
    assert!(!nobody.ready && !nobody.pulled_over_rtmp() && nobody.ready_since_ms.is_none());

    let page = parse_page(DIRECT.as_bytes()).unwrap();
    let path = named(&page, "cam2");
    assert!(path.ready && !path.pulled_over_rtmp());
    assert_eq!(path.source.as_deref(), Some("rtspSession"));

    assert_eq!(parse_page(EMPTY.as_bytes()).unwrap().paths, vec![]);
    assert_eq!(parse_page(MIDDLE.as_bytes()).unwrap().page_count, 3);
    assert!(parse_page(CLOSING.as_bytes()).unwrap().paths.iter().any(|p| p.source.is_none() || !p.ready));
    let info: Info = json(include_bytes!("../../tests/data/mediamtx/info.json")).unwrap();
    assert_eq!(info.version, "v1.20.1");
}

#[test]
fn old_and_new_field_names_say_the_same() {
    let old = br#"{"itemCount":1,"pageCount":1,"items":[{"name":"a","ready":true,"readyTime":"2026-11-21T07:46:15.5Z",
        "source":{"type":"rtmpSource","id":""},"tracks":["H264","MPEG-4 Audio"],"readers":[{"type":"rtspSession"},
        {"type":"hlsMuxer"}],"bytesReceived":9}]}"#;
    let new = br#"{"itemCount":1,"pageCount":1,"items":[{"name":"a","available":true,"future":{"x":[1]},
        "availableTime":"2026-11-21T07:46:15.5Z","source":{"type":"rtmpSource","id":"","more":1},
        "tracks2":[{"codec":"H264","codecProps":null},{"codec":"MPEG-4 Audio","codecProps":{}}],
        "readers":[{"type":"rtspSession","id":"x"},{"type":"hidden"}],"inboundBytes":9}]}"#;
    let (old, new) = (parse_page(old).unwrap(), parse_page(new).unwrap());
    assert_eq!(old, new);
    assert_eq!(named(&old, "a").readers, 1);
    let nulls =
        br#"{"itemCount":1,"pageCount":1,"items":[{"name":"a","ready":null,"source":null,"tracks":null,
        "tracks2":null,"readers":null,"readyTime":null}]}"#;
    assert_eq!(*named(&parse_page(nulls).unwrap(), "a"), Path { name: "a".into(), ..Path::default() });
}

#[test]
fn one_error_per_way_to_be_wrong() {
    let wrong = |text: &str| parse_page(text.as_bytes()).expect_err(text);
    assert_eq!(wrong(""), ParseError::Empty);
    assert_eq!(wrong("<!DOCTYPE html><html>"), ParseError::Html);
    assert_eq!(wrong("404 page not found"), ParseError::NotJson);
    assert_eq!(wrong("[1]"), ParseError::NotJson);
    assert_eq!(wrong("{\"items\": oops}"), ParseError::NotJson);
    assert_eq!(wrong("{}"), ParseError::WrongShape);
    assert_eq!(wrong(r#"{"status":"error","error":"x"}"#), ParseError::WrongShape);
    assert_eq!(wrong(r#"{"itemCount":1,"pageCount":1,"items":{"a":1}}"#), ParseError::WrongShape);
    assert_eq!(wrong(r#"{"itemCount":1,"#), ParseError::Truncated);
    let whole = FOUR.trim_end().len();
    for end in 1..whole {
        let error = parse_page(FOUR.as_bytes().get(..end).unwrap()).expect_err("a page cut off");
        assert_eq!(error, ParseError::Truncated, "at {end}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_page_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_page(&bytes);
    }

    #[test]
    fn a_damaged_page_is_a_page_or_an_error(at in 0..DIRECT.len(), byte in any::<u8>()) {
        let mut bytes = DIRECT.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = parse_page(&bytes);
    }
}

/// Asks a server that answers the page number and the running count of requests with `answer`.
fn ask(
    answer: impl Fn(u64, u64) -> String + 'static,
    limits: Limits,
) -> (Result<Vec<Path>, SourceError>, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(tokio::task::LocalSet::new().run_until(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: HttpUrl = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let count = Rc::new(Cell::new(0u64));
        let requests = count.clone();
        let answer = Rc::new(answer);
        tokio::task::spawn_local(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (answer, count) = (answer.clone(), count.clone());
                tokio::task::spawn_local(async move {
                    let mut head = Vec::new();
                    let mut buffer = [0; 2048];
                    while let Ok(n @ 1..) = socket.read(&mut buffer).await {
                        head.extend_from_slice(buffer.get(..n).unwrap());
                        if !head.ends_with(b"\r\n\r\n") {
                            continue;
                        }
                        let text = String::from_utf8_lossy(&head).into_owned();
                        let page =
                            text.split("&page=").nth(1).and_then(|t| t.split(' ').next()).unwrap_or("0");
                        let whole = answer(page.parse().unwrap(), count.get());
                        count.set(count.get() + 1);
                        if whole.is_empty() || socket.write_all(whole.as_bytes()).await.is_err() {
                            std::future::pending::<()>().await;
                        }
                        head.clear();
                    }
                });
            }
        });
        let outcome = paths(&Client::new(limits), &url).await;
        (outcome, requests.get())
    }))
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn listed(count: u64, pages: u64, names: &[String]) -> String {
    let items: Vec<String> = names.iter().map(|n| format!(r#"{{"name":"{n}","ready":true}}"#)).collect();
    ok(&format!(r#"{{"itemCount":{count},"pageCount":{pages},"items":[{}]}}"#, items.join(",")))
}

#[test]
fn follows_every_page() {
    let (paths, requests) =
        ask(|page, _| listed(7, 4, &[format!("a{page}"), format!("b{page}")]), Limits::default());
    assert_eq!((paths.unwrap().len(), requests), (8, 4));
}

#[test]
fn begins_again_when_the_list_changes_and_ends_when_it_never_rests() {
    let (paths, requests) = ask(
        |page, n| {
            if n < 2 { listed(10 + n, 2, &["old".into()]) } else { listed(2, 2, &[format!("new{page}")]) }
        },
        Limits::default(),
    );
    let names: Vec<String> = paths.unwrap().into_iter().map(|p| p.name).collect();
    assert_eq!((names, requests), (vec!["new0".to_string(), "new1".to_string()], 4));
    let (paths, requests) = ask(|_, n| listed(n, 9, &[format!("x{n}")]), Limits::default());
    assert_eq!((paths.unwrap().len(), requests), (6, 6));
}

#[test]
fn refusals_are_told_apart() {
    let reason = |text: String| ask(move |_, _| text.clone(), Limits::default()).0.unwrap_err();
    let raw = |text: &str| text.replace("\r\n", "\n").replacen("\n\n", "\r\n\r\n", 1);
    assert_eq!(reason(raw(REFUSED)).status(), Some(401));
    assert_eq!(reason(raw(NOT_FOUND)).status(), Some(404));
    assert_eq!(reason(ok("<html>hello</html>")), ParseError::Html.into());
    assert_eq!(reason(ok("hello")), ParseError::NotJson.into());
    let (endless, _) = ask(|page, _| listed(1_000_000, 1_000_000, &[format!("p{page}")]), Limits::default());
    assert!(matches!(
        endless,
        Err(SourceError::Json(ParseError::TooMany) | SourceError::Fetch(FetchError::TimedOut(_)))
    ));
}

#[test]
fn the_time_limit_holds_for_all_pages_together() {
    let limits = Limits { total: Duration::from_millis(300), ..Limits::default() };
    let (paths, _) =
        ask(|page, _| if page < 3 { listed(9, 9, &[format!("p{page}")]) } else { String::new() }, limits);
    assert_eq!(paths, Err(FetchError::TimedOut(limits.total).into()));
}
