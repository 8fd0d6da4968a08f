//! The parts of the reference that are made from the program: flags, settings, exit codes, metrics.

use clap::{Arg, Command, CommandFactory};
use msconv::base::Kind;
use msconv::cli::Cli;
use msconv::config::{keys::KEYS, layers::variable};

/// `text` with every generated part made anew.
pub fn filled(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<!-- generated: ") {
        let (name, tail) = after.split_once(" -->").ok_or("a marker is not closed")?;
        let (_, tail) = tail.split_once("<!-- end -->").ok_or(format!("'{name}' has no end"))?;
        out.push_str(&format!("{before}<!-- generated: {name} -->\n\n{}\n<!-- end -->", part(name)?));
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

fn part(name: &str) -> Result<String, String> {
    match name.split_once(' ') {
        _ if name == "settings" => Ok(settings()),
        _ if name == "exit codes" => Ok(exit_codes()),
        _ if name == "metrics" => Ok(metrics()),
        Some(("flags", "msconv")) => Ok(flags(&Cli::command())),
        Some(("flags", command)) => {
            let tree = Cli::command();
            let nested = tree.get_subcommands().find_map(|sub| sub.find_subcommand(command));
            let sub =
                tree.find_subcommand(command).or(nested).ok_or(format!("there is no command {command}"))?;
            Ok(flags(sub))
        }
        _ => Err(format!("nothing is known of a table '{name}'")),
    }
}

fn flags(command: &Command) -> String {
    let mut table = String::from("| flag | meaning |\n|---|---|\n");
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        table.push_str(&format!("| {} | {} |\n", spelling(arg), cell(&meaning(arg))));
    }
    for sub in command.get_subcommands().filter(|_| command.get_name() != "msconv") {
        table.push_str(&format!("| `{}` | {} |\n", sub.get_name(), cell(&about(sub))));
    }
    table
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn spelling(arg: &Arg) -> String {
    let value = match arg.get_action().takes_values() {
        true => {
            arg.get_value_names().map(|names| names.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(" "))
        }
        false => None,
    };
    let mut parts = Vec::new();
    if let Some(short) = arg.get_short() {
        parts.push(format!("`-{short}`"));
    }
    match (arg.get_long(), &value) {
        (Some(long), Some(value)) => parts.push(format!("`--{long} {value}`")),
        (Some(long), None) => parts.push(format!("`--{long}`")),
        (None, Some(value)) if arg.is_last_set() => parts.push(format!("`-- {value}...`")),
        (None, Some(value)) => parts.push(format!("`{value}`")),
        (None, None) => {}
    }
    parts.join(", ")
}

fn meaning(arg: &Arg) -> String {
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let defaults: Vec<_> = arg.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        text.push_str(&format!(" [default: {}]", defaults.join(" ")));
    }
    if arg.get_action().takes_values() {
        let values = arg.get_possible_values();
        let names: Vec<&str> = values.iter().map(|v| v.get_name()).collect();
        if names.iter().any(|name| !text.contains(name)) {
            text.push_str(&format!(" ({})", names.join(", ")));
        }
    }
    text
}

fn settings() -> String {
    let mut table = String::from("| setting | variable | default | meaning |\n|---|---|---|---|\n");
    for key in KEYS {
        let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
        let name =
            if key.in_files { format!("`{}`", key.name) } else { format!("`{}` (not in files)", key.name) };
        table.push_str(&format!("| {name} | `{}` | {default} | {} |\n", variable(key.name), cell(key.help)));
    }
    table
}

fn metrics() -> String {
    let mut table = String::from("| metric | kind | labels | meaning |\n|---|---|---|---|\n");
    for metric in msconv::manager::exporter::names::ALL {
        let kind = match metric.kind {
            msconv::telemetry::exposition::Kind::Counter => "counter",
            msconv::telemetry::exposition::Kind::Gauge => "gauge",
        };
        let labels: Vec<String> = metric.labels.iter().map(|l| format!("`{l}`")).collect();
        let (name, labels, help) = (metric.name, labels.join(", "), cell(metric.help));
        table.push_str(&format!("| `{name}` | {kind} | {labels} | {help} |\n"));
    }
    table
}

fn exit_codes() -> String {
    let mut table = String::from("| exit | kind | HTTP | when |\n|---|---|---|---|\n| 0 | | 200 | done |\n");
    for kind in Kind::ALL {
        let http = kind.http_status().map_or("-".to_string(), |status| status.to_string());
        let when = match kind {
            Kind::Internal => "a bug, or the machine itself failing (disk, memory)",
            Kind::Usage => "a wrong flag, key, ladder, URL or configuration file; the message names which",
            Kind::NotRunning => "the stream is not running",
            Kind::NotFound => "no such stream, variant or log",
            Kind::Missing => "a program is missing or unfit",
            Kind::Server => "a server does not answer, or refuses",
            Kind::Input => "the input cannot be used",
            Kind::Conflict => "already running, or the name is taken",
            Kind::Interrupted => "Ctrl-C, or a choice that was cancelled",
        };
        table.push_str(&format!("| {} | `{}` | {http} | {when} |\n", kind.exit_code(), kind.word()));
    }
    table
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
