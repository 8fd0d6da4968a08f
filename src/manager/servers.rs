//! Bringing the media servers up and down, whichever backend they are of.

use crate::backend::{self, embedded, native};
use crate::base::{Failure, Kind, Outcome};
use crate::config::{Environment, Settings, resolved::Backend};
use crate::manager::install_line::{self, Wanted};
use crate::manager::ours;
use serde::Serialize;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

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
}

/// Starts the servers that do not run yet and waits until all answer, at most `wait`. Setting `interrupted` ends the
/// wait; what was started is then ended again.
///
/// # Errors
/// What the backend says.
pub async fn up(
    settings: &Settings,
    environment: &Environment,
    wait: Duration,
    interrupted: &AtomicBool,
) -> Outcome<Up> {
    let other = match settings.backend {
        Backend::Embedded => native::status(settings),
        Backend::Native => embedded::status(settings),
    };
    if let Some(server) = other.iter().find(|server| server.running) {
        let pid = server.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
        return Err(Failure::new(
            Kind::Conflict,
            format!("{}{pid} of this home runs already, of another backend", server.name),
        )
        .why(format!("one backend serves a home at a time; this one would be {}", settings.backend.word()))
        .hint("msconv down    (then up again)")
        .hint("--home with another folder, for a second one"));
    }
    match settings.backend {
        Backend::Embedded => embedded::up(settings, environment, wait, interrupted).await,
        Backend::Native => {
            let install = install_line::line(Wanted::NginxRtmp, environment.uid);
            native::up(settings, wait, &install, interrupted).await
        }
    }
}

/// Ends the servers that `up` started. Streams go on trying.
///
/// # Errors
/// What the backend says.
pub async fn down(settings: &Settings, environment: &Environment) -> Outcome<Down> {
    // Whichever backend `up` started, and whatever the settings say now: nothing is left.
    let mut servers = embedded::down(settings, TURN).await?;
    servers.extend(native::down(settings, TURN).await?);
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
    Ok(Down { servers, running_streams })
}

/// The servers of this home, running or not.
pub fn status(settings: &Settings) -> Vec<Server> {
    let mut servers = embedded::status(settings);
    servers.extend(native::status(settings));
    servers
}
