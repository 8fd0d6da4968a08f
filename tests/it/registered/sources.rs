//! Sources that the server publishes itself: switched on and off by the API and the command line, under the stream's name.

use super::house::{House, Reply};
use crate::stage::{PATIENCE, Stage, needs, wait_for};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const LADDER: &str = "180p:200k:320:180,90p:100k:160:90";
const ELSEWHERE: &str = "X-Forwarded-For: 192.0.2.7\r\n";

fn source_is(house: &House, id: &str, state: &str) -> Reply {
    wait_for(&format!("the source of {id} to be {state}"), PATIENCE, || {
        let reply = house.get(&format!("/api/v1/streams/{id}"));
        let is = reply.json["source"]["state"] == state;
        if is { Ok(reply) } else { Err(format!("{}\n{}", reply.json, house.serve.running().stderr())) }
    })
}

fn gone(house: &House) {
    wait_for("its program to be gone", PATIENCE, || {
        let run = house.stage.msconv(&["status", "t"]);
        if run.code == 3 { Ok(()) } else { Err(run.stdout) }
    });
}

fn labels(reply: &Reply) -> Vec<&str> {
    reply.json["renditions"].as_array().unwrap().iter().filter_map(|one| one["label"].as_str()).collect()
}

fn house(name: &str, more: &[&str]) -> House {
    let stage = Stage::new(name);
    stage.set("MSCONV_QUALITY", "fastest");
    House { serve: crate::stage::Serve::start_at_stage_with(&stage, more), stage }
}

#[test]
fn a_test_picture_goes_on_and_off_the_air_and_survives_a_restart() {
    if !needs("ffmpeg") {
        return;
    }
    let House { serve, stage } = house("sources", &[]);
    let house = House { serve, stage };
    let made = house
        .registered(json!({ "name": "Test", "slug": "t", "ladder": LADDER, "source": { "type": "test" } }));
    let id = made.text("public_id").to_string();
    let of = |tail: &str| format!("/api/v1/streams/{id}{tail}");
    assert_eq!(
        house.get(&of("")).json["source"],
        json!({ "type": "test", "from": "test picture", "state": "off" })
    );
    house.post(&of("/stop"), Value::Null).expect(409);
    let owner = format!("{ELSEWHERE}Private-Id: {}\r\n", made.text("private_id"));
    house.ask("POST", &of("/start"), ELSEWHERE, None).expect(401);
    house.ask("POST", &of("/start"), &owner, None).expect(202);
    house.post(&of("/start"), Value::Null).expect(409);
    let both = || {
        wait_for("both renditions", PATIENCE, || {
            let live = source_is(&house, &id, "live");
            if labels(&live) == ["180p", "90p"] { Ok(()) } else { Err(live.json.to_string()) }
        });
    };
    both();
    // The command line sees it as any other publish.
    assert!(house.stage.msconv(&["status", "t"]).expect(0).stdout.contains("180p"));
    // The server is killed: nothing of its programs is left, and the next one goes on.
    let record =
        msconv::process::run_record::RunRecord::read(&house.stage.file("pids/.state/t.json")).unwrap();
    house.serve.running().signal(Signal::SIGKILL);
    crate::live::ended(record.supervisor);
    let House { serve, stage } = house;
    drop(serve);
    let house = House { serve: crate::stage::Serve::start_at_stage_with(&stage, &[]), stage };
    source_is(&house, &id, "live");
    let stopped = house.ask("POST", &of("/stop"), &owner, None).expect(202);
    assert_eq!(stopped.json["source"]["state"], "off");
    house.until_off("t");
    gone(&house);
    // By the command line, and stopped there as any other publish is: then it is off.
    house.stage.msconv(&["stream", "start", "t"]).expect(0);
    source_is(&house, &id, "live");
    house.stage.msconv(&["stop", "-s", "t"]).expect(0);
    source_is(&house, &id, "off");
    // A removed stream takes its source along.
    house.post(&of("/start"), Value::Null).expect(202);
    source_is(&house, &id, "live");
    house.ask("DELETE", &of(""), "", None).expect(204);
    gone(&house);
}

