//! The list, the chat and the studio in a real Chromium, with two people at once.

use super::over_webrtc::publish;
use super::{SEEN, STATE, plays};
use crate::pages::built_in;
use crate::stage::{Browser, PATIENCE, Serve, Stage, needs, wait_for};
use serde_json::{Value, json};

/// Under this name the server is a stranger's, so whoever comes by it moderates nothing.
pub const STRANGER: &str = "--host-resolver-rules=MAP viewer.test 127.0.0.1";
const FAKES: [&str; 2] = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
pub const BODY: &str = "document.body.innerText.slice(0, 2000)";
const CHAT: &str = "document.querySelector('#chat')?.innerText";
const LIVE: &str = "window.msconvChat?.chat.line === 'open'";

/// Texts of strangers: scripts, attributes, addresses, what runs out of its place.
pub fn nasty() -> Vec<String> {
    let wide = "W".repeat(300);
    let texts = [
        "<script>window.hacked = 1</script>",
        "<img src=x onerror=\"window.hacked = 1\">",
        "\"><svg onload=window.hacked=1>",
        "'-window.hacked=1-'",
        "javascript:window.hacked=1",
        "[x](javascript:window.hacked=1)",
        "https://example.test/\"onmouseover=\"window.hacked=1",
        "{{constructor.constructor('window.hacked=1')()}}",
        "<a href=\"data:text/html,<script>window.hacked=1</script>\">x</a>",
        "</textarea><iframe srcdoc=\"<script>parent.hacked=1</script>\">",
        "مرحبا \u{5d0}\u{5d1} abc",
        "👩‍👩‍👧‍👦👍🏽 Z\u{337}\u{327}\u{34e}a\u{337}l\u{337}g\u{337}o",
        "   ",
    ];
    texts.iter().map(ToString::to_string).chain([wide]).collect()
}

#[track_caller]
pub fn page_of(browser: &mut Browser, name: &str) {
    browser.ask(&json!(["page", name]));
}

/// Errors and refused policies, but for what is not there yet.
#[track_caller]
pub fn errors(browser: &mut Browser) -> Vec<String> {
    let said: Vec<String> = serde_json::from_value(browser.ask(&json!(["said"]))).unwrap();
    said.into_iter().filter(|line| !line.contains("404 (Not Found)")).collect()
}

#[track_caller]
pub fn fits(browser: &mut Browser) {
    let wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(browser.eval(wide), 0, "the page is wider than its window: {}", browser.eval(BODY));
}

/// Waits until nothing comes or goes any more: what is half there has half its colours.
#[track_caller]
pub fn stands_still(browser: &mut Browser) {
    let endless = "document.getAnimations().every((one) => one.effect.getTiming().iterations === Infinity)";
    browser.until(endless, BODY);
}

#[test]
fn the_list_shows_what_is_live_by_itself() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    let stage = Stage::new("watching-list");
    let serve = Serve::start_at_stage(&stage);
    let Some(mut browser) = Browser::start(&stage) else { return };
    let page = format!("http://{}/", serve.address("web"));
    assert_eq!(browser.open(&page, json!({"width": 320, "height": 640})), 200);
    browser.until("document.querySelector('.empty h1')?.textContent === 'Nobody is live'", BODY);
    let server = "document.querySelector('.copied code').textContent";
    assert_eq!(browser.eval(server), json!(stage.rtmp_url()));
    fits(&mut browser);
    let publisher = publish(&stage, "cam", &["-bf", "0"]);
    browser.until("document.querySelector('.card a')?.getAttribute('href') === '/watch/cam'", BODY);
    browser.until("document.querySelector('[role=status]').textContent === '1 live'", BODY);
    // A title of a stranger is text, whatever is in it.
    let title = nasty().swap_remove(1);
    let made = format!(
        "fetch('/start_stream?name=' + encodeURIComponent({}), {{method: 'POST'}}).then((a) => a.status)",
        json!(title)
    );
    assert_eq!(browser.eval(&made), 201);
    browser
        .until(&format!("document.querySelector('.others strong')?.textContent === {}", json!(title)), BODY);
    fits(&mut browser);
    assert_eq!(browser.eval("window.hacked"), Value::Null);
    drop(publisher);
    browser
        .until("document.querySelector('.card') === null && document.querySelector('.empty') !== null", BODY);
    assert_eq!(errors(&mut browser), Vec::<String>::new());
}

