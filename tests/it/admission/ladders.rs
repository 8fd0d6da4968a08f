//! Ladders that the server makes go on beside a back end, which is asked about their publisher alone.

use super::back_end::{BackEnd, says};
use super::{SOON, asking, publisher};
use crate::stage::{PATIENCE, Stage, needs, wait_for};

const LADDER: &str = "180p:200k:320:180,90p:100k:160:90";

#[test]
fn a_ladder_of_what_the_back_end_lets_in_needs_no_password() {
    if !needs("ffmpeg") {
        return;
    }
    let stage = Stage::new("admission-ladder");
    stage.set("MSCONV_QUALITY", "fastest");
    // Nobody but the publisher may do anything.
    let back_end = BackEnd::start(|asked| {
        let publishes =
            asked.body.contains("\"type\":\"admission.publish\"") && asked.body.contains("\"key\":\"cam\"");
        if publishes { says(200, r#"{"allow":true}"#) } else { says(403, "{}") }
    });
    let serve = asking(&stage, &back_end, "msconv", &["--ladder", LADDER]);
    let rtmp = serve.address("rtmp");
    let _publisher = publisher(&stage, rtmp, "cam");
    wait_for("the ladder", SOON, || {
        let streams = serve.get("web", "/api/v1/streams").json();
        let labels: Vec<&str> = streams["items"][0]["renditions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| one["label"].as_str())
            .collect();
        if labels == ["original", "180p", "90p"] {
            Ok(())
        } else {
            Err(format!("{labels:?}\n{}", serve.running().stderr()))
        }
    });
    // Others publish no renditions, whatever they show.
    for query in ["", "?user=msconv&pass=pub_0000000000000000000000"] {
        let run = publisher(&stage, rtmp, &format!("cam_360p{query}")).wait(PATIENCE);
        assert_ne!(run.code, 0, "{query} is let in");
    }
    let told = back_end.asked();
    assert!(
        !told.iter().any(|asked| asked.body.contains("pub_") && !asked.body.contains("pub_000")),
        "{told:?}"
    );
}
