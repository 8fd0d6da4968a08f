//! `/v3` in the form of MediaMTX 1.20: its routes, fields, order of fields, errors. Deprecated twins of fields are sent
//! as it sends them, for older clients. What this server does not have (HLS, WebRTC, ...) is a route that does not
//! exist, as with a MediaMTX that has it switched off.

use super::answer::{Request, Response};
use super::items::Path;
use super::kinds::{ROWS, Row};
use crate::base::clock::log_stamp;
use crate::hub::Kind;
use crate::server::view::View;
use serde::Serialize;
use uuid::Uuid;

const JSON: &str = "application/json; charset=utf-8";
/// Items of a page unless told otherwise.
const PAGE: usize = 100;

/// What `/v3/info` calls the version whose form this is.
const FORM: &str = "v1.20.1";

/// The answer to `question`. `kick` asks a client to leave and says whether there was one.
pub fn answer(view: &View, question: &Request, kick: &mut dyn FnMut(Kind, Uuid) -> bool) -> Response {
    let Some(route) = question.path.strip_prefix("/v3/") else { return nowhere() };
    if let (Some(name), true) = (route.strip_prefix("paths/get"), question.reads()) {
        return match name.strip_prefix('/') {
            Some("") => error(400, "invalid name"),
            Some(name) => path(view, name),
            None if name.is_empty() => error(400, "invalid name"),
            None => nowhere(),
        };
    }
    // MediaMTX sends whoever adds a slash to the route without it.
    let parts: Vec<&str> = route.strip_suffix('/').unwrap_or(route).split('/').collect();
    match (question.method.as_str(), parts.as_slice()) {
        ("GET", ["info"]) => json(&Info { version: FORM, started: log_stamp(view.about.started_ms) }),
        ("GET", ["paths", "list"]) => {
            list(question, view.streams.iter().map(|stream| Path::new(view, stream)).collect())
        }
        (method, [route, rest @ ..]) => match ROWS.iter().find(|row| row.route == *route) {
            Some(row) => clients(view, row, (method, rest), question, kick),
            None => nowhere(),
        },
        _ => nowhere(),
    }
}

#[derive(Serialize)]
struct Info {
    version: &'static str,
    started: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<T> {
    item_count: usize,
    page_count: usize,
    items: Vec<T>,
}

#[derive(Serialize)]
struct Status<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// The routes of one kind of client.
fn clients(
    view: &View,
    row: &Row,
    route: (&str, &[&str]),
    question: &Request,
    kick: &mut dyn FnMut(Kind, Uuid) -> bool,
) -> Response {
    match route {
        ("GET", ["list"]) => list(question, view.of(row.kind).into_iter().map(row.item).collect()),
        ("GET", ["get", id]) => match parse(id) {
            Err(why) => error(400, &why),
            Ok(id) => match view.clients.get(&id).filter(|c| c.kind == row.kind) {
                Some(client) => json(&(row.item)(client)),
                None => error(404, row.missing),
            },
        },
        ("POST", ["kick", id]) if row.kicks => match parse(id) {
            Err(why) => error(400, &why),
            Ok(id) if kick(row.kind, id) => json(&Status { status: "ok", error: None }),
            Ok(_) => error(404, row.missing),
        },
        _ => nowhere(),
    }
}

fn path(view: &View, name: &str) -> Response {
    // Streams of the first application are found with it and without.
    let usual = view.about.applications.first().map_or("", String::as_str);
    let (application, name) = name.rsplit_once('/').unwrap_or((usual, name));
    let found = view.streams.iter().find(|s| s.name == name && s.application == application);
    match found {
        Some(stream) => json(&Path::new(view, stream)),
        None => error(404, "path not found"),
    }
}

/// The four spellings of a UUID, with the words of MediaMTX for what is none.
fn parse(text: &str) -> Result<Uuid, String> {
    match text.len() {
        32 | 36 | 38 | 45 => Uuid::try_parse(text).map_err(|_| "invalid UUID format".to_string()),
        other => Err(format!("invalid UUID length: {other}")),
    }
}

/// One page of `items`.
fn list<T: Serialize>(question: &Request, items: Vec<T>) -> Response {
    let per_page = match number(question.value("itemsPerPage"), PAGE) {
        Ok(0) => return error(400, "invalid items per page"),
        Ok(n) => n,
        Err(why) => return error(400, &why),
    };
    let page = match number(question.value("page"), 0) {
        Ok(n) => n,
        Err(why) => return error(400, &why),
    };
    let count = items.len();
    let items = items.into_iter().skip(page.saturating_mul(per_page)).take(per_page).collect();
    json(&List { item_count: count, page_count: count.div_ceil(per_page), items })
}

/// A number below 2^31, with the words of MediaMTX (which are those of Go) for what is none.
fn number(text: &str, usual: usize) -> Result<usize, String> {
    if text.is_empty() {
        return Ok(usual);
    }
    let wrong = |why: &str| format!("strconv.ParseUint: parsing {text:?}: {why}");
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong("invalid syntax"));
    }
    text.parse::<usize>().ok().filter(|n| *n < 1 << 31).ok_or_else(|| wrong("value out of range"))
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(body) => Response::ok(JSON, body),
        Err(_) => error(500, "the answer cannot be written"),
    }
}

/// An error in the API's form.
pub fn error(status: u16, why: &str) -> Response {
    let body = serde_json::to_string(&Status { status: "error", error: Some(why) }).unwrap_or_default();
    Response { status, content_type: JSON, body }
}

/// What is answered where there is no route.
pub fn nowhere() -> Response {
    Response::text(404, "404 page not found")
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;
