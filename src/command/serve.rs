//! `msconv serve`: the embedded server in the foreground.

use super::Context;
use super::ends::{self, Ends};
use crate::base::{Failure, Outcome, clock, failure::io_words};
use crate::cli::ServeArgs;
use crate::config::choices::LogLevel;
use crate::model::service::Service;
use crate::platform::programs::Program;
use crate::process::blocking::blocking;
use crate::process::child_log::LogFile;
use crate::server::listeners::Addresses;
use crate::server::options::exposed;
use crate::server::web::tls::Tls;
use crate::server::{Options, Server};
use crate::telemetry::level::Sink;
use crate::telemetry::{Level, Log};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// The settings that its flags set.
pub fn settings(args: &ServeArgs) -> Vec<(&'static str, Option<String>)> {
    let ports = args.ports.0.iter().map(|(service, port)| (service.row().key, port.clone()));
    let others = [
        ("listen", args.listen.clone()),
        ("control_listen", args.control_listen.clone()),
        ("web", args.no_web.then(|| "false".to_string())),
        ("public_address", joined(&args.public_address)),
        ("ice_server", joined(&args.ice_server)),
        ("ladder", args.ladder.clone()),
        ("applications", args.applications.clone()),
        ("stat_path", args.stat_path.clone()),
        ("trusted", args.trusted.clone()),
        ("readers_per_address", args.readers_per_address.clone()),
        ("publishers_per_address", args.publishers_per_address.clone()),
        ("media_workers", args.media_workers.clone()),
        ("data", args.data.clone()),
        ("database", args.database.clone()),
        ("hooks_command", args.hooks_command.clone()),
        ("open_registration", args.open_registration.then(|| "true".to_string())),
        ("hls_segment", args.hls_segment.clone()),
        ("hls_part", args.hls_part.clone()),
        ("hls_window", args.hls_window.clone()),
        ("tls_cert", args.tls_cert.clone()),
        ("tls_key", args.tls_key.clone()),
        ("admission_url", args.admission_url.clone()),
        ("admission_form", args.admission_form.clone()),
        ("admission_secret_file", args.admission_secret_file.clone()),
        ("admission_on", args.admission_on.clone()),
        ("publish_user", args.publish_user.clone()),
        ("publish_password_file", args.publish_password_file.clone()),
        ("read_user", args.read_user.clone()),
        ("read_password_file", args.read_password_file.clone()),
    ];
    ports.chain(others).collect()
}

/// What may be given more than once, as the setting has it.
fn joined(values: &[String]) -> Option<String> {
    (!values.is_empty()).then(|| values.join(","))
}

/// Runs it until SIGINT, SIGTERM or SIGHUP; the exit code. A second Ctrl-C ends it at once.
pub fn run(context: &Context, args: &ServeArgs) -> Outcome<u8> {
    let mut options = Options::of(&context.settings, &mut std::io::stdin())?;
    options.program = Some(program(context)?);
    options.load.runtime = Some(context.environment.runtime_dir());
    let exposed = exposed(&context.settings.serve);
    let log = log(context, &options, args.log_file.as_deref())?;
    context.block_on(async {
        // Before anything can be reached, so that no signal finds us unprepared.
        let mut ends = Ends::listen()?;
        let server = Server::bind(options, log.clone()).await?;
        let addresses = server.addresses();
        for sentence in &exposed {
            context.console.warn(sentence);
        }
        if context.console.json {
            context.console.object(&object(&addresses))?;
        } else {
            context.console.data(&line(&addresses))?;
        }
        log.info(format_args!("{}", line(&addresses)));
        for sentence in &exposed {
            log.warn(format_args!("{sentence}"));
        }
        let notifier = context.notifier();
        ends::ready(&notifier, &line(&addresses));
        let renew = server.tls().map(|tls| {
            let log = log.clone();
            move || renewed(tls.clone(), log.clone())
        });
        let asked = async {
            ends.asked_or(renew).await;
            notifier.stopping();
        };
        server.run(asked).await
    })?;
    Ok(0)
}

/// What makes ladders of what others publish: this program, with the same home and configuration.
fn program(context: &Context) -> Outcome<Program> {
    let settings = &context.settings;
    let config = settings.named_file().and_then(|_| settings.files().first().cloned());
    let home = context.environment.cwd.join(settings.paths.home());
    Ok(Program { path: context.environment.own_program()?, home, config })
}

/// Takes the certificate that stands in the files now.
async fn renewed(tls: Arc<Tls>, log: Log) {
    match blocking("read the certificate", move || tls.reload()).await.and_then(|reloaded| reloaded) {
        Ok(()) => log.info(format_args!("web: the certificate was read anew")),
        Err(failure) => {
            let why = failure.reasons().join("; ");
            log.error(format_args!("web: the certificate stays as it was: {}: {why}", failure.what()));
        }
    }
}

fn listening(addresses: &Addresses) -> impl Iterator<Item = (Service, SocketAddr)> {
    addresses.each().filter_map(|(service, address)| Some((service, address?)))
}

fn line(addresses: &Addresses) -> String {
    let named: Vec<String> =
        listening(addresses).map(|(service, address)| format!("{}={address}", service.row().id)).collect();
    format!("ready {}", named.join(" "))
}

fn object(addresses: &Addresses) -> Value {
    let mut object = json!({ "schema": "msconv.serve/1", "pid": std::process::id() });
    if let Some(fields) = object.as_object_mut() {
        for (service, address) in listening(addresses) {
            fields.insert(service.row().id.to_string(), address.to_string().into());
        }
    }
    object
}

/// Where the log goes: a file, or stderr with a stamp on each line. With `-q` only errors are told.
fn log(context: &Context, options: &Options, file: Option<&Path>) -> Outcome<Log> {
    let level = match context.settings.log_level {
        _ if context.console.quiet && file.is_none() => Level::Error,
        LogLevel::Error => Level::Error,
        LogLevel::Warn => Level::Warn,
        LogLevel::Info => Level::Info,
        LogLevel::Debug => Level::Debug,
        LogLevel::Trace => Level::Trace,
    };
    let sink: Sink = match file {
        Some(path) => {
            let path = context.environment.cwd.join(path);
            let mut file = LogFile::new(&path);
            file.check().map_err(|e| {
                Failure::usage(format!("--log-file: cannot write {}", path.display())).why(io_words(&e))
            })?;
            Box::new(move |line| file.line(line))
        }
        None => Box::new(|line| {
            use std::io::Write;
            // Whoever read the log may have gone; the server goes on.
            let _ = writeln!(std::io::stderr(), "{} {line}", clock::log_stamp(clock::now_ms()));
        }),
    };
    let log = Log::new(level, options.redactor(), sink);
    log.hear_libraries();
    Ok(log)
}
