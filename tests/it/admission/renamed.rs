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

/// ffmpeg publishing over RTSP without end.
fn by_rtsp(stage: &Stage, url: &str) -> crate::stage::Running {
    let film = crate::stage::Film::new(4, 320, 240).make();
    let args = ["-nostdin", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", film.to_str().unwrap()];
    stage.spawn("ffmpeg", &[&args[..], &["-c", "copy", "-f", "rtsp", "-rtsp_transport", "tcp", url]].concat())
}

#[test]
fn keys_are_secret_over_rtsp_and_whip_too() {
    if !needs("ffmpeg") || !needs("ffprobe") {
        return;
    }
    let stage = Stage::new("admission-rtsp");
    let back_end = BackEnd::start(|asked| match asked.body.contains("&name=sk-good&") {
        true => super::back_end::Mood::Says(302, "Location: film\r\n", String::new()),
        false if asked.body.contains("call=play&name=film&") => says(200, ""),
        false => says(404, ""),
    });
    let serve = asking(&stage, &back_end, "nginx-rtmp", &[]);
    let rtsp = serve.address("rtsp");
    let mut live = by_rtsp(&stage, &format!("rtsp://{rtsp}/live/sk-good?x=1"));
    wait_for("the stream under its public name", SOON, || paths(&serve).contains(&"film".to_string()));
    let url = format!("rtsp://{rtsp}/film");
    let args = ["-loglevel", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name", &url];
    stage.spawn("ffprobe", &args).wait(PATIENCE).expect(0).prints("codec_name=h264");
    // WHIP shows its key as a token; it is asked about as a name.
    let fields = "Authorization: Bearer sk-bad-1\r\nContent-Type: application/sdp\r\nContent-Length: 0\r\n";
    let whip = serve.ask("web", "POST", "/live/film/whip", fields);
    assert_eq!(whip.status, 401, "{whip:?}");
    assert!(back_end.asked().iter().any(|asked| asked.body.contains("call=publish&name=sk-bad-1&")));
    assert_ne!(by_rtsp(&stage, &format!("rtsp://{rtsp}/sk-bad-2")).wait(SOON).code, 0);
    live.signal(nix::sys::signal::Signal::SIGINT);
    wait_for("the publisher's end", SOON, || !live.running());
    // What it was asked with is what it is told of.
    wait_for("the notice of the end", SOON, || {
        let done = |body: &str| body.contains("call=publish_done&name=sk-good&x=1");
        back_end.asked().iter().any(|asked| done(&asked.body))
    });
    let said = serve.running().stderr();
    assert!(said.contains("publishes film") && !said.contains("sk-"), "{said}");
}

#[test]
fn a_permission_ends_with_its_lifetime() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("admission-lifetime");
    let back_end = BackEnd::start(|asked| match asked.body.contains("closing") {
        true => says(200, "{}"),
        false => says(200, r#"{"allowed":true,"lifetime":2000,"new_url":"rtmp://any/live/film"}"#),
    });
    let secret = stage.file("secret");
    std::fs::write(&secret, "1234\n").unwrap();
    let serve = asking(&stage, &back_end, "ome", &["--admission-secret-file", secret.to_str().unwrap()]);
    let ended = publisher(&stage, serve.address("rtmp"), "sk-brief").wait(SOON);
    assert_ne!(ended.code, 0, "{ended}");
    wait_for("the notice of the end", SOON, || {
        back_end.asked().iter().any(|asked| {
            let body = &asked.body;
            body.contains(r#""status":"closing""#)
                && body.contains("/live/sk-brief")
                && body.contains("incoming")
        })
    });
    assert!(back_end.asked().iter().all(|asked| asked.field("x-ome-signature").len() == 27));
    let said = serve.running().stderr();
    assert!(said.contains("publishes film") && !said.contains("sk-brief"), "{said}");
}

#[test]
fn the_last_ends_are_told_when_the_server_ends() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("admission-farewell");
    let back_end = BackEnd::start(|_| says(200, "0"));
    let serve = asking(&stage, &back_end, "srs", &["--admission-on", "publish"]);
    let _live = publisher(&stage, serve.address("rtmp"), "cam?t=1");
    wait_for("the stream", SOON, || paths(&serve).contains(&"cam".to_string()));
    assert_eq!(serve.get("web", "/live/nobody/index.m3u8").status, 404, "reading is not asked about");
    let running = serve.into_running();
    running.signal(nix::sys::signal::Signal::SIGTERM);
    running.wait(PATIENCE).expect(0);
    let bodies: Vec<String> = back_end.asked().into_iter().map(|asked| asked.body).collect();
    assert_eq!(bodies.len(), 2, "{bodies:#?}");
    assert!(
        bodies[0].contains(r#""action":"on_publish""#) && bodies[1].contains(r#""action":"on_unpublish""#)
    );
    let who = |body: &str| body.split_once(r#""client_id""#).map(|(_, who)| who.to_string());
    assert_eq!(who(&bodies[0]), who(&bodies[1]));
}
