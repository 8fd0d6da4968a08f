//! `msconv stream`: registered streams and their keys.

use super::Context;
use super::api::{self, Api, text};
use crate::base::failure::io_words;
use crate::base::percent::coded;
use crate::base::printable::printable;
use crate::base::{Failure, Outcome};
use crate::cli::platform::{SourceArgs, StreamAction, StreamAddArgs, StreamArgs};
use crate::ui::table::{Cell, Column, Table};
use axum::http::Method;
use serde_json::{Value, json};
use std::io::{BufRead, Read};

/// Runs it; the exit code.
pub fn run(context: &Context, args: &StreamArgs) -> Outcome<u8> {
    context.block_on(async {
        let api = Api::of(context).await?;
        match &args.action {
            StreamAction::Add(args) => add(context, &api, args).await,
            StreamAction::List => list(context, &api).await,
            StreamAction::Show { id } => show(context, &api, id).await,
            StreamAction::Key { id } => key(context, &api, id).await,
            StreamAction::Start { id } => switch(context, &api, id, "start").await,
            StreamAction::Stop { id } => switch(context, &api, id, "stop").await,
            StreamAction::Remove { id } => remove(context, &api, id).await,
        }
    })?;
    Ok(0)
}

fn path(id: &str, tail: &str) -> String {
    format!("/api/v1/streams/{}{tail}", coded(id))
}

async fn add(context: &Context, api: &Api, args: &StreamAddArgs) -> Outcome<()> {
    let mut body = json!({ "name": args.title, "record": args.record, "listed": !args.unlisted });
    let expires = args.expires.as_deref().map(api::time).transpose()?;
    let others = [("slug", &args.slug), ("ladder", &args.ladder), ("expires_at", &expires)];
    for (field, value) in others {
        if let (Some(fields), Some(value)) = (body.as_object_mut(), value) {
            fields.insert(field.into(), value.clone().into());
        }
    }
    if let (Some(fields), Some(source)) = (body.as_object_mut(), source(&args.source)?) {
        fields.insert("source".into(), source);
    }
    let made = api.call(Method::POST, "/api/v1/streams", Some(&body)).await?;
    if args.start {
        api.call(Method::POST, &path(&text(&made, "public_id"), "/start"), None).await?;
    }
    let console = &context.console;
    if console.json {
        return console.object(&api::with_schema("msconv.stream/1", made));
    }
    if console.quiet {
        return console.data(&text(&made, "stream_key"));
    }
    let lines = [
        ("stream", format!("{}  {}", text(&made, "public_id"), text(&made, "name"))),
        ("server", text(&made, "rtmp_url")),
        ("key", text(&made, "stream_key")),
        ("private", text(&made, "private_id")),
        ("watch", text(&made, "page")),
    ];
    let lines =
        lines.map(|(word, value)| format!("{}{value}", console.paint_out("1", &format!("{word:<9}"))));
    console.data(&lines.join("\n"))?;
    console.note("the key publishes, the private id manages; neither is shown again");
    Ok(())
}

/// As the API takes it.
fn source(args: &SourceArgs) -> Outcome<Option<Value>> {
    Ok(if let Some(file) = &args.file {
        let path = std::path::absolute(file).map_err(|e| {
            Failure::usage(format!("cannot tell where {} is", file.display())).why(io_words(&e))
        })?;
        let path = path.to_str().ok_or_else(|| Failure::usage("the path of the file is no UTF-8"))?;
        Some(json!({ "type": "file", "path": path }))
    } else if let Some(device) = &args.device {
        Some(json!({ "type": "device", "device": device }))
    } else if let Some(url) = &args.pull {
        let told = if url == "-" { line_of_stdin()? } else { url.clone() };
        Some(json!({ "type": "pull", "url": told }))
    } else {
        args.test.then(|| json!({ "type": "test" }))
    })
}

fn line_of_stdin() -> Outcome<String> {
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .take(64 << 10)
        .read_line(&mut line)
        .map_err(|e| Failure::usage("cannot read the address from standard input").why(io_words(&e)))?;
    Ok(line.trim().to_string())
}

