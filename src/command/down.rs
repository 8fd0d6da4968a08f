//! `msconv down`: ends what `up` started.

use super::Context;
use super::up::shown;
use crate::base::{Outcome, clock};
use crate::cli::DownArgs;
use crate::manager::servers::{self, Ended};
use std::time::Duration;

/// Runs it; the exit code. Servers that were not running are no failure.
pub fn run(context: &Context, args: &DownArgs) -> Outcome<u8> {
    let down = context.block_on(servers::down(&context.settings, &context.environment, args.volumes))?;
    let console = &context.console;
    if console.json {
        let mut object = serde_json::json!({ "schema": "msconv.down/1" });
        if let (Some(into), Ok(serde_json::Value::Object(from))) =
            (object.as_object_mut(), serde_json::to_value(&down))
        {
            into.extend(from);
        }
        console.object(&object)?;
        return Ok(0);
    }
    let mut any = false;
    for server in &down.servers {
        let took = clock::spoken(Duration::from_secs_f64(server.took_s.max(0.0)));
        let pid = server.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
        match server.outcome {
            Ended::Stopped => console.say(&format!("{}{pid}: stopped in {took}", shown(server.name)))?,
            Ended::Killed => {
                console.say(&format!(
                    "{}{pid}: killed after {took}, it did not end when asked",
                    shown(server.name)
                ))?;
            }
            Ended::NotRunning => continue,
        }
        any = true;
    }
    if !any {
        console.say("no servers of this home were running")?;
    }
    if !down.running_streams.is_empty() {
        let keys = down.running_streams.join(" ");
        console.note(&format!("still publishing, now without a server: {keys}    (msconv stop -s {keys})"));
    }
    if args.volumes && !down.containers {
        console.note("--volumes: these servers store nothing but their logs, which stay");
    }
    Ok(0)
}
