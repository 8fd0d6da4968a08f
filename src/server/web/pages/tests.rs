//! The pages' answers, without a socket.

use super::built::File;
use super::*;
use crate::auth::{Access, Ledger};
use crate::hub::{self, Hub, Registry};
use crate::protocol::hls::ladder::Settings;
use crate::telemetry::Log;
use axum::body::Body;
use axum::http::header::{ACCEPT_ENCODING, HOST};
use hyper::body::Body as _;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use proptest::prelude::{prop_assert, proptest};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::watch;

const FILES: &[File] = &[
    ("assets/watch-AB12.js", b"alert(1)"),
    ("assets/watch-AB12.js.gz", b"zipped"),
    ("embed.html", b"<title>{{name}}</title><html data-list=\"{{list}}\">"),
    ("list.html", b"<html data-rtmp=\"{{rtmp}}\">"),
    ("studio.html", b"studio"),
    ("watch.html", b"<title>{{name}}</title><html data-list=\"{{list}}\">"),
];

fn hls() -> Arc<hls::server::Shared> {
    let applications = vec!["live".to_string(), "tv/one".to_string()];
    let (_, downs) = watch::channel(false);
    Arc::new(hls::server::Shared::new(
        Hub::new(Registry::default(), hub::Limits::default()),
        applications.into(),
        Arc::new(Access::default()),
        Arc::new(Mutex::new(Ledger::default())),
        Log::silent(),
        Settings {
            segment: Duration::from_secs(2),
            part: Duration::from_millis(100),
            window: Duration::from_secs(12),
            memory: None,
        },
        downs,
    ))
}

/// Status, header fields and body.
async fn ask(files: &'static [File], method: Method, path: &str, accept: &str) -> (u16, HeaderMap, String) {
    let mut request =
        Request::builder().method(method).uri(path).header(ACCEPT_ENCODING, accept).header(HOST, "here:8000");
    let (remote, local) = (([127, 0, 0, 1], 5).into(), ([127, 0, 0, 1], 80).into());
    request.extensions_mut().unwrap().insert(Connection { remote, local });
    let service =
        TowerToHyperService::new(routes(hls(), Arc::new(|_| "rtmp://here/live".into()), Files::Built(files)));
    let answer = service.call(request.body(Body::empty()).unwrap()).await.unwrap();
    let (head, mut body) = answer.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await {
        bytes.extend_from_slice(frame.unwrap().data_ref().unwrap());
    }
    (head.status.as_u16(), head.headers, String::from_utf8(bytes).unwrap())
}

fn field<'a>(fields: &'a HeaderMap, name: &str) -> &'a str {
    fields.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_page_of_nobody_is_there_to_wake_up() {
    for (path, list) in
        [("/watch/cam", "/live/cam/index.m3u8"), ("/watch/tv/one/cam_720p", "/tv/one/cam_720p/index.m3u8")]
    {
        let (status, fields, body) = ask(FILES, Method::GET, path, "").await;
        assert_eq!(status, 404, "{path}: {body}");
        assert!(body.contains(&format!("data-list=\"{list}\"")), "{body}");
        assert_eq!(field(&fields, "content-type"), "text/html; charset=utf-8");
        assert_eq!(field(&fields, "cache-control"), "no-cache");
        let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                      media-src 'self' blob:; connect-src 'self' ws://here:8000 wss://here:8000; worker-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";
        assert_eq!(field(&fields, "content-security-policy"), policy);
        assert_eq!(field(&fields, "cross-origin-opener-policy"), "same-origin");
        assert_eq!(field(&fields, "x-content-type-options"), "nosniff");
        assert_eq!(field(&fields, "referrer-policy"), "no-referrer");
        assert!(!fields.contains_key("access-control-allow-origin"), "{fields:?}");
    }
}

#[tokio::test]
async fn only_the_studio_captures_and_only_what_is_embedded_is_framed() {
    for (path, framed, captures) in [
        ("/", "frame-ancestors 'none'", false),
        ("/watch/cam", "frame-ancestors 'none'", false),
        ("/embed/cam", "frame-ancestors *", false),
        ("/studio", "frame-ancestors 'none'", true),
    ] {
        let (_, fields, body) = ask(FILES, Method::GET, path, "").await;
        let policy = field(&fields, "content-security-policy");
        assert!(policy.split("; ").any(|part| part == framed), "{path}: {policy}");
        let capture = field(&fields, "permissions-policy");
        assert_eq!(capture.contains("camera=(self)"), captures, "{path}: {capture}");
        assert!(!body.contains("{{"), "{path}: {body}");
    }
}

