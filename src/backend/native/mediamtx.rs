//! MediaMTX, where it is installed: configured to read from our nginx on demand, and brought up.

use super::addresses::{self, Addresses};
use super::mediamtx_conf::{self, Version};
use crate::backend::place::Place;
use crate::backend::start::{Listen, Patience, Start};
use crate::base::atomic_file::{self, Durability};
use crate::base::next::Advice;
use crate::base::{CommandLine, Failure, Kind, Outcome};
use crate::config::Settings;
use crate::process::blocking::blocking;
use crate::process::locate::locate;
use crate::process::{child_log, spawn};
use crate::status::fetch::{Client, Limits};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where it comes from; no distribution packages it.
const INSTALL: &str = "https://github.com/bluenviron/mediamtx/releases";

/// What `up` found or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Up {
    /// It runs; whether it was started just now.
    Running {
        /// Its process.
        pid: i32,
        /// Whether it was started just now.
        started: bool,
    },
    /// There is none to start, and what that means.
    Without(String),
}

/// Finds MediaMTX; `None` if it is not installed.
///
/// # Errors
/// Missing, if the setting names something that is no program.
pub fn find(settings: &Settings) -> Outcome<Option<PathBuf>> {
    match (locate(settings.mediamtx.as_deref(), "mediamtx"), &settings.mediamtx) {
        (Some(path), _) => Ok(Some(path)),
        (None, Some(set)) => Err(Failure::new(Kind::Missing, format!("{} is no program", set.display()))
            .why("the setting mediamtx names it")
            .hint(INSTALL)),
        (None, None) => Ok(None),
    }
}

/// Makes sure that our MediaMTX runs and answers, if it is installed.
///
/// # Errors
/// Missing, Server or Internal, each with the next step.
pub async fn up(
    settings: &Settings,
    wanted: &Addresses,
    place: &Place,
    patience: Patience<'_>,
) -> Outcome<Up> {
    let Some(program) = find(settings)? else {
        return Ok(Up::Without(format!(
            "no RTSP: MediaMTX is not installed ({INSTALL}); streams are read over RTMP meanwhile"
        )));
    };
    let client = Client::new(Limits {
        connect: Duration::from_secs(1),
        total: Duration::from_secs(2),
        body: 4 * 1024 * 1024,
    });
    let Some(lock) = place.acquire()? else {
        return running(settings, place, &client, patience).await;
    };
    // Of a server whose folder somebody removed.
    if !place.strays().is_empty() {
        place.end().await?;
    }
    let own = program.clone();
    let version = blocking("ask MediaMTX for its version", move || version(&own)).await??;
    if version < Version::OLDEST {
        return Ok(Up::Without(format!(
            "no RTSP: MediaMTX {version} cannot read from nginx-rtmp, {} and later can ({INSTALL})",
            Version::OLDEST
        )));
    }
    let log = settings.paths.mediamtx_log();
    if let Some(folder) = log.parent() {
        super::folder(folder, 0o755)?;
    }
    child_log::set_aside_large(&log).map_err(|e| Failure::io("rotate", &log, &e))?;
    let conf = place.prefix.join("mediamtx.yml");
    atomic_file::write(&conf, mediamtx_conf::text(version, wanted).as_bytes(), 0o600, Durability::Cached)
        .map_err(|e| Failure::io("write", &conf, &e))?;
    let mut line = CommandLine::new(&program);
    line.arg("mediamtx.yml");
    let mut ports = vec![
        Listen { address: wanted.rtsp, also: addresses::also_v6(settings.rtsp_url.host()), flag: "rtsp-url" },
        Listen {
            address: wanted.api,
            also: addresses::also_v6(settings.mediamtx_url.host()),
            flag: "mediamtx-url",
        },
    ];
    ports.extend(wanted.hls.map(|address| Listen { address, also: None, flag: "web-port" }));
    ports.extend(wanted.metrics.map(|address| Listen { address, also: None, flag: "mediamtx-url" }));
    let start = Start {
        place,
        line,
        output: log.clone(),
        log,
        ports,
        variables: mediamtx_conf::variables(version).into_iter().map(|(n, v)| (n, v.to_string())).collect(),
        stack_limit: None,
        explain: |_| None,
    };
    let (pid, ()) = start.run(lock, patience, || ask(&client, settings)).await?;
    Ok(Up::Running { pid, started: true })
}

async fn running(settings: &Settings, place: &Place, client: &Client, patience: Patience<'_>) -> Outcome<Up> {
    loop {
        match (ask(client, settings).await, place.master()) {
            (Ok(()), Some(pid)) => return Ok(Up::Running { pid, started: false }),
            (answer, _) => patience.check(|| {
                Failure::new(Kind::Server, "MediaMTX of this home runs, but not as it should")
                    .why(answer.err().unwrap_or_else(|| "its process cannot be seen".into()))
                    .hint(Advice::StopServers.behind("ends it; then msconv up"))
                    .log(settings.paths.mediamtx_log().display().to_string())
            })?,
        }
        patience.pause().await;
    }
}

async fn ask(client: &Client, settings: &Settings) -> Result<(), String> {
    let body = client.get(&settings.mediamtx_url, "/v3/paths/list").await.map_err(|e| e.to_string())?;
    match serde_json::from_slice::<serde_json::Value>(&body) {
        Ok(page) if page.get("itemCount").is_some() => Ok(()),
        _ => Err("it answers with something that is not the API of MediaMTX".into()),
    }
}

/// The version of a MediaMTX, by its own word.
///
/// # Errors
/// Missing, if it does not run or says nothing that is a version.
pub fn version(program: &Path) -> Outcome<Version> {
    let mut line = CommandLine::new(program);
    line.arg("--version");
    let unfit = |why: String| {
        Failure::new(Kind::Missing, format!("{} is no MediaMTX that msconv knows", program.display()))
            .why(why)
            .hint(INSTALL)
    };
    let output = spawn::run(&line, Duration::from_secs(10), 4096).map_err(|e| {
        unfit(match e {
            spawn::RunError::Start(e) => crate::base::failure::io_words(&e),
            spawn::RunError::TimedOut(_) => "mediamtx --version did not end within 10 s".into(),
        })
    })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|l| !l.trim().is_empty()).unwrap_or_default();
    Version::parse(line).ok_or_else(|| unfit(format!("mediamtx --version says '{}'", line.trim())))
}
