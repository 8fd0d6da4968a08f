//! `msconv export systemd`: what was typed for `publish`, `serve` or `exporter`, as a unit on stdout.

use super::Context;
use crate::base::{Failure, Outcome, printable::printable};
use crate::cli::{Globals, PublishArgs, SystemdArgs};
use crate::config::layers::variable;
use crate::manager::export::systemd::{self, Request, Source, Stream, What};
use crate::model::StreamKey;
use serde_json::json;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Runs it; the exit code. The unit goes to stdout, what is to be done beside it to stderr.
pub fn systemd(context: &Context, globals: &Globals, args: &SystemdArgs) -> Outcome<u8> {
    let what = match (args.serve, args.exporter) {
        (true, _) => What::Serve,
        (_, true) => What::Exporter,
        _ => What::Publish(Box::new(stream(context, &args.publish)?)),
    };
    let request = Request {
        what,
        program: context.environment.own_program()?,
        user: args.user.clone(),
        home: globals.home.as_ref().map(|_| context.settings.paths.home().to_path_buf()),
        settings: settings(context, globals),
    };
    let unit = systemd::unit(&request)?;
    for step in &unit.steps {
        context.console.note(step);
    }
    if context.console.json {
        context.console.object(&json!({
            "schema": "msconv.export/1",
            "name": unit.name,
            "text": unit.text,
            "steps": unit.steps,
        }))?;
    } else {
        context.console.data(unit.text.trim_end())?;
    }
    Ok(0)
}

/// The global flags that say what is done, as the variables of their settings.
fn settings(context: &Context, globals: &Globals) -> Vec<(String, String)> {
    let config = globals.config.as_ref().map(|path| context.environment.cwd.join(path).display().to_string());
    [
        ("config", config),
        ("log_level", globals.log_level.clone()),
        ("nginx_rtmp_url", globals.nginx_rtmp_url.clone()),
        ("nginx_stat_url", globals.nginx_stat_url.clone()),
        ("mediamtx_url", globals.mediamtx_url.clone()),
        ("rtsp_url", globals.rtsp_url.clone()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((variable(name), value?)))
    .collect()
}

fn stream(context: &Context, args: &PublishArgs) -> Outcome<Stream> {
    if args.dry_run || args.replace {
        return Err(Failure::usage("--dry-run and --replace have no place in a unit"));
    }
    // Taken apart and put together again, so that no `./` is left in it.
    let absolute = |path: &Path| context.environment.cwd.join(path).components().collect::<PathBuf>();
    let key_file = args.stream_key_file.as_deref().map(absolute);
    let name = match (&key_file, &context.settings.stream_key) {
        (Some(file), _) => {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if stem.parse::<StreamKey>().is_err() {
                return Err(Failure::usage(format!(
                    "'{}' cannot be part of a unit's name",
                    printable(&stem)
                ))
                .why("the unit is called after the file that holds the key")
                .hint("call it like /etc/msconv/cam.key"));
            }
            stem
        }
        (None, Some(key)) => key.to_string(),
        (None, None) => {
            return Err(Failure::usage("which unit shall it be?")
                .hint("msconv export systemd -s stream1 -f /srv/video.mp4")
                .hint("msconv export systemd --serve"));
        }
    };
    Ok(Stream {
        name,
        key_file,
        source: source(args, &absolute)?,
        more: more(args),
        hardware: args
            .encoder
            .as_deref()
            .is_some_and(|name| !matches!(name, "auto" | "x264") && !name.starts_with("lib")),
    })
}

fn source(args: &PublishArgs, absolute: &dyn Fn(&Path) -> PathBuf) -> Outcome<Source> {
    if let Some(file) = &args.input_file {
        return Ok(Source::File(absolute(file)));
    }
    if let Some(device) = &args.device {
        return Ok(Source::Device(device.clone(), args.audio_device.clone()));
    }
    if let Some(url) = &args.input_rtmp {
        return Ok(Source::Url(url.clone()));
    }
    if let Some(file) = &args.input_rtmp_file {
        return Ok(Source::UrlFile(absolute(file)));
    }
    if args.test {
        return Ok(Source::Test);
    }
    Err(Failure::usage("nothing to publish: name a source").hint("-f FILE, -d DEVICE, -r URL or --test"))
}

/// The flags that say how, as they were typed.
fn more(args: &PublishArgs) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    for (flag, on) in [
        ("--original", args.original),
        ("--once", args.once),
        ("--no-passthrough", args.no_passthrough),
        ("--b-frames", args.b_frames),
        ("--no-b-frames", args.no_b_frames),
        ("--allow-http", args.allow_http),
    ] {
        if on {
            words.push(flag.into());
        }
    }
    for (flag, value) in [
        ("--variants", &args.variants),
        ("--quality", &args.quality),
        ("--leave-out", &args.leave_out),
        ("--fps", &args.fps),
        ("--encoder", &args.encoder),
        ("--keyframe-interval", &args.keyframe_interval),
        ("--audio-bitrate", &args.audio_bitrate),
        ("--passthrough", &args.passthrough),
        ("--restart", &args.restart),
    ] {
        if let Some(value) = value {
            words.push(flag.into());
            words.push(value.into());
        }
    }
    if !args.output_args.is_empty() {
        words.push("--".into());
        words.extend(args.output_args.iter().cloned());
    }
    words
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn every_flag_of_publish_is_carried_into_the_unit_or_decided_upon() {
        // Sources and keys have words of their own in a unit; the last four say how one publish goes, not a service.
        const KNOWN: [&str; 28] = [
            "stream_key",
            "stream_key_file",
            "input_file",
            "device",
            "input_rtmp",
            "input_rtmp_file",
            "allow_http",
            "test",
            "audio_device",
            "original",
            "variants",
            "once",
            "quality",
            "leave_out",
            "fps",
            "encoder",
            "keyframe_interval",
            "audio_bitrate",
            "passthrough",
            "no_passthrough",
            "b_frames",
            "no_b_frames",
            "restart",
            "output_args",
            "foreground",
            "wait",
            "replace",
            "dry_run",
        ];
        let cli = crate::cli::Cli::command();
        let publish = cli.find_subcommand("publish").unwrap();
        let global = |id: &str| cli.get_arguments().any(|a| a.get_id() == id) || id == "help";
        for argument in publish.get_arguments() {
            let id = argument.get_id().as_str();
            assert!(KNOWN.contains(&id) || global(id), "{id} is new: what does it mean in a unit?");
        }
    }
}
