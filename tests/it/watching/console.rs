//! The operator's console in a real Chromium: from this machine, and from elsewhere with the set-up link.

use super::pages_of_streams::{BODY, STRANGER, errors, fits, nasty, stage_has_axe, stands_still};
use crate::pages::built_in;
use crate::stage::{Browser, PATIENCE, Serve, Stage, needs, wait_for};
use serde_json::{Value, json};

const ROWS: &str = "[...document.querySelectorAll('.table.streams tbody tr')]";

fn row(title: &str, what: &str) -> String {
    format!("{ROWS}.find((row) => row.querySelector('th a').textContent === {})?.{what}", json!(title))
}

fn state_is(title: &str, state: &str) -> String {
    format!("{} === {}", row(title, "querySelector('.badge').textContent"), json!(state))
}

fn click(browser: &mut Browser, selector: &str) {
    browser.ask(&json!(["click", selector]));
}

fn fill(browser: &mut Browser, selector: &str, text: &str) {
    browser.ask(&json!(["fill", selector, text]));
}

#[test]
fn streams_are_made_started_changed_and_removed() {
    if !needs("ffmpeg") || !built_in() {
        return;
    }
    let stage = Stage::new("watching-console");
    stage.set("MSCONV_QUALITY", "fastest");
    let serve = Serve::start_at_stage(&stage);
    let Some(mut browser) = Browser::start(&stage) else { return };
    let console = format!("http://{}/console", serve.address("web"));
    assert_eq!(browser.open(&console, json!({})), 200);
    browser.until("document.querySelector('.nothing h2')?.textContent === 'No streams yet'", BODY);
    // One with a key: its secrets are shown once.
    let title = nasty().swap_remove(0);
    click(&mut browser, "#new-stream");
    fill(&mut browser, "#title", &title);
    browser.ask(&json!(["key", "Enter"]));
    browser.until("document.querySelectorAll('.told-once code').length === 4", BODY);
    let shown =
        browser.eval("[...document.querySelectorAll('.told-once code')].map((code) => code.textContent)");
    let key = shown[1].as_str().unwrap().to_string();
    assert!(key.starts_with("key_") && shown[2].as_str().unwrap().starts_with("prv_"), "{shown}");
    browser.ask(&json!(["key", "Escape"]));
    browser.until(&state_is(&title, "Not live yet"), BODY);
    assert_eq!(browser.eval("window.hacked"), Value::Null);
    // One that the server publishes: it goes live, and the load tells what it takes.
    click(&mut browser, "#new-stream");
    fill(&mut browser, "#title", "Clock");
    click(&mut browser, "input[value=test]");
    click(&mut browser, ".form .primary");
    browser.until(&state_is("Clock", "Live"), BODY);
    browser.eval("void (location.hash = '#load')");
    let encodes =
        "[...document.querySelectorAll('.table td')].some((cell) => cell.textContent === 'libx264')";
    browser.until(encodes, BODY);
    browser.eval("void (location.hash = '#events')");
    browser.until("[...document.querySelectorAll('.events li')].some((one) => one.innerText.includes('went live') && one.innerText.includes('clock') === false)", BODY);
    browser.eval("void (location.hash = '#streams')");
    browser.until(&state_is("Clock", "Live"), BODY);
    browser.eval(&format!("void {}", row("Clock", "querySelector('td.actions button').click()")));
    browser.until(&state_is("Clock", "Ended"), BODY);
    // A new title and a new key; the old key is none from then on.
    browser.eval(&format!("void {}", row(&title, "querySelector('.round').click()")));
    browser.until("document.querySelector('dialog[open] .form') !== null", BODY);
    fill(&mut browser, "dialog .form .field", "Evening");
    click(&mut browser, "dialog .form .primary");
    browser.until("document.querySelector('dialog [role=status]').textContent === 'Saved.'", BODY);
    click(&mut browser, "dialog .apart .button:not(.danger)");
    browser.until("document.querySelectorAll('dialog[open]').length === 2", BODY);
    click(&mut browser, "dialog dialog .danger, dialog[open] ~ dialog .danger");
    browser.until("document.querySelector('dialog .told-once code')?.textContent.startsWith('key_')", BODY);
    assert_ne!(browser.eval("document.querySelector('dialog .told-once code').textContent"), json!(key));
    let known = serve.get("web", &format!("/api/streams/{key}"));
    assert_eq!(known.status, 404, "{}", known.body);
    // Removed, taken back, and removed for good.
    let remove = |browser: &mut Browser| {
        click(browser, "dialog .apart .danger");
        browser.until("document.querySelectorAll('dialog[open]').length === 2", BODY);
        click(browser, "dialog dialog .danger, dialog[open] ~ dialog .danger");
        browser.until(&format!("{} === undefined", row("Evening", "tagName")), BODY);
    };
    remove(&mut browser);
    click(&mut browser, ".undo .button");
    browser.until(&state_is("Evening", "Not live yet"), BODY);
    browser.eval(&format!("void {}", row("Evening", "querySelector('.round').click()")));
    browser.until("document.querySelector('dialog[open] .form') !== null", BODY);
    remove(&mut browser);
    // Whoever leaves the page does not have to wait.
    browser.eval("void (location.hash = '#access')");
    wait_for("it to be gone", PATIENCE, || {
        let list = serve.get("web", "/api/v1/streams").body;
        if list.contains("Evening") { Err(list) } else { Ok(()) }
    });
    assert_eq!(errors(&mut browser), Vec::<String>::new());
}

