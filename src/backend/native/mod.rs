//! The servers of the host's own packages, in a private prefix under the home: nginx with the rtmp module, and
//! MediaMTX where it is installed. No system file is touched, nothing listens beyond this machine.

mod addresses;
mod mediamtx;
mod mediamtx_conf;
mod nginx;
mod nginx_conf;
mod place;
mod start;

pub use place::Ended;

use crate::base::{Failure, Outcome, clock};
use crate::config::{Paths, Settings};
use crate::process::stream_lock::{self, StreamLock};
use addresses::Addresses;
use place::{Place, lock_failure};
use serde::Serialize;
use start::Patience;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

// What `doctor` looks at.
pub use mediamtx::{find as find_mediamtx, version as mediamtx_version};
pub use mediamtx_conf::Version;
pub use nginx::{Program as NginxProgram, find as find_nginx};

/// One server after `up`, or as `status` sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Server {
    /// `nginx` or `mediamtx`.
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
    /// `nginx` or `mediamtx`.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Ended,
    /// The process that was ended.
    pub pid: Option<i32>,
    /// Seconds that it took.
    pub took_s: f64,
}

fn places(settings: &Settings) -> [Place; 2] {
    // Without links in it, as the kernel names the working folders of processes.
    let home = settings.paths.home();
    let prefix = Paths::new(home.canonicalize().unwrap_or_else(|_| home.to_path_buf())).native();
    [Place { name: "nginx", prefix: prefix.clone() }, Place { name: "mediamtx", prefix }]
}

/// Starts what does not run yet and waits until everything answers. If one server fails, those that this call
/// started are ended again. `install` is the line that installs nginx with its module here.
///
/// # Errors
/// Usage (an address that is not of this machine), Missing (a program), Server (a port is taken, no answer), Conflict
/// (running elsewhere), Interrupted.
pub async fn up(settings: &Settings, wait: Duration, install: &str, interrupted: &AtomicBool) -> Outcome<Up> {
    let begun = Instant::now();
    let wanted = Addresses::of(settings)?;
    let patience = Patience { deadline: begun + wait, whole: wait, interrupted };
    let [nginx_place, mediamtx_place] = places(settings);
    belongs_to_us(&nginx_place.prefix)?;
    let _turn = turn(settings, patience).await?;
    folder(&nginx_place.prefix, 0o700)?;
    let outcome = async {
        let nginx = nginx::up(settings, &wanted, &nginx_place, install, patience).await?;
        match mediamtx::up(settings, &wanted, &mediamtx_place, patience).await {
            Ok(mediamtx) => Ok((nginx, mediamtx)),
            Err(failure) => {
                if nginx.started {
                    nginx_place.end()?;
                }
                Err(failure)
            }
        }
    }
    .await;
    let (nginx, mediamtx) = match outcome {
        Ok(both) => both,
        Err(failure) => {
            if !nginx_place.running() && !mediamtx_place.running() {
                clear(settings)?;
            }
            return Err(failure);
        }
    };
    let mut notes = Vec::new();
    if nginx.replaced {
        notes.push("the remains of an older nginx of this home were ended and a new one started".into());
    }
    let mut servers = vec![describe(settings, &nginx_place, Some(nginx.pid), nginx.started)];
    match mediamtx {
        mediamtx::Up::Running { pid, started } => {
            servers.push(describe(settings, &mediamtx_place, Some(pid), started));
        }
        mediamtx::Up::Without(note) => notes.push(note),
    }
    Ok(Up { servers, notes, took_s: begun.elapsed().as_secs_f64() })
}

/// Ends both servers and removes everything of theirs but the logs.
///
/// # Errors
/// Internal, if one cannot be ended or belongs to another user.
pub async fn down(settings: &Settings, wait: Duration) -> Outcome<Vec<Down>> {
    let [nginx, mediamtx] = places(settings);
    if !nginx.prefix.exists() && nginx.strays().is_empty() && mediamtx.strays().is_empty() {
        let none = |name| Down { name, outcome: Ended::NotRunning, pid: None, took_s: 0.0 };
        return Ok(vec![none(mediamtx.name), none(nginx.name)]);
    }
    belongs_to_us(&nginx.prefix)?;
    let never = AtomicBool::new(false);
    let patience = Patience { deadline: Instant::now() + wait, whole: wait, interrupted: &never };
    let _turn = turn(settings, patience).await?;
    let mut done = Vec::new();
    // Readers first, so that nobody sees the source vanish.
    for place in [&mediamtx, &nginx] {
        let begun = Instant::now();
        let pid = place.master();
        let outcome = place.end()?;
        done.push(Down { name: place.name, outcome, pid, took_s: begun.elapsed().as_secs_f64() });
    }
    clear(settings)?;
    Ok(done)
}