#[test]
fn two_viewers_chat_and_one_moderates() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    let stage = Stage::new("watching-chat");
    let serve = Serve::start_at_stage(&stage);
    let Some(mut browser) = Browser::start_with(&stage, &[STRANGER]) else { return };
    let _publisher = publish(&stage, "cam", &["-bf", "0"]);
    let address = serve.address("web");
    wait_for("the stream", PATIENCE, || serve.get("web", "/live/cam/index.m3u8").status == 200);

    // The host is at this machine and moderates; the viewer came by another name.
    assert_eq!(browser.open(&format!("http://{address}/watch/cam"), json!({})), 200);
    plays(&mut browser);
    browser.until(LIVE, CHAT);
    page_of(&mut browser, "viewer");
    let watch = format!("http://viewer.test:{}/watch/cam", address.port());
    assert_eq!(
        browser.open(&watch, json!({"width": 390, "height": 844, "language": "ru-RU", "touch": true})),
        200
    );
    plays(&mut browser);
    browser.until(LIVE, CHAT);
    assert_eq!(browser.eval("msconvChat.chat.you.role"), "viewer");
    browser.ask(&json!(["fill", "#say", "добрый вечер"]));
    browser.ask(&json!(["key", "Enter"]));
    browser.until("document.querySelector('.message .text')?.textContent === 'добрый вечер' && msconvChat.chat.pending.length === 0", CHAT);
    assert_eq!(
        browser.eval("document.querySelector('.message button')"),
        Value::Null,
        "viewers moderate nothing"
    );

    // The connection goes, something is said, and it is there once when the connection is back.
    browser.eval("void msconvChat.connection.socket.close()");
    page_of(&mut browser, "");
    browser.until("document.querySelector('.message .text')?.textContent === 'добрый вечер'", CHAT);
    browser.ask(&json!(["fill", "#say", "see https://example.test/x, welcome"]));
    browser.ask(&json!(["key", "Enter"]));
    browser.until(
        "document.querySelectorAll('.message').length === 2 && document.querySelector('.message a') !== null",
        CHAT,
    );
    let link = browser.eval("(({href, rel}) => [href, rel])(document.querySelector('.message a'))");
    assert_eq!(link, json!(["https://example.test/x", "noopener noreferrer nofollow ugc"]));
    page_of(&mut browser, "viewer");
    browser.until(&format!("{LIVE} && document.querySelectorAll('.message').length === 2"), CHAT);

    // The host deletes the viewer's message, where it stands and by keyboard, and keeps him quiet.
    page_of(&mut browser, "");
    browser.eval("void document.querySelector('.message').focus()");
    browser.ask(&json!(["key", "Enter"]));
    browser.until("document.activeElement?.getAttribute('role') === 'menuitem'", CHAT);
    let entry =
        |word: &str| json!(["click", format!(".message .menu:not([hidden]) button:has-text('{word}')")]);
    browser.ask(&entry("60 s"));
    page_of(&mut browser, "viewer");
    browser.until("document.querySelector('.stopped')?.textContent.startsWith('Вам нельзя писать до')", CHAT);
    page_of(&mut browser, "");
    browser.ask(&json!(["click", ".message .menu-place > button"]));
    browser.ask(&entry("Delete message"));
    page_of(&mut browser, "viewer");
    browser.until("document.querySelectorAll('.message').length === 1", CHAT);
    page_of(&mut browser, "");
    assert_eq!(errors(&mut browser), Vec::<String>::new());
}

#[test]
fn texts_of_strangers_stay_texts_and_within_the_page() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    let stage = Stage::new("watching-texts");
    let serve = Serve::start_at_stage(&stage);
    let Some(mut browser) = Browser::start(&stage) else { return };
    let _publisher = publish(&stage, "cam", &["-bf", "0"]);
    wait_for("the stream", PATIENCE, || serve.get("web", "/live/cam/index.m3u8").status == 200);
    // Where a proxy lets no sockets through, events and requests do.
    let blocked = "window.WebSocket = function () { throw new Error('blocked') }";
    let how = json!({"width": 320, "height": 640, "before": blocked});
    assert_eq!(browser.open(&format!("http://{}/watch/cam", serve.address("web")), how), 200);
    browser.until(&format!("{LIVE} && msconvChat.way === 'events'"), CHAT);
    let (mut shown, texts) = (0, nasty());
    for text in &texts {
        let said = format!(
            "fetch('/api/v1/streams/cam/chat/messages', {{method: 'POST', headers: {{'Content-Type': 'application/json'}}, \
             body: JSON.stringify({{text: {}}})}}).then((answer) => answer.status)",
            json!(text)
        );
        shown += i32::from(browser.eval(&said) == 201);
    }
    assert_eq!(shown, 13, "all but the empty one");
    browser.until(&format!("document.querySelectorAll('.message').length === {shown}"), CHAT);
    for text in texts.iter().filter(|text| !text.trim().is_empty()) {
        let is_there = format!(
            "[...document.querySelectorAll('.message .text')].some((one) => one.textContent === {})",
            json!(text)
        );
        assert_eq!(browser.eval(&is_there), true, "{text}: {}", browser.eval(CHAT));
    }
    browser.ask(&json!(["fill", "#say", "over requests"]));
    browser.ask(&json!(["key", "Enter"]));
    browser.until("[...document.querySelectorAll('.message .text')].filter((one) => one.textContent === 'over requests').length === 1 && msconvChat.chat.pending.length === 0", CHAT);
    fits(&mut browser);
    assert_eq!(
        browser.eval(
            "[window.hacked, document.querySelectorAll('#chat img, #chat script, #chat iframe').length]"
        ),
        json!([null, 0])
    );
    let links = "[...document.querySelectorAll('.message a')].every((one) => /^https?:$/.test(one.protocol))";
    assert_eq!(browser.eval(links), true);
    // What is refused is the message of blanks alone.
    let refused: Vec<String> =
        errors(&mut browser).into_iter().filter(|line| !line.contains("422")).collect();
    assert_eq!(refused, Vec::<String>::new());
}