async fn switch(context: &Context, api: &Api, id: &str, how: &str) -> Outcome<()> {
    let stream = api.call(Method::POST, &path(id, &format!("/{how}")), None).await?;
    if context.console.json {
        return context.console.object(&api::with_schema("msconv.stream/1", stream));
    }
    let id = printable(id);
    context.console.say(&match how {
        "start" => format!("{id}: its source is on    (msconv stream show {id} tells how it is)"),
        _ => format!("{id}: its source is off"),
    })
}

async fn list(context: &Context, api: &Api) -> Outcome<()> {
    let items = api.all("/api/v1/streams").await?;
    let console = &context.console;
    if console.json {
        return console.object(&json!({ "schema": "msconv.streams/1", "streams": items }));
    }
    if items.is_empty() {
        console.talk("no stream is registered, and none is live    (msconv stream add TITLE registers one)");
        return Ok(());
    }
    let mut table = Table::new(&["ID", "SLUG", "STATE", "VIEWERS", "TITLE"].map(Column::left));
    for item in &items {
        let viewers = item.get("viewers").and_then(Value::as_u64).unwrap_or(0);
        let registered = item.get("registered").and_then(Value::as_bool).unwrap_or(false);
        let id = text(item, "public_id");
        table.row(vec![
            Cell::plain(if registered { id } else { String::new() }),
            Cell::plain(text(item, "slug")),
            Cell::plain(text(item, "state")),
            Cell::plain(viewers.to_string()),
            Cell::plain(if registered { text(item, "name") } else { String::new() }),
        ]);
    }
    console.data(&table.lines(console.layout()).join("\n"))
}

async fn show(context: &Context, api: &Api, id: &str) -> Outcome<()> {
    let stream = api.call(Method::GET, &path(id, ""), None).await?;
    let console = &context.console;
    if console.json {
        return console.object(&api::with_schema("msconv.stream/1", stream));
    }
    let mut lines = Vec::new();
    let fields = [
        ("stream", "public_id"),
        ("title", "name"),
        ("slug", "slug"),
        ("state", "state"),
        ("ladder", "ladder"),
        ("read", "read"),
        ("created", "created_at"),
        ("live", "live_at"),
        ("ended", "ended_at"),
        ("expires", "expires_at"),
        ("watch", "page"),
        ("hls", "hls_url"),
        ("rtsp", "rtsp_url"),
    ];
    for (word, field) in fields {
        let value = text(&stream, field);
        if !value.is_empty() {
            lines.push(format!("{word:<9}{}", printable(&value)));
        }
    }
    if let Some(source) = stream.get("source") {
        let (from, state, why) = (text(source, "from"), text(source, "state"), text(source, "why"));
        let why = if why.is_empty() { why } else { format!(": {}", printable(&why)) };
        lines.push(format!("{:<9}{}  {state}{why}", "source", printable(&from)));
    }
    for rendition in stream.get("renditions").and_then(Value::as_array).into_iter().flatten() {
        let number = |field: &str| rendition.get(field).and_then(Value::as_u64).unwrap_or(0);
        lines.push(format!(
            "{:<9}{:>4}x{:<4} {:>6} kb/s  {}",
            text(rendition, "label"),
            number("width"),
            number("height"),
            number("bitrate") / 1000,
            text(rendition, "url")
        ));
    }
    console.data(&lines.join("\n"))
}

async fn key(context: &Context, api: &Api, id: &str) -> Outcome<()> {
    let made = api.call(Method::POST, &path(id, "/key"), None).await?;
    if context.console.json {
        return context.console.object(&api::with_schema("msconv.stream_key/1", made));
    }
    context.console.data(&text(&made, "stream_key"))?;
    context.console.note("the old key opens nothing any more");
    Ok(())
}

async fn remove(context: &Context, api: &Api, id: &str) -> Outcome<()> {
    api.call(Method::DELETE, &path(id, ""), None).await?;
    if context.console.json {
        return context.console.object(&json!({ "schema": "msconv.stream_removed/1", "id": id }));
    }
    context.console.say(&format!("removed {}", printable(id)))
}
