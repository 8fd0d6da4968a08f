//! A real WebKitGTK (its MiniBrowser), driven by WebKitWebDriver over plain WebDriver, on a screen of its own.

use super::needs::{missing, needs};
use super::serve::post;
use super::{PATIENCE, Port, Running, Stage, wait_for};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

/// Plays HLS by itself, which WebKitGTK does only where it is asked to; and reaches for no bus of a desktop.
const VARIABLES: [(&str, &str); 4] = [
    ("WEBKIT_GST_ENABLE_HLS_SUPPORT", "1"),
    ("DBUS_SESSION_BUS_ADDRESS", "disabled:"),
    ("NO_AT_BRIDGE", "1"),
    ("GIO_USE_VFS", "local"),
];

/// A browser with one page. Dropped, it ends.
pub struct WebKit {
    driver: Option<Running>,
    screen: Option<Running>,
    address: SocketAddr,
    session: String,
    _port: Port,
}

impl WebKit {
    /// Starts one; none, with the reason printed, where a part of it is missing.
    pub fn start(stage: &Stage) -> Option<WebKit> {
        if !needs("WebKitWebDriver") || !needs("Xvfb") {
            return None;
        }
        let Some(browser) = mini_browser() else {
            missing("MiniBrowser (of libwebkit2gtk-4.1-0)");
            return None;
        };
        let screen =
            stage.spawn("Xvfb", &["-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp"]);
        let number = wait_for("a screen", PATIENCE, || {
            screen.stdout().trim().parse::<u32>().map_err(|_| screen.stderr())
        });
        let port = Port::free();
        let mut command = stage.command("WebKitWebDriver");
        command.arg(format!("--port={}", port.number())).env("DISPLAY", format!(":{number}"));
        let driver = Running::start({
            command.envs(VARIABLES);
            command
        });
        let address = SocketAddr::from(([127, 0, 0, 1], port.number()));
        wait_for("WebKitWebDriver to listen", PATIENCE, || {
            TcpStream::connect(address).map(drop).map_err(|_| driver.stderr())
        });
        let mut webkit = WebKit {
            driver: Some(driver),
            screen: Some(screen),
            address,
            session: String::new(),
            _port: port,
        };
        let options = json!({"binary": browser, "args": ["--automation"]});
        let wanted = json!({"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}});
        let session = webkit.ask("", &wanted);
        webkit.session = format!("/{}", session["sessionId"].as_str().unwrap());
        Some(webkit)
    }

    #[track_caller]
    fn ask(&self, command: &str, body: &Value) -> Value {
        let answer = post(self.address, &format!("/session{}{command}", self.session), &body.to_string());
        assert_eq!(answer.status, 200, "{command} {body}: {answer:?}");
        answer.json()["value"].take()
    }

    /// Opens a page.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.ask("/url", &json!({ "url": url }));
    }

    /// Clicks as a person does, without which a page may not begin to play.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let found = self.ask("/element", &json!({"using": "css selector", "value": selector}));
        let id = found.as_object().and_then(|found| found.values().next()?.as_str()).unwrap();
        self.ask(&format!("/element/{id}/click"), &json!({}));
    }

    /// The value of an expression in the page.
    #[track_caller]
    pub fn eval(&self, expression: &str) -> Value {
        let script = format!("return JSON.stringify({expression}) ?? 'null'");
        let text = self.ask("/execute/sync", &json!({"script": script, "args": []}));
        serde_json::from_str(text.as_str().unwrap_or_else(|| panic!("{expression}: {text}"))).unwrap()
    }

    /// Waits until an expression is true in the page; `seen` is shown if it never is.
    #[track_caller]
    pub fn until(&self, expression: &str, seen: &str) {
        wait_for(expression, PATIENCE, || {
            if self.eval(expression) == true { Ok(()) } else { Err(self.eval(seen).to_string()) }
        });
    }
}

impl Drop for WebKit {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        // The browser ends with its session, and then nobody needs the others.
        let target = format!("/session{}", self.session);
        super::ask(self.address, "DELETE", &target, "");
        for running in [self.driver.take(), self.screen.take()].into_iter().flatten() {
            running.signal(Signal::SIGTERM);
            running.wait(PATIENCE);
        }
    }
}

/// The browser that comes with the library, below `/usr/lib` of this machine's kind.
fn mini_browser() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let below = folders.map(|folder| folder.path().join("webkit2gtk-4.1/MiniBrowser"));
    let known = PathBuf::from("/usr/libexec/webkit2gtk-4.1/MiniBrowser");
    below.chain([known]).find(|path| path.is_file())
}
