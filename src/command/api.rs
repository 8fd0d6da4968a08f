//! The API as the command line asks it: of the server that runs, or without one of the same routes over the database.

use super::Context;
use crate::base::{Failure, Kind, Outcome, clock};
use crate::config::Settings;
use crate::manager::listing::list::own_web;
use crate::model::HttpUrl;
use crate::server::options::database;
use crate::server::web::rest::{WithoutServer, without_server};
use crate::status::fetch::{Client, Limits};
use axum::body::{Body, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Request};
use serde_json::Value;
use std::time::Duration;

/// The largest answer, in bytes.
const LARGEST: usize = 32 << 20;
/// Some answers wait for publishers and viewers to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// See the module.
pub struct Api {
    way: Way,
}

enum Way {
    /// A server, at its web port.
    Server(Box<(HttpUrl, Client)>),
    /// Routes over the database of the settings.
    Here(WithoutServer),
}

impl Api {
    /// Of the server that the settings lead to; without one, of the database.
    ///
    /// # Errors
    /// There is neither.
    pub async fn of(context: &Context) -> Outcome<Api> {
        let settings = &context.settings;
        // The command line has no certificate to know an https server by; it has the database that the server follows.
        if let Some(url) = own_web(settings).await.filter(|url| url.scheme() == "http") {
            let limits = Limits { total: PATIENCE, ..Limits::default() };
            return Ok(Api { way: Way::Server(Box::new((url, Client::new(limits)))) });
        }
        if !settings.nginx_rtmp_url.is_local() {
            return Err(Failure::new(Kind::Server, "the server does not answer")
                .why(format!("it was asked at {}", settings.mediamtx_url.address())));
        }
        let data = settings.serve.data.clone().unwrap_or_else(|| settings.paths.data());
        let place = database(&settings.serve, &data)?;
        Ok(Api { way: Way::Here(without_server(&settings.serve, &place).await?) })
    }

    /// Of the server that the settings lead to, which has to run.
    ///
    /// # Errors
    /// It does not, or its web port cannot be asked from here.
    pub async fn running(settings: &Settings) -> Outcome<Api> {
        let Some(url) = own_web(settings).await else {
            return Err(Failure::new(Kind::Server, "no server of ours answers, or it has no web port")
                .why(format!("it was asked at {}", settings.mediamtx_url.address()))
                .hint("msconv up"));
        };
        if url.scheme() != "http" {
            return Err(Failure::new(Kind::Server, format!("the server at {} speaks https", url.address()))
                .why("the command line has no certificate to know it by")
                .hint(format!("curl {}", url.join("/api/v1/load"))));
        }
        let limits = Limits { total: PATIENCE, ..Limits::default() };
        Ok(Api { way: Way::Server(Box::new((url, Client::new(limits)))) })
    }

    /// The answer to a request; null if there is none.
    ///
    /// # Errors
    /// The server does not answer, or refuses in its own words.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Outcome<Value> {
        let text = body.map(Value::to_string).unwrap_or_default();
        let (status, answer) = match &self.way {
            Way::Server(server) => {
                let (url, client) = &**server;
                let asked = client.exchange(method, url, path, text).await;
                asked.map_err(|error| {
                    Failure::new(Kind::Server, format!("the server at {} does not answer", url.address()))
                        .why(error.to_string())
                })?
            }
            Way::Here(routes) => {
                let failed = |why: String| Failure::internal("cannot ask the database").why(why);
                let request =
                    Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
                let request = request.body(Body::from(text)).map_err(|e| failed(e.to_string()))?;
                let response = routes.answer(request).await;
                let status = response.status().as_u16();
                let body =
                    to_bytes(response.into_body(), LARGEST).await.map_err(|e| failed(e.to_string()))?;
                (status, body.to_vec())
            }
        };
        let value: Value = if answer.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&answer).map_err(|e| {
                Failure::new(Kind::Server, "the server's answer is no JSON").why(e.to_string())
            })?
        };
        if (200..300).contains(&status) { Ok(value) } else { Err(refused(status, &value)) }
    }

    /// All items of a list.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub async fn all(&self, path: &str) -> Outcome<Vec<Value>> {
        let mut items = Vec::new();
        let mut after = String::new();
        loop {
            let tail = if after.is_empty() { String::new() } else { format!("&after={after}") };
            let page = self.call(Method::GET, &format!("{path}?limit=500{tail}"), None).await?;
            items.extend(page.get("items").and_then(Value::as_array).into_iter().flatten().cloned());
            match page.get("next").and_then(Value::as_str) {
                Some(next) if next > after.as_str() => after = next.to_string(),
                _ => return Ok(items),
            }
        }
    }
}

/// A problem (RFC 9457) as a failure.
fn refused(status: u16, problem: &Value) -> Failure {
    let kind = match status {
        404 => Kind::NotFound,
        409 | 412 => Kind::Conflict,
        400 | 413 | 415 | 422 => Kind::Usage,
        _ => Kind::Server,
    };
    let wrong = problem.get("errors").and_then(Value::as_array).into_iter().flatten();
    let wrong: Vec<String> = wrong.map(|w| format!("{}: {}", text(w, "field"), text(w, "why"))).collect();
    if wrong.is_empty() {
        let detail = text(problem, "detail");
        return Failure::new(
            kind,
            if detail.is_empty() { format!("the server answers {status}") } else { detail },
        );
    }
    wrong.into_iter().fold(Failure::new(kind, "this cannot be taken"), Failure::why)
}

/// A time as the API takes it, of a time or of a duration from now.
///
/// # Errors
/// It is neither.
pub fn time(text: &str) -> Outcome<String> {
    if clock::parse_stamp(text).is_some() {
        return Ok(text.to_string());
    }
    let length = clock::parse_duration(text).map_err(|why| {
        Failure::usage(format!("'{text}' is no time")).why(why).hint("2026-12-31T18:00:00Z, or 12h from now")
    })?;
    let ms = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    Ok(clock::rfc3339(clock::now_ms().saturating_add(ms)))
}

/// A field of an answer that is text; empty if there is none.
pub fn text(of: &Value, field: &str) -> String {
    of.get(field).and_then(Value::as_str).unwrap_or_default().to_string()
}

/// A body with the name of its form.
pub fn with_schema(schema: &str, body: Value) -> Value {
    let mut all = serde_json::Map::new();
    all.insert("schema".into(), schema.into());
    if let Value::Object(fields) = body {
        all.extend(fields);
    }
    Value::Object(all)
}
