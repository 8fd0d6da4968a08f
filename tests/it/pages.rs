//! The pages of the web port as they come over HTTP. What a browser makes of them is shown by `watching`.

use crate::live::SOON;
use crate::stage::{Answer, Serve, Stage, missing, needs, wait_for};

/// Whether the program that is tested was built with its pages; says so if not.
pub fn built_in() -> bool {
    let there = msconv::server::web::pages::built::have_pages();
    if !there {
        missing("the pages (npm ci && npm run build in web/)");
    }
    there
}

fn assert_guarded(answer: &Answer) {
    let policy = answer.field("content-security-policy").unwrap_or_default();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "media-src 'self' blob:",
        "worker-src 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.split("; ").any(|one| one == part), "{part}: {}", answer.head);
    }
    assert_eq!(answer.field("x-content-type-options"), Some("nosniff"), "{}", answer.head);
    assert_eq!(answer.field("referrer-policy"), Some("no-referrer"), "{}", answer.head);
    assert_eq!(answer.field("access-control-allow-origin"), None, "{}", answer.head);
}

#[test]
fn a_page_comes_with_all_that_it_names() {
    let stage = Stage::new("pages");
    let serve = Serve::start(&stage, &[]);
    let page = serve.get("web", "/watch/cam");
    assert_guarded(&page);
    if !built_in() {
        assert_eq!(page.status, 501, "{page:?}");
        assert!(page.body.contains("scripts/setup.sh"), "{page:?}");
        return;
    }
    // Nobody publishes it, and the page will wake up when somebody does.
    assert_eq!((page.status, page.field("cache-control")), (404, Some("no-cache")), "{}", page.head);
    assert!(page.body.contains("<title>cam</title>"), "{}", page.body);
    assert!(page.body.contains("data-list=\"/live/cam/index.m3u8\""), "{}", page.body);
    // Those with a star are for the script, which puts the language there.
    let is_asset = |part: &&str| part.starts_with("/assets/") && !part.contains('*');
    let assets: Vec<&str> = page.body.split('"').filter(is_asset).collect();
    let russian = serve.ask("web", "GET", "/watch/cam", "Accept-Language: ru-RU,ru;q=0.9,en;q=0.8\r\n");
    assert!(page.body.contains("modulepreload\" href=\"/assets/watch.en-"), "{}", page.body);
    assert!(russian.body.contains("modulepreload\" href=\"/assets/watch.ru-"), "{}", russian.body);
    assert!(assets.len() >= 3, "a script, a style and an icon: {assets:?}");
    for asset in assets {
        let plain = serve.get("web", asset);
        assert_guarded(&plain);
        assert_eq!((plain.status, plain.field("content-encoding")), (200, None), "{asset}: {}", plain.head);
        assert_eq!(plain.field("cache-control"), Some("public, max-age=31536000, immutable"), "{asset}");
        let length = |answer: &Answer| answer.field("content-length").unwrap().parse::<usize>().unwrap();
        let zipped = serve.ask("web", "GET", asset, "Accept-Encoding: gzip, br\r\n");
        assert_eq!((zipped.status, zipped.field("content-encoding")), (200, Some("gzip")), "{asset}");
        assert!(length(&zipped) < length(&plain), "{asset}: {}", zipped.head);
        let head = serve.ask("web", "HEAD", asset, "");
        assert_eq!((head.status, length(&head), head.body.as_str()), (200, length(&plain), ""), "{asset}");
    }
    for (method, path) in [("POST", "/watch/cam"), ("DELETE", "/assets/x.js"), ("OPTIONS", "/watch/cam")] {
        let refused = serve.ask("web", method, path, "Content-Length: 0\r\n");
        assert_eq!((refused.status, refused.field("allow")), (405, Some("GET, HEAD")), "{method} {path}");
    }
    assert_eq!(serve.get("web", "/assets/nothing.js").status, 404);
    for path in ["/", "/studio", "/console"] {
        let page = serve.get("web", path);
        assert_guarded(&page);
        assert!(page.status == 200 && page.body.contains("<div id=\"app\">"), "{path}: {page:?}");
        let captures =
            page.field("permissions-policy").is_some_and(|policy| policy.contains("camera=(self)"));
        assert_eq!(captures, path == "/studio", "{path}: {}", page.head);
    }
    let framed = serve.get("web", "/embed/cam");
    let policy = framed.field("content-security-policy").unwrap_or_default();
    assert!(framed.status == 404 && policy.contains("frame-ancestors *;"), "{framed:?}");
}

