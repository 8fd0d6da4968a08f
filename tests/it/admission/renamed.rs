//! A key opens a stream with a public name: the key is nowhere but with the back end.

use super::back_end::{Asked, BackEnd, says};
use super::{SOON, asking, paths, publisher};
use crate::stage::{PATIENCE, Stage, needs, wait_for};

/// Knows one key, as Streamly's stream service would.
fn stream_service(asked: &Asked) -> super::back_end::Mood {
    match asked.line.as_str() {
        "GET /hook/api/streams/sk-secret-1" => says(
            200,
            r#"{"isActive":true,"public_id":"film","user_id":"ann","expires_at":"2999-01-01T00:00:00Z"}"#,
        ),
        _ => says(404, r#"{"error":"no such stream"}"#),
    }
}

#[test]
fn a_key_that_the_back_end_knows_opens_its_stream() {
    if !needs("ffmpeg") || !needs("ffprobe") {
        return;
    }
    let stage = Stage::new("admission-streamly");
    let back_end = BackEnd::start(stream_service);
    let serve = asking(&stage, &back_end, "streamly", &[]);
    let rtmp = serve.address("rtmp");
    let refused = publisher(&stage, rtmp, "sk-guess-1").wait(SOON);
    assert_ne!(refused.code, 0, "{refused}");
    let _live = publisher(&stage, rtmp, "sk-secret-1");
    wait_for("the stream under its public name", SOON, || paths(&serve).contains(&"film".to_string()));

    // Every protocol gives it out by that name, and by no other.
    let probe = |url: &str| {
        stage
            .spawn("ffprobe", &["-loglevel", "error", "-show_entries", "stream=codec_name", url])
            .wait(PATIENCE)
    };
    let (rtsp, web) = (serve.address("rtsp"), serve.address("web"));
    for url in [
        format!("rtmp://{rtmp}/live/film"),
        format!("rtsp://{rtsp}/film"),
        format!("http://{web}/live/film/index.m3u8"),
    ] {
        probe(&url).expect(0).prints("codec_name=h264");
    }
    assert_ne!(probe(&format!("rtmp://{rtmp}/live/sk-secret-1")).code, 0);
    assert_eq!(serve.get("web", "/live/sk-secret-1/index.m3u8").status, 404);

    let mut shown = serve.get("stat", "/stat").body + &serve.get("metrics", "/metrics").body;
    for list in ["paths", "rtmpconns", "rtspconns", "rtspsessions", "hlssessions", "webrtcsessions"] {
        shown += &serve.get("api", &format!("/v3/{list}/list")).body;
    }
    let list = serve.get("web", "/live/film/index.m3u8").body;
    let media = list.lines().find(|line| !line.starts_with('#')).unwrap();
    shown += &(list.clone() + &serve.get("web", &format!("/live/film/{media}")).body);
    shown += &(serve.running().stderr() + &serve.running().stdout());
    assert!(shown.contains("film") && shown.contains("ann"), "{shown}");
    assert!(!shown.contains("sk-"), "a key is shown: {shown}");
    // Reading is nothing that this form asks about.
    let lines: Vec<String> = back_end.asked().into_iter().map(|asked| asked.line).collect();
    assert!(lines.iter().all(|line| line.starts_with("GET /hook/api/streams/sk-")), "{lines:?}");
    assert_eq!(back_end.asked()[0].field("accept"), "application/json");
}
