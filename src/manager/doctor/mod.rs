//! `doctor`: looks at everything a publish and a viewing need, and says for each thing whether it is right and what
//! to do if not.

pub mod check;
pub mod folders;
pub mod leftovers;
mod own_services;
pub mod pages;
pub mod programs;
pub mod servers;

use crate::base::{Outcome, clock};
use crate::config::choices::Backend;
use crate::config::{Environment, Settings};
use crate::process::blocking::blocking;
pub use check::{Check, Status, exit_code};

/// Looks at everything. With `fix`, missing folders are made and what dead streams left is cleared up.
///
/// # Errors
/// Internal, if no thread can be had; what is wrong is in the checks.
pub async fn examine(settings: &Settings, environment: &Environment, fix: bool) -> Outcome<Vec<Check>> {
    let servers = servers::look(settings, environment).await;
    let (rtmp, rtsp) = (servers.rtmp, servers.rtsp);
    let (settings, environment) = (settings.clone(), environment.clone());
    let (mut checks, files) = blocking("look at this machine", move || {
        let programs = programs(&settings, &environment, rtmp, rtsp);
        let mut files = folders::look(&settings, &environment, fix);
        files.extend(leftovers::look(&settings, &environment, fix));
        (programs, files)
    })
    .await?;
    checks.extend(servers.checks);
    checks.extend(files);
    checks.push(folders::clock(clock::now_ms()));
    Ok(checks)
}

/// The programs that are needed here, where an RTMP or RTSP server may answer already.
fn programs(settings: &Settings, environment: &Environment, rtmp: bool, rtsp: bool) -> Vec<Check> {
    let needed = !rtmp && settings.nginx_rtmp_url.is_local();
    let mut checks = vec![programs::ffmpeg(settings, environment), programs::ffprobe(settings, environment)];
    if settings.backend == Backend::Native {
        checks.push(programs::nginx(settings, environment, needed));
        checks.push(programs::mediamtx(settings, rtsp));
    }
    if settings.backend == Backend::Docker {
        checks.push(programs::docker(environment, needed));
    }
    if settings.backend == Backend::Embedded && settings.serve.web {
        checks.push(pages::pages());
    }
    checks.push(programs::players(settings, environment));
    checks.push(programs::display(environment));
    checks
}
