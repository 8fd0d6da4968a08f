//! Everything a process test needs: folders, ports and an environment of its own, the real programs, and the proof at
//! the end that nothing of it is left running.
#![allow(dead_code, unused_imports, reason = "a stage offers more than any one test takes")]

mod browser;
mod coded;
mod film;
mod firefox;
mod gate;
mod http;
mod interrupted;
mod leftovers;
mod mediamtx;
mod needs;
mod nginx;
mod ports;
mod postgres;
mod promtool;
mod recording;
mod run;
mod serve;
mod small_disk;
mod terminal;
mod wait;
mod web_socket;
mod webkit;

pub use browser::Browser;
pub use coded::{Coded, Picture};
pub use film::{Film, bunny, film, made};
pub use firefox::Firefox;
pub use gate::Gate;
pub use http::http_get;
pub use mediamtx::{Mediamtx, complaints, mediamtx};
pub use needs::{PYTHON, enhanced, missing, needs};
pub use nginx::{Nginx, NginxOptions, module};
pub use ports::Port;
pub use postgres::Postgres;
pub use promtool::checked_metrics;
pub use recording::{Clip, Recording, joined, joined_flv, live, stopped};
pub use run::{Run, Running};
pub use serve::{Answer, Serve, ask, post, raw, stream};
pub use small_disk::SmallDisk;
pub use terminal::{Terminal, keys};
pub use wait::{Look, wait_for};
pub use webkit::WebKit;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

/// How long one msconv may take before the test fails with what it said.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One test's world. Declared first in a test, so that it is dropped last: then it asserts that no process holds its
/// folder any more.
pub struct Stage {
    name: String,
    root: PathBuf,
    vars: Mutex<BTreeMap<String, String>>,
    /// RTMP of this stage's servers.
    pub rtmp: Port,
    /// `/stat` of this stage's servers.
    pub stat: Port,
    /// The API of this stage's MediaMTX.
    pub api: Port,
    /// RTSP of this stage's servers.
    pub rtsp: Port,
}

impl Stage {
    /// Makes the folders and takes four free ports. Nothing is started.
    pub fn new(name: &str) -> Stage {
        let root = tempfile::Builder::new()
            .prefix(&format!("msconv-it-{}-", name.replace(['/', ':'], "-")))
            .tempdir()
            .expect("a temporary folder")
            .keep();
        interrupted::watch(&root, name);
        let stage = Stage {
            name: name.to_string(),
            root,
            vars: Mutex::default(),
            rtmp: Port::free(),
            stat: Port::free(),
            api: Port::free(),
            rtsp: Port::free(),
        };
        for (variable, folder) in [
            ("HOME", "user"),
            ("MSCONV_HOME", "home"),
            ("XDG_RUNTIME_DIR", "run"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_CACHE_HOME", "cache"),
        ] {
            let path = stage.root.join(folder);
            std::fs::create_dir_all(&path).unwrap();
            stage.set(variable, path.to_str().unwrap());
        }
        stage.set("PATH", &std::env::var("PATH").unwrap_or_default());
        stage.set("LANG", "C.UTF-8");
        stage.set("TERM", "xterm-256color");
        // No test can reach a server on the usual ports by accident.
        stage.set("MSCONV_NGINX_RTMP_URL", &stage.rtmp_url());
        stage.set("MSCONV_NGINX_STAT_URL", &stage.stat_url());
        stage.set("MSCONV_MEDIAMTX_URL", &stage.api_url());
        stage.set("MSCONV_RTSP_URL", &stage.rtsp_url());
        for passed in ["LLVM_PROFILE_FILE", "RUST_BACKTRACE"] {
            if let Ok(value) = std::env::var(passed) {
                stage.set(passed, &value);
            }
        }
        stage
    }

    /// Its environment as the library takes it, for use cases that are called in this process.
    pub fn environment(&self) -> msconv::config::Environment {
        let vars = self.vars.lock().unwrap();
        let vars: Vec<(&str, &str)> = vars.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let mut environment = msconv::config::Environment::made(&vars, &self.home());
        environment.program = Some(env!("CARGO_BIN_EXE_msconv").into());
        environment
    }

    /// The test's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder that holds all others.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// msconv's home, also its working folder.
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// A path under the home.
    pub fn file(&self, path: &str) -> PathBuf {
        self.home().join(path)
    }

    /// What stands in a file under the home; empty if it is not there.
    pub fn read(&self, path: &str) -> String {
        std::fs::read(self.file(path)).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
    }

    /// The number in `pids/<key>.pid`, if there is one.
    pub fn pid(&self, key: &str) -> Option<i32> {
        self.read(&format!("pids/{key}.pid")).trim().parse().ok()
    }

    /// Sets a variable of every program started from now on.
    pub fn set(&self, variable: &str, value: &str) {
        self.vars.lock().unwrap().insert(variable.to_string(), value.to_string());
    }

    /// Removes a variable.
    pub fn unset(&self, variable: &str) {
        self.vars.lock().unwrap().remove(variable);
    }

    /// `rtmp://127.0.0.1:PORT/live`.
    pub fn rtmp_url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live", self.rtmp)
    }

