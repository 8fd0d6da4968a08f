//! `msconv publish`.

use super::{Context, signals};
use crate::base::{CommandLine, Failure, Kind, Outcome, clock, printable::printable};
use crate::cli::PublishArgs;
use crate::config::Paths;
use crate::config::choices::Backend;
use crate::config::from_file::{key_from_file, source_from_file};
use crate::manager::listing::list;
use crate::manager::streams::publish::{self, Awaited, Came, Patience, Prepared, Published, Step};
use crate::manager::streams::stop;
use crate::model::publish_spec::OutputArg;
use crate::model::{PublishSpec, Rendition, Source, SourceUrl, State, StreamKey};
use crate::process::run_record::RunRecord;
use crate::ui::publish_view::Waiting;
use foreground::{Begun, foreground};
use serde_json::json;
use std::cell::RefCell;

mod foreground;

/// The settings that its flags set.
pub fn settings(args: &PublishArgs) -> Vec<(&'static str, Option<String>)> {
    vec![
        ("stream_key", args.stream_key.clone()),
        ("variants", args.variants.clone()),
        ("quality", args.quality.clone()),
        ("leave_out", args.leave_out.clone()),
        ("fps", args.fps.clone()),
        ("encoder", args.encoder.clone()),
        ("keyframe_interval", args.keyframe_interval.clone()),
        ("audio_bitrate", args.audio_bitrate.clone()),
        ("passthrough", args.passthrough.clone().or(args.no_passthrough.then(|| "never".into()))),
        ("b_frames", args.b_frames.then(|| "true".into()).or(args.no_b_frames.then(|| "false".into()))),
        ("wait", args.wait.clone()),
        ("restart", args.restart.clone()),
    ]
}

/// Runs it; the exit code.
pub fn run(context: &Context, args: &PublishArgs) -> Outcome<u8> {
    let key = key(context, args)?;
    let doing = format!("cannot publish {key}");
    publish(context, args, key).map_err(|failure| match failure.kind() {
        // These name the stream, or what was typed, themselves.
        Kind::Usage | Kind::Conflict => failure,
        _ => failure.during(&doing),
    })
}

fn publish(context: &Context, args: &PublishArgs, key: StreamKey) -> Outcome<u8> {
    let (settings, environment) = (&context.settings, &context.environment);
    let spec = spec(context, args, key)?;
    let patience = Patience { wait: settings.wait, foreground: args.foreground };
    if !args.dry_run && !args.replace {
        publish::not_running(settings, environment, &spec.key)?;
    }
    if args.dry_run {
        let prepared = context.block_on(async {
            publish::prepare(settings, environment, &spec, patience).await.map_err(Failure::from)
        })?;
        announce(context, &prepared);
        return dry_run(context, &prepared.command);
    }
    let make_room = || match args.replace {
        true => context.block_on(publish::replace(settings, environment, &spec.key)),
        false => Ok(()),
    };
    // In the foreground the source is waited for as the server is: as long as it takes.
    if args.foreground && matches!(spec.source, Source::Url(_)) {
        make_room()?;
        return foreground(context, &spec.key, Begun::Asked(&spec, patience));
    }
    let came = when_there(context, &spec, patience)?;
    if let Came::There(prepared) = &came {
        announce(context, prepared);
    }
    make_room()?;
    match came {
        Came::There(prepared) if args.foreground => {
            foreground(context, &spec.key, Begun::Prepared(&prepared))
        }
        Came::There(prepared) => background(context, &prepared),
        Came::NotYet(failure) => leave_waiting(context, spec, patience, &failure),
    }
}

