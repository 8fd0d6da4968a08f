//! Publishing and reading are restricted: a bearer token is the password, as encoders send it by WHIP.

use super::ffmpeg::whip;
use super::house::{House, offer};
use crate::live::SOON;
use crate::stage::{Running, Stage, enhanced, wait_for};

/// A file with a password.
fn file(stage: &Stage, name: &str, password: &str) -> String {
    let path = stage.file(name);
    std::fs::write(&path, format!("{password}\n")).unwrap();
    path.display().to_string()
}

/// Waits until the log says that somebody publishes: the lists are closed to those without a password.
fn publishes(house: &House, name: &str, publisher: &Running) {
    wait_for("it to publish", SOON, || {
        let said = house.serve.running().stderr();
        if said.contains(&format!("publishes live/{name}")) {
            Ok(())
        } else {
            Err(said + &publisher.stderr())
        }
    });
}

#[test]
fn a_bearer_token_is_the_password() {
    let stage = Stage::new("whip-password");
    let (publish, read) = (file(&stage, "publish", "in-secret"), file(&stage, "read", "out-secret"));
    let flags = ["--publish-user", "bob", "--publish-password-file", &publish, "--read-user", "eye"];
    let flags = [&flags[..], &["--read-password-file", &read]].concat();
    let house = House { serve: crate::stage::Serve::start_at_stage_with(&stage, &flags), stage };
    let ask = |target: &str, direction: &str, field: &str| {
        house.send("POST", target, &format!("Content-Type: application/sdp\r\n{field}"), &offer(direction))
    };
    // bob:in-secret and eye:out-secret.
    for (target, direction, field, status) in [
        ("/live/a/whip", "sendonly", "", 401),
        ("/live/a/whip", "sendonly", "Authorization: Bearer out-secret\r\n", 401),
        ("/live/a/whip", "sendonly", "Authorization: Bearer in-secret\r\n", 201),
        ("/live/b/whip", "sendonly", "Authorization: Basic Ym9iOmluLXNlY3JldA==\r\n", 201),
        ("/live/c/whep", "recvonly", "", 401),
        ("/live/c/whep", "recvonly", "Authorization: Bearer in-secret\r\n", 401),
        ("/live/c/whep", "recvonly", "Authorization: Bearer out-secret\r\n", 404),
        ("/live/c/whep", "recvonly", "Authorization: Basic ZXllOm91dC1zZWNyZXQ=\r\n", 404),
    ] {
        let answer = ask(target, direction, field);
        assert_eq!(answer.status, status, "{target} {field}: {answer:?}");
        let challenged = answer.field("www-authenticate").is_some();
        assert_eq!(challenged, status == 401, "{answer:?}");
    }
    // An encoder that is told the password sends it so.
    if let Some(newer) = enhanced() {
        let url = house.url("/live/film/whip");
        let wrong = whip(&house, &newer, &["-authorization", "out-secret"], &url).wait(SOON);
        assert!(wrong.code != 0 && wrong.stderr.contains("401"), "{wrong}");
        let publisher = whip(&house, &newer, &["-authorization", "in-secret"], &url);
        publishes(&house, "film", &publisher);
    }
    let said = house.serve.running().stderr();
    assert!(said.contains("publishes live/a") && !said.contains("-secret"), "no secret in the log: {said}");
}