#[test]
fn no_name_writes_into_a_page() {
    let stage = Stage::new("pages-injection");
    let serve = Serve::start(&stage, &[]);
    for path in [
        "/watch/%3Cscript%3Ealert(1)%3C/script%3E",
        "/watch/a%22%20onload=alert(1)%20%22",
        "/watch/a'b",
        "/watch/cam/../cam",
        "/watch/%2e%2e",
        "/watch/cam%00",
        "/watch/other/cam",
        "/watch/live/cam/cam",
        "/watch/{{list}}",
        "/watch/_cam",
        "/assets/../watch.html",
        "/assets/%2e%2e/Cargo.toml",
    ] {
        let answer = serve.get("web", path);
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        let text = answer.field("content-type").is_some_and(|kind| kind.starts_with("text/plain"));
        assert!(text && !answer.body.contains(['<', '"', '\'']), "{path}: {answer:?}");
    }
    let long = serve.get("web", &format!("/watch/{}", "a".repeat(129)));
    assert_eq!(long.status, 404);
    // What stands behind the question mark is not in the page.
    let query = serve.get("web", "/watch/cam?%3Cscript%3E");
    assert!(!query.body.contains("%3Cscript"), "{}", query.body);
    // A bracket that was not escaped is no request.
    assert!(!serve.get("web", "/watch/<b>").body.contains("<b>"));
}

#[test]
fn the_words_of_pages_are_streams_in_their_application_only() {
    let stage = Stage::new("pages-words");
    let serve = Serve::start(&stage, &[]);
    let nothing = "there is nothing at this address\n";
    assert_eq!(serve.get("web", "/studio/index.m3u8").body, nothing);
    assert_ne!(serve.get("web", "/live/studio/index.m3u8").body, nothing);
}

#[test]
fn applications_called_as_pages_have_their_streams_and_their_pages() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("pages-applications");
    let serve = Serve::start_at_stage_with(&stage, &["--applications", "live,watch,api"]);
    for path in ["/watch/nobody/index.m3u8", "/api/nobody/index.m3u8", "/api/nobody/720p/i.m3u8"] {
        assert_eq!(serve.get("web", path).body, "nobody publishes this name\n", "{path}");
    }
    let source =
        ["-re", "-f", "lavfi", "-i", "testsrc2=s=128x72:r=30", "-c:v", "libx264", "-preset", "ultrafast"];
    let shape = ["-pix_fmt", "yuv420p", "-g", "30", "-f", "flv"];
    let names = [("live", "watch"), ("watch", "cam")];
    let publishers = names.map(|(application, name)| {
        let target = format!("rtmp://{}/{application}/{name}", serve.address("rtmp"));
        stage.spawn("ffmpeg", &[&source[..], &shape, &[&target]].concat())
    });
    for ((application, name), page) in names.into_iter().zip(["/watch/watch", "/watch/watch/cam"]) {
        let stream = wait_for("it to be listed", SOON, || {
            let list = stage.msconv(&["list", "--json"]).expect(0).json();
            let found = |stream: &&serde_json::Value| {
                stream["application"] == application && stream["key"] == name && stream["state"] == "live"
            };
            list["streams"].as_array().unwrap().iter().find(found).cloned().ok_or(list.to_string())
        });
        let path = |field: &str| {
            let url = stream[field].as_str().unwrap_or_else(|| panic!("no {field}: {stream}"));
            let (_, path) = url.split_once("//").unwrap().1.split_once('/').unwrap();
            format!("/{path}")
        };
        assert_eq!(path("page_url"), page);
        let list = serve.get("web", &path("hls_url"));
        assert!(list.status == 200 && list.body.contains("#EXT-X-STREAM-INF"), "{list:?}");
        if built_in() {
            let answer = serve.get("web", page);
            let of = format!("data-list=\"/{application}/{name}/index.m3u8\"");
            assert!(answer.status == 200 && answer.body.contains(&of), "{answer:?}");
        }
    }
    drop(publishers);
}

#[test]
fn a_page_asks_for_the_password_itself() {
    let stage = Stage::new("pages-password");
    let path = stage.file("password");
    std::fs::write(&path, "pw\n").unwrap();
    let serve = Serve::start(&stage, &["--read-user", "eye", "--read-password-file", path.to_str().unwrap()]);
    if !built_in() {
        return;
    }
    let answer = serve.get("web", "/watch/cam");
    assert_eq!((answer.status, answer.field("www-authenticate")), (401, Some("Basic realm=\"msconv\"")));
    assert_guarded(&answer);
    // eye:pw; nobody publishes.
    let page = serve.ask("web", "GET", "/watch/cam", "Authorization: Basic ZXllOnB3\r\n");
    assert!(page.status == 404 && page.body.contains("<title>cam</title>"), "{page:?}");
    assert_eq!(serve.ask("web", "GET", "/watch/cam", "Authorization: Basic ZXllOm5v\r\n").status, 401);
}