    /// `http://127.0.0.1:PORT/stat`.
    pub fn stat_url(&self) -> String {
        format!("http://127.0.0.1:{}/stat", self.stat)
    }

    /// `http://127.0.0.1:PORT`, where nothing listens unless the test starts something.
    pub fn api_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.api)
    }

    /// `rtsp://127.0.0.1:PORT`, where nothing listens unless the test starts something.
    pub fn rtsp_url(&self) -> String {
        format!("rtsp://127.0.0.1:{}", self.rtsp)
    }

    /// The four server flags, for command lines that shall not depend on the environment.
    pub fn server_flags(&self) -> Vec<String> {
        vec![
            format!("--nginx-rtmp-url={}", self.rtmp_url()),
            format!("--nginx-stat-url={}", self.stat_url()),
            format!("--mediamtx-url={}", self.api_url()),
            format!("--rtsp-url={}", self.rtsp_url()),
        ]
    }

    /// A program with this stage's environment and working folder, null stdin.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            // Pages that are being worked on, without building the program for them.
            .envs(std::env::var_os("MSCONV_PAGES").map(|folder| ("MSCONV_PAGES", folder)))
            .envs(self.vars.lock().unwrap().iter())
            .current_dir(self.home())
            .stdin(std::process::Stdio::null());
        command
    }

    /// The built msconv.
    pub fn binary() -> &'static str {
        env!("CARGO_BIN_EXE_msconv")
    }

    /// Runs msconv to its end, within [`PATIENCE`].
    pub fn msconv<A: AsRef<OsStr>>(&self, args: &[A]) -> Run {
        self.spawn_msconv(args).wait(PATIENCE)
    }

    /// Starts msconv and goes on.
    pub fn spawn_msconv<A: AsRef<OsStr>>(&self, args: &[A]) -> Running {
        self.spawn(Stage::binary(), args)
    }

    /// Starts any program and goes on; its output is kept.
    pub fn spawn<A: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, args: &[A]) -> Running {
        let shown: Vec<OsString> = args.iter().map(|a| a.as_ref().to_os_string()).collect();
        let mut command = self.command(program.as_ref());
        command.args(&shown);
        Running::start(command)
    }

    /// Runs msconv at a terminal of 24 rows and 100 columns: stdin, stdout and stderr.
    pub fn terminal<A: AsRef<OsStr>>(&self, args: &[A]) -> Terminal {
        Terminal::start(self, Stage::binary(), args, false)
    }

    /// As [`Stage::terminal`], but stdout goes to a pipe, as in `key=$(msconv list -l)`.
    pub fn terminal_with_piped_stdout<A: AsRef<OsStr>>(&self, args: &[A]) -> Terminal {
        Terminal::start(self, Stage::binary(), args, true)
    }

    /// Writes a shell script that stands in for a program, and returns its path.
    pub fn fake(&self, name: &str, script: &str) -> PathBuf {
        let folder = self.root.join("bin");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        // Another process writes it: a descriptor of ours, open for writing and inherited by a child that another test
        // starts at this moment, would make it "text file busy".
        let text = format!("#!/bin/sh\n{script}\n");
        let status = Command::new("sh")
            .args(["-c", r#"printf %s "$2" > "$1" && chmod 755 "$1""#, "sh"])
            .arg(&path)
            .arg(text)
            .status()
            .unwrap();
        assert!(status.success());
        path
    }

    /// What still runs with a word of this stage's folder in its arguments, environment or working folder.
    pub fn still_running(&self) -> Vec<String> {
        leftovers::holding(&self.root).iter().map(ToString::to_string).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let failing = std::thread::panicking();
        let left =
            leftovers::wait_and_end(&self.root, if failing { Duration::ZERO } else { leftovers::GRACE });
        if failing || !left.is_empty() {
            eprintln!("{}", leftovers::logs(&self.root));
        }
        if std::env::var_os("MSCONV_KEEP_STAGE").is_some() {
            eprintln!("kept {}", self.root.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.root);
        }
        interrupted::forget(&self.root);
        if !failing && !left.is_empty() {
            panic!("{}: left running:\n{}", self.name, left.join("\n"));
        }
    }
}
