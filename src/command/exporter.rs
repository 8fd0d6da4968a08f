//! `msconv exporter`: the metrics of servers and streams over HTTP, within the bounds of the control endpoints.

use super::Context;
use super::ends::{self, Ends};
use crate::auth::Demand;
use crate::base::{Failure, Outcome, clock, failure::io_words};
use crate::cli::ExporterArgs;
use crate::hub::Registry;
use crate::manager::exporter::Exporter;
use crate::model::Network;
use crate::model::network::is_loopback;
use crate::process::listener::cannot_listen;
use crate::server::endpoint::answer::{Request, Response};
use crate::server::endpoint::http::{self, Endpoint, IncomingRequest, Limits, Reply, ReplyFuture};
use crate::server::endpoint::permission::{Permission, Rules, Sender};
use crate::server::listeners;
use crate::telemetry::exposition::CONTENT_TYPE;
use crate::telemetry::level::Sink;
use crate::telemetry::{Level, Log};
use hyper::header::{HOST, HeaderName, ORIGIN};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The settings that its flags set.
pub fn settings(args: &ExporterArgs) -> Vec<(&'static str, Option<String>)> {
    vec![("exporter_listen", args.listen.clone())]
}

/// Runs it until SIGINT, SIGTERM or SIGHUP; the exit code. A second Ctrl-C ends it at once.
pub fn run(context: &Context) -> Outcome<u8> {
    let wanted = context.settings.exporter_listen;
    context.block_on(async {
        let mut ends = Ends::listen()?;
        let listener = listeners::stream(wanted)
            .map_err(|e| cannot_listen("the exporter", wanted, false, "--listen", &e))?;
        let address = listener
            .local_addr()
            .map_err(|e| Failure::internal("cannot tell where the exporter listens").why(io_words(&e)))?;
        let listener = TcpListener::from_std(listener)
            .map_err(|e| Failure::internal("cannot serve a listener").why(io_words(&e)))?;
        let log = log(context);
        if let Some(sentence) = exposed(address, &context.settings.serve.trusted) {
            context.console.warn(&sentence);
        }
        if context.console.json {
            context.console.object(&json!({
                "schema": "msconv.exporter/1",
                "pid": std::process::id(),
                "metrics": address.to_string(),
            }))?;
        } else {
            context.console.data(&format!("ready metrics={address}"))?;
        }
        let notifier = context.notifier();
        ends::ready(&notifier, &format!("metrics at {address}"));
        let (down, downs) = watch::channel(false);
        let serving = http::serve(listener, Arc::new(endpoint(context, log)), downs);
        let ending = async {
            ends.asked().await;
            notifier.stopping();
            let _ = down.send(true);
        };
        tokio::join!(serving, ending);
        Ok(0)
    })
}

/// What is said where other machines reach it.
fn exposed(address: SocketAddr, trusted: &[Network]) -> Option<String> {
    if is_loopback(address.ip()) {
        return None;
    }
    let who = match trusted {
        [] => "everybody who reaches it (set trusted to name the networks that may)",
        _ => "trusted networks",
    };
    Some(format!("the metrics at {address} name streams, sources and folders; they are read by {who}"))
}

fn endpoint(context: &Context, log: Log) -> Endpoint {
    let exporter = Arc::new(Exporter::new(context.settings.clone(), context.environment.clone()));
    let trusted = context.settings.serve.trusted.clone();
    let open = trusted.is_empty();
    let rules = Rules { trusted, demand: Demand::Nothing };
    let registry = Registry::default();
    let limits = registry.clone();
    let answer = move |asked: &IncomingRequest<'_>| -> ReplyFuture {
        let question = Request::new(asked.method, asked.target);
        let broken = limits.clone();
        match question.path.as_str() {
            _ if !question.reads() => told(405, "only GET and HEAD").into(),
            "/health" => Reply::from(Response::ok("application/json", r#"{"status":"ok"}"#.into())).into(),
            "/metrics" => {
                if let Some(why) = refusal(&rules, open, asked) {
                    return told(403, why).into();
                }
                let exporter = exporter.clone();
                Box::pin(async move {
                    let broken = || broken.broken_limits().into_iter().collect();
                    let page = exporter.page(&broken).await;
                    Response::ok(CONTENT_TYPE, page.to_string()).into()
                })
            }
            _ => told(404, "404 not found; the metrics are at /metrics").into(),
        }
    };
    Endpoint {
        name: "exporter",
        server: concat!("msconv/", env!("CARGO_PKG_VERSION")),
        limits: Limits::default(),
        answer: Box::new(answer),
        registry,
        log,
    }
}

fn told(status: u16, words: &str) -> Reply {
    Response::text(status, &format!("{words}\n")).into()
}

/// Why somebody may not read the metrics. They can do nothing but be read, so whoever makes them reachable decides by
/// that alone who reads them, unless `trusted` says more; web pages of others may not in any case.
fn refusal(rules: &Rules, open: bool, asked: &IncomingRequest<'_>) -> Option<&'static str> {
    let field = |name: HeaderName| asked.headers.get(name).and_then(|value| value.to_str().ok());
    let sender =
        Sender { remote: asked.remote.ip(), host: field(HOST), origin: field(ORIGIN), authorization: None };
    match rules.check(&sender) {
        Permission::Yes => None,
        Permission::No(_) if open && !is_loopback(sender.remote) && sender.origin.is_none() => None,
        Permission::No(why) => Some(why),
        Permission::Ask | Permission::Shown(_) => Some("not allowed"),
    }
}

/// Refusals and faults go to stderr, with a stamp on each line.
fn log(context: &Context) -> Log {
    let level = if context.console.quiet { Level::Error } else { Level::Warn };
    let sink: Sink = Box::new(|line| {
        use std::io::Write;
        // Whoever read the log may have gone; the exporter goes on.
        let _ = writeln!(std::io::stderr(), "{} {line}", clock::log_stamp(clock::now_ms()));
    });
    let log = Log::new(level, crate::base::secret::Redactor::new(), sink);
    log.hear_libraries();
    log
}
