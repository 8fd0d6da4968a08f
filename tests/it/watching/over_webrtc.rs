//! The page plays over WebRTC, and over HLS where that cannot be, by itself and with the reason.

use super::{SEEN, STATE, plays};
use crate::pages::built_in;
use crate::stage::{Browser, PATIENCE, Running, Serve, Stage, needs, wait_for};
use serde_json::{Value, json};

/// Keeps every connection that the page makes.
const KEPT: &str = "window.connections = []; window.RTCPeerConnection = class extends RTCPeerConnection { \
    constructor(...all) { super(...all); window.connections.push(this); } };";
/// No connection comes about: the answer leads nowhere.
const BLOCKED: &str = "window.RTCPeerConnection = class extends RTCPeerConnection { \
    setRemoteDescription({ type, sdp }) { \
    return super.setRemoteDescription({ type, sdp: sdp.replace(/^a=candidate.*\\r\\n/gm, '') }); } };";
const OVER: &str = "msconv.player.way.transport";
const NOTE: &str = "document.getElementById('note')?.textContent";
const HEIGHT: &str = "msconv.video.videoHeight";
const OPEN: &str = "connections.filter((one) => one.connectionState !== 'closed').length";
/// What was heard so far: energy of what was decoded and played.
const ENERGY: &str = "Promise.all(connections.map((one) => one.getStats())).then((all) => all.flatMap((one) => \
    [...one.values()]).reduce((sum, one) => sum + (one.totalAudioEnergy ?? 0), 0))";

/// Publishes a test picture of 320x180 with a tone over RTMP, with these flags of the encoder.
pub fn publish(stage: &Stage, name: &str, encoder: &[&str]) -> Running {
    let url = format!("{}/{name}", stage.rtmp_url());
    let input = "-hide_banner -loglevel error -re -f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine=frequency=440 \
                 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25 -c:a aac -f flv";
    let mut args: Vec<&str> = input.split_whitespace().collect();
    let at = args.len() - 2;
    args.splice(at..at, encoder.iter().copied());
    args.push(&url);
    stage.spawn("ffmpeg", &args)
}

/// The paths of what the page has asked for since the last time.
#[track_caller]
fn asked(browser: &mut Browser) -> Vec<String> {
    serde_json::from_value(browser.ask(&json!(["asked"]))).unwrap()
}

fn is_hls(asked: &str) -> bool {
    asked.contains(".m3u8") || asked.contains(".m4s") || asked.contains("hls_player")
}

/// Waits until the page plays over this transport.
#[track_caller]
fn plays_over(browser: &mut Browser, transport: &str) {
    browser.until(&format!("window.msconv !== undefined && {OVER} === '{transport}'"), SEEN);
    plays(browser);
}

#[test]
fn a_browser_plays_over_webrtc_with_audio_and_chooses_a_rendition() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    let stage = Stage::new("watching-webrtc");
    let serve = Serve::start_at_stage_with(&stage, &["--ice-server", "stun:127.0.0.1:9"]);
    let Some(mut browser) = Browser::start(&stage) else { return };
    let page = format!("http://{}/watch/cam", serve.address("web"));

    // Nobody has published it yet: the page wakes up by itself.
    assert_eq!(browser.open(&page, json!({"before": KEPT})), 404);
    browser.until(&format!("{STATE} === 'waiting'"), SEEN);
    let args = ["publish", "-s", "cam", "--test", "--quality", "fastest"];
    let variants = ["--variants", "360p:500k:640:360,144p:120k:256:144"];
    stage.msconv(&[&args[..], &variants].concat()).expect(0);
    plays_over(&mut browser, "webrtc");
    assert_eq!(browser.eval(OPEN), 1, "one connection");
    let servers =
        browser.eval("connections.at(-1).getConfiguration().iceServers.map((one) => one.urls).flat()");
    assert_eq!(servers, json!(["stun:127.0.0.1:9"]), "those of the answer");
    browser.until("msconv.player.renditions().length === 2", SEEN);

    // Nothing of HLS is asked for while it plays, and its player was never loaded.
    let before = asked(&mut browser);
    assert!(!before.iter().any(|one| one.contains("hls_player") || one.contains(".m4s")), "{before:?}");
    plays(&mut browser);
    let while_playing = asked(&mut browser);
    assert!(!while_playing.iter().any(|one| is_hls(one)), "{while_playing:?}");
    assert_eq!(browser.eval(NOTE), "");
    browser.until("msconv.player.delaySeconds() < 5", SEEN);

    browser.eval("msconv.video.muted = false");
    let energy = browser.eval(ENERGY).as_f64().unwrap();
    browser.until(&format!("({ENERGY}).then((energy) => energy > {energy} + 0.001)"), SEEN);

    // Each rendition by the menu; then the server's choice again.
    for (word, height) in [("144p", 144), ("360p", 360)] {
        browser.ask(&json!(["click", "#quality"]));
        browser.ask(&json!(["click", format!("#qualities button:has-text('{word}')")]));
        browser.until(&format!("{HEIGHT} === {height} && {OPEN} === 1"), SEEN);
        plays_over(&mut browser, "webrtc");
    }
    let made = browser.eval("connections.length");
    browser.ask(&json!(["click", "#quality"]));
    browser.ask(&json!(["click", "#qualities button:first-child"]));
    browser.until(
        &format!("msconv.player.fixed === undefined && connections.length > {made} && {OPEN} === 1"),
        SEEN,
    );
    plays_over(&mut browser, "webrtc");
    assert!(!asked(&mut browser).iter().any(|one| one.contains("hls_player")));
    assert_eq!(stage_errors(&mut browser), json!([]));

    // A page that goes away says so.
    let told = |serve: &Serve| serve.running().stderr().matches("stops watching live/cam").count();
    let before = told(&serve);
    browser.eval("void setTimeout(() => location.replace('about:blank'))");
    wait_for("the session to end", PATIENCE, || {
        let now = told(&serve);
        if now > before { Ok(()) } else { Err(serve.running().stderr()) }
    });
    stage.msconv(&["stop", "-s", "cam"]).expect(0);
}

