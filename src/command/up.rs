//! `msconv up`: the servers, and what to do next.

use super::Context;
use crate::base::{Failure, Outcome, clock};
use crate::cli::UpArgs;
use crate::config::Paths;
use crate::config::resolved::Backend;
use crate::manager::servers::{self, Server, Up};
use crate::server::options::exposed;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Runs it; the exit code.
pub fn run(context: &Context, args: &UpArgs) -> Outcome<u8> {
    let wait =
        clock::parse_duration(&args.timeout).map_err(|why| Failure::usage(format!("--timeout: {why}")))?;
    if context.settings.backend == Backend::Embedded {
        for sentence in exposed(&context.settings.serve) {
            context.console.warn(&sentence);
        }
    }
    let up = context.block_on(brought_up(context, wait))?;
    if context.console.json {
        let backend = context.settings.backend.word();
        let mut object = serde_json::json!({ "schema": "msconv.up/1", "backend": backend });
        if let (Some(into), Ok(serde_json::Value::Object(from))) =
            (object.as_object_mut(), serde_json::to_value(&up))
        {
            into.extend(from);
        }
        context.console.object(&object);
        return Ok(0);
    }
    for server in &up.servers {
        context.console.say(&line(context, server, &up));
    }
    for note in &up.notes {
        context.console.note(note);
    }
    if let (Some(listen), false) = (&args.listen, context.settings.nginx_rtmp_url.host() == "localhost") {
        let note =
            format!("other commands look at localhost; listen = \"{listen}\" in msconv.toml tells them all");
        context.console.note(&note);
    }
    context.console.say("    next   msconv publish -s stream1 -f video.mp4");
    context.console.say("    end    msconv down");
    Ok(0)
}

/// Brings the servers up; Ctrl-C and SIGTERM end the wait and what was started.
///
/// # Errors
/// What the backend says.
pub async fn brought_up(context: &Context, wait: Duration) -> Outcome<Up> {
    let interrupted = AtomicBool::new(false);
    let listen =
        |kind| signal(kind).map_err(|e| Failure::internal("cannot listen for signals").why(e.to_string()));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let work = servers::up(&context.settings, &context.environment, wait, &interrupted);
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = interrupt.recv() => interrupted.store(true, Ordering::SeqCst),
            _ = terminate.recv() => interrupted.store(true, Ordering::SeqCst),
        }
    }
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
