//! `msconv events`: what happened, and what happens.

use super::Context;
use super::api::{Api, text};
use crate::base::Outcome;
use crate::base::percent::coded;
use crate::base::printable::printable;
use crate::cli::platform::EventsArgs;
use crate::command::signals;
use axum::http::Method;
use serde_json::Value;
use std::time::Duration;

/// How many of the last are shown unless said.
const LAST: i64 = 50;
/// Between two looks at what happens.
const AGAIN: Duration = Duration::from_millis(500);

/// Runs it; the exit code.
pub fn run(context: &Context, args: &EventsArgs) -> Outcome<u8> {
    context.block_on(async {
        let api = Api::of(context).await?;
        let mut after = show(context, &api, args, &args.after.unwrap_or(-LAST).to_string()).await?;
        if !args.follow {
            return Ok(());
        }
        let asked = signals::cancellation()?.asked;
        // Where nothing was there yet, all that comes is new.
        loop {
            tokio::select! {
                () = asked.cancelled() => return Ok(()),
                () = tokio::time::sleep(AGAIN) => {}
            }
            after = show(context, &api, args, &after).await?;
        }
    })?;
    Ok(0)
}

/// Shows the events behind a number; the number of the last one.
async fn show(context: &Context, api: &Api, args: &EventsArgs, after: &str) -> Outcome<String> {
    let mut after = after.to_string();
    loop {
        let types = args.types.as_deref().map(|types| format!("&types={}", coded(types))).unwrap_or_default();
        let path = format!("/api/v1/events?limit=500&after={after}{types}");
        let page = api.call(Method::GET, &path, None).await?;
        for event in page.get("items").and_then(Value::as_array).into_iter().flatten() {
            line(context, event)?;
            if let Some(seq) = event.get("seq").and_then(Value::as_i64) {
                after = seq.to_string();
            }
        }
        if page.get("next").is_none_or(Value::is_null) {
            return Ok(after);
        }
    }
}

fn line(context: &Context, event: &Value) -> Outcome<()> {
    if context.console.json {
        return context.console.data(&event.to_string());
    }
    let data = event.get("data").cloned().unwrap_or_default();
    let mut stream = text(&data, "name");
    if stream.is_empty() {
        stream = text(event, "public_id");
    }
    let more = data.as_object().into_iter().flatten();
    let more =
        more.filter(|(name, value)| !matches!(name.as_str(), "name" | "application") && !value.is_null());
    let more: Vec<String> = more
        .map(|(name, value)| format!("{name}={}", value.as_str().map_or(value.to_string(), str::to_string)))
        .collect();
    let line = format!("{}  {:<18} {stream}  {}", text(event, "at"), text(event, "type"), more.join(" "));
    context.console.data(printable(&line).trim_end())
}