#[test]
fn what_goes_out_as_it_is_has_the_name_itself_which_nobody_else_can_take() {
    if !needs("ffmpeg") {
        return;
    }
    let film = crate::stage::film(10, 320, 180);
    let house = house("sources-original", &[]);
    let made = house.registered(json!({ "name": "Film", "slug": "film", "ladder": "off",
        "source": { "type": "file", "path": film } }));
    let id = made.text("public_id").to_string();
    let of = |tail: &str| format!("/api/v1/streams/{id}{tail}");
    house.post(&of("/start"), Value::Null).expect(202);
    let live = source_is(&house, &id, "live");
    assert_eq!(labels(&live), ["original"]);
    // What its program shows to publish stands in nothing that is told.
    for (place, text) in house.everywhere() {
        assert!(!text.contains("pub_"), "{place}: {text}");
    }
    // Another source while it runs.
    let body = json!({ "source": { "type": "file", "path": "/no/such/film.mp4" } });
    house.ask("PATCH", &of(""), "", Some(body)).expect(200);
    let failed = wait_for("the reason", PATIENCE, || {
        let reply = house.get(&of(""));
        let why = reply.json["source"]["why"].as_str().unwrap_or_default().to_string();
        if why.contains("film.mp4") { Ok(reply) } else { Err(reply.json.to_string()) }
    });
    assert_ne!(failed.json["source"]["state"], "live");
    let away = house.ask("GET", &of(""), ELSEWHERE, None).expect(200);
    assert!(away.json.get("source").is_none(), "{}", away.json);
    house.ask("PATCH", &of(""), "", Some(json!({ "source": null }))).expect(200);
    assert!(house.get(&of("")).json.get("source").is_none());
    house.post(&of("/start"), Value::Null).expect(409);
}

#[test]
fn only_the_operator_says_what_the_server_reads_and_only_what_it_can() {
    let house = house("sources-bad", &[]);
    let made = house.post("/api/v1/tokens", json!({ "label": "x", "scopes": "streams" })).expect(201);
    let token = format!("{ELSEWHERE}Authorization: Bearer {}\r\n", made.text("token"));
    let with = |source: Value| Some(json!({ "name": "x", "source": source }));
    house.ask("POST", "/api/v1/streams", &token, with(json!({ "type": "test" }))).expect(403);
    for source in [
        json!({ "type": "file", "path": "film.mp4" }),
        json!({ "type": "device", "device": "-i" }),
        json!({ "type": "pull", "url": "http://a/b.m3u8" }),
        json!({ "type": "pull", "url": "ftp://a/b" }),
        json!({ "type": "satellite" }),
        json!({ "type": "test", "path": "x" }),
        json!("test"),
        json!(7),
    ] {
        let reply = house.ask("POST", "/api/v1/streams", "", with(source.clone()));
        assert!(matches!(reply.status, 400 | 422), "{source}: {} {}", reply.status, reply.json);
    }
    let pull = json!({ "type": "pull", "url": "rtsp://me:geheim@127.0.0.1:9/x?token=geheim" });
    let made = house.post("/api/v1/streams", with(pull).unwrap()).expect(201);
    let shown = house.get(&format!("/api/v1/streams/{}", made.text("public_id")));
    assert_eq!(shown.json["source"]["from"], "rtsp://***@127.0.0.1:9/x?***");
    // What is not there is waited for, and why is said.
    let id = made.text("public_id");
    house.post(&format!("/api/v1/streams/{id}/start"), Value::Null).expect(202);
    let waits = source_is(&house, id, "retrying");
    assert!(waits.json["source"]["why"].as_str().unwrap().contains("refused"), "{}", waits.json);
    for (place, text) in house.everywhere() {
        assert!(!text.contains("geheim"), "{place}: {text}");
    }
}
