//! `msconv stop`.

use super::Context;
use crate::base::{Failure, Kind, Outcome, clock};
use crate::cli::StopArgs;
use crate::config::from_file::parse_key;
use crate::manager::records::ours;
use crate::manager::streams::stop::{self, End, Stopped};
use crate::model::StreamKey;
use serde_json::json;

/// Runs it; the exit code. One that could not be stopped does not save the others, nor does an output that cannot be
/// written.
pub fn run(context: &Context, args: &StopArgs) -> Outcome<u8> {
    let keys = wanted(context, args)?;
    let (settings, environment) = (&context.settings, &context.environment);
    let timeout = settings.stop_timeout;
    let mut written = Ok(());
    let mut failures = Vec::new();
    let mut results = Vec::new();
    for key in &keys {
        let stopped = context.block_on(stop::stop(settings, environment, key, timeout));
        results.push(as_json(key, &stopped));
        match stopped {
            Ok(Stopped::Ended(end)) => written = written.and(context.console.say(&told(key, &end))),
            Ok(Stopped::NotRunning(failure) | Stopped::NotOurs(failure)) | Err(failure) => {
                failures.push(failure);
            }
        }
    }
    // A single one fails as everything fails: its error is the whole answer.
    if let ([failure], [_]) = (failures.as_slice(), keys.as_slice()) {
        return Err(failure.clone());
    }
    let codes: Vec<u8> = failures.iter().map(|failure| context.console.failure(failure)).collect();
    if context.console.json {
        written =
            written.and(context.console.object(&json!({"schema": "msconv.stop/1", "streams": results})));
    }
    // One that could not be stopped says more than one that was not running.
    let gravest = codes.into_iter().min_by_key(|code| *code == Kind::NotRunning.exit_code());
    written.map(|()| gravest.unwrap_or(0))
}

fn wanted(context: &Context, args: &StopArgs) -> Outcome<Vec<StreamKey>> {
    let running = || -> Vec<_> {
        ours::ours(&context.settings, &context.environment).into_iter().filter(|o| o.alive).collect()
    };
    if args.all {
        let keys: Vec<StreamKey> = running().iter().filter_map(|o| o.record.key.parse().ok()).collect();
        if keys.is_empty() {
            context.console.talk("no stream of ours is running");
        }
        return Ok(keys);
    }
    if args.list {
        context.console.need_person("the picker", "msconv stop -s KEY, or msconv stop --all")?;
        let streams = running();
        if streams.is_empty() {
            return Err(Failure::new(Kind::NotFound, "no stream of ours is running").hint("msconv list -a"));
        }
        let rows: Vec<(String, String)> = streams
            .iter()
            .map(|o| {
                (o.record.key.clone(), format!("{}  {}  {}", o.record.key, o.record.state, o.record.source))
            })
            .collect();
        let picked = crate::ui::picker::pick(&context.console, "stop which stream?", &rows)?;
        return Ok(rows.get(picked).and_then(|(key, _)| key.parse().ok()).into_iter().collect());
    }
    if args.stream_key.is_empty() {
        return match &context.settings.stream_key {
            Some(key) => Ok(vec![key.clone()]),
            None => Err(Failure::usage("which stream?").hint("msconv stop -s KEY, -l to pick, or --all")),
        };
    }
    let mut keys = Vec::new();
    for text in &args.stream_key {
        let key = parse_key(text)?;
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(keys)
}

fn told(key: &StreamKey, end: &End) -> String {
    let after = end.after.map(|a| format!(" after {}", clock::uptime(a))).unwrap_or_default();
    let place = end.elsewhere.as_ref().map(|e| format!(", published from {e}")).unwrap_or_default();
    let how = if end.killed { "it had to be killed, after" } else { "ffmpeg ended in" };
    format!("{key}: stopped{after} ({how} {}{place})", clock::spoken(end.took))
}

fn as_json(key: &StreamKey, stopped: &Outcome<Stopped>) -> serde_json::Value {
    let fallen_short = |outcome: &str, failure: &Failure| json!({"key": key, "outcome": outcome, "note": failure.reasons().first()});
    match stopped {
        Ok(Stopped::Ended(end)) => json!({
            "key": key,
            "outcome": if end.killed { "killed" } else { "stopped" },
            "ran_s": end.after.map(|a| a.as_secs()),
            "took_ms": u64::try_from(end.took.as_millis()).unwrap_or(u64::MAX),
        }),
        Ok(Stopped::NotRunning(failure)) => fallen_short("not_running", failure),
        Ok(Stopped::NotOurs(failure)) => fallen_short("not_ours", failure),
        Err(failure) => json!({"key": key, "outcome": "failed", "error": failure.what()}),
    }
}
