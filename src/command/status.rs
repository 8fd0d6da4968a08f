//! `msconv status`: our own streams and servers, once or again and again.

use super::Context;
use crate::base::{Failure, Kind, Outcome};
use crate::cli::StatusArgs;
use crate::manager::listing::status::{Report, report};
use crate::ui::console::written;
use crate::ui::redraw::Redraw;
use crate::ui::status_view;
use std::time::Duration;

/// Time between two looks of `--watch`.
const AGAIN: Duration = Duration::from_secs(2);

/// Runs it; the exit code: 3 if the one stream that was asked for does not run.
pub fn run(context: &Context, args: &StatusArgs) -> Outcome<u8> {
    let look = || report(&context.settings, &context.environment, args.key.as_deref());
    if args.watch {
        return context.block_on(watch(context, look));
    }
    let report = look()?;
    if context.console.json {
        context.console.object(&object(&report)?)?;
    } else {
        let lines = status_view::lines(&report, &context.console, &context.environment.cwd);
        for line in &lines {
            context.console.say(line)?;
        }
        if lines.is_empty() {
            context.console.talk("nothing of ours runs    (msconv list shows what is live on the servers)");
        }
    }
    let ended = args.key.is_some() && report.streams.iter().all(|stream| !stream.running);
    Ok(if ended { Kind::NotRunning.exit_code() } else { 0 })
}

async fn watch(context: &Context, look: impl Fn() -> Outcome<Report>) -> Outcome<u8> {
    let mut block = Redraw::new(context.console.out_terminal);
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    let mut seen = false;
    let mut again = tokio::time::interval(AGAIN);
    again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = &mut interrupted => return Ok(Kind::Interrupted.exit_code()),
            _ = again.tick() => {}
        }
        let report = match look() {
            // What was there and is gone has been stopped: its record is removed with it.
            Err(failure) if seen && matches!(failure.kind(), Kind::NotFound | Kind::NotRunning) => {
                context.console.note("the stream has been stopped");
                return Ok(Kind::NotRunning.exit_code());
            }
            other => other?,
        };
        seen = true;
        if context.console.json {
            context.console.object(&object(&report)?)?;
        } else {
            let lines = status_view::lines(&report, &context.console, &context.environment.cwd);
            let nothing = || vec!["nothing of ours runs".to_string()];
            written(block.draw(&if lines.is_empty() { nothing() } else { lines }))?;
        }
        if context.console.reader_gone() {
            return Ok(0);
        }
    }
}

fn object(report: &Report) -> Outcome<serde_json::Value> {
    let mut object = serde_json::to_value(report)
        .map_err(|e| Failure::internal("cannot write the status as JSON").why(e.to_string()))?;
    if let Some(fields) = object.as_object_mut() {
        fields.insert("schema".to_string(), "msconv.status/1".into());
    }
    Ok(object)
}