#[tokio::test]
async fn names_that_no_stream_can_have_have_no_page() {
    for path in [
        "/watch/%3Cscript%3E",
        "/watch/a%22onload=x",
        "/watch/..",
        "/watch/nine/cam",
        "/watch/live/",
        "/watch/live/cam/more",
        "/watch/_cam",
    ] {
        let (status, fields, body) = ask(FILES, Method::GET, path, "").await;
        assert_eq!((status, field(&fields, "content-type")), (404, "text/plain; charset=utf-8"), "{path}");
        assert_eq!(body, "no stream can have this name\n", "{path}");
    }
}

#[tokio::test]
async fn assets_are_kept_and_come_gzipped_where_that_is_accepted() {
    let (status, fields, body) = ask(FILES, Method::GET, "/assets/watch-AB12.js", "br, gzip").await;
    assert_eq!((status, field(&fields, "content-encoding"), body.as_str()), (200, "gzip", "zipped"));
    assert_eq!(field(&fields, "cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(field(&fields, "content-type"), "text/javascript; charset=utf-8");
    let (status, fields, body) = ask(FILES, Method::GET, "/assets/watch-AB12.js", "").await;
    assert_eq!((status, field(&fields, "content-encoding"), body.as_str()), (200, "", "alert(1)"));
    assert_eq!(field(&fields, "vary"), "Accept-Encoding");
    for path in ["/assets/other.js", "/assets/../watch.html", "/assets/%2e%2e/watch.html", "/assets/x/y"] {
        assert_eq!(ask(FILES, Method::GET, path, "").await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn pages_are_only_read() {
    for path in ["/", "/studio", "/console", "/watch/cam", "/embed/cam", "/assets/watch-AB12.js"] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let (status, fields, _) = ask(FILES, method.clone(), path, "").await;
            assert_eq!((status, field(&fields, "allow")), (405, "GET, HEAD"), "{method} {path}");
        }
        assert_ne!(ask(FILES, Method::HEAD, path, "").await.0, 405);
    }
}

#[tokio::test]
async fn a_program_without_pages_says_how_to_get_them() {
    let (status, fields, body) = ask(&[], Method::GET, "/watch/cam", "").await;
    assert_eq!((status, field(&fields, "content-type")), (501, "text/plain; charset=utf-8"));
    assert!(body.contains("try: run scripts/setup.sh") && body.contains("/live/cam/index.m3u8"), "{body}");
    for path in ["/", "/studio", "/console", "/embed/cam"] {
        assert_eq!(ask(&[], Method::GET, path, "").await.0, 501, "{path}");
    }
    assert_eq!(ask(&[], Method::GET, "/watch/%3Cb%3E", "").await.2, "no stream can have this name\n");
    assert_eq!(ask(&[], Method::GET, "/assets/watch.js", "").await.0, 404);
}

#[test]
fn text_in_a_page_stays_text() {
    let page = filled(b"<h1>{{name}}</h1>", &[("{{name}}", "\"><script>'&")]);
    assert_eq!(page, "<h1>&quot;&gt;&lt;script&gt;&#39;&amp;</h1>");
}

proptest! {
    #[test]
    fn no_name_breaks_out_of_its_place(name in ".*") {
        let page = filled(b"{{name}}", &[("{{name}}", &name)]);
        let page = String::from_utf8(page.to_vec()).unwrap();
        prop_assert!(!page.contains(['<', '>', '"', '\'']), "{}", page);
    }
}

#[test]
fn the_words_that_a_page_begins_with_are_those_of_the_browser() {
    let of = |wanted: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, wanted.parse().unwrap());
        language(&headers)
    };
    assert_eq!(language(&HeaderMap::new()), "en");
    let wanted = ["ru", "ru-RU,ru;q=0.9,en;q=0.8", "de, RU;q=0.5", "en-GB,ru", "de", "", ",;-", "*"];
    assert_eq!(wanted.map(of), ["ru", "ru", "ru", "en", "en", "en", "en", "en"]);
}
