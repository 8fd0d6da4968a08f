//! `msconv logs`: the end of a log, and with `-f` what is added to it.

use super::Context;
use crate::base::{Failure, Outcome, clock, failure::io_words};
use crate::cli::{LogsArgs, Service};
use crate::config::Paths;
use crate::manager::logs::follow::Follower;
use crate::manager::logs::line::Line;
use crate::manager::logs::read::{self, Wanted};
use crate::manager::logs::{self, Log};
use std::time::Duration;

/// Lines shown where nothing is said.
const USUAL: usize = 100;

/// How often a followed log is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Runs it; the exit code.
pub fn run(context: &Context, args: &LogsArgs) -> Outcome<u8> {
    let since_ms = match &args.since {
        Some(text) => Some(
            clock::parse_since(text, clock::now_ms())
                .map_err(|why| Failure::usage(format!("--since: {why}")))?,
        ),
        None => None,
    };
    let service = args.service.map(|service| match service {
        Service::Ffmpeg => logs::Service::Ffmpeg,
        Service::Nginx => logs::Service::Nginx,
        Service::Mediamtx => logs::Service::Mediamtx,
        Service::Serve => logs::Service::Serve,
    });
    let log = logs::find(&context.settings, &context.environment, args.key.as_deref(), service)?;
    if let (true, Some(key), Some(file)) = (log.chosen, &log.key, log.files.first()) {
        context.console.note(&format!("log of {key}: {}", Paths::shown(file, &context.environment.cwd)));
    }
    let lines = args.lines.or_else(|| since_ms.is_none().then_some(USUAL));
    let wanted = Wanted { lines, since_ms, whole_lines: args.follow };
    let ends = print_end(context, &log, wanted)?;
    if args.follow { context.block_on(follow(context, &log, ends)) } else { Ok(0) }
}

/// Prints what is there; where each file ended.
fn print_end(context: &Context, log: &Log, wanted: Wanted) -> Outcome<Vec<Option<read::End>>> {
    let unreadable = |e: std::io::Error| {
        let failure = Failure::internal("cannot read the log").why(io_words(&e));
        match e.kind() {
            std::io::ErrorKind::PermissionDenied => {
                failure.hint("run it as the user who published the stream")
            }
            _ => failure,
        }
    };
    let mut lines = read::open(&log.files, wanted).map_err(unreadable)?;
    if lines.cut && wanted.lines.is_none() {
        let size = read::MOST_SEARCHED / 1024 / 1024;
        context.console.note(&format!("the log is larger; only its last {size} MB were read"));
    }
    context
        .console
        .stream(|| Ok(lines.read_next().map_err(unreadable)?.map(|line| shown(context, log, &line))))?;
    Ok(lines.ends)
}

async fn follow(context: &Context, log: &Log, ends: Vec<Option<read::End>>) -> Outcome<u8> {
    let mut followers: Vec<Follower> = log
        .files
        .iter()
        .zip(ends)
        .enumerate()
        .map(|(index, (file, end))| Follower::new(index, file, end))
        .collect();
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = &mut interrupted => return Ok(130),
            _ = look.tick() => {}
        }
        let mut added = followers.iter_mut().flat_map(Follower::poll).collect::<Vec<Line>>().into_iter();
        context.console.stream(|| Ok(added.next().map(|line| shown(context, log, &line))))?;
        if context.console.reader_gone() {
            return Ok(0);
        }
    }
}

/// A line as it is printed: as it stands, coloured by its level on a terminal, or as one JSON object.
fn shown(context: &Context, log: &Log, line: &Line) -> String {
    if context.console.json {
        let file = log.files.get(line.file).map(|file| file.display().to_string());
        return serde_json::json!({
            "schema": "msconv.logs/1",
            "service": log.service.word(),
            "key": log.key.as_ref().map(|key| key.as_str()),
            "file": file,
            "time": line.time_ms.map(clock::log_stamp),
            "line": line.text,
        })
        .to_string();
    }
    let has = |words: &[&str]| words.iter().any(|word| line.text.contains(word));
    if has(&["[error]", "[fatal]", "[panic]", "[crit]", "[emerg]", " ERR "]) {
        context.console.paint_out("31", &line.text)
    } else if has(&["[warning]", "[warn]", " WAR "]) {
        context.console.paint_out("33", &line.text)
    } else {
        line.text.clone()
    }
}