#[test]
fn a_browser_goes_live_and_another_one_sees_it() {
    if !built_in() {
        return;
    }
    let stage = Stage::new("watching-studio");
    let serve = Serve::start_at_stage(&stage);
    let Some(mut browser) = Browser::start_with(&stage, &FAKES) else { return };
    let address = serve.address("web");
    assert_eq!(browser.open(&format!("http://{address}/studio"), json!({})), 200);
    browser.until("document.getElementById('start')?.disabled === true", BODY);
    browser.ask(&json!(["click", "#take-camera"]));
    browser.until("document.getElementById('start').disabled === false", BODY);
    browser.until("document.querySelector('[role=meter]') !== null", BODY);
    // A key that opens nothing is told of, and changed where it stands.
    browser.ask(&json!(["fill", "#key", "key_AAAAAAAAAAAAAAAAAAAAAA"]));
    browser.ask(&json!(["click", "#start"]));
    browser.until(
        "document.querySelector('[role=alert]')?.textContent === 'The server does not take this key.'",
        BODY,
    );
    assert!(errors(&mut browser).iter().all(|line| line.contains("401")));
    browser.ask(&json!(["fill", "#key", ""]));
    browser.ask(&json!(["fill", "#title", "From the studio"]));
    browser.ask(&json!(["click", "#start"]));
    browser.until("document.getElementById('state')?.textContent === 'Live'", BODY);
    browser.until("/\\d/.test(document.getElementById('figures')?.textContent ?? '')", BODY);
    page_of(&mut browser, "viewer");
    assert_eq!(browser.open(&format!("http://{address}/"), json!({})), 200);
    browser.until("document.querySelector('.card strong')?.textContent === 'From the studio'", BODY);
    browser.ask(&json!(["click", ".card a"]));
    browser.until("location.pathname.startsWith('/watch/') && window.msconv !== undefined", BODY);
    plays(&mut browser);
    browser.until("document.querySelector('h1').textContent === 'From the studio'", BODY);
    // Another network: the studio comes back by itself, and so does what viewers see.
    page_of(&mut browser, "");
    browser.eval("void window.dispatchEvent(new Event('online'))");
    browser.until("document.getElementById('state').textContent === 'Live'", BODY);
    page_of(&mut browser, "viewer");
    plays(&mut browser);
    page_of(&mut browser, "");
    browser.until("document.getElementById('viewers')?.textContent === '1 viewer'", BODY);
    assert_eq!(errors(&mut browser), Vec::<String>::new());
    browser.ask(&json!(["click", "#stop"]));
    browser.until("document.getElementById('start') !== null", BODY);
    page_of(&mut browser, "viewer");
    browser.until(&format!("{STATE} === 'returning' || {STATE} === 'ended'"), SEEN);
}

