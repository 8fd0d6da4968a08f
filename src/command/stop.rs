//! `msconv stop`.

use super::Context;
use crate::base::{Failure, Kind, Outcome, clock};
use crate::cli::StopArgs;
use crate::config::resolved::parse_key;
use crate::manager::ours;
use crate::manager::stop::{self, Stopped};
use crate::model::StreamKey;
use serde_json::json;

/// Runs it; the exit code.
pub fn run(context: &Context, args: &StopArgs) -> Outcome<u8> {
    let keys = wanted(context, args)?;
    let mut code = 0;
    let mut results = Vec::new();
    for key in &keys {
        match stop::stop(&context.settings, &context.environment, key, context.settings.stop_timeout) {
            Ok(stopped) => {
                if !matches!(stopped, Stopped::Ended { .. }) {
                    code = Kind::NotRunning.exit_code();
                }
                report(context, key, &stopped);
                results.push(as_json(key, &stopped));
            }
            Err(failure) => {
                // One that could not be stopped does not save the others.
                context.console.failure(&failure);
                code = failure.kind().exit_code();
                results.push(json!({"key": key, "outcome": "failed", "error": failure.what()}));
            }
        }
    }
    if context.console.json {
        context.console.object(&json!({"schema": "msconv.stop/1", "streams": results}));
    }
    Ok(code)
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

fn report(context: &Context, key: &StreamKey, stopped: &Stopped) {
    let console = &context.console;
    match stopped {
        Stopped::Ended { after, took, killed, elsewhere } => {
            let after = after.map(|a| format!(" after {}", clock::uptime(a))).unwrap_or_default();
            let place = elsewhere.as_ref().map(|e| format!(", published from {e}")).unwrap_or_default();
            let how = if *killed { "it had to be killed, after" } else { "ffmpeg ended in" };
            console.say(&format!("{key}: stopped{after} ({how} {}{place})", clock::spoken(*took)));
        }
        Stopped::NotRunning(note) => {
            console.say(&format!("{key}: not running"));
            if let Some(note) = note {
                console.note(note);
            }
        }
        Stopped::NotOurs(why) => {
            console.say(&format!("{key}: not running"));
            console.warn(why);
        }
    }
}

fn as_json(key: &StreamKey, stopped: &Stopped) -> serde_json::Value {
    match stopped {
        Stopped::Ended { after, took, killed, .. } => json!({
            "key": key,
            "outcome": if *killed { "killed" } else { "stopped" },
            "ran_s": after.map(|a| a.as_secs()),
            "took_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }),
        Stopped::NotRunning(note) => json!({"key": key, "outcome": "not_running", "note": note}),
        Stopped::NotOurs(why) => json!({"key": key, "outcome": "not_ours", "note": why}),
    }
}
