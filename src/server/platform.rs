//! The platform at its start: the database opened, and its changes felt by those who are on the air.

use crate::base::clock::now_ms;
use crate::base::{Failure, Outcome};
use crate::hub::{Hub, Limits};
use crate::platform::events::following::Following;
use crate::platform::events::running::tell_program;
use crate::platform::hooks::sending::Sender;
use crate::platform::{Kept, air};
use crate::server::hook_post::Poster;
use crate::store::{Fault, Place, Store};
use crate::telemetry::Log;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// How long the start waits for a database.
const PATIENCE: Duration = Duration::from_secs(3);

/// Opens the database. One that is away is tried again while the server runs.
///
/// # Errors
/// Usage, if it was made by a newer version of msconv.
pub async fn open(place: &Place, log: &Log) -> Outcome<Kept> {
    let refused = |fault: Fault| Failure::usage("the database cannot be used").why(fault.to_string());
    let kept = Kept::new(Store::lazy(place).map_err(refused)?);
    let opened = tokio::time::timeout(PATIENCE, kept.open()).await;
    match opened.unwrap_or_else(|_| Err(Fault::Away("it does not answer".into()))) {
        Ok(()) => Ok(kept),
        Err(fault @ Fault::Newer(_)) => Err(refused(fault).hint("use that version, or another data folder")),
        Err(fault) => {
            log.warn(format_args!("database: {fault}; streams are served without it"));
            Ok(kept)
        }
    }
}

/// Changes of what is registered reach those who are on the air.
pub fn felt_on(kept: &Kept, hub: &Hub) {
    let hub = hub.clone();
    kept.felt_by(Arc::new(move |change| air::follow(&hub, &change, now_ms())));
}

/// What of the platform runs beside the media.
pub struct Parts {
    /// The store.
    pub kept: Kept,
    /// The streams.
    pub hub: Hub,
    /// What happens.
    pub log: Log,
}

impl Parts {
    /// Follows the store and the hub, writes events down and sends them on, until `shutdown` says so: the last events are
    /// written before the store is closed.
    pub fn run(
        self,
        hooks_command: Option<PathBuf>,
        shutdown: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send {
        let Parts { kept, hub, log } = self;
        // From now on, whenever the task begins.
        let heard = hub.events().listen();
        async move {
            let events = kept.events().clone();
            let (done, over) = oneshot::channel();
            let following =
                Following::new(hub, kept.directory().clone(), events.clone(), Limits::default().lost);
            let following = async {
                following.run(heard, shutdown.clone()).await;
                drop(done);
            };
            let command = async {
                if let Some(program) = hooks_command {
                    tell_program(program, events, log.clone(), shutdown.clone()).await;
                }
            };
            let sender = Sender::new(kept.clone(), Arc::new(Poster::default()), log.clone());
            tokio::join!(
                kept.clone().follow(log.clone(), shutdown.clone()),
                kept.write_events(log.clone(), over),
                following,
                command,
                sender.run(shutdown.clone()),
            );
            kept.close().await;
        }
    }
}