#[test]
fn an_address_without_a_camera_says_why() {
    if !built_in() {
        return;
    }
    let stage = Stage::new("watching-no-camera");
    let serve = Serve::start_at_stage(&stage);
    let Some(mut browser) = Browser::start_with(&stage, &[STRANGER]) else { return };
    let page = format!("http://viewer.test:{}/studio", serve.address("web").port());
    assert_eq!(browser.open(&page, json!({"width": 320, "height": 640})), 200);
    browser.until(
        "document.querySelector('h1')?.textContent === 'Browsers give no camera to this address'",
        BODY,
    );
    let cures = browser.eval("[...document.querySelectorAll('.cannot code')].map((one) => one.textContent)");
    let local = format!("http://localhost:{}/studio", serve.address("web").port());
    assert_eq!(cures[0], json!(local));
    assert!(cures[1].as_str().is_some_and(|rtmp| rtmp.starts_with("rtmp://viewer.test:")), "{cures}");
    fits(&mut browser);
    // Who is no operator there is told that a key is needed; a blocked camera is no end either.
    let blocked = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))";
    let here = format!("http://{}/studio", serve.address("web"));
    assert_eq!(browser.open(&here, json!({"before": blocked})), 200);
    browser.until("document.getElementById('take-camera') !== null", BODY);
    browser.ask(&json!(["click", "#take-camera"]));
    browser.until("document.querySelector('[role=alert]')?.textContent.startsWith('The browser may not use the camera')", BODY);
    assert_eq!(errors(&mut browser), Vec::<String>::new());
}

#[test]
fn a_viewer_needs_no_mouse_and_may_have_it_steady() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    let stage = Stage::new("watching-keys");
    let serve = Serve::start_at_stage(&stage);
    let Some(mut browser) = Browser::start(&stage) else { return };
    let _publisher = publish(&stage, "cam", &["-bf", "0"]);
    wait_for("the stream", PATIENCE, || serve.get("web", "/live/cam/index.m3u8").status == 200);
    assert_eq!(browser.open(&format!("http://{}/watch/cam", serve.address("web")), json!({})), 200);
    plays(&mut browser);
    browser.until(LIVE, CHAT);
    // Browsers let the one play aloud by itself, and the other not.
    browser.eval("void (msconv.video.muted = false)");
    let mut press = |key: &str, then: &str| {
        browser.ask(&json!(["key", key]));
        browser.until(then, SEEN);
    };
    press("k", &format!("{STATE} === 'paused'"));
    press("k", &format!("{STATE} === 'playing'"));
    press("m", "msconv.video.muted === true");
    press("ArrowUp", "msconv.video.muted === false");
    press("t", "document.querySelector('main').dataset.theatre === 'true'");
    press("t", "document.querySelector('main').dataset.theatre === 'false'");
    press("?", "document.querySelector('dialog')?.open === true");
    press("Escape", "document.querySelector('dialog') === null");
    press("/", "document.activeElement?.id === 'say'");
    // In a field they are letters, and TAB leaves it.
    press("k", "document.getElementById('say').value === 'k'");
    press("Tab", "document.activeElement?.matches('.send') === true");
    // Some seconds later, and even.
    browser.ask(&json!(["click", "#quality"]));
    browser.ask(&json!(["click", "#qualities button:has-text('Steady')"]));
    browser.until("msconv.player.way.transport === 'hls'", SEEN);
    plays(&mut browser);
    browser.until("msconv.player.delaySeconds() > 2.5", SEEN);
    assert_eq!(errors(&mut browser), Vec::<String>::new());
}

#[test]
fn nothing_keeps_anybody_out_of_a_page() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    let stage = Stage::new("watching-accessible");
    let serve = Serve::start_at_stage(&stage);
    let Some(mut browser) = Browser::start_with(&stage, &FAKES) else { return };
    if !stage_has_axe() {
        return;
    }
    let at = |path: &str| format!("http://{}{path}", serve.address("web"));
    let mut look = |path: &str, ready: &str| {
        for (dark, width, language) in [(false, 1280, "en-GB"), (true, 320, "ru-RU")] {
            assert!(
                browser.open(&at(path), json!({"dark": dark, "width": width, "language": language})).is_u64()
            );
            browser.until(ready, BODY);
            stands_still(&mut browser);
            assert_eq!(browser.ask(&json!(["axe"])), json!([]), "{path}, dark {dark}");
            fits(&mut browser);
        }
    };
    look("/", "document.querySelector('.empty') !== null");
    look("/console", "document.querySelector('h1') !== null");
    look("/watch/cam", &format!("{STATE} === 'waiting'"));
    look("/embed/cam", &format!("{STATE} === 'waiting'"));
    look("/studio", "document.getElementById('start') !== null");
    let _publisher = publish(&stage, "cam", &["-bf", "0"]);
    // Cards fade in.
    look("/", "document.querySelector('.card')?.getAnimations().length === 0");
    look("/watch/cam", &format!("{STATE} === 'playing' && {LIVE}"));
    look("/embed/cam", &format!("{STATE} === 'playing'"));
}

pub fn stage_has_axe() -> bool {
    let there = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web/node_modules/axe-core").exists();
    if !there {
        crate::stage::missing("axe-core (npm ci in web/)");
    }
    there
}