#[test]
fn the_operator_from_elsewhere_signs_in_with_the_set_up_link_and_then_with_the_password() {
    if !built_in() {
        return;
    }
    let stage = Stage::new("watching-sign-in");
    let serve = Serve::start_at_stage(&stage);
    let Some(mut browser) = Browser::start_with(&stage, &[STRANGER]) else { return };
    let console = format!("http://viewer.test:{}/console", serve.address("web").port());
    assert_eq!(browser.open(&console, json!({})), 200);
    browser.until("document.querySelector('.gate h1')?.textContent === 'No password has been set yet'", BODY);
    let link = stage.msconv(&["token", "setup"]).expect(0).stdout;
    let secret = link.trim().split_once('#').unwrap().1.to_string();
    assert_eq!(browser.open(&format!("{console}#{secret}"), json!({"language": "ru-RU"})), 200);
    browser.until("document.querySelector('.gate h1')?.textContent === 'Придумайте пароль оператора'", BODY);
    assert_eq!(browser.eval("location.hash"), "", "it stands in no history");
    fill(&mut browser, "#password", "long enough");
    browser.ask(&json!(["key", "Enter"]));
    browser.until("document.querySelector('#new-stream') !== null", BODY);
    browser.eval("void (location.hash = '#access')");
    browser.until("document.querySelectorAll('.panel').length === 3", BODY);
    // A token is shown once, and ended by name.
    fill(&mut browser, ".panel:nth-child(2) .field", "бэкенд");
    browser.ask(&json!(["key", "Enter"]));
    browser.until("document.querySelector('.told-once code')?.textContent.startsWith('tok_')", BODY);
    click(&mut browser, ".panel:nth-child(2) .rows .button");
    browser.until("document.querySelector('dialog[open] h2')?.textContent === 'Отозвать «бэкенд»?'", BODY);
    click(&mut browser, "dialog .danger");
    browser.until("document.querySelector('.panel:nth-child(2) .rows li') === null", BODY);
    // Out, and in again.
    click(&mut browser, ".panel:nth-child(1) > .row .button:last-child");
    browser.until("document.querySelector('.gate h1')?.textContent === 'Войти'", BODY);
    fill(&mut browser, "#password", "wrong one");
    browser.ask(&json!(["key", "Enter"]));
    browser.until("document.querySelector('.gate .alert') !== null", BODY);
    fill(&mut browser, "#password", "long enough");
    browser.ask(&json!(["key", "Enter"]));
    browser.until("document.querySelector('.panel') !== null", BODY);
    // A plain address has no opener policy, and a wrong password is refused.
    let meant = |line: &String| line.contains("401") || line.contains("Cross-Origin-Opener-Policy");
    let refused: Vec<String> = errors(&mut browser).into_iter().filter(|line| !meant(line)).collect();
    assert_eq!(refused, Vec::<String>::new());
}

#[test]
fn nothing_keeps_anybody_out_of_the_console() {
    if !built_in() || !stage_has_axe() {
        return;
    }
    let stage = Stage::new("watching-console-accessible");
    let serve = Serve::start_at_stage(&stage);
    let Some(mut browser) = Browser::start(&stage) else { return };
    for title in nasty().iter().filter(|title| !title.trim().is_empty() && title.chars().count() <= 120) {
        let body = json!({ "name": title, "source": { "type": "pull", "url": "rtsp://127.0.0.1:9/x" } });
        let made = crate::stage::post(serve.address("web"), "/api/v1/streams", &body.to_string());
        assert_eq!(made.status, 201, "{title}: {}", made.body);
    }
    let long = "W".repeat(120);
    let made =
        crate::stage::post(serve.address("web"), "/api/v1/streams", &json!({ "name": long }).to_string());
    assert_eq!(made.status, 201, "{}", made.body);
    for (dark, width, language) in [(false, 1280, "en-GB"), (true, 320, "ru-RU")] {
        let parts = [
            ("streams", ".table.streams"),
            ("load", ".tiles"),
            ("events", ".events li"),
            ("access", ".panel"),
        ];
        for (part, ready) in parts {
            let page = format!("http://{}/console#{part}", serve.address("web"));
            let how = json!({"dark": dark, "width": width, "language": language});
            assert_eq!(browser.open(&page, how), 200);
            browser.until(&format!("document.querySelector({}) !== null", json!(ready)), BODY);
            stands_still(&mut browser);
            assert_eq!(browser.ask(&json!(["axe"])), json!([]), "{part}, dark {dark}");
            fits(&mut browser);
            assert_eq!(browser.eval("window.hacked"), Value::Null);
        }
        let page = format!("http://{}/console?again#streams", serve.address("web"));
        assert_eq!(browser.open(&page, json!({"dark": dark, "width": width, "language": language})), 200);
        browser.until("document.querySelector('#new-stream') !== null", BODY);
        click(&mut browser, "#new-stream");
        browser.until("document.querySelector('dialog[open]') !== null", BODY);
        assert_eq!(browser.ask(&json!(["axe"])), json!([]), "a new stream, dark {dark}");
        fits(&mut browser);
        // It closes by keyboard, and the focus is where it was.
        browser.ask(&json!(["key", "Escape"]));
        browser.until("document.activeElement?.id === 'new-stream'", BODY);
    }
}
