//! The pages for people: `/watch/NAME` shows a stream, `/assets/…` is what the page is made of.

pub mod built;
mod reply;

use crate::protocol::hls;
use crate::protocol::hls::server::takes_gzip;
use crate::protocol::web_access::Connection;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use built::{File, HOW_TO_BUILD, file};
use std::sync::Arc;

/// What the pages need.
#[derive(Clone)]
struct Pages {
    hls: Arc<hls::server::Shared>,
    files: &'static [File],
}

/// The routes of the pages that `files` holds.
pub fn routes(hls: Arc<hls::server::Shared>, files: &'static [File]) -> Router {
    Router::new()
        .route("/watch/{*name}", any(watch))
        .route("/assets/{*name}", any(assets))
        .with_state(Pages { hls, files })
}

/// The page of a stream, also of one that is not there yet: it wakes up by itself.
async fn watch(
    State(pages): State<Pages>,
    Extension(Connection { remote, .. }): Extension<Connection>,
    request: Request,
) -> Response {
    if let Some(refused) = wrong_method(&request) {
        return refused;
    }
    let path = request.uri().path().strip_prefix("/watch/").unwrap_or_default();
    let Some(stream) = pages.hls.named(path) else {
        return reply::text(StatusCode::NOT_FOUND, "no stream can have this name");
    };
    let query = request.uri().query().unwrap_or_default();
    // The page asks for the list with what was shown for the page itself.
    let list = format!("/{}/{}/index.m3u8{}", stream.application, stream.name, pages.hls.carried(query));
    let Some(page) = file(pages.files, "watch.html") else {
        return reply::text(StatusCode::NOT_IMPLEMENTED, &not_built(&list));
    };
    match pages.hls.known(&stream, query, request.headers(), remote.ip()).await {
        Ok(known) => {
            let status = if known { StatusCode::OK } else { StatusCode::NOT_FOUND };
            reply::page(status, filled(page, &[("{{name}}", &stream.name), ("{{list}}", &list)]))
        }
        Err(refused) => reply::refused(refused),
    }
}

/// A file of the pages. Its name holds a hash of what is in it, so it never changes.
async fn assets(State(pages): State<Pages>, request: Request) -> Response {
    if let Some(refused) = wrong_method(&request) {
        return refused;
    }
    let name = request.uri().path().trim_start_matches('/');
    let gzipped = file(pages.files, &format!("{name}.gz"));
    match (file(pages.files, name), gzipped.filter(|_| takes_gzip(request.headers()))) {
        (Some(_), Some(gzipped)) => reply::asset(name, gzipped, true),
        (Some(plain), None) => reply::asset(name, plain, false),
        (None, _) => reply::text(StatusCode::NOT_FOUND, "there is nothing at this address"),
    }
}

fn wrong_method(request: &Request) -> Option<Response> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    (!reads).then(|| reply::text(StatusCode::METHOD_NOT_ALLOWED, "pages are read with GET and HEAD"))
}

/// A page with values in the places of its marks.
fn filled(page: &[u8], values: &[(&str, &str)]) -> Bytes {
    let mut text = String::from_utf8_lossy(page).into_owned();
    for (mark, value) in values {
        text = text.replace(mark, &escaped(value));
    }
    text.into()
}

/// Text as it may stand in HTML, also within quotes. Names have nothing to escape; this is for when they once do.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, one| {
        match one {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
        out
    })
}

fn not_built(list: &str) -> String {
    format!("this msconv was built without its pages\n  try: {HOW_TO_BUILD}\n  try: a player with {list}")
}

/// An answer's body of bytes that stay where they are.
fn body(bytes: &'static [u8]) -> Body {
    Body::from(Bytes::from_static(bytes))
}

#[cfg(test)]
mod tests;
