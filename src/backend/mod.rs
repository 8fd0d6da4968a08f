//! Floor 5: the media servers that `up` starts.

pub mod docker;
pub mod embedded;
mod home;
pub mod native;
mod place;
mod start;

pub use place::Ended;

use crate::config::Settings;
use serde::Serialize;
use std::path::PathBuf;

/// One server after `up`, or as `status` sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Server {
    /// `serve`, `nginx` or `mediamtx`.
    pub name: &'static str,
    /// Whether it runs.
    pub running: bool,
    /// Its first process, if that can be seen.
    pub pid: Option<i32>,
    /// Whether this call started it.
    pub started: bool,
    /// Seconds since it was started, if known.
    pub uptime_s: Option<u64>,
    /// Where it is reached.
    pub urls: Vec<String>,
    /// Its log.
    pub log: String,
}

/// Where `nginx` or `mediamtx` is reached, and its log.
fn reached(settings: &Settings, name: &str) -> (Vec<String>, PathBuf) {
    let paths = &settings.paths;
    match name {
        "nginx" => (
            vec![settings.nginx_rtmp_url.to_string(), settings.nginx_stat_url.to_string()],
            paths.nginx_logs().join("error.log"),
        ),
        _ => (vec![settings.rtsp_url.to_string(), settings.mediamtx_url.to_string()], paths.mediamtx_log()),
    }
}

/// What `up` did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Up {
    /// Each server that runs now.
    pub servers: Vec<Server>,
    /// What a person should know beside it.
    pub notes: Vec<String>,
    /// Seconds that it took.
    pub took_s: f64,
}

/// What `down` did with one server.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Down {
    /// `serve`, `nginx` or `mediamtx`.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Ended,
    /// The process that was ended.
    pub pid: Option<i32>,
    /// Seconds that it took.
    pub took_s: f64,
}