/// Errors and refused policies, but for the answers of a name that nobody published yet.
fn stage_errors(browser: &mut Browser) -> Value {
    let said: Vec<String> = serde_json::from_value(browser.ask(&json!(["said"]))).unwrap();
    said.into_iter().filter(|line| !line.contains("404 (Not Found)")).collect()
}

#[test]
fn a_publisher_that_returns_is_seen_on_the_same_connection() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    let stage = Stage::new("watching-webrtc-return");
    let serve = Serve::start_at_stage(&stage);
    let Some(mut browser) = Browser::start(&stage) else { return };
    let first = publish(&stage, "cam", &["-bf", "0"]);
    assert!(
        browser.open(&format!("http://{}/watch/cam", serve.address("web")), json!({"before": KEPT})).is_u64()
    );
    plays_over(&mut browser, "webrtc");
    browser.eval("window.first = connections.at(-1)");
    drop(first);
    browser.until(&format!("{STATE} === 'returning' && msconv.player.look().stillMs > 4000"), SEEN);
    let _second = publish(&stage, "cam", &["-bf", "0"]);
    plays_over(&mut browser, "webrtc");
    let same = "connections.at(-1) === first && first.connectionState === 'connected'";
    assert_eq!(browser.eval(same), true, "{}", browser.eval(SEEN));
}

#[test]
fn a_stream_with_b_frames_plays_over_hls_until_it_returns_without() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    let stage = Stage::new("watching-b-frames");
    let serve = Serve::start_at_stage(&stage);
    let Some(mut browser) = Browser::start(&stage) else { return };
    let first = publish(&stage, "cam", &["-bf", "2"]);
    wait_for("the stream", PATIENCE, || {
        let list = serve.get("web", "/live/cam/index.m3u8");
        if list.status == 200 { Ok(()) } else { Err(list.body) }
    });
    let page = format!("http://{}/watch/cam", serve.address("web"));
    assert_eq!(browser.open(&page, json!({"before": KEPT})), 200);
    plays_over(&mut browser, "hls");
    assert_eq!(
        browser.eval(NOTE),
        "Over HLS, a moment later: the stream has B-frames, which WebRTC does not carry."
    );
    let title = browser.eval("document.getElementById('note').title");
    assert!(title.as_str().is_some_and(|title| title.contains("reordered")), "{title}");
    assert_eq!(browser.eval(OPEN), 0, "no connection is left");

    // It comes back as another one: WebRTC takes over.
    drop(first);
    browser.until("msconv.player.look().stillMs > 2500", SEEN);
    let _second = publish(&stage, "cam", &["-bf", "0"]);
    plays_over(&mut browser, "webrtc");
    assert_eq!(browser.eval(NOTE), "");
    asked(&mut browser);
    plays(&mut browser);
    let after = asked(&mut browser);
    assert!(!after.iter().any(|one| is_hls(one)), "HLS has ended: {after:?}");
}

#[test]
fn a_network_without_webrtc_plays_over_hls() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    let stage = Stage::new("watching-blocked");
    let serve = Serve::start_at_stage(&stage);
    let Some(mut browser) = Browser::start(&stage) else { return };
    let _publisher = publish(&stage, "cam", &["-bf", "0"]);
    let page = format!("http://{}/watch/cam", serve.address("web"));
    assert!(browser.open(&page, json!({"before": BLOCKED, "language": "ru-RU"})).is_u64());
    plays_over(&mut browser, "hls");
    assert_eq!(browser.eval(NOTE), "По HLS, чуть позже эфира: сеть не пропускает соединение WebRTC.");
    // Who asks for WebRTC alone is not given anything else, and is told why.
    assert_eq!(browser.open(&format!("{page}?protocol=webrtc"), json!({"before": BLOCKED})), 200);
    browser.until(
        &format!(
            "{NOTE} === 'Over WebRTC it cannot be had: this network lets no WebRTC connection through.'"
        ),
        SEEN,
    );
    assert_eq!(browser.eval(OVER), "webrtc");
}
