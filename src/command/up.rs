//! `msconv up`: the servers, and what to do next.

use super::api::Api;
use super::{Context, signals};
use crate::base::printable::bounded;
use crate::base::{Failure, Outcome, clock};
use crate::cli::UpArgs;
use crate::config::Paths;
use crate::config::choices::Backend;
use crate::manager::servers::{self, Server, Up, UpRequest};
use crate::model::LadderPolicy;
use crate::model::network::is_loopback;
use crate::process::child_log;
use crate::server::options::exposed;
use axum::http::Method;
use serde_json::Value;
use std::cell::RefCell;
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest line of progress that is shown, in characters.
const PROGRESS: usize = 200;

/// Runs it; the exit code.
pub fn run(context: &Context, args: &UpArgs) -> Outcome<u8> {
    let wait =
        clock::parse_duration(&args.timeout).map_err(|why| Failure::usage(format!("--timeout: {why}")))?;
    let backend = context.settings.backend;
    if backend == Backend::Embedded {
        for sentence in exposed(&context.settings.serve) {
            context.console.warn(&sentence);
        }
    }
    if backend == Backend::Docker && !is_loopback(context.settings.serve.listen) {
        context.console.warn(&format!(
            "the stack asks for no passwords: whoever reaches {} may publish and watch",
            context.settings.serve.listen
        ));
    }
    if backend != Backend::Embedded && context.settings.serve.ladder != LadderPolicy::Off {
        context.console.warn(
            "ladder is not taken: ladders of what others publish are made by the built-in server alone",
        );
    }
    if args.monitoring && backend != Backend::Docker {
        return Err(Failure::usage("the services that watch the others are part of the docker backend")
            .hint("msconv up --backend docker --monitoring"));
    }
    let up = context.block_on(brought_up(context, wait, args.monitoring))?;
    if context.console.json {
        let backend = context.settings.backend.word();
        let mut object = serde_json::json!({ "schema": "msconv.up/1", "backend": backend });
        if let (Some(into), Ok(serde_json::Value::Object(from))) =
            (object.as_object_mut(), serde_json::to_value(&up))
        {
            into.extend(from);
        }
        context.console.object(&object)?;
        return Ok(0);
    }
    for server in &up.servers {
        context.console.say(&line(context, server, &up))?;
    }
    for note in &up.notes {
        context.console.note(note);
    }
    if let (Some(listen), false) = (&args.listen, context.settings.nginx_rtmp_url.host() == "localhost") {
        let note =
            format!("other commands look at localhost; listen = \"{listen}\" in msconv.toml tells them all");
        context.console.note(&note);
    }
    if let Some(link) = context.block_on(async { Ok(setup_link(context).await) })? {
        context.console.say(&format!("    set up {link}    (sets the operator's password, within a day)"))?;
    }
    context.console.say("    next   msconv publish -s stream1 -f video.mp4")?;
    context.console.say("    end    msconv down")?;
    Ok(0)
}

/// Brings the servers up; Ctrl-C and SIGTERM end the wait and what was started.
///
/// # Errors
/// What the backend says.
pub async fn brought_up(context: &Context, wait: Duration, monitoring: bool) -> Outcome<Up> {
    let cancel = signals::cancellation()?;
    let shown = RefCell::new((child_log::sieve(), Instant::now()));
    let progress = |line: &str| {
        let (sieve, begun) = &mut *shown.borrow_mut();
        let (pass, held) = sieve.pass(begun.elapsed());
        if let Some(held) = held {
            context.console.talk(&format!("    ({held} lines not shown)"));
        }
        if pass {
            context.console.talk(&format!("    {}", bounded(line, PROGRESS)));
        }
    };
    let asked = UpRequest { monitoring, progress: &progress, interrupted: &cancel.asked };
    servers::up(&context.settings, &context.environment, wait, asked).await
}

/// The link with which the operator signs in for the first time from another machine. On this one nobody need sign in.
async fn setup_link(context: &Context) -> Option<String> {
    let settings = &context.settings;
    let open = settings.backend == Backend::Embedded && !is_loopback(settings.serve.listen);
    if !open {
        return None;
    }
    let api = Api::of(context).await.ok()?;
    let session = api.call(Method::GET, "/api/v1/session", None).await.ok()?;
    if session.get("has_password").and_then(Value::as_bool).unwrap_or(true) {
        return None;
    }
    let made = api.call(Method::POST, "/api/v1/session/setup", None).await.ok()?;
    made.get("url").and_then(Value::as_str).map(str::to_string)
}

fn line(context: &Context, server: &Server, up: &Up) -> String {
    let pid = server.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    let how = if server.started {
        format!("answers after {}", clock::spoken(Duration::from_secs_f64(up.took_s.max(0.0))))
    } else {
        "was up already".to_string()
    };
    let ok = context.console.paint_out("32", "ok");
    let log = Paths::shown(Path::new(&server.log), &context.environment.cwd);
    format!("{ok}  {} {how}{pid}: {}\n    log    {log}", shown(server.name), server.urls.join("  "))
}

/// A server's name as its makers write it.
pub fn shown(name: &str) -> &str {
    match name {
        "mediamtx" => "MediaMTX",
        "serve" => "msconv serve",
        other => other,
    }
}