/// The servers that run, by the locks, and those that were started and died. Changes nothing.
pub fn status(settings: &Settings) -> Vec<Server> {
    places(settings)
        .iter()
        .filter(|place| place.running() || place.record().is_some())
        .map(|place| describe(settings, place, place.master(), false))
        .collect()
}

fn describe(settings: &Settings, place: &Place, pid: Option<i32>, started: bool) -> Server {
    let running = place.running();
    let record = place.record().filter(|r| running && r.alive());
    let age = record.map(|r| clock::now_ms().saturating_sub(r.started_at_ms).max(0) as u64 / 1000);
    let (urls, log) = match place.name {
        "nginx" => (
            vec![settings.nginx_rtmp_url.to_string(), settings.nginx_stat_url.to_string()],
            settings.paths.nginx_logs().join("error.log"),
        ),
        _ => (
            vec![settings.rtsp_url.to_string(), settings.mediamtx_url.to_string()],
            settings.paths.mediamtx_log(),
        ),
    };
    Server {
        name: place.name,
        running,
        pid: pid.filter(|_| running),
        started,
        uptime_s: age,
        urls,
        log: log.display().to_string(),
    }
}

/// One `up` or `down` of a home at a time.
async fn turn(settings: &Settings, patience: Patience<'_>) -> Outcome<Turn> {
    let path = settings.paths.native().with_extension("turn");
    loop {
        match StreamLock::acquire(&path) {
            Ok(lock) => return Ok(Turn { lock }),
            Err(stream_lock::Error::Held(path)) => {
                patience.check(|| lock_failure(stream_lock::Error::Held(path)))?;
                patience.pause().await;
            }
            Err(e) => return Err(lock_failure(e)),
        }
    }
}

/// The right to change the servers. Its file goes with it; whoever waits for it notices and makes a new one.
struct Turn {
    lock: StreamLock,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.lock.path());
    }
}

/// Fails if another user's servers stand here; root may deal with anybody's.
fn belongs_to_us(prefix: &Path) -> Outcome<()> {
    let (own, Ok(meta)) = (nix::unistd::geteuid(), std::fs::symlink_metadata(prefix)) else { return Ok(()) };
    let owner = nix::unistd::Uid::from_raw(meta.uid());
    if own.is_root() || owner == own {
        return Ok(());
    }
    let name = nix::unistd::User::from_uid(owner).ok().flatten().map_or(owner.to_string(), |user| user.name);
    Err(Failure::internal(format!("the servers of this home belong to the user {name}"))
        .why(format!("{} is that user's", prefix.display()))
        .hint("msconv down    (as that user)")
        .hint("--home with a folder of your own"))
}

/// Removes the private prefix, nothing of which runs any more. The link to the logs is not followed.
fn clear(settings: &Settings) -> Outcome<()> {
    let prefix = settings.paths.native();
    match std::fs::symlink_metadata(&prefix) {
        Ok(meta) if meta.is_dir() => {
            std::fs::remove_dir_all(&prefix).map_err(|e| Failure::io("remove", &prefix, &e))
        }
        _ => Ok(()),
    }
}

/// Makes a folder and those above it.
fn folder(path: &Path, mode: u32) -> Outcome<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|e| Failure::io("make the folder", path, &e))
}

/// Makes `at` a link to `target`, whatever stands there.
fn link(target: &Path, at: &Path) -> Outcome<()> {
    if std::fs::read_link(at).is_ok_and(|now| now == target) {
        return Ok(());
    }
    let _ = std::fs::remove_file(at);
    std::os::unix::fs::symlink(target, at).map_err(|e| Failure::io("link", at, &e))
}

/// Compares with `tests/golden/conf/<name>`; `UPDATE_GOLDEN=1` writes it anew.
#[cfg(test)]
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/conf").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{} differs; UPDATE_GOLDEN=1 writes it anew", path.display());
}
