//! The pages under odd circumstances: framed by others, in browsers that lack what they need, with a wrong clock, twice.

use super::over_webrtc::publish;
use super::{SEEN, STATE, plays};
use crate::pages::built_in;
use crate::stage::{Browser, PATIENCE, Serve, Stage, needs, wait_for};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

const STRANGER: &str = "--host-resolver-rules=MAP viewer.test 127.0.0.1";
const CHAT: &str = "document.querySelector('#chat')?.innerText";
const LIVE: &str = "window.msconvChat?.chat.line === 'open'";

fn on_air(stage: &Stage) -> (Serve, crate::stage::Running) {
    let serve = Serve::start_at_stage(stage);
    let publisher = publish(stage, "cam", &["-bf", "0"]);
    wait_for("the stream", PATIENCE, || serve.get("web", "/live/cam/index.m3u8").status == 200);
    (serve, publisher)
}

/// A page of another origin with this body, for whoever asks.
fn elsewhere(body: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut peer in listener.incoming().map_while(Result::ok) {
            let _ = peer.read(&mut [0; 4096]);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = peer.write_all(format!("{head}{body}").as_bytes());
        }
    });
    address
}

#[test]
fn another_page_shows_the_stream_within_itself_and_no_chat() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    let stage = Stage::new("watching-framed");
    let (serve, _publisher) = on_air(&stage);
    let Some(mut browser) = Browser::start(&stage) else { return };
    // As the page of the stream gives it away, but for the address.
    assert_eq!(browser.open(&format!("http://{}/watch/cam", serve.address("web")), json!({})), 200);
    plays(&mut browser);
    let shows = |path: &str| {
        let host = elsewhere(format!(
            "<!doctype html><title>x</title><iframe src=\"http://{}{path}\" width=\"560\" height=\"315\" \
             allow=\"autoplay; fullscreen; picture-in-picture\"></iframe>",
            serve.address("web")
        ));
        format!("http://{host}/")
    };
    assert_eq!(browser.open(&shows("/embed/cam"), json!({})), 200);
    let frame = |browser: &mut Browser, expression: &str| browser.ask(&json!(["frame", expression]));
    let more = "window.msconv?.video.getVideoPlaybackQuality().totalVideoFrames ?? 0";
    wait_for("frames in the frame", PATIENCE, || {
        let frames = frame(&mut browser, more);
        if frames.as_u64() > Some(25) { Ok(()) } else { Err(frames.to_string()) }
    });
    let seen = "[document.getElementById('player').dataset.state, document.querySelector('#chat, #say, .top'), document.cookie]";
    assert_eq!(frame(&mut browser, seen), json!(["playing", null, ""]));
    // The page with the chat is for nobody's frame.
    assert_eq!(browser.open(&shows("/watch/cam"), json!({})), 200);
    wait_for("a refusal", PATIENCE, || {
        let said = browser.ask(&json!(["said"])).to_string();
        if said.contains("frame-ancestors") { Ok(()) } else { Err(said) }
    });
}

#[test]
fn slow_mode_is_told_to_whoever_writes() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    let stage = Stage::new("watching-slow");
    let (serve, _publisher) = on_air(&stage);
    let Some(mut browser) = Browser::start_with(&stage, &[STRANGER]) else { return };
    let address = serve.address("web");
    assert_eq!(browser.open(&format!("http://{address}/watch/cam"), json!({})), 200);
    browser.until(&format!("{LIVE} && msconvChat.chat.you.role === 'moderator'"), CHAT);
    browser.ask(&json!(["page", "viewer"]));
    let watch = format!("http://viewer.test:{}/watch/cam", address.port());
    assert_eq!(browser.open(&watch, json!({})), 200);
    browser.until(LIVE, CHAT);
    browser.ask(&json!(["page", ""]));
    browser.ask(&json!(["click", "#room-settings"]));
    let choose = "{ const slow = document.getElementById('slow'); slow.value = '30'; slow.dispatchEvent(new Event('change', {bubbles: true})); }";
    browser.until("document.getElementById('slow') !== null", CHAT);
    browser.eval(&format!("void (() => {choose})()"));
    browser.until("msconvChat.chat.room.slow_s === 30", CHAT);
    browser.ask(&json!(["page", "viewer"]));
    browser.until("document.querySelector('.slow')?.textContent === 'Slow mode: one message in 30 s'", CHAT);
    browser.ask(&json!(["fill", "#say", "one"]));
    browser.ask(&json!(["key", "Enter"]));
    browser.until(
        "document.querySelectorAll('.message').length === 1 && msconvChat.chat.pending.length === 0",
        CHAT,
    );
    // The next one waits, and the button says for how long.
    browser.ask(&json!(["fill", "#say", "two"]));
    browser.until("/^\\d+ s$/.test(document.querySelector('.send').textContent) && document.querySelector('.send').disabled", CHAT);
    // So does whatever gets past the button.
    browser.eval("void msconvChat.say('three')");
    browser.until("document.querySelector('.trouble')?.textContent === 'Slow mode: a little later.'", CHAT);
    assert_eq!(browser.eval("document.querySelectorAll('.message').length"), 1);
}

