//! `msconv token`: what programs show to the API.

use super::Context;
use super::api::{self, Api, text};
use crate::base::Outcome;
use crate::base::percent::coded;
use crate::cli::platform::{TokenAction, TokenArgs};
use crate::ui::table::{Cell, Column, Table};
use axum::http::Method;
use serde_json::json;

/// Runs it; the exit code.
pub fn run(context: &Context, args: &TokenArgs) -> Outcome<u8> {
    context.block_on(async {
        let api = Api::of(context).await?;
        match &args.action {
            TokenAction::Create { label, scopes, expires } => {
                create(context, &api, label, scopes.as_deref(), expires.as_deref()).await
            }
            TokenAction::Setup => setup(context, &api).await,
            TokenAction::List => list(context, &api).await,
            TokenAction::Revoke { id } => revoke(context, &api, id).await,
        }
    })?;
    Ok(0)
}

async fn create(
    context: &Context,
    api: &Api,
    label: &str,
    scopes: Option<&str>,
    expires: Option<&str>,
) -> Outcome<()> {
    let expires = expires.map(api::time).transpose()?;
    let body = json!({ "label": label, "scopes": scopes, "expires_at": expires });
    let made = api.call(Method::POST, "/api/v1/tokens", Some(&body)).await?;
    if context.console.json {
        return context.console.object(&api::with_schema("msconv.token/1", made));
    }
    context.console.data(&text(&made, "token"))?;
    context.console.note("it goes into the field Authorization: Bearer TOKEN, and is not shown again");
    Ok(())
}

async fn setup(context: &Context, api: &Api) -> Outcome<()> {
    let made = api.call(Method::POST, "/api/v1/session/setup", None).await?;
    if context.console.json {
        return context.console.object(&api::with_schema("msconv.setup/1", made));
    }
    context.console.data(&text(&made, "url"))?;
    context.console.note("it sets the operator's password, once, within a day; from another machine put the server's name in it");
    Ok(())
}

async fn list(context: &Context, api: &Api) -> Outcome<()> {
    let items = api.all("/api/v1/tokens").await?;
    let console = &context.console;
    if console.json {
        return console.object(&json!({ "schema": "msconv.tokens/1", "tokens": items }));
    }
    if items.is_empty() {
        console.talk("there is no token    (msconv token create LABEL makes one)");
        return Ok(());
    }
    let mut table = Table::new(&["ID", "LABEL", "SCOPES", "CREATED", "USED", "EXPIRES"].map(Column::left));
    for item in &items {
        let fields = ["token_id", "label", "scopes", "created_at", "used_at", "expires_at"];
        table.row(fields.iter().map(|field| Cell::plain(text(item, field))).collect());
    }
    console.data(&table.lines(console.layout()).join("\n"))
}

async fn revoke(context: &Context, api: &Api, id: &str) -> Outcome<()> {
    api.call(Method::DELETE, &format!("/api/v1/tokens/{}", coded(id)), None).await?;
    if context.console.json {
        return context.console.object(&json!({ "schema": "msconv.token_revoked/1", "token_id": id }));
    }
    context.console.say(&format!("revoked {}", crate::base::printable::printable(id)))
}
