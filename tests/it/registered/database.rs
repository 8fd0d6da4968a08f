//! The database beside the server: PostgreSQL, one that goes and comes back, one that is not to be used.

use super::house::House;
use crate::stage::{PATIENCE, Postgres, Stage, missing, needs, wait_for};
use serde_json::json;

#[test]
fn streams_go_on_without_the_database_and_it_is_found_again() {
    if !needs("ffmpeg") {
        return;
    }
    let Some(mut postgres) = Postgres::start() else { return missing("PostgreSQL") };
    let house = House::new("postgres", &["--database", &postgres.url()]);
    let made = house.registered(json!({ "name": "kept", "slug": "kept" }));
    let url = format!("{}/{}", made.text("rtmp_url"), made.text("stream_key"));
    let publisher = house.publish("flv", &url);
    house.until("kept", "live");
    postgres.stop();
    let ready = |status: u16| {
        wait_for(&format!("/ready to be {status}"), PATIENCE, || {
            let reply = house.get("/ready");
            if reply.status == status { Ok(()) } else { Err(reply.status) }
        });
    };
    ready(503);
    house.get("/health").expect(200);
    let away = house.post("/api/v1/streams", json!({ "name": "x" })).expect(503);
    assert!(away.text("code") == "database_away" && away.field("retry-after").is_some(), "{}", away.json);
    // What is on the air stays there, what is known goes on being known, and its key opens it still.
    house.until("kept", "live");
    assert_eq!(house.serve.get("web", "/live/kept/index.m3u8").status, 200);
    drop(publisher);
    house.until_off("kept");
    let publisher = house.publish("flv", &url);
    house.until("kept", "live");
    postgres.begin();
    ready(200);
    house.registered(json!({ "name": "y", "slug": "y" }));
    house.get("/api/v1/streams/y").expect(200);
    house.until("kept", "live");
    drop(publisher);
    let log = house.serve.running().stderr();
    assert!(log.contains("streams go on without it") && log.contains("database: it is there"), "{log}");
}

#[test]
fn two_processes_with_one_database_agree() {
    let house = House::new("database-two", &[]);
    let data = house.stage.home().join("data");
    assert!(data.join("msconv.db").is_file());
    // The command line asks the server; without one it opens the database itself.
    house.stage.msconv(&["stream", "add", "By the server", "--slug", "one"]).expect(0);
    house.get("/api/v1/streams/one").expect(200);
    let House { stage, serve } = house;
    drop(serve);
    stage.msconv(&["stream", "add", "Without", "--slug", "two"]).expect(0);
    let list = stage.msconv(&["stream", "list", "--json"]).expect(0);
    let listed: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(listed["streams"].as_array().unwrap().len(), 2, "{listed}");
    let taken = stage.msconv(&["stream", "add", "x", "--slug", "two"]).expect(8);
    assert!(taken.stderr.contains("the slug 'two' is taken"), "{}", taken.stderr);
    stage.msconv(&["stream", "show", "none"]).expect(4);
    stage.msconv(&["stream", "remove", "two"]).expect(0);
}

#[test]
fn a_server_without_a_place_for_its_database_serves_all_the_same() {
    let stage = Stage::new("database-none");
    std::fs::write(stage.file("data"), "this is no folder").unwrap();
    let house = House { serve: crate::stage::Serve::start_at_stage(&stage), stage };
    let away = house.post("/api/v1/streams", json!({ "name": "x" })).expect(503);
    assert_eq!(away.text("code"), "database_away");
    assert_eq!(house.get("/streams").expect(200).json, json!([]));
    let refused = house.stage.msconv(&["serve", "--database", "mysql://x"]).expect(2);
    assert!(refused.stderr.contains("postgres://user@host/name"), "{}", refused.stderr);
}
