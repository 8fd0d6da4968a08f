//! The page in a real Firefox: another decoder, another Media Source Extensions than Chromium's.

use super::{SEEN, STATE, killed_and_started_again};
use crate::pages::built_in;
use crate::stage::{Firefox, Serve, Stage, needs};

#[track_caller]
fn plays(firefox: &mut Firefox) {
    firefox.until(&format!("{STATE} === 'playing'"), SEEN);
    let now =
        firefox.eval("[msconv.video.currentTime, msconv.video.getVideoPlaybackQuality().totalVideoFrames]");
    firefox.until(
        &format!(
            "msconv.video.currentTime > {} + 0.5 && msconv.video.getVideoPlaybackQuality().totalVideoFrames > {} + 10",
            now[0], now[1]
        ),
        SEEN,
    );
    assert_eq!(firefox.eval("msconv.video.error"), serde_json::Value::Null);
}

#[test]
fn firefox_plays_changes_the_rendition_and_comes_back() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    // The stage is dropped last, and the browser before its server.
    let stage = Stage::new("watching-firefox");
    let serve = Serve::start_at_stage(&stage);
    let Some(mut firefox) = Firefox::start(&stage) else { return };
    let page = format!("http://{}/watch/cam", serve.address("web"));
    let variants = "360p:500k:640:360,240p:250k:426:240,144p:120k:256:144";
    let args = ["publish", "-s", "cam", "--test", "--quality", "fastest", "--variants", variants];
    stage.msconv(&args).expect(0);
    firefox.open(&page);
    plays(&mut firefox);
    firefox.eval("window.mark = 1");
    for height in [144, 360] {
        firefox.eval("document.querySelector('#quality').click()");
        let button = format!(
            "[...document.querySelectorAll('#qualities button')].find(one => one.textContent.includes('{height}p'))"
        );
        firefox.until(&format!("{button} !== undefined"), SEEN);
        firefox.eval(&format!("{button}.click()"));
        firefox.until(&format!("msconv.video.videoHeight === {height}"), SEEN);
        plays(&mut firefox);
    }
    killed_and_started_again(&stage);
    plays(&mut firefox);
    assert_eq!(firefox.eval("window.mark"), 1, "the page was not loaded again");
    let errors: Vec<_> = firefox.said.iter().filter(|entry| entry["level"] == "error").collect();
    assert!(errors.is_empty(), "{errors:#?}");
    stage.msconv(&["stop", "-s", "cam"]).expect(0);
}
