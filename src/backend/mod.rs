//! Floor 5: the media servers that `up` starts.

pub mod docker;
pub mod embedded;
mod home;
pub mod native;
mod place;
mod start;

pub use place::Ended;

use serde::Serialize;

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
