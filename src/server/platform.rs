//! The platform at its start: the database opened, and its changes felt by those who are on the air.

use crate::base::clock::now_ms;
use crate::base::{Failure, Outcome};
use crate::hub::Hub;
use crate::platform::{Kept, air};
use crate::store::{Fault, Place, Store};
use crate::telemetry::Log;
use std::sync::Arc;
use std::time::Duration;

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
