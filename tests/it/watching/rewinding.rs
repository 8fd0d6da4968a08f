//! Whoever watches goes back as far as the server's window reaches, and returns to what is live.

use super::{SEEN, STATE, plays};
use crate::pages::built_in;
use crate::stage::{Browser, PATIENCE, Serve, Stage, enhanced, wait_for};
use serde_json::json;

const OVER: &str = "msconv.player.way.transport";
const BEHIND: &str = "msconv.player.behindSeconds";
const BAR: &str = "document.getElementById('rewind')";

/// A minute and more at once, and then as fast as it goes.
fn publish(stage: &Stage, ffmpeg: &str) -> crate::stage::Running {
    let url = format!("{}/cam", stage.rtmp_url());
    let args = "-nostdin -v error -readrate 1 -readrate_initial_burst 90 -f lavfi -i testsrc2=s=256x144:r=25 -c:v libx264 \
                -preset ultrafast -pix_fmt yuv420p -bf 0 -g 25 -f flv";
    let args: Vec<&str> = args.split_whitespace().chain([url.as_str()]).collect();
    stage.spawn(ffmpeg, &args)
}

fn long_window(stage: &Stage, serve: &Serve) {
    wait_for("a window of more than a minute", PATIENCE, || {
        let listed = serve.get("web", "/live/cam/original/i.m3u8").body.matches("#EXTINF").count();
        if listed > 75 { Ok(()) } else { Err(format!("{listed} segments; {}", stage.root().display())) }
    });
}

/// But for sessions that are over when they are asked about.
#[track_caller]
fn said_nothing(browser: &mut Browser) {
    let said: Vec<String> = serde_json::from_value(browser.ask(&json!(["said"]))).unwrap();
    let said: Vec<String> = said.into_iter().filter(|line| !line.contains("404 (Not Found)")).collect();
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn a_viewer_goes_back_and_returns_to_what_is_live() {
    let Some(ffmpeg) = enhanced() else { return };
    if !built_in() {
        return;
    }
    let stage = Stage::new("watching-rewind");
    let serve = Serve::start_at_stage_with(&stage, &["--hls-window", "10m", "--hls-segment", "1s"]);
    let Some(mut browser) = Browser::start(&stage) else { return };
    let _publisher = publish(&stage, &ffmpeg);
    long_window(&stage, &serve);
    let page = format!("http://{}/watch/cam", serve.address("web"));
    assert_eq!(browser.open(&page, json!({})), 200);
    plays(&mut browser);
    assert_eq!(browser.eval(OVER), "webrtc");
    browser.until(&format!("{BAR} !== null"), SEEN);
    let bar = browser.eval(
        "(({type, value, ariaValueText}) => [type, value, ariaValueText])(document.getElementById('rewind'))",
    );
    assert_eq!(bar, json!(["range", "0", "Live"]));

    // Back by the keys of the bar: over HLS, and in words.
    browser.eval(&format!("void {BAR}.focus()"));
    browser.ask(&json!(["key", "PageDown"]));
    browser.until(&format!("{OVER} === 'hls' && {BEHIND} > 50 && {BEHIND} < 70"), SEEN);
    plays(&mut browser);
    let far = "/^(1 min )?\\d+ s behind live$/.test(document.getElementById('rewind').ariaValueText)";
    browser.until(far, "document.getElementById('rewind').ariaValueText");
    browser.until(&format!("{BEHIND} > 50 && {BEHIND} < 70"), SEEN);
    assert_eq!(
        browser.eval(
            "document.getElementById('where').textContent === document.getElementById('rewind').ariaValueText"
        ),
        true
    );
    // A little further by an arrow, wherever the focus is.
    browser.eval("void document.activeElement.blur()");
    let before = browser.eval(BEHIND).as_f64().unwrap();
    browser.ask(&json!(["key", "ArrowLeft"]));
    browser.until(&format!("{BEHIND} > {before} + 3 && {BEHIND} < {before} + 9"), SEEN);
    plays(&mut browser);
    browser.until(&format!("{BEHIND} > {before} + 3"), SEEN);

    // And live again, over WebRTC.
    browser.ask(&json!(["click", "#to-live"]));
    browser.until(&format!("{OVER} === 'webrtc' && {BEHIND} === 0"), SEEN);
    plays(&mut browser);
    browser.ask(&json!(["key", "ArrowLeft"]));
    browser.until(&format!("{OVER} === 'hls' && {BEHIND} > 3"), SEEN);
    plays(&mut browser);
    browser.ask(&json!(["key", "l"]));
    browser.until(&format!("{OVER} === 'webrtc' && {BEHIND} === 0"), SEEN);
    plays(&mut browser);
    said_nothing(&mut browser);

    // The same where it is HLS from the beginning, within another page, to the end of the bar.
    let embed = format!("http://{}/embed/cam?protocol=hls", serve.address("web"));
    assert_eq!(browser.open(&embed, json!({"width": 560, "height": 315})), 200);
    plays(&mut browser);
    browser.until(&format!("{BAR} !== null"), SEEN);
    browser.eval(&format!("void {BAR}.focus()"));
    browser.ask(&json!(["key", "Home"]));
    browser.until(&format!("{BEHIND} > 70"), SEEN);
    plays(&mut browser);
    browser.until(&format!("{BEHIND} > 70"), SEEN);
    browser.ask(&json!(["key", "End"]));
    browser.until(&format!("{BEHIND} === 0 && msconv.player.delaySeconds() < 20"), SEEN);
    plays(&mut browser);
    said_nothing(&mut browser);
}

#[test]
fn there_is_no_bar_where_there_is_no_window() {
    let Some(ffmpeg) = enhanced() else { return };
    if !built_in() {
        return;
    }
    let stage = Stage::new("watching-no-window");
    let serve = Serve::start_at_stage(&stage);
    let Some(mut browser) = Browser::start(&stage) else { return };
    let _publisher = publish(&stage, &ffmpeg);
    wait_for("the stream", PATIENCE, || serve.get("web", "/live/cam/index.m3u8").status == 200);
    assert_eq!(browser.open(&format!("http://{}/watch/cam", serve.address("web")), json!({})), 200);
    plays(&mut browser);
    browser.ask(&json!(["key", "ArrowLeft"]));
    plays(&mut browser);
    assert_eq!(
        browser.eval(&format!("[{STATE}, {OVER}, {BEHIND}, {BAR}]")),
        json!(["playing", "webrtc", 0, null])
    );
    let asked: Vec<String> = serde_json::from_value(browser.ask(&json!(["asked"]))).unwrap();
    assert!(!asked.iter().any(|one| one.contains("/i.m3u8")), "{asked:?}");
}
