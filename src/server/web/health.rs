//! Whether the server serves, for whoever watches it: `/health` and `/ready`, at the root and below `/api/v1`. It is not ready
//! while it is without a database that others share with it.

use super::problem::Problem;
use axum::http::header::{ALLOW, CACHE_CONTROL};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde_json::json;
use std::sync::Arc;

/// Their paths.
const PATHS: [&str; 4] = ["/health", "/ready", "/api/v1/health", "/api/v1/ready"];

/// Why the server is not ready, if it is not.
pub type Ready = Arc<dyn Fn() -> Option<Problem> + Send + Sync>;

/// The routes. Whoever reaches this port may ask.
pub fn routes<S: Clone + Send + Sync + 'static>(ready: Ready) -> Router<S> {
    PATHS.iter().fold(Router::new(), |router, path| {
        let ready = ready.clone();
        router.route(path, any(move |method: Method, uri: Uri| answer(method, uri, ready)))
    })
}

async fn answer(method: Method, uri: Uri, ready: Ready) -> Response {
    if method != Method::GET && method != Method::HEAD {
        let refused = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "it is read with GET and HEAD");
        let mut response = refused.at(uri.path()).into_response();
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    if uri.path().ends_with("/ready")
        && let Some(problem) = ready()
    {
        return problem.at(uri.path()).into_response();
    }
    // While the process answers it serves: a part that ends takes the whole of it down.
    let mut response = Json(json!({ "status": "ok" })).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
