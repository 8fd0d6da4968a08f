//! The servers of the host's own packages, in a private prefix under the home: nginx with the rtmp module, and
//! MediaMTX where it is installed. No system file is touched, nothing listens beyond this machine.

mod addresses;
mod mediamtx;
mod mediamtx_conf;
mod nginx;
mod nginx_conf;

use super::home::{Turn, belongs_to_us, clear, folder};
use super::place::{Ended, Place};
use super::start::Patience;
use super::{Down, Server, Up};
use crate::base::{Failure, Outcome, clock};
use crate::config::{Paths, Settings};
use addresses::Addresses;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

pub(super) use addresses::also_v6;
// What `doctor` looks at.
pub use mediamtx::{find as find_mediamtx, version as mediamtx_version};
pub use mediamtx_conf::Version;
pub use nginx::{Program as NginxProgram, find as find_nginx};

fn places(settings: &Settings) -> [Place; 2] {
    // Without links in it, as the kernel names the working folders of processes.
    let home = settings.paths.home();
    let prefix = Paths::new(home.canonicalize().unwrap_or_else(|_| home.to_path_buf())).native();
    ["nginx", "mediamtx"].map(|name| Place { name, program: name.into(), prefix: prefix.clone() })
}

/// Starts what does not run yet and waits until everything answers. If one server fails, those that this call
/// started are ended again. `install` is the line that installs nginx with its module here.
///
/// # Errors
/// Usage (an address that is not of this machine), Missing (a program), Server (a port is taken, no answer), Conflict
/// (running elsewhere), Interrupted.
pub async fn up(
    settings: &Settings,
    wait: Duration,
    install: &str,
    interrupted: &CancellationToken,
) -> Outcome<Up> {
    let begun = Instant::now();
    let wanted = Addresses::of(settings)?;
    let patience = Patience { deadline: begun + wait, whole: wait, interrupted };
    let [nginx_place, mediamtx_place] = places(settings);
    belongs_to_us(&nginx_place.prefix)?;
    let _turn = Turn::take(settings, patience).await?;
    folder(&nginx_place.prefix, 0o700)?;
    let outcome = async {
        let nginx = nginx::up(settings, &wanted, &nginx_place, install, patience).await?;
        match mediamtx::up(settings, &wanted, &mediamtx_place, patience).await {
            Ok(mediamtx) => Ok((nginx, mediamtx)),
            Err(failure) => {
                if nginx.started {
                    nginx_place.end().await?;
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
                clear(&settings.paths.native())?;
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
    let never = CancellationToken::new();
    let patience = Patience { deadline: Instant::now() + wait, whole: wait, interrupted: &never };
    let _turn = Turn::take(settings, patience).await?;
    let mut done = Vec::new();
    // Readers first, so that nobody sees the source vanish.
    for place in [&mediamtx, &nginx] {
        let begun = Instant::now();
        let pid = place.master();
        let outcome = place.end().await?;
        done.push(Down { name: place.name, outcome, pid, took_s: begun.elapsed().as_secs_f64() });
    }
    clear(&settings.paths.native())?;
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
    let (urls, log) = super::reached(settings, place.name);
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
