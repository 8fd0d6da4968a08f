//! A ladder in a real WebKitGTK: played by itself, as Apple's browsers do it (its demuxer is GStreamer's, though), and by
//! the page.

use super::SEEN;
use crate::pages::built_in;
use crate::stage::{Serve, Stage, WebKit, needs};

const NATIVE: &str = "(() => { \
    document.body.replaceChildren(Object.assign(document.createElement('video'), { muted: true, autoplay: true })); \
    window.video = document.querySelector('video'); \
    video.src = '/live/cam/index.m3u8'; \
    video.play().catch(error => { window.why = String(error) }); \
    return true })()";
const NATIVE_SEEN: &str =
    "[video.currentTime, video.videoWidth, video.readyState, video.error?.message, window.why]";

#[test]
fn webkit_plays_by_itself_and_by_the_page() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    let stage = Stage::new("watching-webkit");
    let serve = Serve::start_at_stage(&stage);
    let Some(webkit) = WebKit::start(&stage) else { return };
    let variants = "360p:500k:640:360,144p:120k:256:144";
    let args = ["publish", "-s", "cam", "--test", "--quality", "fastest", "--variants", variants];
    stage.msconv(&args).expect(0);
    webkit.open(&format!("http://{}/watch/cam", serve.address("web")));
    // Without a click nothing with audio may begin.
    webkit.until("document.getElementById('large-play')?.hidden === false", SEEN);
    webkit.click("#large-play");
    webkit.until("!msconv.video.paused && msconv.video.currentTime > 1 && msconv.video.videoWidth > 0", SEEN);
    let now = webkit.eval("msconv.video.currentTime");
    webkit.until(&format!("msconv.video.currentTime > {now} + 2 && msconv.video.error === null"), SEEN);
    // By itself.
    assert_eq!(
        webkit.eval("document.createElement('video').canPlayType('application/vnd.apple.mpegurl')"),
        "maybe"
    );
    webkit.eval("msconv.player.destroy()");
    webkit.eval(NATIVE);
    webkit.until("video.currentTime > 0 && video.videoWidth > 0 && video.error === null", NATIVE_SEEN);
    let now = webkit.eval("video.currentTime");
    webkit.until(&format!("video.currentTime > {now} + 4 && video.error === null"), NATIVE_SEEN);
    stage.msconv(&["stop", "-s", "cam"]).expect(0);
}
