//! The pages for people: `/` says what is live, `/watch/NAME` shows a stream, `/embed/NAME` shows it within other pages, `/studio`
//! goes live, `/console` is the operator's; `/assets/…` is what they are made of.

pub mod built;
mod reply;

use crate::protocol::hls;
use crate::protocol::hls::server::takes_gzip;
use crate::protocol::web_access::Connection;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::ACCEPT_LANGUAGE;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use built::{Files, HOW_TO_BUILD};
use reply::Powers;
use std::net::IpAddr;
use std::sync::Arc;

/// What encoders are given as the server, as a request with these fields sees it.
pub type ServerOfEncoders = Arc<dyn Fn(&HeaderMap) -> String + Send + Sync>;

/// What the pages need.
#[derive(Clone)]
struct Pages {
    hls: Arc<hls::server::Shared>,
    rtmp: ServerOfEncoders,
    files: Files,
}

/// The routes of the pages that `files` holds.
pub fn routes(hls: Arc<hls::server::Shared>, rtmp: ServerOfEncoders, files: Files) -> Router {
    let whole = |file: &'static str, powers: Powers| {
        any(move |State(pages): State<Pages>, request: Request| async move {
            fixed(&pages, file, powers, &request)
        })
    };
    Router::new()
        .route("/", whole("list.html", Powers::Usual))
        .route("/studio", whole("studio.html", Powers::Capture))
        .route("/console", whole("console.html", Powers::Usual))
        .route("/watch/{*name}", any(watch))
        .route("/embed/{*name}", any(embed))
        .route("/assets/{*name}", any(assets))
        .with_state(Pages { hls, rtmp, files })
}

/// A page that is the same for everybody, but for how they reach the server.
fn fixed(pages: &Pages, file: &str, powers: Powers, request: &Request) -> Response {
    if let Some(refused) = wrong_method(request) {
        return refused;
    }
    match pages.files.get(file) {
        Some(page) => {
            let rtmp = (pages.rtmp)(request.headers());
            let values = [("{{rtmp}}", rtmp.as_str()), ("{{language}}", language(request.headers()))];
            reply::page(StatusCode::OK, filled(&page, &values), powers, request.headers())
        }
        None => reply::text(StatusCode::NOT_IMPLEMENTED, &not_built()),
    }
}

/// The page of a stream, with what belongs to it.
async fn watch(
    State(pages): State<Pages>,
    Extension(Connection { remote, .. }): Extension<Connection>,
    request: Request,
) -> Response {
    of_stream(&pages, "watch", Powers::Usual, remote.ip(), request).await
}

/// A stream alone, for other pages to show within theirs.
async fn embed(
    State(pages): State<Pages>,
    Extension(Connection { remote, .. }): Extension<Connection>,
    request: Request,
) -> Response {
    of_stream(&pages, "embed", Powers::Framed, remote.ip(), request).await
}

/// A page of a stream, also of one that is not there yet: it wakes up by itself.
async fn of_stream(pages: &Pages, page: &str, powers: Powers, remote: IpAddr, request: Request) -> Response {
    if let Some(refused) = wrong_method(&request) {
        return refused;
    }
    let path = request.uri().path().trim_start_matches('/').strip_prefix(page).unwrap_or_default();
    let Some(stream) = pages.hls.named(path.trim_start_matches('/')) else {
        return reply::text(StatusCode::NOT_FOUND, "no stream can have this name");
    };
    let query = request.uri().query().unwrap_or_default();
    // The page asks for the list with what was shown for the page itself.
    let list = format!("/{}/{}/index.m3u8{}", stream.application, stream.name, pages.hls.carried(query));
    let Some(page) = pages.files.get(&format!("{page}.html")) else {
        let words = format!("{}\n  try: a player with {list}", not_built());
        return reply::text(StatusCode::NOT_IMPLEMENTED, &words);
    };
    match pages.hls.known(&stream, query, request.headers(), remote).await {
        Ok(known) => {
            let status = if known { StatusCode::OK } else { StatusCode::NOT_FOUND };
            let window = pages.hls.window().as_secs().to_string();
            let values = [
                ("{{name}}", stream.name.as_str()),
                ("{{list}}", &list),
                ("{{window}}", &window),
                ("{{language}}", language(request.headers())),
            ];
            let page = filled(&page, &values);
            reply::page(status, page, powers, request.headers())
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
    let gzipped = pages.files.get(&format!("{name}.gz"));
    match (pages.files.get(name), gzipped.filter(|_| takes_gzip(request.headers()))) {
        (Some(_), Some(gzipped)) => reply::asset(name, gzipped, true),
        (Some(plain), None) => reply::asset(name, plain, false),
        (None, _) => reply::text(StatusCode::NOT_FOUND, "there is nothing at this address"),
    }
}

fn wrong_method(request: &Request) -> Option<Response> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    (!reads).then(|| reply::text(StatusCode::METHOD_NOT_ALLOWED, "pages are read with GET and HEAD"))
}

/// The language whose words a browser shall load with the page: the first one of those it wants that the pages speak. The page
/// itself knows better what was chosen before; then these are loaded in vain.
fn language(headers: &HeaderMap) -> &'static str {
    let wanted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let tags = wanted.split(',').map(|one| one.trim().split(['-', ';']).next().unwrap_or_default());
    let spoken = |tag: &str| ["en", "ru"].into_iter().find(|one| tag.eq_ignore_ascii_case(one));
    tags.filter_map(spoken).next().unwrap_or("en")
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

fn not_built() -> String {
    format!("this msconv was built without its pages\n  try: {HOW_TO_BUILD}")
}

#[cfg(test)]
mod tests;