/// Prepares; a network source that is not there yet is waited for, and the wait shown.
fn when_there(context: &Context, spec: &PublishSpec, patience: Patience) -> Outcome<Came> {
    let waiting = RefCell::new(None::<Waiting>);
    let absent = |failure: &Failure| {
        let why = failure.reasons().first().map_or(failure.what(), String::as_str);
        let words = format!("the source is not there yet ({why})");
        let mut waiting = waiting.borrow_mut();
        let first = waiting.is_none();
        let shown = waiting.get_or_insert_with(|| Waiting::begin(&context.console, spec.key.as_str()));
        if !shown.say(&words) && first {
            context.console.note(&format!("{words}; it is waited for"));
        }
    };
    let wanted = (spec, patience);
    let came = context.block_on(publish::when_there(&context.settings, &context.environment, wanted, absent));
    waiting.into_inner().into_iter().for_each(Waiting::end);
    came
}

/// Leaves the wait for a source that is not there yet to a supervisor, and says so.
fn leave_waiting(context: &Context, spec: PublishSpec, patience: Patience, failure: &Failure) -> Outcome<u8> {
    let (settings, environment, key) = (&context.settings, &context.environment, spec.key.clone());
    let why = failure.reasons().first().map_or(failure.what(), String::as_str);
    context
        .console
        .say(&printable(&format!("{key}: the source is not there yet ({why}); it is waited for")))?;
    let awaited = Awaited { flags: context.flags.values(), spec, patience };
    let record = context.block_on(async {
        publish::leave_waiting(settings, environment, awaited, &signals::cancellation()?.asked).await
    })?;
    let told = report_waiting(context, &key, &record);
    undone_if_untold(context, &key, told)
}

fn key(context: &Context, args: &PublishArgs) -> Outcome<StreamKey> {
    match (&args.stream_key_file, &context.settings.stream_key) {
        (Some(path), _) => key_from_file(path, &mut std::io::stdin()),
        (None, Some(key)) => Ok(key.clone()),
        (None, None) => {
            Err(Failure::usage("what is the name of the stream?").hint("msconv publish -s stream1 ..."))
        }
    }
}

/// What was typed and what the settings say, as the stream that is wanted.
fn spec(context: &Context, args: &PublishArgs, key: StreamKey) -> Outcome<PublishSpec> {
    let settings = &context.settings;
    let spec = PublishSpec {
        key,
        source: source(args)?,
        allow_http: args.allow_http,
        original: args.original,
        once: args.once,
        ladder: settings.variants.clone(),
        quality: settings.quality,
        leave_out: settings.leave_out,
        encoder: settings.encoder.clone(),
        fps: settings.fps,
        keyframe_interval: settings.keyframe_interval,
        audio_bitrate: settings.audio_bitrate,
        passthrough: settings.passthrough,
        b_frames: settings.b_frames,
        restart: settings.restart,
        output_args: args.output_args.iter().cloned().map(OutputArg::from).collect(),
    };
    spec.check().map(|()| spec)
}

fn source(args: &PublishArgs) -> Outcome<Source> {
    if args.allow_http && args.input_rtmp.is_none() && args.input_rtmp_file.is_none() {
        return Err(
            Failure::usage("--allow-http belongs to -r").hint("-r http://host/live.m3u8 --allow-http")
        );
    }
    if let Some(path) = &args.input_file {
        return Ok(Source::File(path.clone()));
    }
    if let Some(device) = &args.device {
        return Ok(Source::Device { video: device.clone(), audio: args.audio_device.clone() });
    }
    if let Some(url) = &args.input_rtmp {
        let url: SourceUrl = url.parse().map_err(|e| {
            let shown = crate::base::secret::redact_urls(url);
            Failure::usage(format!("--input-rtmp '{shown}': {e}")).hint("-r rtmp://host/live/name")
        })?;
        return Ok(Source::Url(url));
    }
    if let Some(path) = &args.input_rtmp_file {
        return source_from_file(path, &mut std::io::stdin()).map(Source::Url);
    }
    if args.test {
        return Ok(Source::Test);
    }
    Err(Failure::usage("nothing to publish: name a source").hint("-f FILE, -d DEVICE, -r URL or --test"))
}

