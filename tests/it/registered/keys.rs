//! The key publishes over every protocol; everywhere else the public name stands.

use super::house::House;
use crate::stage::{PATIENCE, enhanced, needs, wait_for};
use serde_json::json;

#[test]
fn a_key_publishes_over_rtmp_and_rtsp_and_nobody_sees_it() {
    if !needs("ffmpeg") {
        return;
    }
    let house = House::new("registered-keys", &[]);
    let made = house.registered(json!({ "name": "Evening show", "slug": "show" }));
    let (id, key) = (made.text("public_id").to_string(), made.text("stream_key").to_string());
    let secrets = [key.clone(), made.text("private_id").to_string()];
    let (rtmp, rtsp) = (house.stage.rtmp_url(), house.stage.rtsp_url());
    let host = rtsp.trim_start_matches("rtsp://");
    for (form, url) in [
        ("flv", format!("{}/{key}", made.text("rtmp_url"))),
        ("rtsp", made.text("rtsp_url").to_string()),
        ("rtsp", format!("rtsp://{host}/live/{key}")),
        ("rtsp", format!("rtsp://publish:{key}@{host}/show")),
    ] {
        let publisher = house.publish(form, &url);
        let live = house.until("show", "live");
        assert_eq!(live.text("public_id"), id);
        for (place, text) in house.everywhere() {
            assert!(!secrets.iter().any(|secret| text.contains(secret)), "{place} tells a secret:\n{text}");
            assert!(!place.starts_with("/v3/paths") || text.contains("\"show\""), "{place}: {text}");
        }
        // By its name and by its id, as everybody watches.
        for name in ["show", &id] {
            let playlist = house.serve.get("web", &format!("/live/{name}/index.m3u8"));
            assert!(playlist.status == 200 && !playlist.body.contains("key_"), "{playlist:?}");
        }
        drop(publisher);
        house.until_off("show");
    }
    // Without the key nobody publishes it, from here neither; a key that is none opens nothing.
    let wrong = format!("key_{}", "x".repeat(22));
    for (form, url) in [
        ("flv", format!("{rtmp}/show")),
        ("flv", format!("{rtmp}/{id}")),
        ("flv", format!("{rtmp}/{wrong}")),
        ("flv", format!("{rtmp}/key_")),
        ("rtsp", format!("{rtsp}/show")),
        ("rtsp", format!("{rtsp}/{wrong}")),
        ("rtsp", format!("rtsp://publish:{wrong}@{host}/show")),
    ] {
        let run = house.publish(form, &url).wait(PATIENCE);
        assert_ne!(run.code, 0, "{url} is let in");
    }
    // A key opens nothing to watch, and is not told from a name that nobody publishes.
    let read = house.serve.get("web", &format!("/live/{key}/index.m3u8"));
    assert_eq!(read.status, 401, "{read:?}");
    for (place, text) in house.everywhere() {
        assert!(!text.contains(&key) && !text.contains(&wrong), "{place} tells a key:\n{text}");
    }
    // Names that are not registered are for this machine as ever.
    let open = house.publish("flv", &format!("{rtmp}/cam"));
    house.until("cam", "live");
    drop(open);
}

#[test]
fn a_key_and_a_token_publish_over_whip() {
    let Some(ffmpeg) = enhanced() else { return };
    let house = House::new("registered-whip", &[]);
    let made = house.registered(json!({ "name": "w", "slug": "w" }));
    let (key, url) = (made.text("stream_key"), made.text("whip_url"));
    let publish = |url: &str, shown: Option<&str>| {
        let source = ["-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=15"];
        let video = ["-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-g", "15"];
        let form = ["-pix_fmt", "yuv420p", "-an", "-f", "whip"];
        let shown: Vec<&str> = shown.map_or(vec![], |shown| vec!["-authorization", shown]);
        house.stage.spawn(&ffmpeg, &[&source[..], &video, &form, &shown, &[url]].concat())
    };
    let by_name = url.replace("/w/whip", &format!("/{key}/whip"));
    let path = format!("/start_wrtc_stream/{}", made.text("public_id"));
    let owner = format!("Private-Id: {}\r\n", made.text("private_id"));
    let once = house.ask("POST", &path, &owner, None).expect(200).text("token").to_string();
    for (url, shown) in [(url, Some(key)), (&by_name, None), (url, Some(&once))] {
        let publisher = publish(url, shown);
        house.until("w", "live");
        drop(publisher);
        house.until_off("w");
    }
    let wrong = format!("key_{}", "x".repeat(22));
    for shown in [None, Some(wrong.as_str()), Some(&once)] {
        let refused = publish(url, shown).wait(PATIENCE);
        assert!(refused.code != 0 && refused.stderr.contains("401"), "{}", refused.stderr);
    }
    for (place, text) in house.everywhere() {
        assert!(![key, &once, &wrong].iter().any(|secret| text.contains(secret)), "{place}:\n{text}");
    }
}

