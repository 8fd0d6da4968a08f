//! `doctor`: looks at everything a publish and a viewing need, and says for each thing whether it is right and what
//! to do if not.

pub mod check;
pub mod folders;
pub mod leftovers;
pub mod programs;
pub mod servers;

use crate::base::clock;
use crate::config::resolved::Backend;
use crate::config::{Environment, Settings};
pub use check::{Check, Status, exit_code};

/// Looks at everything. With `fix`, missing folders are made and what dead streams left is cleared up.
pub async fn examine(settings: &Settings, environment: &Environment, fix: bool) -> Vec<Check> {
    let servers = servers::look(settings, environment).await;
    let needed = !servers.rtmp && settings.nginx_rtmp_url.is_local();
    let mut checks = vec![programs::ffmpeg(settings, environment), programs::ffprobe(settings, environment)];
    if settings.backend == Backend::Native {
        checks.push(programs::nginx(settings, environment, needed));
        checks.push(programs::mediamtx(settings, servers.rtsp));
    }
    if settings.backend == Backend::Docker {
        checks.push(programs::docker(environment, needed));
    }
    checks.push(programs::players(settings, environment));
    checks.push(programs::display(environment));
    checks.extend(servers.checks);
    checks.extend(folders::look(settings, environment, fix));
    checks.extend(leftovers::look(settings, environment, fix));
    checks.push(folders::clock(clock::now_ms()));
    checks
}