/// What will be done, before it is done; on stderr with `--dry-run`, whose stdout is the command alone.
fn announce(context: &Context, prepared: &Prepared) {
    for warning in &prepared.warnings {
        context.console.warn(warning);
    }
    for note in &prepared.notes {
        context.console.note(note);
    }
}

fn summary(prepared: &Prepared) -> String {
    let repeated = if prepared.repeated() { ", repeated" } else { "" };
    printable(&format!("{}: {}{repeated}, {}", prepared.key, prepared.source_words(), prepared.plan.summary))
}

fn dry_run(context: &Context, command: &CommandLine) -> Outcome<u8> {
    if context.console.json {
        let argv: Vec<String> =
            std::iter::once(command.program.display().to_string()).chain(command.shown_args()).collect();
        let stdin = command.stdin().map(|s| json!({"lines": s.lines(), "times": s.times()}));
        context.console.object(&json!({"schema": "msconv.dry_run/1", "argv": argv, "stdin": stdin}))?;
    } else {
        context.console.data(&command.shell_line())?;
    }
    Ok(0)
}

fn background(context: &Context, prepared: &Prepared) -> Outcome<u8> {
    context.console.say(&summary(prepared))?;
    let published = match wait_for_bytes(context, prepared) {
        Err(failure) if offer_servers(context, &failure)? => wait_for_bytes(context, prepared)?,
        outcome => outcome?,
    };
    for note in &published.notes {
        context.console.note(note);
    }
    let told = report(context, prepared, &published);
    undone_if_untold(context, &prepared.key, told)
}

/// The exit code of a publish whose end was told so. One that fails leaves nothing running, whatever the cause.
fn undone_if_untold(context: &Context, key: &StreamKey, told: Outcome<()>) -> Outcome<u8> {
    let Err(failure) = told else { return Ok(0) };
    let settings = &context.settings;
    let stopped = stop::stop(settings, &context.environment, key, settings.stop_timeout);
    match context.block_on(stopped) {
        Ok(_) => context.console.note(&format!("{key} was stopped again: nothing is left running")),
        // It had ended by itself.
        Err(stop) if stop.kind() == Kind::NotRunning => {}
        Err(stop) => return Err(stop),
    }
    Err(failure)
}

fn wait_for_bytes(context: &Context, prepared: &Prepared) -> Outcome<Published> {
    let waiting = RefCell::new(Waiting::begin(&context.console, prepared.key.as_str()));
    let step = |step: Step<'_>| match step {
        Step::WaitingForName(name) => {
            waiting.borrow().say(&format!("{name}: waiting for the server to drop an old connection"));
        }
        Step::Update(record) => waiting.borrow_mut().update(record),
    };
    let outcome = context.block_on(async {
        let cancel = signals::cancellation()?.asked;
        publish::start(&context.settings, &context.environment, prepared, &cancel, step).await
    });
    waiting.into_inner().end();
    outcome
}

/// On a terminal, where nothing listens at a local address, offers to start the servers; true if they run now.
fn offer_servers(context: &Context, failure: &Failure) -> Outcome<bool> {
    let nothing_there = failure.kind() == Kind::Server && failure.what().starts_with("nothing listens");
    if !nothing_there || !context.settings.nginx_rtmp_url.is_local() || !context.console.interactive {
        return Ok(false);
    }
    context.console.talk(failure.what());
    let question = match context.settings.backend {
        Backend::Embedded => "start the built-in server now (msconv up)?",
        Backend::Native => "start nginx and MediaMTX now (msconv up)?",
        Backend::Docker => "start nginx and MediaMTX in containers now (msconv up)?",
    };
    if !crate::ui::ask::confirm(&context.console, question)? {
        return Ok(false);
    }
    context.block_on(super::up::brought_up(context, std::time::Duration::from_secs(60), false))?;
    Ok(true)
}

