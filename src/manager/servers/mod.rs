//! Bringing the media servers up and down, whichever backend they are of.

pub mod mediamtx_advice;
pub mod preflight;

use crate::backend::{self, docker, embedded, native};
use crate::base::next::Advice;
use crate::base::{Failure, Kind, Outcome};
use crate::config::{Environment, Settings, choices::Backend};
use crate::manager::machine::install_line::{self, Wanted};
use crate::manager::records::ours;
use serde::Serialize;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

pub use backend::{Ended, Server, Up};

/// How long `down` waits for another `up` or `down` to finish.
const TURN: Duration = Duration::from_secs(60);

/// What `down` did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Down {
    /// Each server.
    pub servers: Vec<backend::Down>,
    /// Our streams that still run, and now have no server.
    pub running_streams: Vec<String>,
    /// Whether containers were among them, which may have stored more than logs.
    #[serde(skip)]
    pub containers: bool,
}

/// What `up` is asked for beside the settings.
#[derive(Clone, Copy)]
pub struct UpRequest<'a> {
    /// With the services that watch the others; the docker backend has them.
    pub monitoring: bool,
    /// Where the progress of long steps goes, a line at a time.
    pub progress: docker::Progress<'a>,
    /// Ends the wait, and what was started.
    pub interrupted: &'a CancellationToken,
}

/// Starts the servers that do not run yet and waits until all answer, at most `wait`. If that is interrupted, what was
/// started is ended again.
///
/// # Errors
/// What the backend says.
pub async fn up(
    settings: &Settings,
    environment: &Environment,
    wait: Duration,
    asked: UpRequest<'_>,
) -> Outcome<Up> {
    let mut other = Vec::new();
    for (backend, status) in [
        (Backend::Embedded, embedded::status as fn(&Settings) -> _),
        (Backend::Native, native::status),
        (Backend::Docker, docker::status),
    ] {
        if backend != settings.backend {
            other.extend(status(settings));
        }
    }
    if let Some(server) = other.iter().find(|server| server.running) {
        let pid = server.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
        return Err(Failure::new(
            Kind::Conflict,
            format!("{}{pid} of this home runs already, of another backend", server.name),
        )
        .why(format!("one backend serves a home at a time; this one would be {}", settings.backend.word()))
        .hint(Advice::StopServers.behind("then up again"))
        .hint(Advice::change("home", "with another folder, for a second one")));
    }
    match settings.backend {
        Backend::Embedded => embedded::up(settings, environment, wait, asked.interrupted).await,
        Backend::Native => {
            let install = install_line::line(Wanted::NginxRtmp, environment.uid);
            native::up(settings, wait, &install, asked.interrupted).await
        }
        Backend::Docker => {
            let install = install_docker(environment);
            let options = docker::UpOptions {
                wait,
                monitoring: asked.monitoring,
                install: &install,
                progress: asked.progress,
                interrupted: asked.interrupted,
            };
            docker::up(settings, environment, options).await
        }
    }
}

/// The lines that install Docker here.
pub fn install_docker(environment: &Environment) -> docker::Install {
    docker::Install {
        docker: install_line::line(Wanted::Docker, environment.uid),
        compose: install_line::line(Wanted::Compose, environment.uid),
    }
}

/// Ends the servers that `up` started. Streams go on trying. With `volumes` also what containers stored goes.
///
/// # Errors
/// What the backend says.
pub async fn down(settings: &Settings, environment: &Environment, volumes: bool) -> Outcome<Down> {
    // Whichever backend `up` started, and whatever the settings say now: nothing is left.
    let mut servers = embedded::down(settings, TURN).await?;
    servers.extend(native::down(settings, TURN).await?);
    let install = install_docker(environment);
    let contained = docker::down(settings, environment, &install, volumes, TURN).await?;
    let containers = !contained.is_empty();
    servers.extend(contained);
    let any = servers.iter().any(|s| s.outcome != Ended::NotRunning);
    let running_streams = if any {
        ours::ours(settings, environment)
            .into_iter()
            .filter(|o| o.alive && o.record.endpoint == settings.nginx_rtmp_url.to_string())
            .map(|o| o.record.key)
            .collect()
    } else {
        Vec::new()
    };
    Ok(Down { servers, running_streams, containers })
}

/// The servers of this home, running or not.
pub fn status(settings: &Settings) -> Vec<Server> {
    let mut servers = embedded::status(settings);
    servers.extend(native::status(settings));
    servers.extend(docker::status(settings));
    servers
}