#[test]
fn a_new_key_ends_the_old_one_and_whoever_publishes_with_it() {
    if !needs("ffmpeg") {
        return;
    }
    let house = House::new("registered-rotate", &[]);
    let made = house.registered(json!({ "name": "a", "slug": "a" }));
    let old = format!("{}/{}", made.text("rtmp_url"), made.text("stream_key"));
    let publisher = house.publish("flv", &old);
    house.until("a", "live");
    let key = house.post("/api/v1/streams/a/key", json!({})).expect(200).text("stream_key").to_string();
    assert_ne!(publisher.wait(PATIENCE).code, 0, "its publisher is ended");
    house.until_off("a");
    assert_ne!(house.publish("flv", &old).wait(PATIENCE).code, 0, "the old key opens nothing");
    let publisher = house.publish("flv", &format!("{}/{key}", made.text("rtmp_url")));
    house.until("a", "live");
    // Another process changes it: by the command line, whose words the server hears.
    let run = house.stage.msconv(&["stream", "key", "a", "-q"]);
    run.expect(0);
    assert_ne!(publisher.wait(PATIENCE).code, 0, "its publisher is ended");
}

#[test]
fn what_was_registered_is_there_after_a_kill() {
    let mut house = House::new("registered-kill", &[]);
    let made = house.registered(json!({ "name": "kept", "slug": "kept" }));
    let token = house.post("/api/v1/tokens", json!({ "label": "x" })).expect(201);
    let pid = nix::unistd::Pid::from_raw(house.serve.running().pid());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    wait_for("the server's end", PATIENCE, || {
        if std::path::Path::new(&format!("/proc/{pid}/root")).exists() { Err("it lives") } else { Ok(()) }
    });
    house.serve = crate::stage::Serve::start_at_stage(&house.stage);
    let kept = house.get("/api/v1/streams/kept").expect(200);
    assert_eq!(kept.text("public_id"), made.text("public_id"));
    let key = house.get(&format!("/api/streams/{}", made.text("stream_key"))).expect(200);
    assert_eq!((key.text("public_id"), &key.json["is_active"]), (made.text("public_id"), &json!(true)));
    let with = format!("X-Forwarded-For: 192.0.2.1\r\nAuthorization: Bearer {}\r\n", token.text("token"));
    house.ask("GET", "/api/v1/tokens", &with, None).expect(200);
}

#[test]
fn a_stream_that_expires_ends_then() {
    if !needs("ffmpeg") {
        return;
    }
    let house = House::new("registered-expires", &[]);
    let made =
        house.registered(json!({ "name": "short", "slug": "short", "expires_at": "2100-01-01T00:00:00Z" }));
    let url = format!("{}/{}", made.text("rtmp_url"), made.text("stream_key"));
    let publisher = house.publish("flv", &url);
    house.until("short", "live");
    let soon = msconv::base::clock::rfc3339(msconv::base::clock::now_ms() + 2_000);
    house.ask("PATCH", "/api/v1/streams/short", "", Some(json!({ "expires_at": soon }))).expect(200);
    assert_ne!(publisher.wait(PATIENCE).code, 0, "its publisher is ended");
    let again = house.publish("flv", &url).wait(PATIENCE);
    assert!(again.code != 0 && again.stderr.contains("the time of this stream is over"), "{}", again.stderr);
    house.get(&format!("/api/streams/{}", made.text("stream_key"))).expect(404);
}
