//! Where things stand under the home folder.

use crate::model::{RenditionName, StreamKey};
use std::path::{Path, PathBuf};

/// The folder that holds `pids/` and `logs/`, absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    home: PathBuf,
}

impl Paths {
    /// Paths under an absolute `home`.
    pub fn new(home: impl Into<PathBuf>) -> Paths {
        Paths { home: home.into() }
    }

    /// The home folder itself.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// `pids/`.
    pub fn pids(&self) -> PathBuf {
        self.home.join("pids")
    }

    /// `pids/.state/`: locks and run records.
    pub fn state(&self) -> PathBuf {
        self.home.join("pids/.state")
    }

    /// `pids/.state/names/`: one lock for each name on a server.
    pub fn names(&self) -> PathBuf {
        self.home.join("pids/.state/names")
    }

    /// `pids/<key>.pid`: ffmpeg's process id in plain digits, the public contract.
    pub fn pid_file(&self, key: &StreamKey) -> PathBuf {
        self.pids().join(format!("{key}.pid"))
    }

    /// The lock whose holder is the stream.
    pub fn lock(&self, key: &StreamKey) -> PathBuf {
        self.state().join(format!("{key}.lock"))
    }

    /// The lock of one name on a server.
    pub fn name_lock(&self, name: &RenditionName) -> PathBuf {
        self.names().join(format!("{name}.lock"))
    }

    /// The run record.
    pub fn record(&self, key: &StreamKey) -> PathBuf {
        self.state().join(format!("{key}.json"))
    }

    /// `data/`: what the server keeps.
    pub fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// `logs/`.
    pub fn logs(&self) -> PathBuf {
        self.home.join("logs")
    }

    /// `logs/ffmpeg/<key>.log`.
    pub fn ffmpeg_log(&self, key: &StreamKey) -> PathBuf {
        self.home.join(format!("logs/ffmpeg/{key}.log"))
    }

    /// `logs/nginx/`.
    pub fn nginx_logs(&self) -> PathBuf {
        self.home.join("logs/nginx")
    }

    /// `logs/mediamtx/mediamtx.log`.
    pub fn mediamtx_log(&self) -> PathBuf {
        self.home.join("logs/mediamtx/mediamtx.log")
    }

    /// `logs/serve/serve.log`.
    pub fn serve_log(&self) -> PathBuf {
        self.home.join("logs/serve/serve.log")
    }

    /// What belongs to the built-in server that `up` started.
    pub fn serve(&self) -> PathBuf {
        self.home.join("pids/.serve")
    }

    /// The private prefix of the native backend's servers.
    pub fn native(&self) -> PathBuf {
        self.home.join("pids/.native")
    }

    /// What belongs to the docker backend's stack.
    pub fn docker(&self) -> PathBuf {
        self.home.join("pids/.docker")
    }

    /// `path` as people want to read it: relative to the working folder where it is below it.
    pub fn shown(path: &Path, cwd: &Path) -> String {
        match path.strip_prefix(cwd) {
            Ok(below) if !below.as_os_str().is_empty() => format!("./{}", below.display()),
            _ => path.display().to_string(),
        }
    }
}
