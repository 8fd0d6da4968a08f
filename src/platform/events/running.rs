//! Runs a program of the operator's for each event.

use super::{Event, Events};
use crate::base::clock;
use crate::process::told_program::run;
use crate::telemetry::Log;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::task::JoinSet;

/// Programs at once.
const AT_ONCE: usize = 4;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `program` for each event until `shutdown` says so. What happens while all places are taken waits, and is counted
/// where too much does.
pub async fn tell_program(program: PathBuf, events: Events, log: Log, mut shutdown: watch::Receiver<bool>) {
    let mut heard = events.listen();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    loop {
        while running.try_join_next().is_some() {}
        let event = tokio::select! {
            event = heard.recv() => event,
            _ = shutdown.wait_for(|down| *down) => break,
        };
        let event = match event {
            Ok(event) => event,
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                log.warn(format_args!("hooks_command: {missed} events were missed: it takes too long"));
                continue;
            }
            Err(broadcast::error::RecvError::Closed) => break,
        };
        let place = tokio::select! {
            place = places.clone().acquire_owned() => place,
            _ = shutdown.wait_for(|down| *down) => break,
        };
        let (program, log) = (program.clone(), log.clone());
        running.spawn(async move {
            let _place = place;
            if let Err(why) = run(&program, &variables(&event), PATIENCE).await {
                log.warn(format_args!("hooks_command: {} for {}: {why}", program.display(), event.kind));
            }
        });
    }
    running.shutdown().await;
}

fn variables(event: &Event) -> Vec<(&'static str, String)> {
    let whole = json!({
        "seq": event.seq,
        "id": event.id,
        "type": event.kind,
        "public_id": event.public_id,
        "at": clock::log_stamp(event.at_ms),
        "data": event.data,
    });
    vec![
        ("MSCONV_EVENT_TYPE", event.kind.clone()),
        ("MSCONV_EVENT_ID", event.id.clone()),
        ("MSCONV_EVENT_SEQ", event.seq.map(|seq| seq.to_string()).unwrap_or_default()),
        ("MSCONV_EVENT_AT", clock::log_stamp(event.at_ms)),
        ("MSCONV_EVENT", whole.to_string()),
        // What is in a variable ends at the first zero.
        ("MSCONV_STREAM", event.stream().replace('\0', "")),
        ("MSCONV_PUBLIC_ID", event.public_id.clone().unwrap_or_default().replace('\0', "")),
    ]
}