#[test]
fn a_browser_that_can_play_nothing_says_what_to_do() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    let stage = Stage::new("watching-unable");
    let (serve, _publisher) = on_air(&stage);
    let Some(mut browser) = Browser::start(&stage) else { return };
    let unable = "for (const name of ['MediaSource', 'ManagedMediaSource', 'WebKitMediaSource', 'RTCPeerConnection', 'webkitRTCPeerConnection']) delete window[name]; \
                  HTMLMediaElement.prototype.canPlayType = () => '';";
    for (path, language, word, more) in [
        ("/watch/cam", "en-GB", "This browser cannot play this stream", "such as VLC"),
        ("/embed/cam", "ru-RU", "Этот браузер не умеет показывать такую трансляцию", "VLC"),
    ] {
        let how = json!({"before": unable, "language": language});
        assert_eq!(browser.open(&format!("http://{}{path}", serve.address("web")), how), 200);
        browser.until(&format!("{STATE} === 'unplayable'"), SEEN);
        let told = browser.eval(
            "[document.getElementById('word').textContent, document.getElementById('more').textContent]",
        );
        assert_eq!(told[0], word);
        assert!(told[1].as_str().is_some_and(|told| told.contains(more)), "{told}");
        // What it advises is there.
        let ways = browser.eval("[...document.querySelectorAll('#vlc')].map((one) => one.download)");
        assert_eq!(ways, if path == "/watch/cam" { json!(["cam.m3u"]) } else { json!([]) });
        assert_eq!(browser.ask(&json!(["said"])), json!([]));
    }
}

#[test]
fn a_wrong_clock_changes_nothing() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    let stage = Stage::new("watching-clock");
    let (serve, _publisher) = on_air(&stage);
    let Some(mut browser) = Browser::start(&stage) else { return };
    for wrong in [3_600_000, -3_600_000] {
        let before = format!(
            "{{ const Right = Date; window.Date = class extends Right {{ \
             constructor(...all) {{ if (all.length > 0) super(...all); else super(Right.now() + {wrong}); }} \
             static now() {{ return Right.now() + {wrong}; }} }}; }}"
        );
        let how = json!({"before": before});
        assert_eq!(browser.open(&format!("http://{}/watch/cam", serve.address("web")), how.clone()), 200);
        plays(&mut browser);
        browser.until(
            "/^live for [1-9] min$/.test(document.getElementById('since')?.textContent)",
            "document.getElementById('about').innerText",
        );
        browser.until("msconv.player.delaySeconds() < 30", SEEN);
        assert_eq!(browser.open(&format!("http://{}/", serve.address("web")), how), 200);
        browser.until(
            "/^live for [1-9] min$/.test(document.querySelector('.card .since')?.textContent)",
            "document.body.innerText",
        );
    }
}

#[test]
fn two_tabs_of_one_viewer_are_one_author() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    let stage = Stage::new("watching-tabs");
    let (serve, _publisher) = on_air(&stage);
    let Some(mut browser) = Browser::start_with(&stage, &[STRANGER]) else { return };
    let watch = format!("http://viewer.test:{}/watch/cam", serve.address("web").port());
    assert_eq!(browser.open(&watch, json!({})), 200);
    browser.until(LIVE, CHAT);
    assert_eq!(browser.ask(&json!(["tab", "second", watch])), 200);
    browser.until(LIVE, CHAT);
    let say = |browser: &mut Browser, text: &str| {
        browser.ask(&json!(["fill", "#say", text]));
        browser.ask(&json!(["key", "Enter"]));
    };
    let named = |browser: &mut Browser, name: &str| {
        browser.until(&format!("msconvChat.chat.you.name === {}", json!(name)), CHAT);
    };
    // A name that is chosen in one of them is that of the other.
    browser.ask(&json!(["click", "#rename"]));
    browser.ask(&json!(["fill", "#name", "anna"]));
    browser.ask(&json!(["key", "Enter"]));
    named(&mut browser, "anna");
    say(&mut browser, "from the second");
    browser.ask(&json!(["page", ""]));
    named(&mut browser, "anna");
    say(&mut browser, "from the first");
    let both = "document.querySelectorAll('.message').length === 2 && msconvChat.chat.pending.length === 0";
    browser.until(both, CHAT);
    let authors = browser
        .eval("[...new Set(msconvChat.chat.messages.map(({from}) => `${from.id} ${from.name}`))].length");
    assert_eq!(authors, 1, "{}", browser.eval("msconvChat.chat.messages"));
    assert_eq!(browser.eval("document.querySelector('.as bdi').textContent"), "anna");
    assert_ne!(browser.eval("msconvChat.chat.messages[0].from.id"), Value::Null);
}
