//! A real Firefox ESR, driven by WebDriver BiDi, which it speaks by itself.

use super::needs::needs;
use super::web_socket::WebSocket;
use super::{PATIENCE, Running, Stage, wait_for};
use serde_json::{Value, json};

/// Where it says that it can be driven.
const READY: &str = "WebDriver BiDi listening on ws://";
/// Playback begins by itself, and nothing is asked of the network that the page does not ask for.
const PREFERENCES: [(&str, &str); 6] = [
    ("media.autoplay.default", "0"),
    ("network.captive-portal-service.enabled", "false"),
    ("network.connectivity-service.enabled", "false"),
    ("datareporting.policy.dataSubmissionEnabled", "false"),
    ("app.update.disabledForTesting", "true"),
    ("browser.shell.checkDefaultBrowser", "false"),
];

/// A browser with one page. Dropped, it ends.
pub struct Firefox {
    running: Option<Running>,
    socket: WebSocket,
    context: String,
    asked: u64,
    /// What pages said on their consoles, and errors that nobody caught.
    pub said: Vec<Value>,
}

impl Firefox {
    /// Starts one; none, with the reason printed, where there is none.
    pub fn start(stage: &Stage) -> Option<Firefox> {
        if !needs("firefox-esr") {
            return None;
        }
        let profile = stage.file("firefox");
        std::fs::create_dir_all(&profile).unwrap();
        let preferences = PREFERENCES.map(|(name, value)| format!("user_pref(\"{name}\", {value});\n"));
        std::fs::write(profile.join("user.js"), preferences.concat()).unwrap();
        let profile = profile.to_str().unwrap();
        let args = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port=0"];
        let running = stage.spawn("firefox-esr", &args);
        let address = wait_for("Firefox to be driven", PATIENCE, || {
            let said = running.stderr();
            let address = said.split_once(READY).and_then(|(_, rest)| rest.lines().next());
            address.map(str::to_string).ok_or(said)
        });
        let socket = WebSocket::open(&address, "/session");
        let mut firefox =
            Firefox { running: Some(running), socket, context: String::new(), asked: 0, said: Vec::new() };
        firefox.ask("session.new", json!({"capabilities": {}}));
        firefox.ask("session.subscribe", json!({"events": ["log.entryAdded"]}));
        let tree = firefox.ask("browsingContext.getTree", json!({}));
        firefox.context = tree["contexts"][0]["context"].as_str().unwrap().to_string();
        Some(firefox)
    }

    /// One command; its result.
    #[track_caller]
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        self.socket.send(&json!({"id": self.asked, "method": method, "params": params}).to_string());
        loop {
            let text = self.socket.next().unwrap_or_else(|| panic!("{method}: Firefox has gone"));
            let mut answer: Value = serde_json::from_str(&text).unwrap();
            if answer["type"] == "event" {
                self.said.push(answer["params"].take());
            } else if answer["id"] == self.asked {
                assert_eq!(answer["type"], "success", "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }

    /// Opens a page.
    #[track_caller]
    pub fn open(&mut self, url: &str) {
        let context = self.context.clone();
        self.ask("browsingContext.navigate", json!({"context": context, "url": url, "wait": "complete"}));
    }

    /// The value of an expression in the page.
    #[track_caller]
    pub fn eval(&mut self, expression: &str) -> Value {
        let expression = format!("JSON.stringify({expression}) ?? 'null'");
        let target = json!({"context": self.context});
        let asked = json!({"expression": expression, "target": target, "awaitPromise": true});
        let result = self.ask("script.evaluate", asked);
        let text = result["result"]["value"].as_str().unwrap_or_else(|| panic!("{expression}: {result}"));
        serde_json::from_str(text).unwrap()
    }

    /// Waits until an expression is true in the page; `seen` is shown if it never is.
    #[track_caller]
    pub fn until(&mut self, expression: &str, seen: &str) {
        wait_for(expression, PATIENCE, || {
            if self.eval(expression) == true { Ok(()) } else { Err(self.eval(seen).to_string()) }
        });
    }
}

impl Drop for Firefox {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        // Its children end with it in order, which they do not when it is killed.
        if !std::thread::panicking() {
            self.socket.send(&json!({"id": 0, "method": "browser.close", "params": {}}).to_string());
            running.wait(PATIENCE);
        }
    }
}