fn report(context: &Context, prepared: &Prepared, published: &Published) -> Outcome<()> {
    let settings = &context.settings;
    let renditions = &prepared.plan.renditions;
    let web = context.block_on(async { Ok(list::in_web(settings, &prepared.key).await) })?;
    if context.console.json {
        context.console.object(&json!({
            "schema": "msconv.publish/1",
            "page_url": web.as_ref().map(|web| &web.page),
            "hls_url": web.as_ref().map(|web| &web.hls),
            "key": prepared.key,
            "state": published.record.state,
            "took_ms": u64::try_from(published.took.as_millis()).unwrap_or(u64::MAX),
            "pid": published.record.child.map(|c| c.pid),
            "supervisor_pid": published.record.supervisor.map(|s| s.pid),
            "log": settings.paths.ffmpeg_log(&prepared.key).display().to_string(),
            "renditions": renditions.iter().map(|r| json!({
                "label": r.rendition.label(),
                "name": r.name,
                "width": r.size.0,
                "height": r.size.1,
                "rtmp_url": settings.nginx_rtmp_url.shown_name_url(r.name.as_str()),
                "rtsp_url": settings.rtsp_url.shown_name_url(r.name.as_str()),
            })).collect::<Vec<_>>(),
        }))?;
        return Ok(());
    }
    let labels: Vec<&str> = renditions.iter().map(|r| r.rendition.label()).collect();
    let ok = context.console.paint_out("32", "ok");
    if published.record.state == State::Finished {
        return context.console.say(&format!("{ok}  published to its end: {}", labels.join(" ")));
    }
    if settings.wait.is_zero() {
        context.console.say(&format!("{ok}  started, not waited for: {}", labels.join(" ")))?;
    } else {
        context.console.say(&format!(
            "{ok}  live after {}: {}",
            clock::spoken(published.took),
            labels.join(" ")
        ))?;
    }
    if let Some(web) = &web {
        context.console.say(&format!("    watch  {}", web.page))?;
    }
    let example = renditions.get(1).or(renditions.first());
    if let Some(example) = example {
        let choice = match &example.rendition {
            Rendition::Original => " -o".to_string(),
            other => format!(" -v {other}"),
        };
        let play = format!("msconv play -s {}{choice}", prepared.key);
        let url = settings.rtsp_url.shown_name_url(example.name.as_str());
        let word = if web.is_some() { "" } else { "watch" };
        context.console.say(&format!("    {word:<5}  {play:<36}  {url}"))?;
    }
    if let Some(web) = &web {
        context.console.say(&format!("           {:<36}  {}", "over HLS, all variants in one", web.hls))?;
    }
    say_the_way_out(context, &prepared.key)
}

/// How the stream is stopped, and where its log is.
fn say_the_way_out(context: &Context, key: &StreamKey) -> Outcome<()> {
    let stop = format!("msconv stop -s {key}");
    let log = Paths::shown(&context.settings.paths.ffmpeg_log(key), &context.environment.cwd);
    context.console.say(&format!("    stop   {stop:<36}  log  {log}"))
}

/// What is told of a stream whose source is not there yet: which variants it will have nobody knows.
fn report_waiting(context: &Context, key: &StreamKey, record: &RunRecord) -> Outcome<()> {
    if context.console.json {
        return context.console.object(&json!({
            "schema": "msconv.publish/1",
            "key": key,
            "state": record.state,
            "took_ms": null,
            "pid": null,
            "supervisor_pid": record.supervisor.map(|s| s.pid),
            "log": context.settings.paths.ffmpeg_log(key).display().to_string(),
            "renditions": [],
        }));
    }
    let ok = context.console.paint_out("32", "ok");
    context
        .console
        .say(&format!("{ok}  started, not waited for: the source is looked for until it comes"))?;
    let status = format!("msconv status {key}");
    context.console.say(&format!("    look   {status}"))?;
    say_the_way_out(context, key)
}
