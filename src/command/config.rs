//! `msconv config`: what is set and from where, which files are read, and a file to start from.

use super::Context;
use crate::base::atomic_file::{self, Durability};
use crate::base::{Failure, Kind, Outcome, printable::printable};
use crate::cli::{ConfigAction, ConfigArgs};
use crate::config::{Origin, Paths, Settings, template::template};
use serde_json::{Value, json};

/// Runs it; the exit code.
pub fn run(context: &Context, args: &ConfigArgs) -> Outcome<u8> {
    match args.action {
        ConfigAction::Show => show(context),
        ConfigAction::Init => init(context),
        ConfigAction::Path => path(context),
    }
}

fn show(context: &Context) -> Outcome<u8> {
    let (settings, console) = (&context.settings, &context.console);
    if console.json {
        let lines: Vec<Value> = settings
            .shown()
            .iter()
            .map(|s| {
                let (origin, file, line) = match &s.origin {
                    Origin::Flag => ("flag", None, None),
                    Origin::Environment => ("environment", None, None),
                    Origin::File(path, line) => ("file", Some(path.display().to_string()), Some(*line)),
                    Origin::Follows(_) => ("follows", None, None),
                    Origin::Default => ("default", None, None),
                };
                let value = (!s.value.is_empty()).then_some(&s.value);
                json!({"name": s.name, "value": value, "origin": origin, "file": file, "line": line})
            })
            .collect();
        let files: Vec<String> = settings.files().iter().map(|f| f.display().to_string()).collect();
        console.object(&json!({"schema": "msconv.config/1", "settings": lines, "files": files}))?;
        return Ok(0);
    }
    let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let names = width(&mut settings.shown().iter().map(|s| s.name.len()));
    let values = width(&mut settings.shown().iter().map(|s| s.value.chars().count())).min(60);
    for s in settings.shown() {
        let origin = match &s.origin {
            Origin::File(path, line) => format!("{}:{line}", Paths::shown(path, &context.environment.cwd)),
            other => other.to_string(),
        };
        let (value, origin) = (printable(&s.value), printable(&origin));
        if console.out_terminal {
            let value = if value.is_empty() { "-" } else { &value };
            let faint = if s.origin == Origin::Default { "2" } else { "0" };
            console
                .data(&console.paint_out(faint, &format!("{:names$}  {value:values$}  {origin}", s.name)))?;
        } else {
            console.data(&format!("{}\t{value}\t{origin}", s.name))?;
        }
    }
    Ok(0)
}

fn init(context: &Context) -> Outcome<u8> {
    let path = context.environment.cwd.join("msconv.toml");
    match atomic_file::create(&path, template().as_bytes(), 0o644, Durability::Cached) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Failure::new(Kind::Conflict, format!("{} is there already", path.display()))
                .hint("msconv config show    (prints what is set)")
                .hint("move it away first, if a new one is wanted"));
        }
        Err(e) => return Err(Failure::io("write", &path, &e)),
    }
    if context.console.json {
        context
            .console
            .object(&json!({"schema": "msconv.config-init/1", "path": path.display().to_string()}))?;
    }
    context.console.say(&format!(
        "wrote {}: every setting is in it as a comment",
        Paths::shown(&path, &context.environment.cwd)
    ))?;
    Ok(0)
}

fn path(context: &Context) -> Outcome<u8> {
    let (settings, console) = (&context.settings, &context.console);
    let named = settings.shown().iter().any(|s| s.name == "config" && s.origin != Origin::Default);
    let candidates =
        if named { settings.files().to_vec() } else { Settings::usual_files(&context.environment) };
    let was_read = |path| settings.files().contains(path);
    if console.json {
        let files: Vec<Value> = candidates
            .iter()
            .map(|path| json!({"path": path.display().to_string(), "read": was_read(path)}))
            .collect();
        console.object(&json!({"schema": "msconv.config-path/1", "files": files}))?;
        return Ok(0);
    }
    for path in &candidates {
        let word = if was_read(path) { "read" } else { "absent" };
        let path = printable(&path.display().to_string());
        console.data(&if console.out_terminal {
            format!("{word:6}  {path}")
        } else {
            format!("{word}\t{path}")
        })?;
    }
    Ok(0)
}
