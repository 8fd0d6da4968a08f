//! A real Chromium, driven over playwright's protocol by `web/tests/browser.mjs`.

use super::needs::{missing, needs};
use super::{PATIENCE, Stage, wait_for};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// A browser with one page at a time that commands are for. Dropped, it ends.
pub struct Browser {
    child: Child,
    commands: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Browser {
    /// Starts one; none, with the reason printed, where a part of it is missing.
    pub fn start(stage: &Stage) -> Option<Browser> {
        Browser::start_with(stage, &[])
    }

    /// The same with these flags.
    pub fn start_with(stage: &Stage, flags: &[&str]) -> Option<Browser> {
        if !needs("chromium") || !needs("node") {
            return None;
        }
        let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        if !web.join("node_modules/playwright-core").exists() {
            missing("playwright-core (npm ci in web/)");
            return None;
        }
        let profile = stage.root().join("browser");
        std::fs::create_dir_all(&profile).unwrap();
        let mut command = stage.command("node");
        command.arg(web.join("tests/browser.mjs")).arg(&profile).args(flags);
        if let Some(chromium) = msconv::process::locate::locate(None, "chromium") {
            command.env("CHROMIUM", chromium);
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let (tell, answers) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
        let browser = Browser { commands: child.stdin.take(), child, answers };
        assert_eq!(browser.answer("the start"), "ready");
        Some(browser)
    }

    /// One command of `browser.mjs`.
    #[track_caller]
    pub fn ask(&mut self, command: &Value) -> Value {
        writeln!(self.commands.as_mut().unwrap(), "{command}").unwrap();
        self.answer(&command.to_string())
    }

    #[track_caller]
    fn answer(&self, to: &str) -> Value {
        let line = self.answers.recv_timeout(PATIENCE).unwrap_or_else(|e| panic!("{to}: {e}"));
        let mut answer: Value = serde_json::from_str(&line).unwrap();
        assert!(answer["error"].is_null(), "{to}: {answer}");
        answer["ok"].take()
    }

    /// Opens a page in a context of its own; its status.
    #[track_caller]
    pub fn open(&mut self, url: &str, how: Value) -> Value {
        self.ask(&json!(["open", url, how]))
    }

    /// The value of an expression in the page.
    #[track_caller]
    pub fn eval(&mut self, expression: &str) -> Value {
        self.ask(&json!(["eval", expression]))
    }

    /// Waits until an expression is true in the page; `seen` is shown if it never is.
    #[track_caller]
    pub fn until(&mut self, expression: &str, seen: &str) {
        wait_for(expression, PATIENCE, || {
            if self.eval(expression) == true { Ok(()) } else { Err(self.eval(seen).to_string()) }
        });
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.commands = None;
        let pidfd = msconv::process::sys::pidfd_open(self.child.id() as i32).unwrap();
        if !msconv::process::sys::pidfd_wait(&pidfd, PATIENCE) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
