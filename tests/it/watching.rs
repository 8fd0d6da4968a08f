//! The page of a stream in a real Chromium: it plays, changes the rendition without a hole, and comes back by itself.

mod console;
mod firefox;
mod other_tracks;
mod over_webrtc;
mod pages_of_streams;
mod rewinding;
mod states;
mod webkit;

use crate::pages::built_in;
use crate::stage::{Browser, PATIENCE, Serve, Stage, needs, wait_for};
use msconv::process::run_record::RunRecord;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

/// What is shown where the page does not do what is waited for.
const SEEN: &str = "window.msconv === undefined ? 'its script has not run yet' : JSON.stringify({state: document.getElementById('player')?.dataset.state, \
    time: msconv.video.currentTime, frames: msconv.video.getVideoPlaybackQuality().totalVideoFrames, \
    height: msconv.video.videoHeight, facts: msconv.player.look(), helped: msconv.player.helped, way: msconv.player.way})";
const STATE: &str = "document.getElementById('player')?.dataset.state";

/// Waits until the page has shown more: the playhead moves and frames are decoded.
#[track_caller]
fn plays(browser: &mut Browser) {
    browser.until(&format!("{STATE} === 'playing'"), SEEN);
    let now =
        browser.eval("[msconv.video.currentTime, msconv.video.getVideoPlaybackQuality().totalVideoFrames]");
    browser.until(
        &format!(
            "msconv.video.currentTime > {} + 0.5 && msconv.video.getVideoPlaybackQuality().totalVideoFrames > {} + 10",
            now[0], now[1]
        ),
        SEEN,
    );
}

/// The publisher dies and is started again.
fn killed_and_started_again(stage: &Stage) {
    let record = RunRecord::read(&stage.file("pids/.state/cam.json")).expect("a record");
    let killed = record.child.expect("ffmpeg").pid;
    kill(Pid::from_raw(killed), Signal::SIGKILL).unwrap();
    wait_for("another ffmpeg", PATIENCE, || {
        let record = RunRecord::read(&stage.file("pids/.state/cam.json"));
        record.and_then(|record| record.child).is_some_and(|child| child.pid != killed)
    });
}

#[test]
fn a_browser_plays_hls_changes_the_rendition_and_comes_back() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    // The stage is dropped last, and the browser before its server.
    let stage = Stage::new("watching");
    let serve = Serve::start_at_stage(&stage);
    let Some(mut browser) = Browser::start(&stage) else { return };
    let address = format!("http://{}/watch/cam", serve.address("web"));
    let page = format!("{address}?protocol=hls");

    // Nobody has published it yet: the page says so and wakes up by itself.
    assert_eq!(browser.open(&page, json!({})), 404);
    browser.until(&format!("{STATE} === 'waiting'"), SEEN);
    browser.eval("window.mark = 1");
    let variants = "360p:500k:640:360,240p:250k:426:240,144p:120k:256:144";
    let args = ["publish", "-s", "cam", "--test", "--quality", "fastest", "--variants", variants];
    stage.msconv(&args).expect(0).prints(&format!("watch  {address}"));
    plays(&mut browser);
    assert_eq!(browser.eval("window.mark"), 1, "the page was not loaded again");
    browser.until("msconv.player.delaySeconds() < 30", SEEN);

    // Another page, on the air from the beginning; each rendition by the menu, as a person would choose it.
    assert_eq!(browser.open(&page, json!({"language": "ru-RU", "dark": true})), 200);
    plays(&mut browser);
    assert_eq!(browser.eval("document.documentElement.lang"), "ru");
    browser.eval("window.mark = 2");
    for height in [144, 360, 240] {
        browser.ask(&json!(["click", "#quality"]));
        browser.ask(&json!(["click", format!("#qualities button:has-text('{height}p')")]));
        browser.until(&format!("msconv.video.videoHeight === {height}"), SEEN);
        plays(&mut browser);
    }
    assert_eq!(browser.eval("msconv.player.helped.holes"), 0, "no change tore a hole");

    killed_and_started_again(&stage);
    plays(&mut browser);
    assert_eq!(browser.eval("window.mark"), 2, "the page was not loaded again");
    let said = browser.ask(&json!(["said"]));
    assert_eq!(said, json!([]), "no error, no refused policy, no request elsewhere");
    stage.msconv(&["stop", "-s", "cam"]).expect(0);
}

#[test]
fn a_browser_that_has_signed_in_asks_for_the_stream_as_well() {
    if !built_in() {
        return;
    }
    let stage = Stage::new("watching-password");
    let path = stage.file("password");
    std::fs::write(&path, "pw\n").unwrap();
    let password = ["--read-user", "eye", "--read-password-file", path.to_str().unwrap()];
    let serve = Serve::start(&stage, &password);
    let Some(mut browser) = Browser::start(&stage) else { return };
    let page = format!("http://{}/watch/cam", serve.address("web"));
    assert_eq!(browser.open(&page, json!({"user": "eye", "password": "pw"})), 404);
    // Waiting, not refused: the script's own requests are let in.
    browser.until(&format!("{STATE} === 'waiting'"), SEEN);
    // So are those of a page that was opened by a link with a token.
    assert_eq!(browser.open(&format!("{page}?token=pw"), json!({})), 404);
    browser.until(&format!("{STATE} === 'waiting'"), SEEN);
}
