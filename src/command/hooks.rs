//! `msconv hooks`: addresses that events are sent to.

use super::Context;
use super::api::{self, Api, text};
use crate::base::percent::coded;
use crate::base::printable::printable;
use crate::base::{Failure, Kind, Outcome};
use crate::cli::platform::{HooksAction, HooksArgs};
use crate::ui::table::{Cell, Column, Table};
use axum::http::Method;
use serde_json::{Value, json};

/// Runs it; the exit code.
pub fn run(context: &Context, args: &HooksArgs) -> Outcome<u8> {
    context.block_on(async {
        let api = Api::of(context).await?;
        match &args.action {
            HooksAction::Add { url, types } => add(context, &api, url, types.as_deref()).await,
            HooksAction::List => list(context, &api).await,
            HooksAction::Test { id } => test(context, &api, id).await,
            HooksAction::Retry { id } => retry(context, &api, id).await,
            HooksAction::Remove { id } => remove(context, &api, id).await,
        }
    })?;
    Ok(0)
}

fn path(id: &str, tail: &str) -> String {
    format!("/api/v1/hooks/{}{tail}", coded(id))
}

async fn add(context: &Context, api: &Api, url: &str, types: Option<&str>) -> Outcome<()> {
    let types = types.map(|types| types.split(',').map(str::trim).collect::<Vec<_>>());
    let made = api.call(Method::POST, "/api/v1/hooks", Some(&json!({ "url": url, "types": types }))).await?;
    let console = &context.console;
    if console.json {
        return console.object(&api::with_schema("msconv.hook/1", made));
    }
    if console.quiet {
        return console.data(&text(&made, "secret"));
    }
    let lines = [("hook", "hook_id"), ("to", "url"), ("secret", "secret")];
    let lines = lines.map(|(word, field)| format!("{word:<9}{}", printable(&text(&made, field))));
    console.data(&lines.join("\n"))?;
    console.note("messages are signed with the secret, which is not shown again");
    Ok(())
}

async fn list(context: &Context, api: &Api) -> Outcome<()> {
    let items = api.all("/api/v1/hooks").await?;
    let console = &context.console;
    if console.json {
        return console.object(&json!({ "schema": "msconv.hooks/1", "hooks": items }));
    }
    if items.is_empty() {
        console.talk("there is no webhook    (msconv hooks add URL makes one)");
        return Ok(());
    }
    let mut table = Table::new(&["ID", "STATE", "TYPES", "URL"].map(Column::left));
    for item in &items {
        let types = item.get("types").and_then(Value::as_array).into_iter().flatten();
        let types: Vec<&str> = types.filter_map(Value::as_str).collect();
        let enabled = item.get("enabled").and_then(Value::as_bool).unwrap_or(false);
        let state = match (enabled, text(item, "why"), text(item, "failing_since")) {
            (true, _, since) if since.is_empty() => "on".to_string(),
            (true, _, since) => format!("failing since {since}"),
            (false, why, _) if why.is_empty() => "off".to_string(),
            (false, why, _) => format!("off: {why}"),
        };
        table.row(vec![
            Cell::plain(text(item, "hook_id")),
            Cell::plain(state),
            Cell::plain(if types.is_empty() { "all".to_string() } else { types.join(",") }),
            Cell::plain(text(item, "url")),
        ]);
    }
    console.data(&table.lines(console.layout()).join("\n"))
}

async fn test(context: &Context, api: &Api, id: &str) -> Outcome<()> {
    let tested = api.call(Method::POST, &path(id, "/test"), None).await?;
    let status = tested.get("status").and_then(Value::as_u64);
    let why = text(&tested, "why");
    let console = &context.console;
    if console.json {
        console.object(&api::with_schema("msconv.hook_test/1", tested))?;
    }
    if !why.is_empty() {
        return Err(Failure::new(Kind::Server, "the test event was not taken").why(why));
    }
    if console.json {
        return Ok(());
    }
    console.say(&format!("taken ({})", status.unwrap_or(0)))
}

async fn retry(context: &Context, api: &Api, id: &str) -> Outcome<()> {
    let hook = api.call(Method::PATCH, &path(id, ""), Some(&json!({ "enabled": true }))).await?;
    if context.console.json {
        return context.console.object(&api::with_schema("msconv.hook/1", hook));
    }
    context.console.say(&format!("{} is on; what has waited is sent now", printable(id)))
}

async fn remove(context: &Context, api: &Api, id: &str) -> Outcome<()> {
    api.call(Method::DELETE, &path(id, ""), None).await?;
    if context.console.json {
        return context.console.object(&json!({ "schema": "msconv.hook_removed/1", "hook_id": id }));
    }
    context.console.say(&format!("removed {}", printable(id)))
}
